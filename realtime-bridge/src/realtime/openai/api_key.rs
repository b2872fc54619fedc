//! The key of the account.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A key of the account: an API key (`sk-…`) or a client secret (`ek_…`). Its `Debug` says nothing about it, and its
/// memory is wiped.
#[derive(Clone, Default)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// A key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(SecretString::from(key.into()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0.expose_secret())
    }
}

impl<T: Into<String>> From<T> for ApiKey {
    fn from(key: T) -> Self {
        Self::new(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}
