//! All that happens, as it happens, over a WebSocket.
//!
//! `GET /api/events` sends a JSON message for each event: `call-started`, `call-updated`, `call-ended` with the call, and
//! `transcript-update` with the lines. Each has a `cursor`; whoever connects again with `?cursor=` of the last message it
//! has seen gets what came after it, from whichever server. Without one it gets what happens from now on.
//!
//! The feed is read from the store at the pace of whoever listens, so that a slow one stalls nobody. One that is there and
//! falls too far behind is told so (`fell-behind`) and goes on with the present; one that was away misses nothing.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Query as Parameters, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{SessionEvent, Version},
    id::SessionId,
    store::{FeedEvent, Position, SessionStore, StoreError},
};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use realtime_bridge::media::twilio::upgrade::{self, Upgrade};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::Role},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Problem,
    api::{CallView, LineView, bad_query},
};
use crate::chain::Chain;

/// How many events are read at once.
const PAGE: usize = 256;

/// How old the oldest unread event may be before whoever listens goes on with the present.
const BEHIND: Duration = Duration::from_secs(300);

/// How long a listener may take nothing before it counts as gone.
const DEAF: Duration = Duration::from_secs(30);

/// How often a silent connection is tried.
const PING: Duration = Duration::from_secs(20);

/// The pause before a store that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    cursor: Option<String>,
}

/// A message to whoever listens.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Told {
    CallStarted {
        cursor: Position,
        at: Timestamp,
        call: CallView,
    },
    CallUpdated {
        cursor: Position,
        at: Timestamp,
        /// The name of what happened.
        event: &'static str,
        call: CallView,
    },
    CallEnded {
        cursor: Position,
        at: Timestamp,
        call: CallView,
    },
    TranscriptUpdate {
        cursor: Position,
        at: Timestamp,
        call_id: SessionId,
        version: Version,
        lines: Vec<LineView>,
    },
    /// What happened between is to be read from the calls.
    FellBehind {
        cursor: Position,
    },
}

/// Why a listener is not served any more.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("the connection ended with its upgrade")]
    Upgrade(#[source] io::Error),
    #[error("the connection failed")]
    Socket(#[source] Box<tungstenite::Error>),
    #[error("it took nothing for {} s", DEAF.as_secs())]
    Deaf,
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<tungstenite::Error> for Over {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

/// What a server's feed is made of.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    /// Where the events are.
    pub(crate) store: Arc<dyn SessionStore>,
    /// The tasks of the server.
    pub(crate) tasks: TaskTracker,
    /// The server is going.
    pub(crate) stop: CancellationToken,
}

pub(crate) async fn events(
    State(feed): State<Feed>,
    parameters: Result<Parameters<Cursor>, QueryRejection>,
    request: Request,
) -> Response {
    let cursor = match parameters {
        Ok(Parameters(Cursor { cursor })) => cursor,
        Err(rejection) => return bad_query(rejection).into_response(),
    };
    let from = match cursor.map(|cursor| cursor.parse::<Position>()).transpose() {
        Ok(from) => from,
        Err(error) => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "bad-cursor", "The cursor is not one of ours");
            return problem.with_detail(error.to_string()).into_response();
        }
    };
    let resumes = from.is_some();
    let from = match from {
        Some(from) => from,
        None => match feed.store.feed_end().await {
            Ok(end) => end,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the feed cannot be read");
                return Problem::no_store().into_response();
            }
        },
    };
    let mut request = request;
    match upgrade::upgrade(&mut request) {
        Ok((response, socket)) => {
            let tasks = feed.tasks.clone();
            tasks.spawn(async move {
                if let Err(over) = Box::pin(listen(feed, socket, from, resumes)).await {
                    tracing::debug!(error = %Chain(&over), "a listener has gone");
                }
            });
            response.map(|()| Body::empty())
        }
        Err(error) => error.response().map(|()| Body::empty()),
    }
}

/// When the feed is read next.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// Now: there may be more.
    Now,
    /// When there is news.
    News,
    /// At this time: the store failed.
    Later(Instant),
}

impl Next {
    async fn comes(self, store: &dyn SessionStore, position: Position) {
        match self {
            Self::Now => {}
            Self::News => store.feed_moved(position).await,
            Self::Later(at) => sleep_until(at).await,
        }
    }
}

