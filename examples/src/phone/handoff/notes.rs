//! A silent note-taker: what caller and person say to each other is written down.
//!
//! Twilio copies the caller's leg to a socket of ours (`<Start><Stream>`): inbound is the caller, outbound what the caller
//! hears, which is the person. A model session for each listens and never answers. Whatever fails here is missing in the
//! transcript and nowhere else: nothing goes back to the line, and no document waits for it.

mod listener;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    call::{CallSummary, Place, Speaker},
    id::{SessionId, StreamId},
    recorder::{Recorder, RecorderConfig},
    store::{self, StoreError},
};
use futures_util::StreamExt;
use jiff::Timestamp;
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame, FrameError},
    media::twilio::{
        upgrade::{Socket, Upgrade},
        wire::{FromTwilio, Start, Track, WireError},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use twilio_twiml::{
    twiml::{self, Stream},
    words::Track as TwimlTrack,
};

use self::listener::{Listener, Sessions};
use crate::{
    chain::Chain,
    phone::{Phone, connect::Leg},
    stream_token::PARAMETER,
    web,
};

/// How long Twilio may take to introduce a stream.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// The largest message taken, in bytes. Twilio's have 20 ms each.
const MESSAGE: usize = 64 * 1024;

/// What waits for a session that is being opened, in frames of 20 ms: 10 s. What does not fit is not listened to.
const WAITING: usize = 500;

/// The pause before a store that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long Twilio may take to see that a socket is closed.
const CLOSE: Duration = Duration::from_secs(2);

/// The note-takers of this server: one a call.
#[derive(Debug, Default)]
pub(in crate::phone) struct NoteTakers(Mutex<HashMap<SessionId, (StreamId, CancellationToken)>>);

impl NoteTakers {
    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, (StreamId, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A document that is fetched twice brings two copies: the newer is listened to.
    fn begin(&self, call: SessionId, stream: StreamId, stop: CancellationToken) {
        if let Some((_, former)) = self.all().insert(call, (stream, stop)) {
            former.cancel();
        }
    }

    fn end(&self, call: SessionId, stream: StreamId) {
        let mut all = self.all();
        if all.get(&call).is_some_and(|(last, _)| *last == stream) {
            all.remove(&call);
        }
    }
}

/// Why a copy of a call is not listened to.
#[derive(Debug, thiserror::Error)]
enum NoNotes {
    #[error("the connection ended with its upgrade")]
    Upgrade(#[source] io::Error),
    #[error("it did not introduce itself")]
    Late,
    #[error("the connection broke")]
    Socket(#[source] tungstenite::Error),
    #[error("it is not Twilio's protocol")]
    Wire(#[source] WireError),
    #[error("its audio cannot be read")]
    Frame(#[source] FrameError),
}

/// Lets a copy of a call in that was asked for; everything else is settled when it has shown its token.
pub(super) async fn notes(
    State(phone): State<Phone>,
    Path((call, stream)): Path<(SessionId, StreamId)>,
    request: Request,
) -> Response {
    if phone.0.stop.is_cancelled() || phone.0.leave.is_cancelled() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let wanted = phone.0.store.summary(call).await.is_ok_and(|call| call.is_some_and(|call| is_with_person(&call)));
    if !phone.0.settings.handoff.notes || !wanted {
        tracing::warn!("a copy of a call was refused that nobody wants");
        return StatusCode::NOT_FOUND.into_response();
    }
    match web::upgrade(request, &phone.0.verifier, phone.0.settings.twilio.require_stream_signature) {
        Ok((response, socket)) => {
            let tasks = phone.0.tasks.clone();
            tasks.spawn(Box::pin(phone.admit_notes(call, stream, socket)));
            response
        }
        Err(refused) => *refused,
    }
}

/// Whether the caller is with a person, or on the way to one.
fn is_with_person(call: &CallSummary) -> bool {
    matches!(call.place(), Place::Room | Place::Dial(_) | Place::Wait)
}

/// Whether what is heard there is worth writing down: whoever waits for a person hears music.
fn is_talk(call: &CallSummary) -> bool {
    call.handoff.as_ref().is_some_and(|handoff| handoff.connected.is_some() || !handoff.plan.moves_first())
}

impl Phone {
    /// Has Twilio copy what caller and person say, if it is written down here.
    pub(super) fn copied(&self, leg: &Leg) -> twiml::Response {
        let response = twiml::Response::new();
        if !self.0.settings.handoff.notes {
            return response;
        }
        let stream = StreamId::new();
        let token = self.0.tokens.mint(Timestamp::now(), stream, &leg.sid, &leg.account);
        let url = self.0.settings.public_url.stream(&format!("/api/twilio/handoff-notes/{}/{stream}", leg.call.id));
        let copy = Stream::new(url).track(TwimlTrack::Both).parameter(PARAMETER, token.expose());
        response.start(twiml::Start::new(copy))
    }

    /// Nothing is opened or kept for a copy that has not shown the token of its call, or has shown it before.
    async fn admit_notes(self, call: SessionId, stream: StreamId, socket: Upgrade) {
        let (mut socket, start) = match introduce(socket).await {
            Ok(introduced) => introduced,
            Err(error) => return tracing::warn!(error = %Chain(&error), "a copy of a call did not begin"),
        };
        let span = tracing::info_span!("call", call_sid = %start.call_sid, stream_sid = %start.stream_sid);
        async {
            let token = start.custom_parameters.get(PARAMETER).map_or("", String::as_str);
            let now = Timestamp::now();
            if let Err(error) = self.0.tokens.check(now, stream, token, &start.call_sid, &start.account_sid) {
                return tracing::warn!(%error, "a copy of a call was refused");
            }
            let until = now.saturating_add(self.0.settings.limits.stream_wait).unwrap_or(now);
            match self.0.store.claim(&format!("notes {stream}"), now, until).await {
                Ok(true) => self.take_notes(call, stream, &mut socket).await,
                Ok(false) => tracing::warn!("a copy of a call comes a second time"),
                Err(error) => tracing::warn!(error = %Chain(&error), "a copy of a call is not listened to"),
            }
            // A copy ends with its socket.
            let _ = timeout(CLOSE, socket.close(None)).await;
        }
        .instrument(span)
        .await;
    }

    async fn take_notes(&self, call: SessionId, stream: StreamId, socket: &mut WebSocketStream<Socket>) {
        let talk = match self.0.store.summary(call).await {
            Ok(Some(call)) => self.0.settings.conversation.of(&call),
            Ok(None) => return,
            Err(error) => return tracing::warn!(error = %Chain(&error), "a copy of a call is not listened to"),
        };
        let endpoints = self.0.models.endpoints_beside(&talk.listening(&self.0.settings.voice));
        let (recorder, writing) = Recorder::new(Arc::clone(&self.0.store), call, RecorderConfig::default());
        self.0.tasks.spawn(
            async move {
                if let Err(error) = writing.run().await {
                    tracing::warn!(%error, "what caller and person say is not complete");
                }
            }
            .in_current_span(),
        );
        let stop = self.0.stop.child_token();
        self.0.note_takers.begin(call, stream, stop.clone());
        tracing::info!("what caller and person say is written down");
        let (caller, mut of_caller) = mpsc::channel(WAITING);
        let (person, mut of_person) = mpsc::channel(WAITING);
        let (talks, talking) = watch::channel(false);
        let over = stop.child_token();
        let sessions = Sessions::new(self.0.models.clone(), endpoints, over.clone());
        let mut first = Listener::new(recorder.clone(), sessions.clone(), Speaker::Caller, stream);
        let mut second = Listener::new(recorder, sessions, Speaker::Person, stream);
        let listening = async {
            // One after the other, while their audio waits.
            first.open().await;
            second.open().await;
            tokio::join!(first.listen(&mut of_caller), second.listen(&mut of_person));
        };
        let reading = async move {
            let copied = copy(socket, &caller, &person, &talking);
            tokio::select! {
                copied = copied => match copied {
                    Ok(missed) => tracing::debug!(missed, "the copy of a call is over"),
                    Err(error) => tracing::warn!(error = %Chain(&error), "a copy of a call broke"),
                },
                () = self.until_apart(call, &talks) => {}
                () = stop.cancelled() => {}
            }
            // Their sessions have the last words yet to tell; the audio is over.
            drop((caller, person));
            over.cancel();
            let _ = timeout(CLOSE, socket.close(None)).await;
        };
        tokio::join!(Box::pin(listening), reading);
        self.0.note_takers.end(call, stream);
    }

    /// Resolves when the caller is somewhere else than where the copy began, and tells meanwhile whether they talk.
    async fn until_apart(&self, call: SessionId, talks: &watch::Sender<bool>) {
        let mut began = None;
        loop {
            match self.look(call, &mut began, talks).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "nobody knows whether caller and person still talk");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Whether the caller is where the copy `began`, until something happens. With the next person, or in the next handoff,
    /// another copy listens, of another document, and this one would write everything a second time.
    async fn look(
        &self,
        call: SessionId,
        began: &mut Option<(Place, Timestamp)>,
        talks: &watch::Sender<bool>,
    ) -> Result<bool, StoreError> {
        let position = self.0.store.feed_end().await?;
        let Some(known) = self.0.store.summary(call).await?.filter(is_with_person) else { return Ok(false) };
        let handed = known.handoff.as_ref().map(|handoff| handoff.requested).unwrap_or_default();
        let here = (known.place(), handed);
        if *began.get_or_insert(here) != here {
            return Ok(false);
        }
        talks.send_replace(is_talk(&known));
        store::news_of(&*self.0.store, call, position).await?;
        Ok(true)
    }
}

/// Gives each its frames until the copy is over; how many did not fit.
async fn copy(
    socket: &mut WebSocketStream<Socket>,
    caller: &mpsc::Sender<AudioFrame>,
    person: &mpsc::Sender<AudioFrame>,
    talking: &watch::Receiver<bool>,
) -> Result<u64, NoNotes> {
    let mut missed = 0;
    while let Some(text) = next(socket).await.map_err(NoNotes::Socket)? {
        match FromTwilio::parse(&text).map_err(NoNotes::Wire)? {
            FromTwilio::Media(media) if *talking.borrow() => {
                let frame = AudioFrame::base64(AudioFormat::MuLaw, media.payload.into_owned());
                let to = if media.track == Track::Inbound { caller } else { person };
                missed += u64::from(to.try_send(frame.map_err(NoNotes::Frame)?).is_err());
            }
            FromTwilio::Stop(_) => break,
            _ => {}
        }
    }
    Ok(missed)
}

/// Twilio's first words.
async fn introduce(socket: Upgrade) -> Result<(WebSocketStream<Socket>, Box<Start>), NoNotes> {
    let socket = socket.await.map_err(NoNotes::Upgrade)?;
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE)).max_frame_size(Some(MESSAGE));
    let mut socket = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
    let introduced = async {
        while let Some(text) = next(&mut socket).await.map_err(NoNotes::Socket)? {
            match FromTwilio::parse(&text).map_err(NoNotes::Wire)? {
                FromTwilio::Start(start) => return Ok(start),
                FromTwilio::Connected(_) => {}
                _ => break,
            }
        }
        Err(NoNotes::Late)
    };
    let start = timeout(INTRODUCTION, introduced).await.map_err(|_| NoNotes::Late)??;
    Ok((socket, start))
}

/// The next text; `None` when the socket is closed.
async fn next(socket: &mut WebSocketStream<Socket>) -> Result<Option<Utf8Bytes>, tungstenite::Error> {
    loop {
        match socket.next().await.transpose()? {
            Some(Message::Text(text)) => return Ok(Some(text)),
            Some(Message::Close(_)) | None => return Ok(None),
            Some(_) => {}
        }
    }
}
