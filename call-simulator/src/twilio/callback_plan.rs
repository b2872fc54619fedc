//! What happens to callbacks on their way: nothing, as a rule.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use twilio_twiml::webhook::Form;

use super::register::lock;
use crate::chance::Chance;

/// Decides for each callback how often it is delivered, and when.
///
/// Webhooks that fetch a document are not callbacks: nothing happens to them.
///
/// ```
/// use std::time::Duration;
/// use call_simulator::twilio::CallbackPlan;
///
/// // In another order, a quarter of them twice; the same for the same seed.
/// let plan = CallbackPlan::seeded(7, Duration::from_millis(800), 25, 0);
/// // The news of the answer never comes.
/// let lost = CallbackPlan::new(|callback| match callback.form.get("CallStatus") {
///     Some("in-progress") => vec![],
///     _ => vec![Duration::ZERO],
/// });
/// ```
#[derive(Clone)]
pub struct CallbackPlan(Arc<Decide>);

type Decide = dyn Fn(&Callback<'_>) -> Vec<Duration> + Send + Sync;

/// A callback that is about to be sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct Callback<'a> {
    /// What it is for: `call status`, `stream status`, `machine detection`, `recording status` or `conference`.
    pub purpose: &'static str,
    /// What it says.
    pub form: &'a Form,
}

impl<'a> Callback<'a> {
    pub(super) const fn new(purpose: &'static str, form: &'a Form) -> Self {
        Self { purpose, form }
    }
}

impl CallbackPlan {
    /// A plan that says for each callback when it is delivered, counted from when it would be: once for each entry, and
    /// not at all if there is none.
    pub fn new(decide: impl Fn(&Callback<'_>) -> Vec<Duration> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// A plan by chance: each callback is up to `delay` late, so that those sent within that time of each other are
    /// permuted; so many in a hundred are delivered twice, so many not at all.
    #[must_use]
    pub fn seeded(seed: u64, delay: Duration, twice_percent: u8, lost_percent: u8) -> Self {
        let chance = Mutex::new(Chance::new(seed));
        let longest = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self::new(move |_| {
            let mut chance = lock(&chance);
            let late = |chance: &mut Chance| Duration::from_millis(chance.between(0, longest));
            if chance.percent(lost_percent) {
                return Vec::new();
            }
            let copies = if chance.percent(twice_percent) { 2 } else { 1 };
            (0..copies).map(|_| late(&mut chance)).collect()
        })
    }

    pub(super) fn decide(&self, callback: &Callback<'_>) -> Vec<Duration> {
        (self.0)(callback)
    }
}

/// Each callback once, at once.
impl Default for CallbackPlan {
    fn default() -> Self {
        Self::new(|_| vec![Duration::ZERO])
    }
}

impl fmt::Debug for CallbackPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackPlan")
    }
}
