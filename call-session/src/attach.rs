//! Carrying a call's audio, and writing down what happens on it.

use std::{
    convert::Infallible,
    future::{Future, pending},
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use realtime_bridge::{
    bridge::{Bridge, CallReport},
    media::MediaTransport,
    realtime::{RealtimeSession, SessionInfo},
    relay::{CallEvent, CallUpdate, EndReason},
};

use crate::{
    call::{Line, SessionEvent, Usage},
    id::StreamId,
    recorder::{RecordError, Recorder},
};

/// The pause after a key that makes the next one another entry.
const KEYS: Duration = Duration::from_secs(2);

/// Carries a stream of a call to its end and writes down what happens on it: what is said and heard, tools, keys, usage,
/// problems, and how it ended. That the stream is attached was written down before.
///
/// `leave` resolves with a short fixed name when this server has to leave the stream although the conversation is not over,
/// such as `drained`: then the caller is connected again by whoever answers for it next.
///
/// Where another session of a model takes over, the one is written down as detached and the other as attached, so that what
/// is used after it is known to be the other's. That the first was attached was written down before, and that the last one
/// ([`CallReport::session`]) is detached is left to whoever knows why the call is over.
///
/// Tools are written down before they run: the bridge gets the recorder as its journal.
///
/// ```
/// # use std::{future::pending, sync::Arc};
/// # use call_session::{attach::carry, id::StreamId, recorder::Recorder};
/// # use realtime_bridge::{bridge::Bridge, media::MediaTransport, realtime::RealtimeSession};
/// # async fn serve(
/// #     recorder: Recorder, stream: StreamId, line: impl MediaTransport, session: impl RealtimeSession + 'static,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let bridge = Bridge::new(line, session)?;
/// let report = carry(&recorder, stream, bridge, pending()).await;
/// recorder.kept().await?;
/// println!("ended: {}", report.reason);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future ends the stream at once; that it ended is not written down then.
pub async fn carry<M, S>(
    recorder: &Recorder,
    stream: StreamId,
    bridge: Bridge<M, S>,
    leave: impl Future<Output = &'static str> + Send,
) -> CallReport
where
    M: MediaTransport,
    S: RealtimeSession + 'static,
{
    let bridge = bridge.with_journal(Arc::new(recorder.clone()));
    let handle = bridge.handle();
    let mut updates = handle.watch();
    let mut notes = Notes::new(recorder, stream, bridge.session().id.clone());
    let left = OnceLock::new();
    let watching = async {
        while let Some(update) = updates.next().await {
            notes.take(update, left.get().copied()).await;
        }
    };
    // Beside the watching, which may wait for a store while the server has to go.
    let leaving = async {
        let _ = left.set(leave.await);
        // If the conversation is over by itself, all the better.
        let _ = handle.hang_up().await;
        pending::<Infallible>().await
    };
    let carrying = async { tokio::join!(Box::pin(bridge.run()), watching).0 };
    let report = tokio::select! {
        report = carrying => report,
        never = leaving => match never {},
    };
    notes.complete(&report, left.get().copied()).await;
    report
}

/// What is written down of a stream.
struct Notes<'a> {
    recorder: &'a Recorder,
    stream: StreamId,
    /// The model's session, as the provider names it.
    session: String,
    began: Timestamp,
    keys: String,
    keys_at: Option<Duration>,
    used: Usage,
    detached: bool,
    /// How many updates there were.
    updates: u64,
}

impl<'a> Notes<'a> {
    fn new(recorder: &'a Recorder, stream: StreamId, session: String) -> Self {
        let (keys, used) = (String::new(), Usage::default());
        Self {
            recorder,
            stream,
            session,
            began: recorder.now(),
            keys,
            keys_at: None,
            used,
            detached: false,
            updates: 0,
        }
    }

