//! `X-Twilio-Signature`: how it is made and checked, without any HTTP types (Twilio: Usage, Security, Validating requests).
//!
//! [`Verifier`](super::Verifier) does all of this for a whole request. The functions here are for those who play
//! Twilio, and for frameworks that have no `http` types.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{candidates, form::Form};

/// The header that carries the signature.
pub const HEADER: &str = "x-twilio-signature";
/// The query parameter that carries the hash of a body that is no form.
pub const BODY_HASH: &str = "bodySHA256";

/// The auth token of an account: what requests are signed with, and the password of REST requests.
///
/// `Debug` hides it.
///
/// ```
/// use twilio_twiml::webhook::{Form, signature::AuthToken};
///
/// let token = AuthToken::new("12345");
/// let form = Form::new().with("CallSid", "CA1234567890ABCDE").with("Caller", "+14158675309").with("Digits", "1234")
///     .with("From", "+14158675309").with("To", "+18005551212");
/// let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
///
/// assert_eq!(token.sign_form(url, &form), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
/// assert!(token.is_form_signed(url, &form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
/// assert_eq!(format!("{token:?}"), "AuthToken(…)");
/// ```
#[derive(Clone)]
pub struct AuthToken {
    secret: SecretString,
    /// The key as the hash wants it, so that a check does not begin with preparing it.
    key: Hmac<Sha1>,
}

/// A URL and the signature that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedUrl {
    /// The URL to request, with the hash of the body in its query.
    pub url: String,
    /// The value of the header.
    pub signature: String,
}

impl AuthToken {
    /// The token that the account's console shows. No signature is right by an empty one.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        let secret = SecretString::from(token.into());
        let key = Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes keys of every length");
        Self { secret, key }
    }

    /// The token in clear.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Signs a form that is posted.
    #[must_use]
    pub fn sign_form(&self, url: &str, form: &Form) -> String {
        self.sign(url, &sorted(form))
    }

    /// Signs a GET, which includes the upgrade to a WebSocket (with the scheme `wss`).
    #[must_use]
    pub fn sign_get(&self, url: &str) -> String {
        self.sign(url, "")
    }

    /// Signs a body that is no form: its hash goes into the URL.
    #[must_use]
    pub fn sign_body(&self, url: &str, body: &[u8]) -> SignedUrl {
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}{BODY_HASH}={}", hex_sha256(body));
        SignedUrl { signature: self.sign(&url, ""), url }
    }

    /// Whether the signature of a posted form is right.
    #[must_use]
    pub fn is_form_signed(&self, url: &str, form: &Form, signature: &str) -> bool {
        self.is_signed(candidates::of_request(url), &sorted(form), signature)
    }

    /// Whether the signature of a GET is right.
    #[must_use]
    pub fn is_get_signed(&self, url: &str, signature: &str) -> bool {
        self.is_signed(candidates::of_request(url), "", signature)
    }

    /// Whether the signature of a WebSocket upgrade is right. The scheme of the URL is `wss`.
    #[must_use]
    pub fn is_upgrade_signed(&self, url: &str, signature: &str) -> bool {
        self.is_signed(candidates::of_upgrade(url), "", signature)
    }

    /// Whether both the signature of a body that is no form and the body's hash are right.
    #[must_use]
    pub fn is_body_signed(&self, url: &str, body: &[u8], signature: &str) -> bool {
        is_body_hashed(url, body) && self.is_get_signed(url, signature)
    }

    fn sign(&self, url: &str, parameters: &str) -> String {
        STANDARD.encode(self.mac(url, parameters).finalize().into_bytes())
    }

    fn is_signed(&self, urls: impl Iterator<Item = String>, parameters: &str, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        // Everybody can sign with an empty token, which is what a variable that was not set looks like.
        if self.secret.expose_secret().is_empty() {
            return false;
        }
        let mut urls = urls;
        urls.any(|url| self.mac(&url, parameters).verify_slice(&signature).is_ok())
    }

    fn mac(&self, url: &str, parameters: &str) -> Hmac<Sha1> {
        let mut mac = self.key.clone();
        mac.update(url.as_bytes());
        mac.update(parameters.as_bytes());
        mac
    }
}

impl From<&str> for AuthToken {
    fn from(token: &str) -> Self {
        Self::new(token)
    }
}

impl From<String> for AuthToken {
    fn from(token: String) -> Self {
        Self::new(token)
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(…)")
    }
}

/// Names and values one after the other, sorted by name and then by value, each pair once.
fn sorted(form: &Form) -> String {
    let mut pairs: Vec<(&str, &str)> = form.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut text = String::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len()).sum());
    for (name, value) in pairs {
        text.push_str(name);
        text.push_str(value);
    }
    text
}

/// Whether the query of a URL holds the hash of this body.
fn is_body_hashed(url: &str, body: &[u8]) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == BODY_HASH)
        .is_some_and(|(_, hash)| bool::from(hash.as_bytes().ct_eq(hex_sha256(body).as_bytes())))
}

fn hex_sha256(body: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = Sha256::digest(body).into_iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}
