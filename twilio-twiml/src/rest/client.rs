use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde::de::{DeserializeOwned, Error as _};

use super::{
    config::Config,
    error::{Error, Refusal},
    pace::Pace,
};
use crate::{encode::percent_encode, webhook::Form};

/// The first pause before a repeat, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// The longest pause that Twilio can ask for. Who is asked for a longer one gets the refusal, and may wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// The longest body that is read into memory: a page of a thousand messages, each 1600 characters that JSON escapes, fits.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// How often an HTTP/2 connection is tried, and how long the answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));
/// How often a file may be said to be elsewhere.
const HOPS: usize = 10;

/// Twilio's REST API for one account. Cheap to clone; clones share connections and the pace of creates.
///
/// Requests time out. Those that can be repeated without harm are, with growing, jittered pauses: what was refused for
/// the rate of requests, what was not sent, and after other failures only requests that do the same when done twice. A
/// call is never dialled twice.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    origin: String,
    http: reqwest::Client,
    pace: Arc<Pace>,
}

/// The client cannot be made: TLS has no roots, or the proxy is no URL.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct ClientError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Whether doing a request twice is the same as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    Same,
    Different,
}

/// A request, before it has a host.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: Method,
    /// From `/2010-04-01` on, encoded, with the query.
    target: String,
    body: Option<String>,
    twice: Twice,
    paced: bool,
}

impl Request {
    fn new(method: Method, target: String, twice: Twice) -> Self {
        Self { method, target, body: None, twice, paced: false }
    }

