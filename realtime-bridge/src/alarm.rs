//! A timer that is looked at with every frame and rings almost never.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that costs little to look at: tokio's own enters the task anew each time, although it is the same task.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes when it rings; nobody after it was set.
    wakes: Option<Waker>,
}

impl Alarm {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(deadline)), wakes: None }
    }

    #[cfg(feature = "openai")]
    pub(crate) fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Whoever is to be woken has to look at it again.
    pub(crate) fn set(&mut self, deadline: Instant) {
        self.sleep.as_mut().reset(deadline);
        self.wakes = None;
    }

    /// Ready from the deadline on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waits = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if waits && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.wakes = Some(cx.waker().clone());
        ready!(self.sleep.as_mut().poll(cx));
        self.wakes = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use futures_util::{FutureExt, task::noop_waker};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_wakes_whoever_looked_last_and_can_be_set_again() {
        let began = Instant::now();
        let mut alarm = Alarm::new(began + Duration::from_secs(1));
        assert!(alarm.poll(&mut Context::from_waker(&noop_waker())).is_pending());
        // Another task looks, and looks again, and is woken all the same.
        assert!(poll_fn(|cx| alarm.poll(cx)).now_or_never().is_none());
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        assert!(poll_fn(|cx| alarm.poll(cx)).now_or_never().is_some(), "it goes on ringing");

        alarm.set(began + Duration::from_secs(3));
        yield_now().await;
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}
