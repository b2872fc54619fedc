//! Where Twilio reaches this server.

use std::{fmt, str::FromStr};

use url::Url;

/// Where Twilio reaches this server: scheme, host, and the path in front of ours, without a slash at the end.
///
/// ```
/// use examples::settings::PublicUrl;
///
/// let public: PublicUrl = "https://bridge.example.com/phone/".parse()?;
/// assert_eq!(public.to("/healthz"), "https://bridge.example.com/phone/healthz");
/// assert!(public.webhook("/status").starts_with("https://bridge.example.com/phone/status#"));
/// assert_eq!(public.stream("/media"), "wss://bridge.example.com/phone/media");
///
/// // On this machine there is no TLS. TwiML takes `ws` only where it is not said: in a relative URL.
/// let local: PublicUrl = "http://127.0.0.1:3000".parse()?;
/// assert_eq!(local.stream("/media"), "/media");
/// # Ok::<(), examples::settings::PublicUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    url: String,
    /// The path of `url`.
    prefix: String,
    secure: bool,
}

/// Why a text is no public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicUrlError {
    /// Not a URL at all.
    #[error("it is no URL such as https://bridge.example.com")]
    NotUrl,
    /// Another scheme.
    #[error("it begins with neither https:// nor http://")]
    Scheme,
    /// More than an origin and a path.
    #[error("it has a user name, a query or a fragment, which Twilio would not sign as we check it")]
    Extra,
}

/// Twilio gives all attempts 15 s together. One of ours that waits for a store in trouble takes less than 10.
const RETRIES: &str = "#ct=2000&rt=10000&rc=2&rp=ct,rt,5xx";

impl PublicUrl {
    /// The URL of one of our paths, which begins with a slash.
    #[must_use]
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The URL of one of our paths for Twilio to ask, and to ask again, of another server where there are several, when the
    /// one that was asked dies or fails. All our webhooks may be asked twice.
    ///
    /// The default would be one more attempt, and only where the connection was refused:
    /// <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>.
    #[must_use]
    pub fn webhook(&self, path: &str) -> String {
        format!("{}{path}{RETRIES}", self.url)
    }

    /// The URL of a media stream at one of our paths, for TwiML.
    #[must_use]
    pub fn stream(&self, path: &str) -> String {
        match self.url.split_once("://") {
            Some((_, rest)) if self.secure => format!("wss://{rest}{path}"),
            _ => format!("{}{path}", self.prefix),
        }
    }

    /// The URL itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether it is `https`.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| PublicUrlError::NotUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PublicUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(PublicUrlError::Extra);
        }
        Ok(Self {
            url: url.as_str().trim_end_matches('/').to_owned(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            secure: url.scheme() == "https",
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
