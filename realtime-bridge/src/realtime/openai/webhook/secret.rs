//! The secret of an endpoint, and what is signed with it.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the console puts before a secret that is written in base64.
const PREFIX: &str = "whsec_";

/// The version of the signatures there are.
const VERSION: &str = "v1,";

/// The secret of a webhook endpoint (`whsec_…`), which the console shows once. `Debug` hides it.
///
/// ```
/// use realtime_bridge::realtime::openai::webhook::WebhookSecret;
///
/// let secret = WebhookSecret::new("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")?;
/// assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
/// assert!(WebhookSecret::new("").is_err(), "everybody can sign with an empty secret");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WebhookSecret {
    /// The key as the hash wants it, so that a check does not begin with preparing it.
    key: Hmac<Sha256>,
}

/// Text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nothing to sign with, which is what a variable that was not set looks like.
    #[error("the webhook secret is empty")]
    Empty,
    /// Not base64 after `whsec_`.
    #[error("the webhook secret is not base64 after whsec_")]
    NotBase64,
}

impl WebhookSecret {
    /// The secret as the console shows it: base64 after `whsec_`; without that prefix, the text itself.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn new(secret: &str) -> Result<Self, SecretError> {
        let key = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?,
            None => secret.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { key: Hmac::new_from_slice(&key).expect("HMAC takes keys of every length") })
    }

    /// The value of the signature header for a delivery: for those who play the provider.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mac = self.mac(id, &timestamp.to_string(), body);
        format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// Whether one of the signatures in the header is right; takes the same time whichever byte is wrong. `timestamp` is
    /// the header's text.
    #[must_use]
    pub fn is_signed(&self, id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
        let mac = self.mac(id, timestamp, body);
        signatures
            .split(' ')
            .filter_map(|entry| STANDARD.decode(entry.strip_prefix(VERSION)?).ok())
            .any(|signature| mac.clone().verify_slice(&signature).is_ok())
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}
