//! One socket: the driver between a [`Session`] and the network.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

use super::session::{Output, Session};

/// The server pings about this often, as seen in the field.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the client may take to answer a close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A session that its driver and its observers share.
#[derive(Debug)]
pub(super) struct Shared {
    session: Mutex<Session>,
    /// Counts what has happened, so that nobody has to look again and again.
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(session: Session) -> Self {
        Self { session: Mutex::new(session), changes: watch::Sender::new(0) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        // A panic while the lock was held is a failed test already.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Changes the session and tells everybody.
    pub(super) fn change(&self, change: impl FnOnce(&mut Session)) {
        change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
    }
}

/// The largest message is an append of 15 MiB in base64.
pub(super) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(24 << 20))
        .max_frame_size(Some(24 << 20))
}

pub(super) fn now() -> Instant {
    time::Instant::now().into_std()
}

/// Serves a session until either side ends it, or `stop` is cancelled, which goes away as a restarting server does.
///
/// `number` is that of a call's control socket: it ends when a newer one takes its place, and the session outlives it. A
/// session of its own has the number 0.
pub(super) async fn serve<S>(mut socket: WebSocketStream<S>, shared: &Shared, number: u64, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut changes = shared.changes();
    let mut pings = time::interval(PING_EVERY);
    pings.reset();
    let mut flow = Flow::default();
    loop {
        changes.mark_unchanged();
        if shared.lock().socket() != number {
            return;
        }
        while flow.next.is_none() && !flow.dropped {
            let Some(output) = shared.lock().poll_output() else { break };
            flow.take(output);
        }
        if flow.dropped {
            break;
        }
        let due = shared.lock().poll_timeout();
        let close_by = flow.close_by;
        let idle = !flow.wants_to_write();
        tokio::select! {
            () = stop.cancelled(), if close_by.is_none() => {
                flow.close(1001, "");
                shared.change(|session| session.lost(now(), number));
            }
            io = poll_fn(|cx| flow.poll(&mut socket, cx)) => match io {
                Io::Written => {}
                Io::Received(message) => receive(shared, &mut flow, message),
                Io::TooBig => flow.close(1009, ""),
                Io::Over => break,
            },
            () = until(due), if due.is_some() => shared.change(|session| session.handle_timeout(now())),
            _ = changes.changed() => {}
            _ = pings.tick(), if close_by.is_none() && idle => {
                flow.next = Some(Message::Ping(tungstenite::Bytes::new()));
            }
            () = until(close_by), if close_by.is_some() => break,
        }
    }
    shared.change(|session| session.lost(now(), number));
}

fn receive(shared: &Shared, flow: &mut Flow, message: Message) {
    match message {
        Message::Text(text) => shared.change(|session| session.handle_text(now(), &text)),
        Message::Binary(_) => shared.change(|session| session.handle_binary(now())),
        Message::Close(frame) => {
            let code = frame.map(|frame| frame.code.into());
            shared.change(|session| session.handle_close(now(), code));
            flow.close_by.get_or_insert(now() + CLOSE_WITHIN);
            flow.unflushed = true;
        }
        Message::Ping(_) => flow.unflushed = true,
        Message::Pong(_) | Message::Frame(_) => {}
    }
}

async fn until(due: Option<Instant>) {
    if let Some(due) = due {
        time::sleep_until(due.into()).await;
    }
}

/// What is on its way to the client.
#[derive(Debug)]
struct Flow {
    next: Option<Message>,
    unflushed: bool,
    reading: bool,
    dropped: bool,
    close_by: Option<Instant>,
}

impl Default for Flow {
    fn default() -> Self {
        Self { next: None, unflushed: false, reading: true, dropped: false, close_by: None }
    }
}

impl Flow {
    fn take(&mut self, output: Output) {
        match output {
            Output::Text(text) => self.next = Some(Message::text(text)),
            Output::Binary(bytes) => self.next = Some(Message::binary(bytes)),
            Output::Close(code, reason) => self.close(code, &reason),
            Output::Drop => self.dropped = true,
            Output::StopReading => self.reading = false,
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.next = Some(Message::Close(Some(frame)));
        self.close_by = Some(now() + CLOSE_WITHIN);
    }

    const fn wants_to_write(&self) -> bool {
        self.next.is_some() || self.unflushed
    }

    /// Writes what there is and reads what comes; nothing is lost when this is not polled to the end. Reading goes on
    /// while a client does not take what is written.
    fn poll<S>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<Io>
    where
        S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        match self.poll_write(socket, cx) {
            Poll::Ready(Some(Ok(()))) => return Poll::Ready(Io::Written),
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Io::Over),
            Poll::Ready(None) | Poll::Pending => {}
        }
        if !self.reading {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(socket.poll_next_unpin(cx)) {
            Some(Ok(message)) => Io::Received(message),
            Some(Err(tungstenite::Error::Capacity(_))) => Io::TooBig,
            Some(Err(_)) | None => Io::Over,
        })
    }

    /// Hands the next message to the socket, or flushes; ready with nothing when there is nothing to do.
    fn poll_write<S>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<Option<Result<(), tungstenite::Error>>>
    where
        S: Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        if self.next.is_some() {
            ready!(socket.poll_ready_unpin(cx))?;
            if let Some(message) = self.next.take() {
                socket.start_send_unpin(message)?;
                self.unflushed = true;
            }
            return Poll::Ready(Some(Ok(())));
        }
        if self.unflushed {
            ready!(socket.poll_flush_unpin(cx))?;
            self.unflushed = false;
            return Poll::Ready(Some(Ok(())));
        }
        Poll::Ready(None)
    }
}

/// What came of polling a socket.
enum Io {
    Written,
    Received(Message),
    TooBig,
    Over,
}