    /// Waits for its turn among the creates.
    pub(super) fn paced(mut self) -> Self {
        self.paced = true;
        self
    }
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// If TLS finds no root certificates, or the proxy is no URL.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let pace = Arc::new(Pace::new(config.creates_per_second, config.waiting_creates));
        Self::paced_by(config, pace)
    }

    /// Another client for the same account, which waits so long for an answer and repeats harmless requests so often. Both keep
    /// to one pace of creates.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_patience(&self, timeout: Duration, retries: usize) -> Result<Self, ClientError> {
        let config = self.config().clone().with_timeout(timeout).with_retries(retries);
        Self::paced_by(config, Arc::clone(&self.inner.pace))
    }

    fn paced_by(config: Config, pace: Arc<Pace>) -> Result<Self, ClientError> {
        let failed = |error: reqwest::Error| ClientError(Box::new(error));
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("twilio-twiml/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.timeout)
            // A connection that died unseen is found by these, not by a call that waits to be handed over.
            .http2_keep_alive_interval(PING.0)
            .http2_keep_alive_timeout(PING.1)
            .http2_keep_alive_while_idle(true)
            // Followed only where a file may be elsewhere: a create that is sent on would dial at another host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(proxy) = &config.proxy {
            http = http.proxy(reqwest::Proxy::all(proxy.expose_secret()).map_err(failed)?);
        }
        let inner = Inner { origin: config.origin(), http: http.build().map_err(failed)?, pace, config };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(super) fn get(&self, path: &[&str], query: &Form) -> Request {
        let mut target = self.target(path);
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query.encode());
        }
        Request::new(Method::GET, target, Twice::Same)
    }

    pub(super) fn post(&self, path: &[&str], form: &Form, twice: Twice) -> Request {
        let body = Some(form.encode());
        Request { body, ..Request::new(Method::POST, self.target(path), twice) }
    }

    pub(super) fn delete(&self, path: &[&str]) -> Request {
        Request::new(Method::DELETE, self.target(path), Twice::Same)
    }

    /// Another page of a list, by the URI that Twilio gave: relative to the host, or on it.
    ///
    /// # Errors
    /// If it is anywhere else: the credentials go to no other host, and a list that ends there is not the whole one.
    pub(super) fn next_page(&self, uri: &str) -> Result<Request, serde_json::Error> {
        let target = uri.strip_prefix(&self.inner.origin).unwrap_or(uri);
        if target.starts_with("/2010-04-01/") {
            Ok(Request::new(Method::GET, target.to_owned(), Twice::Same))
        } else {
            Err(serde_json::Error::custom("the next page is at another host"))
        }
    }

    /// The path of something in the account; each part is encoded.
    fn target(&self, path: &[&str]) -> String {
        let mut target = format!("/2010-04-01/Accounts/{}", self.inner.config.account_sid);
        for part in path {
            target.push('/');
            percent_encode(&mut target, part, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
        }
        target
    }

    /// Sends a request and reads the answer.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let operation = || format!("{} {}", request.method, request.target.split('?').next().unwrap_or_default());
        let body = self.send(&request).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Unreadable { operation: operation(), source })
    }

    /// Sends a request whose answer says nothing.
    pub(super) async fn done(&self, request: Request) -> Result<(), Error> {
        self.send(&request).await.map(drop)
    }

    /// Sends a request and gives the answer piece by piece.
    pub(super) async fn download(
        &self,
        request: Request,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
        let response = self.repeat(&request, || self.file(&request)).await?;
        Ok(response.bytes_stream().map(|piece| piece.map_err(Error::of_transport)))
    }

    async fn send(&self, request: &Request) -> Result<Bytes, Error> {
        let whole = || async {
            let attempt = async { read_limited(self.answer(request).await?).await };
            tokio::time::timeout(self.inner.config.timeout, attempt).await.map_err(|_| Error::TimedOut)?
        };
        self.repeat(request, || async {
            // The wait for a turn is no part of the attempt's time.
            if request.paced {
                self.inner.pace.turn().await?;
            }
            whole().await
        })
        .await
    }

    /// Attempts a request, and repeats it where that is harmless.
    async fn repeat<T, F>(&self, request: &Request, attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSES.0)
            .with_max_delay(PAUSES.1)
            .with_max_times(self.inner.config.retries)
            .with_jitter();
        attempt
            .retry(pauses)
            .when(|error| {
                let harmless = request.twice == Twice::Same || error.was_not_processed();
                error.retryable() && harmless && !matches!(error, Error::Crowded { .. })
            })
            .adjust(|error, pause| match error.retry_after() {
                Some(asked) if asked > LONGEST_RETRY_AFTER => None,
                Some(asked) => pause.map(|pause| pause.max(asked)),
                None => pause,
            })
            .await
    }

    /// One attempt, up to the head of the answer; a refusal is read whole.
    async fn answer(&self, request: &Request) -> Result<reqwest::Response, Error> {
        accepted(self.exchange(request).await?).await
    }

    /// One attempt at a file, which Twilio may keep elsewhere. Only Twilio itself gets the credentials.
    async fn file(&self, request: &Request) -> Result<reqwest::Response, Error> {
        let mut response = self.exchange(request).await?;
        let asked = response.url().clone();
        for _ in 0..HOPS {
            let Some(url) = elsewhere(&response) else { break };
            let is_own = url.origin() == asked.origin();
            let mut sending = self.inner.http.get(url);
            if is_own {
                sending = self.authenticated(sending);
            }
            response = sending.send().await.map_err(Error::of_transport)?;
        }
        accepted(response).await
    }

    async fn exchange(&self, request: &Request) -> Result<reqwest::Response, Error> {
        let Inner { origin, http, .. } = self.inner.as_ref();
        let mut sending = self
            .authenticated(http.request(request.method.clone(), format!("{origin}{}", request.target)))
            .header(header::ACCEPT, "application/json");
        if let Some(body) = &request.body {
            let form = "application/x-www-form-urlencoded";
            sending = sending.header(header::CONTENT_TYPE, form).body(body.clone());
        }
        sending.send().await.map_err(Error::of_transport)
    }

    fn authenticated(&self, sending: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let config = &self.inner.config;
        let (user, password) = config.credentials.basic(&config.account_sid);
        sending.basic_auth(user, Some(password))
    }
}

/// A refusal is read whole.
async fn accepted(response: reqwest::Response) -> Result<reqwest::Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let headers = response.headers().clone();
    let body = read_limited(response).await.unwrap_or_default();
    Err(Error::Refused(Box::new(Refusal::read(status.as_u16(), &headers, &body))))
}

/// Where an answer says that the file is, unless the way there is less safe than the one so far.
fn elsewhere(response: &reqwest::Response) -> Option<reqwest::Url> {
    let location = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection())?;
    let url = response.url().join(location.to_str().ok()?).ok()?;
    (url.scheme() == "https" || url.scheme() == response.url().scheme()).then_some(url)
}

/// Reads a body, but not an endless one.
async fn read_limited(response: reqwest::Response) -> Result<Bytes, Error> {
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(Bytes::new());
    }
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Error::of_transport)?;
        if body.len() + piece.len() > BODY_LIMIT {
            return Err(Error::Broken(format!("the answer is longer than {BODY_LIMIT} bytes").into()));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}
