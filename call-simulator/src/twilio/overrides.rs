//! Connection overrides: how a webhook is requested, written in the fragment of its URL.

use std::time::Duration;

use super::debugger::{Alert, AlertCode};

/// Time limits and retries of one webhook (Twilio: Webhooks, connection overrides).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overrides {
    /// `ct`: the TCP connection.
    pub(super) connect: Duration,
    /// `rt`: the first byte, and from then on the time between bytes.
    pub(super) read: Duration,
    /// `tt`: everything, with retries.
    pub(super) total: Duration,
    /// `rc`.
    pub(super) retries: u32,
    /// `rp`.
    pub(super) retry_on: RetryOn,
}

/// Which failures are tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RetryOn {
    pub(super) connect: bool,
    pub(super) read: bool,
    pub(super) client_errors: bool,
    pub(super) server_errors: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            retry_on: RetryOn { connect: true, ..RetryOn::default() },
        }
    }
}

impl Overrides {
    /// Reads the fragment of a URL, such as `ct=2000&rc=2&rp=all`. Edges and SNI change nothing here.
    pub(super) fn parse(fragment: Option<&str>) -> Result<Self, Alert> {
        let mut overrides = Self::default();
        for (key, value) in fragment.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "ct" => overrides.connect = millis(value, 100..=10_000)?,
                "rt" => overrides.read = millis(value, 100..=15_000)?,
                "tt" => overrides.total = millis(value, 100..=15_000)?,
                "rc" => overrides.retries = number(value, 0..=5)?,
                "rp" => overrides.retry_on = RetryOn::parse(value)?,
                _ => {}
            }
        }
        Ok(overrides)
    }
}

impl RetryOn {
    fn parse(list: &str) -> Result<Self, Alert> {
        let mut on = Self::default();
        for word in list.split(',') {
            match word {
                "ct" => on.connect = true,
                "rt" => on.read = true,
                "4xx" => on.client_errors = true,
                "5xx" => on.server_errors = true,
                "all" => on = Self { connect: true, read: true, client_errors: true, server_errors: true },
                _ => return Err(bad(word)),
            }
        }
        Ok(on)
    }
}

fn millis(value: &str, range: std::ops::RangeInclusive<u32>) -> Result<Duration, Alert> {
    number(value, range).map(|ms| Duration::from_millis(ms.into()))
}

fn number(value: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, Alert> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| bad(value))
}

fn bad(value: &str) -> Alert {
    Alert::new(AlertCode::BadRetryPolicy, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_sets_limits_and_retries() {
        let overrides = Overrides::parse(Some("ct=2000&rt=4000&rc=2&rp=5xx,rt&e=tokyo")).unwrap();
        assert_eq!(overrides.connect, Duration::from_secs(2));
        assert_eq!(overrides.read, Duration::from_secs(4));
        assert_eq!(overrides.total, Duration::from_secs(15));
        assert_eq!(overrides.retries, 2);
        assert_eq!(overrides.retry_on, RetryOn { read: true, server_errors: true, ..RetryOn::default() });
    }

    #[test]
    fn without_a_fragment_only_a_failed_connect_is_tried_once_more() {
        let overrides = Overrides::parse(None).unwrap();
        assert_eq!(overrides, Overrides::default());
        assert_eq!((overrides.retries, overrides.retry_on.connect, overrides.retry_on.read), (1, true, false));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for fragment in ["ct=99", "rc=6", "tt=16000", "rp=never", "rt=soon"] {
            assert_eq!(Overrides::parse(Some(fragment)).unwrap_err().code, AlertCode::BadRetryPolicy, "{fragment}");
        }
    }
}
