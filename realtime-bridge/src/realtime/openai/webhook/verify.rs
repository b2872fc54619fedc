//! From a request to an event.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};

use super::{
    ClaimError, ID, ReplayGuard, SIGNATURE, TIMESTAMP, WebhookEvent, WebhookSecret,
    event::{self, MalformedEvent},
};

/// How far the time of a delivery may be from ours, either way (Standard Webhooks).
const TOLERANCE: Duration = Duration::from_secs(300);

/// The largest body in bytes: an INVITE's headers fit many times over.
const BODY_LIMIT: usize = 64 << 10;

/// Checks that a request comes from the provider.
///
/// Several secrets are right at a time, so that one can be rotated: add the new one, rotate at the provider, remove the
/// old one. Without any secret nothing is right.
#[derive(Debug, Clone)]
pub struct Verifier {
    secrets: Vec<WebhookSecret>,
    tolerance: Duration,
    body_limit: usize,
}

impl Verifier {
    /// Checks with any of these secrets, a tolerance of five minutes, and bodies of up to 64 KiB.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = WebhookSecret>) -> Self {
        Self { secrets: secrets.into_iter().collect(), tolerance: TOLERANCE, body_limit: BODY_LIMIT }
    }

    /// Sets how far the time of a delivery may be from ours, either way.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the largest body in bytes.
    #[must_use]
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The largest body in bytes, for whoever reads it.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// What can be told before the body is read: its type, and its length where that is told.
    ///
    /// # Errors
    ///
    /// [`Rejected::ContentType`] and [`Rejected::Oversize`].
    pub fn check_head(&self, headers: &HeaderMap) -> Result<(), Rejected> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Rejected::ContentType);
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        match length.map(str::parse::<usize>) {
            Some(Ok(length)) if length > self.body_limit => Err(Rejected::Oversize { limit: self.body_limit }),
            _ => Ok(()),
        }
    }

    /// Checks a request by its headers and the raw bytes of its body. Whether it came before is not checked:
    /// [`receive`](Verifier::receive) does both.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which says what to answer.
    pub fn verify(&self, now: SystemTime, headers: &HeaderMap, body: &[u8]) -> Result<VerifiedWebhook, Rejected> {
        self.check_head(headers)?;
        if body.len() > self.body_limit {
            return Err(Rejected::Oversize { limit: self.body_limit });
        }
        let (id, timestamp) = (text(headers, ID)?, text(headers, TIMESTAMP)?);
        let signatures = text(headers, SIGNATURE)?;
        // Digits only: the text is signed, and a number has several spellings.
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: u64 = timestamp.parse().ok().filter(|_| digits).ok_or(Rejected::Header { name: TIMESTAMP })?;
        if !self.secrets.iter().any(|secret| secret.is_signed(id, timestamp, body, signatures)) {
            return Err(Rejected::Signature);
        }
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(Rejected::Header { name: TIMESTAMP })?;
        let apart = now.duration_since(at).unwrap_or_else(|ahead| ahead.duration());
        // Whole seconds, as the provider counts.
        if apart.as_secs() > self.tolerance.as_secs() {
            return Err(Rejected::Stale { apart });
        }
        let event = event::read(body).map_err(Rejected::Malformed)?;
        Ok(VerifiedWebhook { id: id.to_owned(), at, event })
    }

    /// Checks a request, and that it did not come before.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which says what to answer.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have claimed the delivery, which then counts as having come.
    pub async fn receive(
        &self,
        now: SystemTime,
        headers: &HeaderMap,
        body: &[u8],
        guard: &dyn ReplayGuard,
    ) -> Result<VerifiedWebhook, Rejected> {
        let webhook = self.verify(now, headers, body)?;
        // Until then the very same request would pass; a second longer, as seconds are counted whole.
        let until = webhook.at + self.tolerance + Duration::from_secs(1);
        match guard.claim(&webhook.id, now, until).await {
            Ok(true) => Ok(webhook),
            Ok(false) => Err(Rejected::Replayed),
            Err(error) => Err(Rejected::Unclaimed(error)),
        }
    }
}

/// What the provider says, and nobody else.
#[derive(Debug, Clone)]
pub struct VerifiedWebhook {
    id: String,
    at: SystemTime,
    event: WebhookEvent,
}

impl VerifiedWebhook {
    /// The delivery's name, the same for all attempts at it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When this attempt was made, by the provider's clock.
    #[must_use]
    pub const fn at(&self) -> SystemTime {
        self.at
    }

    /// What it says.
    #[must_use]
    pub const fn event(&self) -> &WebhookEvent {
        &self.event
    }

    /// What it says.
    #[must_use]
    pub fn into_event(self) -> WebhookEvent {
        self.event
    }
}

/// Why a request is refused. [`status`](Rejected::status) is the answer it deserves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The body is not JSON by its content type.
    #[error("the content type is not application/json")]
    ContentType,
    /// The body is too large.
    #[error("the body is over {limit} bytes")]
    Oversize {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header is missing, or has another form than documented.
    #[error("the header {name} is missing or malformed")]
    Header {
        /// Which.
        name: &'static str,
    },
    /// No signature is right by any of the secrets.
    #[error("no signature is right")]
    Signature,
    /// The signature is right, but was made too long ago, or will be.
    #[error("the delivery is {} s from now", .apart.as_secs())]
    Stale {
        /// How far its time is from ours.
        apart: Duration,
    },
    /// It is signed, and no event.
    #[error("the body is no event")]
    Malformed(#[source] MalformedEvent),
    /// It came before.
    #[error("the delivery came before")]
    Replayed,
    /// It cannot be told whether it came before.
    #[error(transparent)]
    Unclaimed(ClaimError),
}

impl Rejected {
    /// The HTTP status to answer with; [the module](super) says why.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::ContentType => 415,
            Self::Oversize { .. } => 413,
            Self::Signature => 401,
            Self::Header { .. } | Self::Stale { .. } | Self::Malformed(_) => 400,
            Self::Replayed => 200,
            Self::Unclaimed(_) => 503,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Rejected> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    value.ok_or(Rejected::Header { name })
}
