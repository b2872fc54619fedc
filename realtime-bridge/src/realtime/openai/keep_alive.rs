//! Finding out that the other side is gone.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use crate::alarm::Alarm;

/// A clock that asks after a quiet peer, and gives it up. Costs nothing per message but setting a flag.
#[derive(Debug)]
pub(super) struct KeepAlive {
    timer: Alarm,
    interval: Duration,
    limit: Duration,
    /// Something came since the last tick.
    heard: bool,
    /// The last tick before which something had come.
    quiet_since: Instant,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// Nothing came since the last tick: ask.
    Ping,
    /// Nothing came within the limit.
    Dead,
}

impl KeepAlive {
    pub(super) fn new(interval: Duration, limit: Duration) -> Self {
        let now = Instant::now();
        Self { timer: Alarm::new(now + interval), interval, limit, heard: false, quiet_since: now }
    }

    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Tick> {
        while self.timer.poll(cx).is_ready() {
            let now = self.timer.deadline();
            let tick = if std::mem::take(&mut self.heard) {
                self.quiet_since = now;
                None
            } else if now >= self.quiet_since + self.limit {
                Some(Tick::Dead)
            } else {
                Some(Tick::Ping)
            };
            // Late ticks of a busy process must not come in a bunch, without time for an answer in between.
            let next = (now + self.interval).min(self.quiet_since + self.limit).max(Instant::now());
            self.timer.set(next);
            if let Some(tick) = tick {
                return Poll::Ready(tick);
            }
        }
        Poll::Pending
    }
}
