use std::{fmt, num::NonZeroU32, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    sid::{AccountSid, ApiKeySid},
    webhook::signature::AuthToken,
};

/// How the client reaches Twilio, and how patient it is.
///
/// ```
/// use twilio_twiml::rest::{Config, Credentials};
///
/// let account = "AC0123456789abcdef0123456789abcdef".parse()?;
/// let config = Config::new(account, Credentials::auth_token("secret")).with_region("ie1").with_edge("dublin");
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), twilio_twiml::sid::ParseSidError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The account that requests are about.
    pub account_sid: AccountSid,
    /// Who makes them.
    pub credentials: Credentials,
    /// Where Twilio processes the calls, such as `ie1`. `us1` if `None`. Credentials belong to a region.
    pub region: Option<String>,
    /// Where requests enter Twilio's network, such as `tokyo`. Twilio chooses if `None`.
    pub edge: Option<String>,
    /// Scheme, host and port in place of Twilio's own, for a simulator or a gateway; region and edge then do not matter.
    pub base_url: Option<String>,
    /// The URL of an HTTP proxy to go through, which may hold a password. `None` by default; the environment is not read.
    pub proxy: Option<SecretString>,
    /// How long a connection may take to open. 5 s by default.
    pub connect_timeout: Duration,
    /// How long one attempt at a request may take, and how long a download may pause. 30 s by default, as in Twilio's own
    /// clients.
    pub timeout: Duration,
    /// How often a request is repeated, if repeating is harmless. 3 by default, as in Twilio's own clients.
    pub retries: usize,
    /// How many calls a second are created, at most; beyond that Twilio queues them out of sight. 1 by default, as every
    /// account has it at first.
    pub creates_per_second: NonZeroU32,
    /// How many creates wait for their turn; the next one fails at once. 100 by default.
    pub waiting_creates: usize,
}

impl Config {
    /// The defaults, for an account.
    #[must_use]
    pub fn new(account_sid: AccountSid, credentials: impl Into<Credentials>) -> Self {
        Self {
            account_sid,
            credentials: credentials.into(),
            region: None,
            edge: None,
            base_url: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            retries: 3,
            creates_per_second: NonZeroU32::MIN,
            waiting_creates: 100,
        }
    }

    /// Processes calls in this region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Enters Twilio's network here.
    #[must_use]
    pub fn with_edge(mut self, edge: impl Into<String>) -> Self {
        self.edge = Some(edge.into());
        self
    }

    /// Talks to this scheme, host and port instead of Twilio's.
    #[must_use]
    pub fn with_base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// Goes through an HTTP proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = Some(SecretString::from(proxy.into()));
        self
    }

    /// Waits so long for a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// Waits so long for an answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Repeats harmless requests so often.
    #[must_use]
    pub fn with_retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Creates at most so many calls a second.
    #[must_use]
    pub fn with_creates_per_second(mut self, creates_per_second: NonZeroU32) -> Self {
        self.creates_per_second = creates_per_second;
        self
    }

    /// Lets so many creates wait for their turn.
    #[must_use]
    pub fn with_waiting_creates(mut self, waiting_creates: usize) -> Self {
        self.waiting_creates = waiting_creates;
        self
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        if let Some(base_url) = &self.base_url {
            return base_url.trim_end_matches('/').to_owned();
        }
        match (&self.edge, &self.region) {
            (None, None) => "https://api.twilio.com".to_owned(),
            (None, Some(region)) => format!("https://api.{region}.twilio.com"),
            (Some(edge), region) => {
                format!("https://api.{edge}.{}.twilio.com", region.as_deref().unwrap_or("us1"))
            }
        }
    }
}

/// Who makes a request. `Debug` hides the secrets.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// The account, with its auth token.
    AuthToken(AuthToken),
    /// An API key, with its secret. It cannot check the signatures of webhooks.
    ApiKey {
        /// The key.
        sid: ApiKeySid,
        /// Its secret.
        secret: SecretString,
    },
}

impl Credentials {
    /// The account, with its auth token.
    #[must_use]
    pub fn auth_token(token: impl Into<AuthToken>) -> Self {
        Self::AuthToken(token.into())
    }

    /// An API key, with its secret.
    #[must_use]
    pub fn api_key(sid: ApiKeySid, secret: impl Into<String>) -> Self {
        Self::ApiKey { sid, secret: SecretString::from(secret.into()) }
    }

    /// User name and password of HTTP Basic authentication.
    pub(super) fn basic<'a>(&'a self, account: &'a AccountSid) -> (&'a str, &'a str) {
        match self {
            Self::AuthToken(token) => (account.as_str(), token.expose()),
            Self::ApiKey { sid, secret } => (sid.as_str(), secret.expose_secret()),
        }
    }
}

impl From<AuthToken> for Credentials {
    fn from(token: AuthToken) -> Self {
        Self::AuthToken(token)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthToken(_) => f.write_str("AuthToken(…)"),
            Self::ApiKey { sid, .. } => write!(f, "ApiKey({sid}, …)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_edge_are_in_the_host() {
        let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let config = Config::new(account, AuthToken::new("secret"));
        assert_eq!(config.origin(), "https://api.twilio.com");
        assert_eq!(config.clone().with_region("ie1").origin(), "https://api.ie1.twilio.com");
        assert_eq!(config.clone().with_edge("tokyo").origin(), "https://api.tokyo.us1.twilio.com");
        assert_eq!(config.clone().with_edge("sydney").with_region("au1").origin(), "https://api.sydney.au1.twilio.com");
        assert_eq!(config.with_base_url("http://127.0.0.1:8080/").origin(), "http://127.0.0.1:8080");
    }

    #[test]
    fn no_secret_is_in_the_debug_form() {
        let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let config =
            Config::new(account, AuthToken::new("hunter2")).with_proxy("http://user:hunter2@proxy.example:3128");
        assert!(!format!("{config:?}").contains("hunter2"));
        let client = super::super::Client::new(config).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
        let key: ApiKeySid = "SK0123456789abcdef0123456789abcdef".parse().unwrap();
        for credentials in [Credentials::auth_token("hunter2"), Credentials::api_key(key, "hunter2")] {
            assert!(!format!("{credentials:?}").contains("hunter2"));
        }
    }
}
