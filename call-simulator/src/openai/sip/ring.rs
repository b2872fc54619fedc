//! Who rings, and how that is told.

use std::time::Duration;

use realtime_bridge::realtime::openai::webhook::{SecretError, WebhookSecret};
use url::Url;

use crate::twilio::CallerScript;

/// A caller who rings at the simulated provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ring {
    pub(super) target: WebhookTarget,
    pub(super) caller: CallerScript,
    pub(super) from: String,
    pub(super) dialled: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) patience: Duration,
    pub(super) transfer: Transfer,
}

/// What becomes of a transfer that is asked for. The request is answered with 200 either way, and nobody tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Transfer {
    /// The target takes over after half a second, and the provider's part of the call ends.
    #[default]
    Succeeds,
    /// The target does not answer; the caller stays with the model.
    Fails,
}

/// Where webhooks go, and how their delivery behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookTarget {
    pub(super) url: Url,
    pub(super) secret: WebhookSecret,
    pub(super) after: Duration,
    pub(super) copies: u32,
    pub(super) attempts: u32,
    pub(super) pause: Duration,
}

impl Ring {
    /// Somebody who calls `+815012345678` from `+818012345678` and hangs up when nobody answers within 30 s.
    #[must_use]
    pub fn new(target: WebhookTarget, caller: CallerScript) -> Self {
        Self {
            target,
            caller,
            from: "+818012345678".into(),
            dialled: "+815012345678".into(),
            headers: Vec::new(),
            patience: Duration::from_secs(30),
            transfer: Transfer::default(),
        }
    }

    /// Sets who calls; the user part of `From`.
    #[must_use]
    pub fn from(mut self, number: impl Into<String>) -> Self {
        self.from = number.into();
        self
    }

    /// Sets what was dialled; the user part of `Diversion`, as a Twilio trunk tells it.
    #[must_use]
    pub fn dialled(mut self, number: impl Into<String>) -> Self {
        self.dialled = number.into();
        self
    }

    /// Adds a header to the INVITE, such as `X-Twilio-CallSid`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how long the caller lets it ring.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets what becomes of transfers.
    #[must_use]
    pub const fn transfer(mut self, transfer: Transfer) -> Self {
        self.transfer = transfer;
        self
    }
}

impl WebhookTarget {
    /// Deliveries to this URL, signed with this secret, once, repeated up to three times after a second when the answer is
    /// not 2xx.
    ///
    /// # Errors
    ///
    /// [`SecretError`] when that is no secret.
    pub fn new(url: Url, secret: &str) -> Result<Self, SecretError> {
        let secret = WebhookSecret::new(secret)?;
        let pause = Duration::from_secs(1);
        Ok(Self { url, secret, after: Duration::ZERO, copies: 1, attempts: 4, pause })
    }

    /// Sets how long after the INVITE the webhook is sent.
    #[must_use]
    pub const fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Delivers the same event this often at a time, under the same id, as happens now and then.
    #[must_use]
    pub const fn copies(mut self, copies: u32) -> Self {
        self.copies = copies;
        self
    }

    /// Sets how often a delivery is attempted, and the first pause; each further one is twice as long.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32, pause: Duration) -> Self {
        self.attempts = attempts;
        self.pause = pause;
        self
    }
}
