//! A small application that the simulated Twilio calls: documents by path, and a media stream server that a test
//! scripts. It checks every signature.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::Response,
};
use call_simulator::twilio::{Number, TwilioSimulator};
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use realtime_bridge::media::twilio::wire::FromTwilio;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};
use twilio_twiml::webhook::{Form, Verifier};

pub(crate) const TOKEN: &str = "9f2c4b7a1d3e5f60718293a4b5c6d7e8";

/// A request that came in, with a good signature.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) form: Form,
    pub(crate) parts: Parts,
}

type Document = Box<dyn Fn(&Seen) -> Response + Send + Sync>;

/// What the application does, by path.
#[derive(Default)]
pub(crate) struct Script {
    documents: HashMap<&'static str, Document>,
    /// What is done with each stream, in the order they come.
    streams: Mutex<VecDeque<StreamHandler>>,
}

type StreamHandler = Box<dyn FnOnce(Line) -> futures_util::future::BoxFuture<'static, ()> + Send>;

impl Script {
    /// Answers this path with TwiML; `{host}` stands for the application's own, `{ws}` for its WebSockets'.
    pub(crate) fn twiml(self, path: &'static str, twiml: &str) -> Self {
        let twiml = format!("<Response>{twiml}</Response>");
        self.answer(path, move |seen| {
            let host = seen.parts.headers[header::HOST].to_str().unwrap();
            xml(twiml.replace("{ws}", &format!("ws://{host}")).replace("{host}", host))
        })
    }

    pub(crate) fn answer(
        mut self,
        path: &'static str,
        answer: impl Fn(&Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.documents.insert(path, Box::new(answer));
        self
    }

    /// Serves the next media stream.
    pub(crate) fn stream<F>(self, serve: impl FnOnce(Line) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.streams.lock().unwrap().push_back(Box::new(move |line| Box::pin(serve(line))));
        self
    }

    pub(crate) async fn start(self) -> App {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Inner {
            script: self,
            verifier: Verifier::new(format!("http://{address}"), TOKEN),
            seen: Mutex::default(),
            streams: Mutex::default(),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        App { address, state, _tasks: tasks }
    }
}

pub(crate) fn xml(twiml: String) -> Response {
    Response::builder().header(header::CONTENT_TYPE, "text/xml").body(Body::from(twiml)).unwrap()
}

pub(crate) fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

struct Inner {
    script: Script,
    verifier: Verifier,
    seen: Mutex<Vec<Seen>>,
    streams: Mutex<Vec<JoinHandle<()>>>,
}

/// The application, until it is dropped.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    state: Arc<Inner>,
    _tasks: JoinSet<()>,
}

impl App {
    pub(crate) fn number(&self) -> Number {
        let url = format!("http://{}/voice", self.address).parse().unwrap();
        Number::new("+815012345678".parse().unwrap(), url)
    }

    pub(crate) fn twilio(&self) -> TwilioSimulator {
        TwilioSimulator::builder().auth_token(TOKEN).number(self.number()).start().unwrap()
    }

    /// The requests so far whose path begins so.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.state.seen.lock().unwrap().iter().filter(|seen| seen.target.starts_with(path)).cloned().collect()
    }

    /// Waits until every stream has been served, and fails if one of them failed or never came.
    pub(crate) async fn streams_served(&self) {
        assert_eq!(self.state.script.streams.lock().unwrap().len(), 0, "streams were not opened");
        let streams: Vec<_> = self.state.streams.lock().unwrap().drain(..).collect();
        for stream in streams {
            stream.await.unwrap();
        }
    }
}

async fn serve(State(state): State<Arc<Inner>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().as_str().to_owned();
    if parts.headers.contains_key(header::UPGRADE) {
        return upgrade(&state, &mut parts);
    }
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let Ok(webhook) = state.verifier.webhook(&parts, body) else { return status(403) };
    let path = parts.uri.path().to_owned();
    let seen = Seen { method: parts.method.to_string(), target, form: webhook.form().clone(), parts };
    let answer = state.script.documents.get(path.as_str()).map_or_else(|| status(404), |answer| answer(&seen));
    state.seen.lock().unwrap().push(seen);
    answer
}

fn upgrade(state: &Arc<Inner>, parts: &mut Parts) -> Response {
    if state.verifier.upgrade(parts).is_err() {
        return status(403);
    }
    let Some(serve) = state.script.streams.lock().unwrap().pop_front() else { return status(404) };
    let key = derive_accept_key(parts.headers[header::SEC_WEBSOCKET_KEY].as_bytes());
    let upgraded = parts.extensions.remove::<hyper::upgrade::OnUpgrade>().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the handle is kept in the state and awaited by the test")]
    let stream = tokio::spawn(async move {
        let io = TokioIo::new(upgraded.await.unwrap());
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        serve(Line { socket, stream_sid: String::new() }).await;
    });
    state.streams.lock().unwrap().push(stream);
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .body(Body::empty())
        .unwrap()
}

/// The application's end of a media stream.
pub(crate) struct Line {
    pub(crate) socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    pub(crate) stream_sid: String,
}

impl Line {
    /// The next text message; `None` when the socket is closed.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Takes `connected` and `start`; gives `start`.
    pub(crate) async fn start(&mut self) -> String {
        let connected = self.text().await.unwrap();
        assert!(matches!(FromTwilio::parse(&connected).unwrap(), FromTwilio::Connected(_)));
        let text = self.text().await.unwrap();
        let FromTwilio::Start(start) = FromTwilio::parse(&text).unwrap() else { panic!("{text} is no start") };
        self.stream_sid = start.stream_sid.to_string();
        text
    }

    /// The next message that is no media.
    pub(crate) async fn event(&mut self) -> Option<String> {
        loop {
            let text = self.text().await?;
            if !matches!(FromTwilio::parse(&text).unwrap(), FromTwilio::Media(_)) {
                return Some(text);
            }
        }
    }

    /// Sends a message; `{sid}` stands for the stream.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        let text = text.into().replace("{sid}", &self.stream_sid);
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn play(&mut self, mulaw: &[u8]) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let payload = STANDARD.encode(mulaw);
        self.send(format!(r#"{{"event":"media","streamSid":"{{sid}}","media":{{"payload":"{payload}"}}}}"#)).await;
    }

    pub(crate) async fn mark(&mut self, name: &str) {
        self.send(format!(r#"{{"event":"mark","streamSid":"{{sid}}","mark":{{"name":"{name}"}}}}"#)).await;
    }

    pub(crate) async fn clear(&mut self) {
        self.send(r#"{"event":"clear","streamSid":"{sid}"}"#).await;
    }

    /// Waits for a mark and tells its name.
    pub(crate) async fn marked(&mut self) -> String {
        let text = self.event().await.unwrap();
        let FromTwilio::Mark(mark) = FromTwilio::parse(&text).unwrap() else { panic!("{text} is no mark") };
        mark.name.into_owned()
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.text().await.is_some() {}
    }
}
