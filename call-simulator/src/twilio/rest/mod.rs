//! Twilio's REST API, version 2010-04-01: what an application asks of its account.

mod calls;
mod conferences;
mod dialled;
mod error;
mod faults;
mod list;
mod operation;
mod parameters;
mod participants;
mod recordings;
mod server;
mod taping;

use std::time::Duration;

pub use faults::RestFault;
pub(super) use faults::RestFaults;
pub use operation::Operation;
pub use server::RestServer;

/// How an account treats what its REST API is asked.
#[derive(Debug, Clone)]
pub(super) struct RestSettings {
    /// From create-call to dialling.
    pub(super) dial_delay: Duration,
    /// From dialling to the first ring.
    pub(super) ring_delay: Duration,
    /// How long a list does not know what was made: it lags behind (Twilio: the API is eventually consistent).
    pub(super) list_lag: Duration,
    /// When a call is ended that has no limit of its own.
    pub(super) time_limit: Duration,
    /// Whether the reports of calls made hold what was said.
    pub(super) record: bool,
}

impl Default for RestSettings {
    fn default() -> Self {
        Self {
            dial_delay: Duration::from_millis(60),
            ring_delay: Duration::from_millis(200),
            list_lag: Duration::ZERO,
            time_limit: Duration::from_secs(600),
            record: true,
        }
    }
}
