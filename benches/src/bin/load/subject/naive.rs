//! The bridge one writes in an afternoon: tungstenite as it comes, generic JSON values, both sockets split, a channel
//! in front of each writer, four tasks a call. Barge-in clears and truncates by a mark after each delta. No tools, no
//! time-outs, no transcripts.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use futures_util::{SinkExt, Stream, StreamExt, stream::SplitSink};
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, accept_async, client_async,
    tungstenite::{Error as WsError, Message},
};

use super::Failure;

/// What both directions must know of each other.
#[derive(Default)]
struct Shared {
    stream: String,
    item: Option<String>,
    sent_ms: u64,
    /// Positions in the item by mark, in the order they were sent.
    marks: VecDeque<(String, u64)>,
    played_ms: u64,
}

pub(super) async fn bridge_call(
    caller: TcpStream,
    model: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
) -> Result<(), Failure> {
    let model = TcpStream::connect(model).await?;
    model.set_nodelay(true)?;
    let Some(config) = tls else { return bridge_sockets(caller, model).await };
    let name = ServerName::try_from("localhost")?;
    bridge_sockets(caller, TlsConnector::from(config).connect(name, model).await?).await
}

async fn bridge_sockets<M>(caller: TcpStream, model: M) -> Result<(), Failure>
where
    M: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let caller = accept_async(caller).await?;
    let (model, _) = client_async("ws://localhost/v1/realtime?model=gpt-realtime-2.1", model).await?;
    let (caller_out, mut caller_in) = caller.split();
    let (model_out, mut model_in) = model.split();
    let (to_caller, caller_queue) = mpsc::channel::<Value>(256);
    let (to_model, model_queue) = mpsc::channel::<Value>(256);
    let shared = Arc::new(Mutex::new(Shared::default()));
    to_model
        .send(json!({ "type": "session.update", "session": { "type": "realtime", "audio": {
            "input": { "format": { "type": "audio/pcmu" }, "turn_detection": { "type": "server_vad" } },
            "output": { "format": { "type": "audio/pcmu" }, "voice": "marin" } } } }))
        .await?;

    let mut tasks = JoinSet::new();
    tasks.spawn(write_all(caller_out, caller_queue));
    tasks.spawn(write_all(model_out, model_queue));
    let (state, sender) = (Arc::clone(&shared), to_model.clone());
    tasks.spawn(async move {
        while let Some(message) = next_value(&mut caller_in).await? {
            from_caller(&message, &state, &sender).await?;
        }
        Ok(())
    });
    tasks.spawn(async move {
        while let Some(message) = next_value(&mut model_in).await? {
            from_model(&message, &shared, &to_caller, &to_model).await?;
        }
        Ok(())
    });
    // The first task that ends is the end of the call; the others are dropped with the set.
    let _ = tasks.join_next().await;
    Ok(())
}

async fn from_caller(message: &Value, shared: &Mutex<Shared>, to_model: &mpsc::Sender<Value>) -> Result<(), Failure> {
    match message["event"].as_str() {
        Some("start") => shared.lock().await.stream = message["streamSid"].as_str().unwrap_or_default().to_owned(),
        Some("media") => {
            let audio = message["media"]["payload"].clone();
            to_model.send(json!({ "type": "input_audio_buffer.append", "audio": audio })).await?;
        }
        Some("mark") => {
            let mut shared = shared.lock().await;
            if let Some((_, position)) = shared.marks.pop_front() {
                shared.played_ms = position;
            }
        }
        Some("stop") => return Err("the caller hung up".into()),
        _ => {}
    }
    Ok(())
}

async fn from_model(
    message: &Value,
    shared: &Mutex<Shared>,
    to_caller: &mpsc::Sender<Value>,
    to_model: &mpsc::Sender<Value>,
) -> Result<(), Failure> {
    match message["type"].as_str() {
        Some("response.output_audio.delta") => {
            let mut shared = shared.lock().await;
            let item = message["item_id"].as_str().unwrap_or_default();
            if shared.item.as_deref() != Some(item) {
                (shared.item, shared.sent_ms, shared.played_ms) = (Some(item.to_owned()), 0, 0);
            }
            let audio = message["delta"].as_str().unwrap_or_default();
            shared.sent_ms += audio.len() as u64 / 4 * 3 / 8;
            let (position, stream) = (shared.sent_ms, shared.stream.clone());
            let mark = format!("{item}:{position}");
            shared.marks.push_back((mark.clone(), position));
            drop(shared);
            to_caller.send(json!({ "event": "media", "streamSid": stream, "media": { "payload": audio } })).await?;
            to_caller.send(json!({ "event": "mark", "streamSid": stream, "mark": { "name": mark } })).await?;
        }
        Some("input_audio_buffer.speech_started") => {
            let mut shared = shared.lock().await;
            let (playing, position, item) = (!shared.marks.is_empty(), shared.played_ms, shared.item.clone());
            shared.marks.clear();
            let stream = shared.stream.clone();
            drop(shared);
            if playing {
                to_caller.send(json!({ "event": "clear", "streamSid": stream })).await?;
                to_model
                    .send(json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0,
                        "audio_end_ms": position }))
                    .await?;
            }
        }
        _ => {}
    }
    Ok(())
}

async fn next_value(
    socket: &mut (impl Stream<Item = Result<Message, WsError>> + Unpin),
) -> Result<Option<Value>, Failure> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            return Ok(Some(serde_json::from_str(&text)?));
        }
    }
    Ok(None)
}

async fn write_all<S>(
    mut socket: SplitSink<WebSocketStream<S>, Message>,
    mut queue: mpsc::Receiver<Value>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = queue.recv().await {
        socket.send(Message::text(message.to_string())).await?;
    }
    Ok(())
}