async fn listen(feed: Feed, socket: Upgrade, mut position: Position, resumes: bool) -> Result<(), Over> {
    let socket = socket.await.map_err(Over::Upgrade)?;
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    let (mut ping, mut next) = (Instant::now() + PING, Next::Now);
    // Whoever was away gets all that it missed, however long ago. Only one that was there can fall behind.
    let mut present = !resumes;
    loop {
        tokio::select! {
            // However much there is to tell: a listener that goes is let go, and so is one of a server that stops.
            biased;
            () = feed.stop.cancelled() => {
                // It connects to another server and goes on from its cursor.
                let _ = timeout(AGAIN, socket.close(None)).await;
                return Ok(());
            }
            () = sleep_until(ping) => {
                send(&mut socket, Message::Ping(bytes::Bytes::new())).await?;
                ping = Instant::now() + PING;
                continue;
            }
            // Nothing is expected from it; but its pings are answered and its end is seen only by reading.
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error.into()),
            },
            () = next.comes(&*feed.store, position) => {}
        }
        match page(&*feed.store, position, present).await {
            Ok(Some(page)) => {
                // A slow listener takes its time for each message; a server that stops does not wait for them all.
                match feed.stop.run_until_cancelled(tell(&mut socket, &page.messages)).await {
                    Some(told) => told?,
                    None => continue,
                }
                (position, next) = (page.end, Next::Now);
                present |= page.is_last;
            }
            Ok(None) => (next, present) = (Next::News, true),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the feed cannot be read now");
                next = Next::Later(Instant::now() + AGAIN);
            }
        }
    }
}

async fn tell<S>(socket: &mut WebSocketStream<S>, messages: &[Told]) -> Result<(), Over>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for message in messages {
        send(socket, Message::text(serde_json::to_string(message)?)).await?;
    }
    Ok(())
}

async fn send<S>(socket: &mut WebSocketStream<S>, message: Message) -> Result<(), Over>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    timeout(DEAF, socket.send(message)).await.map_err(|_| Over::Deaf)?.map_err(Over::from)
}

/// A piece of the feed.
struct Page {
    messages: Vec<Told>,
    /// The position after it.
    end: Position,
    /// Whether there was nothing behind it.
    is_last: bool,
}

/// What comes after a position; `None` if there is nothing. One who is `present` and gets old news has fallen behind.
async fn page(store: &dyn SessionStore, after: Position, present: bool) -> Result<Option<Page>, StoreError> {
    let events = store.read_feed(after, PAGE).await?;
    let Some((oldest, last)) = events.first().zip(events.last()) else { return Ok(None) };
    let age = Timestamp::now().duration_since(oldest.recorded.stamped.at).unsigned_abs();
    let is_last = events.len() < PAGE;
    if present && !is_last && age > BEHIND {
        let end = store.feed_end().await?;
        return Ok(Some(Page { messages: vec![Told::FellBehind { cursor: end }], end, is_last: true }));
    }
    let end = last.position;
    let mut calls = HashMap::new();
    let mut messages = Vec::with_capacity(events.len());
    for event in events {
        let call = event.recorded.call;
        if let SessionEvent::Said { lines } = &event.recorded.stamped.event {
            messages.push(Told::TranscriptUpdate {
                cursor: event.position,
                at: event.recorded.stamped.at,
                call_id: call,
                version: event.recorded.version,
                lines: lines.iter().map(LineView::new).collect(),
            });
            continue;
        }
        if !calls.contains_key(&call)
            && let Some(summary) = store.summary(call).await?
        {
            calls.insert(call, CallView::new(&summary));
        }
        // The call as it is now, which may be further than the event: who draws it wants the newest.
        messages.extend(calls.get(&call).map(|call| told(&event, call.clone())));
    }
    Ok(Some(Page { messages, end, is_last }))
}

fn told(event: &FeedEvent, call: CallView) -> Told {
    let (cursor, at) = (event.position, event.recorded.stamped.at);
    match &event.recorded.stamped.event {
        SessionEvent::Created(_) => Told::CallStarted { cursor, at, call },
        SessionEvent::Ended(_) => Told::CallEnded { cursor, at, call },
        other => Told::CallUpdated { cursor, at, event: other.name(), call },
    }
}
