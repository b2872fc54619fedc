//! Sends webhooks as Twilio does: signed, within time limits, with retries, redirects and cookies.

use std::{
    collections::BTreeMap,
    error::Error,
    pin::{Pin, pin},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{self, Either};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};
use twilio_twiml::{
    webhook::{
        Form,
        signature::{self, AuthToken},
    },
    words::Method,
};
use url::Url;
use uuid::Uuid;

use super::{
    debugger::{Alert, AlertCode},
    dial::{DialError, Dialer},
    document::{Answer, LIMIT},
    interpreter::{Fetch, check_webhook},
    overrides::Overrides,
};

/// Redirects that one request may go through (Twilio: error 11215).
const REDIRECTS: usize = 10;

/// The sender of one call's webhooks. A call has its own cookies.
#[derive(Debug)]
pub(super) struct Webhooks {
    dialer: Dialer,
    token: AuthToken,
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

/// An answer and where it came from in the end.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) url: Url,
    pub(super) answer: Answer,
}

/// A request that had no usable answer.
#[derive(Debug)]
enum Failure {
    Connect(Alert),
    Read(Alert),
    Status(Answered),
    Final(Alert),
}

impl Webhooks {
    pub(super) fn new(dialer: Dialer, token: AuthToken) -> Self {
        Self { dialer, token, cookies: Mutex::default() }
    }

    /// Sends a webhook and gives the answer, whatever its status.
    ///
    /// # Cancel safety
    ///
    /// A dropped request closes its connection; the server may have carried it out.
    pub(super) async fn send(&self, fetch: &Fetch, form: &Form) -> Result<Answered, Alert> {
        self.send_for(fetch, form, LIMIT).await
    }