    async fn take(&mut self, update: CallUpdate, leaving: Option<&'static str>) {
        let at = self.began.saturating_add(update.at).unwrap_or(self.began);
        if self.keys_at.is_some_and(|last| update.at > last + KEYS) {
            self.keys_pressed().await;
        }
        if update.sequence != self.updates {
            let missed = update.sequence - self.updates;
            tracing::warn!(call = %self.recorder.call(), missed, "updates of a call were missed: keys and notes may be");
        }
        self.updates = update.sequence + 1;
        match update.event {
            CallEvent::Started(_) => {
                self.began = self.recorder.now().saturating_sub(update.at).unwrap_or(self.began);
            }
            CallEvent::Transcript(entry) => self.recorder.say(Line::from_bridge(self.stream, self.began, &entry)),
            CallEvent::Noted(text) => self.propose(SessionEvent::Noted { text }, at).await,
            CallEvent::Summarised { summary: text, .. } => self.propose(SessionEvent::Summarised { text }, at).await,
            CallEvent::Dtmf(digit) => {
                self.keys.push(digit.as_char());
                self.keys_at = Some(update.at);
            }
            CallEvent::Usage(used) => self.use_up(used.into(), at).await,
            CallEvent::ProviderProblem(problem) => {
                let what = format!("model: {}", problem.code.as_deref().unwrap_or("unknown"));
                self.propose(SessionEvent::Problem { what, code: None }, at).await;
            }
            CallEvent::ModelLost(reason) => {
                self.propose(SessionEvent::Problem { what: format!("model: {}", reason.name()), code: None }, at).await;
                self.model_leaves(reason.name(), at).await;
            }
            CallEvent::ModelBack { info, .. } => self.model_enters(&info, at).await,
            CallEvent::ModelChanged { info, .. } => {
                self.model_leaves("rotated", at).await;
                self.model_enters(&info, at).await;
            }
            CallEvent::EndCalledOff => self.propose(SessionEvent::EndCalledOff, at).await,
            CallEvent::Ended(reason) => self.detach(&reason, leaving, at).await,
            _ => {}
        }
    }

    /// A watcher that fell behind has missed updates; the report has missed no words, no usage and no session that still
    /// had the call.
    async fn complete(&mut self, report: &CallReport, leaving: Option<&'static str>) {
        for entry in &report.transcript {
            self.recorder.say(Line::from_bridge(self.stream, self.began, entry));
        }
        if let Some(session) = report.session.as_ref().filter(|session| session.id != self.session) {
            self.model_enters(session, self.recorder.now()).await;
        }
        let total = Usage::from(report.usage);
        if let Some(rest) = total.without(&self.used) {
            self.use_up(rest, self.recorder.now()).await;
        }
        if !self.detached {
            self.detach(&report.reason, leaving, self.recorder.now()).await;
        }
    }

    async fn model_leaves(&self, cause: &str, at: Timestamp) {
        let session = self.session.clone();
        self.propose(SessionEvent::ModelDetached { session, cause: cause.to_owned() }, at).await;
    }

    async fn model_enters(&mut self, info: &SessionInfo, at: Timestamp) {
        self.session.clone_from(&info.id);
        let (session, model) = (info.id.clone(), info.model.clone());
        self.propose(SessionEvent::ModelAttached { stream: self.stream, session, model }, at).await;
    }

    async fn use_up(&mut self, usage: Usage, at: Timestamp) {
        self.used += &usage;
        self.propose(SessionEvent::Used { usage }, at).await;
    }

    async fn detach(&mut self, reason: &EndReason, leaving: Option<&'static str>, at: Timestamp) {
        self.detached = true;
        self.keys_pressed().await;
        let (cause, orderly) = match (reason, leaving) {
            (EndReason::HungUp, Some(cause)) => (cause, false),
            (reason, _) => (reason.name(), reason.is_orderly()),
        };
        let event = SessionEvent::StreamDetached { stream: self.stream, cause: cause.to_owned(), orderly };
        self.propose(event, at).await;
    }

    async fn keys_pressed(&mut self) {
        if let Some(last) = self.keys_at.take() {
            let keys = std::mem::take(&mut self.keys);
            let at = self.began.saturating_add(last).unwrap_or(self.began);
            self.propose(SessionEvent::KeysPressed { keys }, at).await;
        }
    }

    async fn propose(&self, event: SessionEvent, at: Timestamp) {
        if let Err(RecordError::Closed) = self.recorder.propose(event.at(at)).await {
            tracing::debug!("nobody writes for the call any more");
        }
    }
}
