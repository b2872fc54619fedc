//! The calls of a server: which media streams are expected, running or over, and what follows each.
//!
//! A call outlives its stream: when the stream is over Twilio asks what comes next, and the answer depends on how it
//! ended ([`Next::after`]). A [`CallStream`] is what the server remembers from the webhook that announced the stream to
//! that question.

mod carry;
mod decision;
mod stream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use carry::{CallRecord, carry};
pub use decision::{Next, Outcome};
pub use stream::CallStream;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use twilio_twiml::sid::{AccountSid, CallSid};
use uuid::Uuid;

use crate::model::PreparedSession;

/// How long after a stream Twilio may ask what comes next. It has 15 s for a webhook, retries included.
const QUESTION_LIMIT: Duration = Duration::from_secs(15);

/// The streams of a server, by their names in URLs.
#[derive(Debug)]
pub struct Calls<S> {
    /// How long a stream may take to come.
    stream_wait: Duration,
    streams: Mutex<HashMap<Uuid, Arc<CallStream<S>>>>,
    /// How many streams are open: expected, running, or over with their question not yet asked.
    open: watch::Sender<usize>,
    stop: CancellationToken,
}

impl<S: Send + 'static> Calls<S> {
    /// No calls yet. Streams may take `stream_wait` to come; `stop` ends all that run.
    #[must_use]
    pub fn new(stream_wait: Duration, stop: CancellationToken) -> Self {
        Self { stream_wait, streams: Mutex::default(), open: watch::Sender::new(0), stop }
    }

    /// A call is about to open a stream, for which this session waits. A `resumed` call had one that was cut off..
    pub fn expect(
        &self,
        call: CallSid,
        account: AccountSid,
        session: PreparedSession<S>,
        resumed: bool,
    ) -> Arc<CallStream<S>> {
        let stream = Arc::new(CallStream::new(call, account, session, resumed, self.stop.child_token()));
        stream.forget_at(Instant::now() + self.stream_wait + QUESTION_LIMIT);
        let mut streams = self.streams();
        streams.insert(stream.id, Arc::clone(&stream));
        self.sweep(&mut streams);
        stream
    }

    /// The stream of this name, unless it is long over.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Arc<CallStream<S>>> {
        self.streams().get(&id).cloned()
    }

    /// A stream is over. Nobody asks what comes next when there is no caller any more.
    pub fn ended(&self, stream: &CallStream<S>, outcome: Outcome) {
        let asks = !matches!(&outcome, Outcome::Ended(realtime_bridge::relay::EndReason::CallerHungUp));
        stream.end(outcome);
        stream.forget_at(Instant::now() + QUESTION_LIMIT);
        if !asks {
            stream.answered();
        }
        self.sweep(&mut self.streams());
    }

    /// What comes next for the caller of a stream that is over, as Twilio says by asking. Waits until the server has
    /// noticed the end, too.
    ///
    /// # Cancel safety
    ///
    /// The question may be asked again.
    pub async fn what_next(&self, stream: &CallStream<S>) -> Next {
        let outcome = stream.outcome().await;
        stream.answered();
        stream.forget_at(Instant::now() + QUESTION_LIMIT);
        self.sweep(&mut self.streams());
        let next = Next::after(&outcome, stream.resumed);
        tracing::info!(outcome = outcome.name(), ?next, "the media stream is over");
        next
    }

    /// Waits until no stream is open.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn finished(&self) {
        let mut open = self.open.subscribe();
        loop {
            let next = self.sweep(&mut self.streams());
            if *open.borrow_and_update() == 0 {
                return;
            }
            // Streams that never come are forgotten by time alone.
            tokio::select! {
                _ = open.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Forgets what is over. Gives the time when there is more to forget.
    fn sweep(&self, streams: &mut HashMap<Uuid, Arc<CallStream<S>>>) -> Instant {
        let now = Instant::now();
        streams.retain(|_, stream| stream.deadline().is_none_or(|at| now < at));
        let open = streams.values().filter(|stream| stream.is_open()).count();
        self.open.send_if_modified(|count| std::mem::replace(count, open) != open);
        streams.values().filter_map(|stream| stream.deadline()).min().unwrap_or(now + QUESTION_LIMIT)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<CallStream<S>>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use realtime_bridge::{
        realtime::{SessionConfig, memory::MemoryClient},
        relay::EndReason,
    };
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::model::SessionPlan;

    const WAIT: Duration = Duration::from_secs(10);

    fn expect(
        calls: &Calls<realtime_bridge::realtime::memory::MemorySession>,
    ) -> Arc<CallStream<realtime_bridge::realtime::memory::MemorySession>> {
        let (client, _provider) = MemoryClient::new();
        let session =
            PreparedSession::open(&TaskTracker::new(), client, SessionPlan::new(SessionConfig::default(), WAIT));
        let call = "CAfedcba9876543210fedcba9876543210".parse().unwrap();
        calls.expect(call, "AC0123456789abcdef0123456789abcdef".parse().unwrap(), session, false)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_over_when_twilio_was_told_what_comes_next() {
        let calls = Calls::new(WAIT, CancellationToken::new());
        let stream = expect(&calls);
        assert!(stream.begin().is_some() && stream.begin().is_none());
        calls.ended(&stream, Outcome::Ended(EndReason::Goodbye));
        let began = Instant::now();
        tokio::join!(calls.finished(), async {
            assert_eq!(calls.what_next(&stream).await, Next::HangUp);
        });
        assert_eq!(began.elapsed(), Duration::ZERO);
        // A webhook that is repeated gets the same answer.
        let stream = calls.find(stream.id).unwrap();
        assert_eq!(calls.what_next(&stream).await, Next::HangUp);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_comes_is_forgotten() {
        let calls = Calls::new(WAIT, CancellationToken::new());
        let stream = expect(&calls);
        let began = Instant::now();
        calls.finished().await;
        assert_eq!(began.elapsed(), WAIT + QUESTION_LIMIT);
        assert!(calls.find(stream.id).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_for_a_caller_who_has_hung_up() {
        let calls = Calls::new(WAIT, CancellationToken::new());
        let stream = expect(&calls);
        let _ = stream.begin();
        calls.ended(&stream, Outcome::Ended(EndReason::CallerHungUp));
        let began = Instant::now();
        calls.finished().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn twilio_may_know_of_the_end_before_we_do() {
        let calls = Calls::new(WAIT, CancellationToken::new());
        let stream = expect(&calls);
        let _ = stream.begin();
        let (next, ()) = tokio::join!(calls.what_next(&stream), async {
            stream.stopped().await;
            calls.ended(&stream, stream.hung_up());
        });
        assert_eq!(next, Next::Reconnect);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_even_if_the_stream_hangs() {
        let calls = Calls::new(WAIT, CancellationToken::new());
        let stream = expect(&calls);
        let _ = stream.begin();
        let began = Instant::now();
        assert_eq!(calls.what_next(&stream).await, Next::Reconnect);
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}
