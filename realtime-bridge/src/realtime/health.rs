//! Whether an endpoint is known to be down: a circuit breaker that all calls feed and a voice webhook reads.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many results of the window are remembered.
const REMEMBERED: usize = 256;

/// When an endpoint counts as down.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// How long a result counts. Default: 30 s.
    pub window: Duration,
    /// How many failures within the window open the breaker. Default: 5.
    pub failures: u32,
    /// What share of the results within the window they have to be, 0.0 to 1.0. Default: 0.5.
    pub share: f64,
    /// How long an open breaker lets nobody through; doubled with each probe that fails. Default: 10 s.
    pub pause: Duration,
    /// The longest pause. Default: 2 min.
    pub pause_limit: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            failures: 5,
            share: 0.5,
            pause: Duration::from_secs(10),
            pause_limit: Duration::from_secs(120),
        }
    }
}

impl BreakerConfig {
    /// Sets how many failures within how long open the breaker.
    #[must_use]
    pub const fn with_failures(mut self, failures: u32, window: Duration) -> Self {
        self.failures = failures;
        self.window = window;
        self
    }

    /// Sets what share of the results the failures have to be.
    #[must_use]
    pub const fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets how long an open breaker lets nobody through, at first and at most.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration, longest: Duration) -> Self {
        self.pause = pause;
        self.pause_limit = longest;
        self
    }
}

/// Whether attempts are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// All are: the endpoint works.
    Closed,
    /// None is: the endpoint is down.
    Open,
    /// One is, to see whether the endpoint works again.
    HalfOpen,
}

/// A circuit breaker: the pure core, with the time as an argument.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    /// When what happened: true for a failure.
    results: VecDeque<(Instant, bool)>,
    /// Nobody is let through until then.
    open: Option<Opened>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    until: Instant,
    pause: Duration,
    /// A probe is under way since then.
    probe: Option<Instant>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(config: BreakerConfig) -> Self {
        Self { config, results: VecDeque::new(), open: None }
    }

    /// Whether attempts are let through.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.open {
            None => BreakerState::Closed,
            Some(opened) if now < opened.until || opened.probes(now) => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Whether an attempt may be made. One that is let through while the breaker is half open is the probe: others have
    /// to wait for how it goes, at most for the pause.
    pub fn allows(&mut self, now: Instant) -> bool {
        match self.state(now) {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => {
                if let Some(opened) = &mut self.open {
                    opened.probe = Some(now);
                }
                true
            }
        }
    }

    /// An attempt went well: what it has opened gives something. That it was opened says little.
    pub fn succeeded(&mut self, now: Instant) {
        if self.open.take().is_some() {
            self.results.clear();
        }
        self.note(now, false);
    }

    /// An attempt failed, or what it had opened was lost.
    pub fn failed(&mut self, now: Instant) {
        self.note(now, true);
        match &mut self.open {
            Some(opened) if now >= opened.until => {
                let pause = (opened.pause * 2).min(self.config.pause_limit);
                *opened = Opened { until: now + pause, pause, probe: None };
            }
            // Attempts that were under way when it opened say nothing new.
            Some(_) => {}
            None => {
                let failures = self.results.iter().filter(|(_, failed)| *failed).count();
                let share = self.config.share * f64::from(u32::try_from(self.results.len()).unwrap_or(u32::MAX));
                let failures = u32::try_from(failures).unwrap_or(u32::MAX);
                if failures >= self.config.failures && f64::from(failures) >= share {
                    let pause = self.config.pause;
                    self.open = Some(Opened { until: now + pause, pause, probe: None });
                }
            }
        }
    }

    fn note(&mut self, now: Instant, failed: bool) {
        let window = self.config.window;
        while self.results.pop_front_if(|(at, _)| now.saturating_duration_since(*at) > window).is_some() {}
        if self.results.len() == REMEMBERED {
            self.results.pop_front();
        }
        self.results.push_back((now, failed));
    }
}

impl Opened {
    fn probes(&self, now: Instant) -> bool {
        self.probe.is_some_and(|since| now < since + self.pause)
    }
}

/// The health of one endpoint, shared by all who use it. Clones share the breaker.
///
/// ```
/// use realtime_bridge::realtime::EndpointHealth;
///
/// let health = EndpointHealth::default();
/// // A call tells how its attempts go…
/// health.failed();
/// // …and a voice webhook asks before it answers.
/// assert!(!health.is_open());
/// ```
#[derive(Debug, Clone)]
pub struct EndpointHealth(Arc<Mutex<Breaker>>);

impl Default for EndpointHealth {
    fn default() -> Self {
        Self::new(BreakerConfig::default())
    }
}

impl EndpointHealth {
    /// An endpoint that counts as working.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self(Arc::new(Mutex::new(Breaker::new(config))))
    }

    /// Whether the endpoint is known to be down, so that a new call should not be given to it. Never waits.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state() == BreakerState::Open
    }

    /// Whether attempts are let through.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.breaker().state(now())
    }

    /// Whether an attempt may be made; see [`Breaker::allows`].
    #[must_use]
    pub fn allows(&self) -> bool {
        self.breaker().allows(now())
    }

    /// An attempt went well: what it has opened gives something. That it was opened says little.
    pub fn succeeded(&self) {
        self.breaker().succeeded(now());
    }

    /// An attempt failed, or what it had opened was lost.
    pub fn failed(&self) {
        self.breaker().failed(now());
    }

    /// Every change leaves the breaker whole, so that a panic elsewhere does no harm.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(BreakerConfig::default().with_failures(3, 10 * S)), now())
    }

    #[test]
    fn failures_open_it_and_a_probe_that_goes_well_closes_it() {
        let (mut breaker, t0) = breaker();
        (0..2).for_each(|_| breaker.failed(t0));
        assert_eq!(breaker.state(t0), BreakerState::Closed);
        breaker.failed(t0 + S);
        assert!(!breaker.allows(t0 + S));
        let half = t0 + 11 * S;
        assert_eq!(breaker.state(half), BreakerState::HalfOpen);
        assert!(breaker.allows(half) && !breaker.allows(half), "one probe at a time");
        breaker.failed(half);
        assert!(!breaker.allows(half + 19 * S), "the pause is twice as long");
        assert!(breaker.allows(half + 20 * S));
        assert!(breaker.allows(half + 41 * S), "a probe that is never told of does not block for ever");
        breaker.succeeded(half + 41 * S);
        assert_eq!(breaker.state(half + 41 * S), BreakerState::Closed);
        breaker.failed(half + 41 * S);
        assert_eq!(breaker.state(half + 41 * S), BreakerState::Closed, "what was before counts no more");
    }

    #[test]
    fn old_and_rare_failures_do_not_open_it() {
        let (mut breaker, t0) = breaker();
        (0..10).for_each(|second| breaker.failed(t0 + second * 6 * S));
        assert_eq!(breaker.state(t0 + 54 * S), BreakerState::Closed, "never three within ten seconds");
        let t1 = t0 + 100 * S;
        (0..20).for_each(|_| breaker.succeeded(t1));
        (0..5).for_each(|_| breaker.failed(t1));
        assert_eq!(breaker.state(t1), BreakerState::Closed, "most go well");
    }
}
