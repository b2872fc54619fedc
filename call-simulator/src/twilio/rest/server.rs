//! The server of the API. It speaks HTTP without a framework, since a lost answer is a connection that closes.

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc};

use axum::body::{Body as AnswerBody, Bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::{
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use twilio_twiml::webhook::Form;
use uuid::Uuid;

use super::{
    calls, conferences,
    error::Refusal,
    faults::RestFault,
    operation::{Asked, Operation},
    participants, recordings, taping,
};
use crate::twilio::{account::Account, simulator::Alive};

/// The longest body of a request, in bytes. The longest document is 4,000 characters.
const BODY_LIMIT: usize = 256 * 1024;

/// Twilio's REST API on loopback, until it is dropped. Calls that it has made go on as long as the account does.
#[derive(Debug)]
pub struct RestServer {
    address: SocketAddr,
    account: Arc<Account>,
    accepting: JoinSet<io::Result<Infallible>>,
    _alive: Arc<Alive>,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

/// A request, read.
pub(super) struct Question<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) asked: &'a Asked,
    /// From the host on, without the query.
    pub(super) path: &'a str,
    pub(super) query: &'a Form,
    pub(super) form: &'a Form,
}

/// The answer is lost: the connection closes.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost, as planned")]
struct AnswerLost;

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string().into_bytes() }
    }

    pub(super) const fn empty(status: u16) -> Self {
        Self { status, content_type: "application/json", body: Vec::new() }
    }

    pub(super) const fn wav(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: "audio/x-wav", body }
    }
}

impl RestServer {
    pub(in crate::twilio) async fn start(
        account: Arc<Account>,
        alive: Arc<Alive>,
        bind: SocketAddr,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        // Where recordings are is said with the first server's address.
        let _ = account.rest_base.set(format!("http://{address}"));
        let mut accepting = JoinSet::new();
        let serving = Arc::clone(&account);
        accepting.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let (stop, connection) = (serving.stop.clone(), serve(Arc::clone(&serving), stream));
                serving.tasks.spawn(async move { stop.run_until_cancelled(connection).await });
            }
        });
        Ok(Self { address, account, accepting, _alive: alive })
    }

    /// Scheme, host and port, to be given to a client in place of Twilio's.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until the accept loop ends, which happens only when listening fails.
    ///
    /// # Errors
    ///
    /// The failure of the listener.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing: the server goes on.
    pub async fn run(&mut self) -> io::Result<Infallible> {
        match self.accepting.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Err(error.into()),
            None => future::pending().await,
        }
    }

    /// Stops listening and ends every call that the API has made, like a network that fails. Returns when all is over.
    pub async fn shutdown(mut self) {
        self.accepting.shutdown().await;
        self.account.stop.cancel();
        self.account.tasks.close();
        self.account.tasks.wait().await;
    }
}

async fn serve(account: Arc<Account>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let account = Arc::clone(&account);
        async move { answer(&account, request).await }
    });
    // A client that goes away in the middle is its own business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(account: &Arc<Account>, request: Request<Incoming>) -> Result<Response<AnswerBody>, AnswerLost> {
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else { return Err(AnswerLost) };
    let path = head.uri.path().to_owned();
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
    let form = Form::parse(&body);
    let asked = match admit(account, &head.headers, &path).and_then(|rest| Asked::read(head.method.as_str(), &rest)) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(respond(refusal.into())),
    };
    let question = Question { account, asked: &asked, path: &path, query: &query, form: &form };
    let fault = account.rest_faults.take(asked.operation);
    Ok(match fault {
        None => respond(question.answer()),
        Some(RestFault::TooManyRequests { retry_after }) => {
            let mut response = respond(Refusal::too_many_requests().into());
            if let Some(after) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
            }
            response
        }
        Some(RestFault::ServerError { status, carried_out }) => {
            if carried_out {
                question.answer();
            }
            let body = b"<html><body>upstream error</body></html>".to_vec();
            respond(Answer { status, content_type: "text/html", body })
        }
        Some(RestFault::Late(time)) => {
            sleep(time).await;
            respond(question.answer())
        }
        Some(RestFault::AnswerLate(time)) => {
            let answer = question.answer();
            sleep(time).await;
            respond(answer)
        }
        Some(RestFault::AnswerLost) => {
            question.answer();
            return Err(AnswerLost);
        }
        Some(RestFault::NeverAnswered) => {
            question.answer();
            future::pending().await
        }
    })
}

impl Question<'_> {
    fn answer(&self) -> Answer {
        let answer = match self.asked.operation {
            Operation::CreateCall => calls::create(self),
            Operation::ListCalls => calls::list(self),
            Operation::FetchCall => calls::fetch(self),
            Operation::UpdateCall => calls::update(self),
            Operation::DeleteCall => calls::delete(self),
            Operation::ListRecordings => recordings::list(self),
            Operation::StartRecording => taping::start(self),
            Operation::UpdateRecording => taping::update(self),
            Operation::FetchRecording => recordings::fetch(self),
            Operation::DownloadRecording => recordings::download(self),
            Operation::DeleteRecording => recordings::delete(self),
            Operation::ListConferences => conferences::list(self),
            Operation::FetchConference => conferences::fetch(self),
            Operation::UpdateConference => conferences::update(self),
            Operation::CreateParticipant => participants::create(self),
            Operation::ListParticipants => participants::list(self),
            Operation::FetchParticipant => participants::fetch(self),
            Operation::UpdateParticipant => participants::update(self),
            Operation::DeleteParticipant => participants::delete(self),
        };
        answer.unwrap_or_else(Answer::from)
    }
}

/// Checks who asks, and gives what the path says after the account.
fn admit(account: &Account, headers: &HeaderMap, path: &str) -> Result<Vec<String>, Refusal> {
    let is_known = credentials(headers).is_some_and(|(user, password)| {
        let is_owner = user == account.sid.as_str() && password == account.token.expose();
        is_owner || account.api_keys.iter().any(|(sid, secret)| user == sid.as_str() && password == secret.expose())
    });
    if !is_known {
        return Err(Refusal::unauthenticated());
    }
    let rest = path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.strip_prefix(account.sid.as_str()));
    let rest = rest.and_then(|rest| rest.strip_prefix('/')).ok_or_else(|| Refusal::not_found(path))?;
    Ok(rest.split('/').map(decode).collect())
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// A segment of a path without its percent signs.
fn decode(segment: &str) -> String {
    // A plus sign is one in a path, and a blank in a form.
    let pairs = Form::parse(format!("x={}", segment.replace('+', "%2B").replace('&', "%26")).as_bytes());
    pairs.get("x").unwrap_or_default().to_owned()
}

fn respond(answer: Answer) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    let request_id = format!("RQ{}", Uuid::new_v4().simple());
    headers.insert("twilio-request-id", HeaderValue::try_from(request_id).expect("letters and digits"));
    response
}

/// The body; nothing if the client goes away or says too much.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend(frame.ok()?.into_data().unwrap_or_default());
        if bytes.len() > BODY_LIMIT {
            return None;
        }
    }
    Some(bytes)
}
