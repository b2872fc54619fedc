//! One media stream of a call, from the webhook that announces it to the question what comes next.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use realtime_bridge::relay::TranscriptEntry;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use twilio_twiml::sid::{AccountSid, CallSid};
use uuid::Uuid;

use super::Outcome;
use crate::model::PreparedSession;

/// How long we may take to notice the end of a stream that Twilio knows of. Both learn it from the same socket.
const NOTICE: Duration = Duration::from_millis(250);

/// How long a stream that is over for Twilio may take to end here once it is told to.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// One media stream of a call.
#[derive(Debug)]
pub struct CallStream<S> {
    /// Its name in our URLs.
    pub id: Uuid,
    /// The call.
    pub call: CallSid,
    /// The account that the call belongs to.
    pub account: AccountSid,
    /// An earlier stream of the call was cut off.
    pub resumed: bool,
    phase: watch::Sender<Phase>,
    memory: Mutex<Memory<S>>,
    /// The stream has to end: Twilio says that it is over, or the server stops.
    stop: CancellationToken,
    /// Twilio says that it is over.
    gone: CancellationToken,
}

#[derive(Debug)]
enum Phase {
    Expected,
    Running,
    Over(Outcome),
}

#[derive(Debug)]
struct Memory<S> {
    session: Option<PreparedSession<S>>,
    transcript: Vec<TranscriptEntry>,
    /// Twilio was told what comes next, or will not ask.
    answered: bool,
    forget_at: Instant,
}

impl<S: Send + 'static> CallStream<S> {
    pub(super) fn new(
        call: CallSid,
        account: AccountSid,
        session: PreparedSession<S>,
        resumed: bool,
        stop: CancellationToken,
    ) -> Self {
        let memory =
            Memory { session: Some(session), transcript: Vec::new(), answered: false, forget_at: Instant::now() };
        Self {
            id: Uuid::now_v7(),
            call,
            account,
            resumed,
            phase: watch::Sender::new(Phase::Expected),
            memory: Mutex::new(memory),
            stop,
            gone: CancellationToken::new(),
        }
    }

    /// The stream is up. Gives the session that waits for it; `None` if it was up before.
    #[must_use]
    pub fn begin(&self) -> Option<PreparedSession<S>> {
        let session = self.memory().session.take()?;
        self.phase.send_replace(Phase::Running);
        Some(session)
    }

    /// Twilio could not open the stream: its session is not needed.
    pub fn failed(&self) {
        if self.memory().session.take().is_some() {
            self.end(Outcome::Lost);
        }
    }

    /// What was said so far, in order.
    #[must_use]
    pub fn transcript(&self) -> Vec<TranscriptEntry> {
        self.memory().transcript.clone()
    }

    /// Waits until the stream has to end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn stopped(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.gone.cancelled() => {}
        }
    }

    /// What it means when we have hung up.
    pub(super) fn hung_up(&self) -> Outcome {
        if self.gone.is_cancelled() {
            Outcome::Lost
        } else if self.stop.is_cancelled() {
            Outcome::Stopped
        } else {
            Outcome::Ended(realtime_bridge::relay::EndReason::HungUp)
        }
    }

    /// An entry of the conversation is new, or has new words.
    pub(super) fn note(&self, entry: TranscriptEntry) {
        let mut memory = self.memory();
        match memory.transcript.iter_mut().find(|known| known.item == entry.item) {
            Some(known) => *known = entry,
            None => {
                // The caller's words are written down late, when the answer is under way.
                let place = memory.transcript.partition_point(|known| known.at <= entry.at);
                memory.transcript.insert(place, entry);
            }
        }
    }

    /// The first outcome counts.
    pub(super) fn end(&self, outcome: Outcome) {
        self.phase.send_if_modified(|phase| {
            let first = !matches!(phase, Phase::Over(_));
            if first {
                *phase = Phase::Over(outcome);
            }
            first
        });
    }

    /// What became of the stream, which is over for Twilio.
    pub(super) async fn outcome(&self) -> Outcome {
        let over = async {
            let mut phase = self.phase.subscribe();
            let phase = phase.wait_for(|phase| !matches!(phase, Phase::Running)).await;
            match phase.as_deref() {
                Ok(Phase::Over(outcome)) => outcome.clone(),
                Ok(Phase::Expected | Phase::Running) | Err(_) => Outcome::Lost,
            }
        };
        let mut over = std::pin::pin!(over);
        if let Ok(outcome) = timeout(NOTICE, &mut over).await {
            return outcome;
        }
        self.gone.cancel();
        timeout(STOP_LIMIT, over).await.unwrap_or(Outcome::Lost)
    }

    pub(super) fn answered(&self) {
        let mut memory = self.memory();
        memory.answered = true;
        memory.session = None;
    }

    pub(super) fn forget_at(&self, at: Instant) {
        self.memory().forget_at = at;
    }

    /// When the stream may be forgotten; `None` while it runs.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let running = matches!(*self.phase.borrow(), Phase::Running);
        (!running).then(|| self.memory().forget_at)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.memory().answered
    }

    fn memory(&self) -> MutexGuard<'_, Memory<S>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
