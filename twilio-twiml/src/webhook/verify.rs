//! Checks whole requests.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};

use super::{
    Form, FormError, Webhook,
    signature::{self, AuthToken},
};

/// Lets only requests through that Twilio has signed.
///
/// The signature covers the URL as Twilio requested it, which a server behind a proxy cannot see. So a verifier is told
/// the public URL; the `Host` header and `X-Forwarded-*` come from whoever sends the request and are not trusted.
///
/// ```
/// use twilio_twiml::webhook::{Form, Verifier, VoiceRequest, signature::AuthToken};
///
/// let token = AuthToken::new("9f2c4b7a1d3e5f60718293a4b5c6d7e8");
/// let verifier = Verifier::new("https://bridge.example.com", token.clone());
///
/// // What a web framework hands over (here signed as Twilio would):
/// let body = "CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef\
///     &From=%2B14155550100&To=%2B442071838750&CallStatus=ringing";
/// let signature = token.sign_form("https://bridge.example.com/voice?x=1", &Form::parse(body.as_bytes()));
/// let request = http::Request::post("/voice?x=1")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .header("x-twilio-signature", signature)
///     .body(bytes::Bytes::from(body))?;
///
/// let (parts, body) = request.into_parts();
/// let webhook = verifier.webhook(&parts, body)?;
/// let voice: VoiceRequest = webhook.read()?;
/// assert_eq!(voice.call.from.to_string(), "+14155550100");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    origin: Origin,
    tokens: Vec<AuthToken>,
}

/// How the URL that Twilio requested is known.
#[derive(Debug, Clone)]
enum Origin {
    /// This stands in front of the path, after the scheme.
    Public { is_secure: bool, rest: String },
    /// The proxy in front says it.
    Forwarded,
}

/// Why a request was turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The request has no signature.
    #[error("the request has no X-Twilio-Signature")]
    Unsigned,
    /// The signature is not that of the account, or is over another URL or other parameters.
    #[error("the signature of {url_path} does not match{}", names(parameters))]
    Forged {
        /// The path of the request, without the query.
        url_path: String,
        /// The names of the parameters, without their values.
        parameters: Vec<String>,
    },
    /// The body is neither a form nor signed by its hash.
    #[error("the body is no form and its hash is not in the URL")]
    Body,
    /// The trusted proxy does not say which host was asked.
    #[error("the request does not say which host was asked")]
    Host,
}

impl Rejected {
    /// The status to answer with, as Twilio's own middleware does.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unsigned | Self::Host => StatusCode::BAD_REQUEST,
            Self::Forged { .. } | Self::Body => StatusCode::FORBIDDEN,
        }
    }
}

fn names(parameters: &[String]) -> String {
    if parameters.is_empty() { String::new() } else { format!(", with the parameters {}", parameters.join(", ")) }
}

/// A webhook that Twilio has signed. There is no other way to get one than a [`Verifier`].
///
/// `Debug` shows the names of the parameters and how long the body is: their values are people's numbers and words.
#[derive(Clone)]
pub struct VerifiedWebhook {
    form: Form,
    body: Bytes,
    idempotency_token: Option<String>,
}

impl VerifiedWebhook {
    /// The parameters: of the body of a POST, of the query of a GET.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The body as it came. Empty for a GET: what came with one is not signed.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What is the same for all attempts at one request: by it a repeated one is known (Twilio: Webhooks,
    /// `I-Twilio-Idempotency-Token`). No signature covers it, as it is a header.
    #[must_use]
    pub fn idempotency_token(&self) -> Option<&str> {
        self.idempotency_token.as_deref()
    }

    /// The webhook with types.
    ///
    /// # Errors
    /// If the form is not such a webhook.
    pub fn read<T: Webhook>(&self) -> Result<T, FormError> {
        T::from_form(&self.form)
    }
}

impl fmt::Debug for VerifiedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedWebhook")
            .field("form", &self.form)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A WebSocket upgrade that Twilio has signed. There is no other way to get one than a [`Verifier`].
#[derive(Debug, Clone)]
pub struct VerifiedUpgrade(());

impl Verifier {
    /// Accepts what Twilio was told to send to a public URL: scheme, host, a port if it is not the scheme's, and the
    /// path in front of the one this server sees, if a proxy takes it off. Without a scheme it is `https`.
    #[must_use]
    pub fn new(public_url: impl AsRef<str>, token: impl Into<AuthToken>) -> Self {
        let public_url = public_url.as_ref().trim_end_matches('/');
        let (scheme, rest) = public_url.split_once("://").unwrap_or(("https", public_url));
        let origin = Origin::Public { is_secure: is_secure(scheme), rest: rest.to_owned() };
        Self { origin, tokens: vec![token.into()] }
    }

