//! What to do about a problem that a provider tells.

use std::time::Duration;

use super::ProviderError;

/// What to do about a problem that a provider tells. See [`classify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Go on: a race that both sides lose now and then, or a command of ours that had no effect. The session lives.
    Benign,
    /// What was asked for failed by bad luck; ask once more, after [`retry_delay`].
    Retry,
    /// This session is of no further use, a new one may be.
    Rotate,
    /// No session will work until a person has changed something: the key, the account, the configuration.
    Fatal,
}

/// Sorts a problem, which came as an error event or as the reason why an answer failed, by what to do about it.
///
/// Codes decide, then the provider's class of error; words never do. What is unknown is [`ErrorClass::Benign`], as
/// OpenAI keeps the session open after most errors (OpenAI: Realtime API, server event `error`).
///
/// ```
/// use realtime_bridge::realtime::{ErrorClass, ProviderError, classify};
///
/// let late_cancel = ProviderError::new("invalid_request_error", "response_cancel_not_active", "no active response");
/// assert_eq!(classify(&late_cancel), ErrorClass::Benign);
/// ```
#[must_use]
pub fn classify(error: &ProviderError) -> ErrorClass {
    match error.code.as_deref() {
        Some(
            "invalid_api_key"
            | "account_deactivated"
            | "billing_hard_limit_reached"
            | "insufficient_quota"
            | "credit_balance_exhausted"
            | "beta_api_shape_disabled"
            | "missing_model"
            | "invalid_model"
            | "model_not_found"
            | "call_id_not_found",
        ) => ErrorClass::Fatal,
        Some("session_expired") => ErrorClass::Rotate,
        Some(
            "rate_limit_exceeded"
            | "inference_rate_limit_exceeded"
            | "slow_down"
            | "server_is_overloaded"
            | "server_error",
        ) => ErrorClass::Retry,
        // Anything else is a single command that was refused, unless the class of error says more.
        _ => match error.kind.as_str() {
            "insufficient_quota" | "authentication_error" | "permission_error" => ErrorClass::Fatal,
            "server_error" | "rate_limit_error" => ErrorClass::Retry,
            _ => ErrorClass::Benign,
        },
    }
}

/// How long to wait before asking again after an [`ErrorClass::Retry`].
///
/// A rate limit tells the wait in its words ("Please try again in 1.2s"), which are taken as a hint of at most a
/// minute; otherwise one second for a rate limit and half a second for anything else.
#[must_use]
pub fn retry_delay(error: &ProviderError) -> Duration {
    const LONGEST: Duration = Duration::from_secs(60);
    let code = error.code.as_deref().unwrap_or_default();
    let limited = code.contains("rate_limit") || code == "slow_down" || error.kind == "rate_limit_error";
    match wait_in_words(&error.message) {
        Some(wait) if limited => wait.min(LONGEST),
        _ if limited => Duration::from_secs(1),
        _ => Duration::from_millis(500),
    }
}

/// Finds "try again in 1.2s" or "try again in 350ms".
fn wait_in_words(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = rest[..end].parse().ok()?;
    let unit = rest[end..].trim_start();
    let seconds = if unit.starts_with("ms") {
        number / 1_000.0
    } else if unit.starts_with('s') {
        number
    } else {
        return None;
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, code: &str, class: ErrorClass) {
        assert_eq!(classify(&ProviderError::new(kind, code, "words")), class, "{kind} {code}");
    }

    #[test]
    fn codes_decide_before_kinds() {
        check("invalid_request_error", "rate_limit_exceeded", ErrorClass::Retry);
        check("invalid_request_error", "session_expired", ErrorClass::Rotate);
        check("invalid_request_error", "invalid_api_key", ErrorClass::Fatal);
        check("insufficient_quota", "insufficient_quota", ErrorClass::Fatal);
        check("server_error", "server_error", ErrorClass::Retry);
        check("invalid_request_error", "conversation_already_has_active_response", ErrorClass::Benign);
        check("invalid_request_error", "response_cancel_not_active", ErrorClass::Benign);
        check("invalid_request_error", "item_truncate_invalid_item_id", ErrorClass::Benign);
        check("invalid_request_error", "a_code_of_next_year", ErrorClass::Benign);
    }

    #[test]
    fn kinds_decide_where_there_is_no_code() {
        let error = |kind: &str| ProviderError { kind: kind.into(), ..ProviderError::default() };
        assert_eq!(classify(&error("server_error")), ErrorClass::Retry);
        assert_eq!(classify(&error("insufficient_quota")), ErrorClass::Fatal);
        assert_eq!(classify(&error("")), ErrorClass::Benign);
    }

    #[test]
    fn a_rate_limit_tells_how_long_to_wait() {
        let wait = |message: &str| retry_delay(&ProviderError::new("", "rate_limit_exceeded", message));
        assert_eq!(wait("Rate limit reached. Please try again in 2s."), Duration::from_secs(2));
        assert_eq!(wait("Please try again in 1.5s."), Duration::from_millis(1_500));
        assert_eq!(wait("Please try again in 350ms."), Duration::from_millis(350));
        assert_eq!(wait("Please try again in 9999s."), Duration::from_secs(60));
        assert_eq!(wait("Please try again in 9..9s."), Duration::from_secs(1));
        assert_eq!(wait("Please try again in "), Duration::from_secs(1));
        assert_eq!(retry_delay(&ProviderError::new("server_error", "server_error", "")), Duration::from_millis(500));
    }
}