    /// The same for an answer that may be longer than a document; `limit` is in bytes.
    pub(super) async fn send_for(&self, fetch: &Fetch, form: &Form, limit: usize) -> Result<Answered, Alert> {
        let overrides = Overrides::parse(fetch.url.fragment())?;
        let deadline = Instant::now() + overrides.total;
        let idempotency_token = Uuid::new_v4().to_string();
        let mut attempt = 0;
        loop {
            let try_once = self.follow(fetch, form, &idempotency_token, &overrides, limit);
            let failure = match timeout_at(deadline, try_once).await {
                Ok(Ok(answered)) => return Ok(answered),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Alert::new(AlertCode::TotalTimeout, fetch.url.as_str())),
            };
            let retry = match &failure {
                Failure::Connect(_) => overrides.retry_on.connect,
                Failure::Read(_) => overrides.retry_on.read,
                Failure::Status(answered) if answered.answer.status >= 500 => overrides.retry_on.server_errors,
                Failure::Status(_) => overrides.retry_on.client_errors,
                Failure::Final(_) => false,
            };
            if retry && attempt < overrides.retries {
                attempt += 1;
                continue;
            }
            return match failure {
                Failure::Connect(alert) | Failure::Read(alert) | Failure::Final(alert) => Err(alert),
                Failure::Status(answered) => Ok(answered),
            };
        }
    }

    /// One attempt, through redirects.
    async fn follow(
        &self,
        fetch: &Fetch,
        form: &Form,
        idempotency_token: &str,
        overrides: &Overrides,
        limit: usize,
    ) -> Result<Answered, Failure> {
        let (mut url, mut method) = (fetch.url.clone(), fetch.method);
        for _ in 0..=REDIRECTS {
            check_webhook(&url).map_err(Failure::Final)?;
            let request = self.request(&url, method, form, idempotency_token).map_err(Failure::Final)?;
            let response = self.exchange(&url, request, overrides, limit).await?;
            let status = response.0.status();
            let location = response.0.headers().get(header::LOCATION).cloned();
            self.keep_cookies(&url, response.0.headers());
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                let answer = Answer {
                    status: status.as_u16(),
                    content_type: header_text(response.0.headers(), header::CONTENT_TYPE),
                    body: response.1,
                };
                let failed = status.is_client_error() || status.is_server_error();
                let answered = Answered { url, answer };
                return if failed { Err(Failure::Status(answered)) } else { Ok(answered) };
            }
            let target = location.as_ref().and_then(|location| location.to_str().ok());
            let target = target.and_then(|location| url.join(location).ok());
            url = target.ok_or_else(|| Failure::Final(Alert::new(AlertCode::InvalidRedirect, url.as_str())))?;
            // As every user agent does: only 307 and 308 keep the method.
            if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                method = Method::Get;
            }
        }
        Err(Failure::Final(Alert::new(AlertCode::TooManyRedirects, fetch.url.as_str())))
    }

    fn request(
        &self,
        url: &Url,
        method: Method,
        form: &Form,
        idempotency_token: &str,
    ) -> Result<Request<String>, Alert> {
        let mut url = url.clone();
        if method == Method::Get {
            url.query_pairs_mut().extend_pairs(form.iter());
        }
        let signed_url = signed_url(&url);
        let request = Request::builder()
            .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(header::HOST, host(&url))
            .header(header::USER_AGENT, "TwilioProxy/1.1")
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .header("i-twilio-idempotency-token", idempotency_token);
        let request = match self.cookies_for(&url) {
            cookies if cookies.is_empty() => request,
            cookies => request.header(header::COOKIE, cookies),
        };
        let request = if method == Method::Get {
            let signature = self.token.sign_get(&signed_url);
            request.method(hyper::Method::GET).header(signature::HEADER, signature).body(String::new())
        } else {
            request
                .method(hyper::Method::POST)
                .header(signature::HEADER, self.token.sign_form(&signed_url, form))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .body(form.encode())
        };
        request.map_err(|error| Alert::new(AlertCode::InvalidUrl, error.to_string()))
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<String>,
        overrides: &Overrides,
        limit: usize,
    ) -> Result<(Response<()>, Vec<u8>), Failure> {
        let io = match timeout(overrides.connect, self.dialer.connect(url)).await {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => return Err(Failure::Connect(dial_alert(&error, url))),
            Err(_) => return Err(Failure::Connect(Alert::new(AlertCode::ConnectTimeout, url.as_str()))),
        };
        let broken = |error: hyper::Error| {
            let code = if error.is_parse() { AlertCode::HttpProtocol } else { AlertCode::HttpConnection };
            Failure::Read(Alert::new(code, causes(&error)))
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(broken)?;
        let talk = async {
            let late = |_| Failure::Read(Alert::new(AlertCode::HttpConnection, "the answer took too long"));
            let response = timeout(overrides.read, sender.send_request(request)).await.map_err(late)?;
            let (head, body) = response.map_err(broken)?.into_parts();
            let body = read_body(body, overrides.read, limit).await?.map_err(broken)?;
            Ok((Response::from_parts(head, ()), body))
        };
        // The connection works only while it is polled, and ends once the answer is in.
        match future::select(pin!(talk), pin!(connection)).await {
            Either::Left((talked, _)) => talked,
            Either::Right((_, talk)) => talk.await,
        }
    }

    fn cookies_for(&self, url: &Url) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let own = cookies.iter().filter(|((host, _), _)| Some(host.as_str()) == url.host_str());
        own.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies(&self, url: &Url, headers: &hyper::HeaderMap) {
        let Some(host) = url.host_str() else { return };
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                cookies.insert((host.to_owned(), name.trim().to_owned()), value.trim().to_owned());
            }
        }
    }
}

/// The URL as it is signed: without fragment and credentials, without the port if it is HTTPS (Twilio: Security).
pub(super) fn signed_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = match url.port() {
        Some(port) if url.scheme() != "https" => format!(":{port}"),
        _ => String::new(),
    };
    format!("{}://{host}{port}{}", url.scheme(), &url[url::Position::BeforePath..url::Position::AfterQuery])
}

/// The value of the `Host` header.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn read_body(
    mut body: Incoming,
    pause: Duration,
    limit: usize,
) -> Result<Result<Vec<u8>, hyper::Error>, Failure> {
    let mut bytes = Vec::new();
    while bytes.len() <= limit {
        let frame = future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let late = |_| Failure::Read(Alert::new(AlertCode::HttpConnection, "the answer stopped half-way"));
        match timeout(pause, frame).await.map_err(late)? {
            Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
            Some(Err(error)) => return Ok(Err(error)),
            None => break,
        }
    }
    Ok(Ok(bytes))
}

fn header_text(headers: &hyper::HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn dial_alert(error: &DialError, url: &Url) -> Alert {
    let code = match error {
        DialError::Refused(_) => AlertCode::ConnectRefused,
        DialError::Unreachable(_) => AlertCode::HttpConnection,
        DialError::Tls(_) => AlertCode::TlsHandshake,
    };
    Alert::new(code, format!("{}: {}", host(url), causes(error)))
}

/// An error and its causes on one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