    /// Accepts what a proxy in front says was asked, by `X-Forwarded-Proto` and `X-Forwarded-Host` (or `Host`).
    ///
    /// Only right if every request comes through that proxy, and the proxy sets these headers itself: who can set them
    /// can replay what Twilio signed for another host.
    #[must_use]
    pub fn behind_trusted_proxy(token: impl Into<AuthToken>) -> Self {
        Self { origin: Origin::Forwarded, tokens: vec![token.into()] }
    }

    /// Accepts another token as well, while tokens are being changed or if several accounts call.
    #[must_use]
    pub fn or_token(mut self, token: impl Into<AuthToken>) -> Self {
        self.tokens.push(token.into());
        self
    }

    /// Checks a webhook. The body is the raw one: a form that was parsed and written again may not be the same.
    ///
    /// # Errors
    /// If the request is not signed by one of the tokens. [`Rejected::status`] says what to answer.
    pub fn webhook(&self, request: &Parts, body: impl Into<Bytes>) -> Result<VerifiedWebhook, Rejected> {
        let body = body.into();
        let signature = self.signature(request)?;
        let url = self.url(request, ["https", "http"])?;
        let query = request.uri.query().unwrap_or_default().as_bytes();
        // No signature covers the body of a GET, so it is not handed on.
        let body = if request.method == Method::GET { Bytes::new() } else { body };
        let (form, genuine) = if request.method == Method::GET {
            (Form::parse(query), self.any(|token| token.is_get_signed(&url, signature)))
        } else if is_form(&request.headers) {
            let form = Form::parse(&body);
            let genuine = self.any(|token| token.is_form_signed(&url, &form, signature));
            (form, genuine)
        } else if Form::parse(query).get(signature::BODY_HASH).is_some() {
            (Form::parse(query), self.any(|token| token.is_body_signed(&url, &body, signature)))
        } else {
            return Err(Rejected::Body);
        };
        if !genuine {
            return Err(forged(request, &form));
        }
        let idempotency_token =
            request.headers.get("i-twilio-idempotency-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        Ok(VerifiedWebhook { form, body, idempotency_token })
    }

    /// Checks the upgrade to a WebSocket, which Twilio signs with the scheme `wss`.
    ///
    /// # Errors
    /// If the request is not signed by one of the tokens. Some streams are said to come without a signature, so a
    /// server may choose to let [`Rejected::Unsigned`] pass; it must then rely on a single-use token in the stream's
    /// parameters, which it should demand in any case.
    pub fn upgrade(&self, request: &Parts) -> Result<VerifiedUpgrade, Rejected> {
        let signature = self.signature(request)?;
        let url = self.url(request, ["wss", "ws"])?;
        if self.any(|token| token.is_upgrade_signed(&url, signature)) {
            Ok(VerifiedUpgrade(()))
        } else {
            Err(forged(request, &Form::new()))
        }
    }

    fn any(&self, is_signed: impl Fn(&AuthToken) -> bool) -> bool {
        self.tokens.iter().any(is_signed)
    }

    fn signature<'a>(&self, request: &'a Parts) -> Result<&'a str, Rejected> {
        request.headers.get(signature::HEADER).and_then(|value| value.to_str().ok()).ok_or(Rejected::Unsigned)
    }

    /// The URL as Twilio requested it; `schemes` are the secure and the plain one.
    fn url(&self, request: &Parts, schemes: [&str; 2]) -> Result<String, Rejected> {
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let header = |name: &str| {
            let value = request.headers.get(name).and_then(|value| value.to_str().ok())?;
            value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        let (is_secure, rest) = match &self.origin {
            Origin::Public { is_secure, rest } => (*is_secure, rest.as_str()),
            Origin::Forwarded => (
                header("x-forwarded-proto").is_some_and(is_secure),
                header("x-forwarded-host").or_else(|| header("host")).ok_or(Rejected::Host)?,
            ),
        };
        let scheme = if is_secure { schemes[0] } else { schemes[1] };
        Ok(format!("{scheme}://{rest}{target}"))
    }
}

fn is_secure(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// How many parameter names a rejection tells, and how much of each: more than Twilio ever sends, and a bound on what a
/// stranger can log.
const NAMES: usize = 64;
const NAME_LENGTH: usize = 64;

fn forged(request: &Parts, form: &Form) -> Rejected {
    let short = |name: &str| name.chars().take(NAME_LENGTH).flat_map(char::escape_debug).collect();
    Rejected::Forged {
        url_path: request.uri.path().to_owned(),
        parameters: form.iter().take(NAMES).map(|(name, _)| short(name)).collect(),
    }
}
