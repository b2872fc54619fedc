//! Holds a [`RealtimeClient`] to the contract of its traits.
//!
//! Write a [`Provider`], which is your client and a far end that speaks your provider's protocol, and call [`all`]; or
//! call the checks one by one, each with a fresh provider. A check that fails panics and says what was expected. The
//! checks need a runtime with time; a paused clock is fine where the far end is in memory.
//!
//! ```
//! use async_trait::async_trait;
//! use realtime_bridge::realtime::{
//!     RealtimeCommand, RealtimeEvent, conformance,
//!     memory::{MemoryClient, MemoryModel, MemoryProvider},
//! };
//!
//! struct Memory(MemoryClient, MemoryProvider);
//! struct Model(Option<MemoryModel>);
//!
//! #[async_trait]
//! impl conformance::Provider for Memory {
//!     type Client = MemoryClient;
//!     type FarEnd = Model;
//!
//!     fn client(&self) -> MemoryClient {
//!         self.0.clone()
//!     }
//!
//!     async fn accept(&mut self) -> Model {
//!         Model(self.1.accept().await)
//!     }
//! }
//!
//! #[async_trait]
//! impl conformance::FarEnd for Model {
//!     async fn recv(&mut self) -> Option<RealtimeCommand> {
//!         self.0.as_mut()?.recv().await
//!     }
//!
//!     async fn emit(&mut self, event: RealtimeEvent) {
//!         if let Some(model) = &mut self.0 {
//!             model.emit(event).await;
//!         }
//!     }
//!
//!     async fn end(&mut self) {
//!         self.0.take().map(MemoryModel::end);
//!     }
//!
//!     async fn vanish(&mut self) {
//!         self.0 = None;
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! conformance::all(async || {
//!     let (client, provider) = MemoryClient::new();
//!     Memory(client, provider)
//! })
//! .await;
//! # }
//! ```

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use async_trait::async_trait;
use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::time::timeout;

use super::{
    CloseReason, ItemKind, NewItem, ProviderError, RealtimeClient, RealtimeCommand, RealtimeEvent, RealtimeSession,
    RequestId, ResponseOptions, ResponseOutcome, ResponseStatus, SessionConfig, SessionError, SessionUpdate, ToolCall,
    Usage,
};
use crate::audio::AudioFrame;

/// What has not happened by now does not happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this long without room, a sink is full. Real sockets need a moment to move what they can.
const FULL: Duration = Duration::from_millis(300);

/// A client and the provider it connects to.
#[async_trait]
pub trait Provider: Send {
    /// The client that is held to the contract.
    type Client: RealtimeClient;
    /// The far end of a session.
    type FarEnd: FarEnd;

    /// The client.
    fn client(&self) -> Self::Client;

    /// Takes the next connection and sets it up as asked; runs beside [`RealtimeClient::connect`].
    async fn accept(&mut self) -> Self::FarEnd;
}

/// The far end of a session: the provider.
#[async_trait]
pub trait FarEnd: Send {
    /// The next command, as it was before it was sent; `None` when the client has ended the session in whatever way.
    /// Nothing must be taken from the connection until this is called.
    async fn recv(&mut self) -> Option<RealtimeCommand>;

    /// Tells the client something.
    async fn emit(&mut self, event: RealtimeEvent);

    /// Ends the session in order.
    async fn end(&mut self);

    /// Is gone without a word.
    async fn vanish(&mut self);
}

type Session<P> = <<P as Provider>::Client as RealtimeClient>::Session;

/// All checks, each with a provider of its own.
pub async fn all<P: Provider>(provider: impl AsyncFn() -> P) {
    set_up_as_asked(provider().await).await;
    events_in_order(provider().await).await;
    commands_in_order(provider().await).await;
    refusals_do_not_end(provider().await).await;
    wrong_format(provider().await).await;
    backpressure(provider().await).await;
    dropped_polls(provider().await).await;
    end_in_order(provider().await).await;
    lost(provider().await).await;
    closed_by_us(provider().await).await;
    dropped_by_us(provider().await).await;
}

/// The session is ready and has the formats of the configuration.
pub async fn set_up_as_asked<P: Provider>(mut provider: P) {
    let config = SessionConfig::default();
    let (session, _far) = open(&mut provider).await;
    assert_eq!(session.info().input_format, config.input_format, "the input format is the one asked for");
    assert_eq!(session.info().output_format, config.output_format, "the output format is the one asked for");
}

/// Events come in the provider's order, and with all they carry.
pub async fn events_in_order<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    let events = one_of_each(&session);
    for event in events.clone() {
        far.emit(event).await;
    }
    for expected in &events {
        let got = told(&mut session).await;
        assert!(same(&got, expected), "got {got:?}, expected {expected:?}");
    }
}

/// Commands arrive in order, and with all they carry.
pub async fn commands_in_order<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    let commands = every_command(&session);
    for command in commands.clone() {
        session.feed(command).await.expect("the session takes commands");
    }
    session.flush().await.expect("the session writes what it took");
    for expected in commands {
        assert_eq!(received(&mut far).await.map(raw), Some(raw(expected)), "commands arrive in order");
    }
}

/// A command that the provider refuses comes back as an event, and the session goes on.
pub async fn refusals_do_not_end<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    let request = RequestId(41);
    session.send(RealtimeCommand::Cancel { request, response: None }).await.expect("the session takes commands");
    assert!(received(&mut far).await.is_some(), "the command arrives");
    let refusal = ProviderError::new("invalid_request_error", "response_cancel_not_active", "Nothing runs.");
    far.emit(RealtimeEvent::Error(refusal.with_request(request))).await;
    match told(&mut session).await {
        RealtimeEvent::Error(error) => assert_eq!(error.request, Some(request), "the refusal names the request"),
        other => panic!("expected the refusal, got {other:?}"),
    }
    session.send(RealtimeCommand::ClearInput).await.expect("the session goes on");
    assert_eq!(received(&mut far).await, Some(RealtimeCommand::ClearInput), "the session goes on");
}

/// Audio in another format than the session's is refused, and the session goes on.
pub async fn wrong_format<P: Provider>(mut provider: P) {
    use crate::audio::{AudioFormat, SampleRate};
    let (mut session, mut far) = open(&mut provider).await;
    let frame = AudioFrame::silence(AudioFormat::Pcm16(SampleRate::Hz16000), Duration::from_millis(20));
    let refused = session.send(RealtimeCommand::Append(frame)).await;
    assert!(matches!(refused, Err(SessionError::WrongFormat { .. })), "got {refused:?}, expected WrongFormat");
    session.send(RealtimeCommand::ClearInput).await.expect("the session goes on");
    assert_eq!(received(&mut far).await, Some(RealtimeCommand::ClearInput), "nothing of the audio was sent");
}

/// A provider that takes nothing makes the sink pending. Its events still come, and nothing is lost.
pub async fn backpressure<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    let frame = AudioFrame::silence(session.info().input_format, Duration::from_secs(1));
    let mut sent = 0_u32;
    while let Ok(ready) = timeout(FULL, poll_fn(|cx| Pin::new(&mut session).poll_ready(cx))).await {
        ready.expect("a slow provider is no error");
        Pin::new(&mut session).start_send(RealtimeCommand::Append(frame.clone())).expect("there was room");
        sent += 1;
        assert!(sent < 50_000, "a provider that takes nothing must be felt");
    }
    far.emit(committed(7)).await;
    assert!(same(&told(&mut session).await, &committed(7)), "events come while the sink is full");
    let drain = async {
        for _ in 0..sent {
            assert!(matches!(received(&mut far).await, Some(RealtimeCommand::Append(_))), "nothing is lost");
        }
    };
    let (flushed, ()) = tokio::join!(session.flush(), drain);
    flushed.expect("the session writes once there is room");
    session.send(RealtimeCommand::Commit).await.expect("there is room again");
    assert_eq!(received(&mut far).await, Some(RealtimeCommand::Commit), "commands go on after the jam");
}

/// Polls that are given up lose nothing.
pub async fn dropped_polls<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    for number in 0..100 {
        let early = poll_fn(|cx| Poll::Ready(session.poll_next_unpin(cx))).await;
        assert!(early.is_pending(), "nothing was said yet");
        far.emit(committed(number)).await;
        session.feed(RealtimeCommand::Commit).await.expect("the session takes commands");
        let _ = session.flush().now_or_never();
        assert!(same(&told(&mut session).await, &committed(number)), "event {number} is not lost");
    }
    session.flush().await.expect("the session writes what it took");
    for number in 0..100 {
        assert_eq!(received(&mut far).await, Some(RealtimeCommand::Commit), "command {number} is not lost");
    }
}

/// After an end in order the stream ends, and says nothing more.
pub async fn end_in_order<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    far.emit(committed(1)).await;
    far.end().await;
    assert!(same(&told(&mut session).await, &committed(1)), "what was said before the end is told");
    assert!(next(&mut session).await.is_none(), "an end in order is no error");
    assert!(next(&mut session).await.is_none(), "the end is the end");
    assert!(session.send(RealtimeCommand::Commit).await.is_err(), "nothing can be sent after the end");
}

/// A lost connection is an error, after which the stream ends.
pub async fn lost<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    far.vanish().await;
    match next(&mut session).await {
        Some(Err(SessionError::Closed(CloseReason { code: None, .. }))) => {}
        other => panic!("expected a lost connection, got {other:?}"),
    }
    assert!(next(&mut session).await.is_none(), "nothing comes after an error");
}

/// Closing the sink sends what was taken, then ends the session for both sides.
pub async fn closed_by_us<P: Provider>(mut provider: P) {
    let (mut session, mut far) = open(&mut provider).await;
    session.feed(RealtimeCommand::Commit).await.expect("the session takes commands");
    let far_end = async {
        assert_eq!(received(&mut far).await, Some(RealtimeCommand::Commit), "what was taken is sent before the end");
        assert_eq!(received(&mut far).await, None, "the far end sees the end");
        far.vanish().await;
    };
    let (closed, ()) = tokio::join!(timeout(PATIENCE, session.close()), far_end);
    closed.expect("closing takes a bounded time").expect("closing in order is no error");
    assert!(next(&mut session).await.is_none(), "the stream ends");
    assert!(session.send(RealtimeCommand::Commit).await.is_err(), "nothing can be sent after the end");
}

/// Dropping the session ends it for the far end.
pub async fn dropped_by_us<P: Provider>(mut provider: P) {
    let (session, mut far) = open(&mut provider).await;
    drop(session);
    assert_eq!(received(&mut far).await, None, "the far end sees the end");
}

async fn open<P: Provider>(provider: &mut P) -> (Session<P>, P::FarEnd) {
    let client = provider.client();
    let config = SessionConfig::default();
    let both = async { tokio::join!(client.connect(&config), provider.accept()) };
    let (session, far) = timeout(PATIENCE, both).await.expect("a session is set up in time");
    (session.expect("the provider sets up a session"), far)
}

async fn next<S: RealtimeSession>(session: &mut S) -> Option<Result<RealtimeEvent, SessionError>> {
    timeout(PATIENCE, session.next()).await.expect("something is told in time")
}

async fn told<S: RealtimeSession>(session: &mut S) -> RealtimeEvent {
    next(session).await.expect("the stream goes on").expect("nothing fails")
}

async fn received<F: FarEnd>(far: &mut F) -> Option<RealtimeCommand> {
    timeout(PATIENCE, far.recv()).await.expect("the command arrives in time")
}

/// Audio is the same however it is written.
fn raw(command: RealtimeCommand) -> RealtimeCommand {
    match command {
        RealtimeCommand::Append(frame) => RealtimeCommand::Append(AudioFrame::raw(frame.format(), frame.to_raw())),
        other => other,
    }
}

/// Events hold JSON as it came, which has no equality; what they show is compared, and the bytes of audio.
fn same(left: &RealtimeEvent, right: &RealtimeEvent) -> bool {
    if let (
        RealtimeEvent::Audio { response, item, content_index, frame },
        RealtimeEvent::Audio { response: response2, item: item2, content_index: index2, frame: frame2 },
    ) = (left, right)
    {
        return (response, item, content_index) == (response2, item2, index2)
            && (frame.format(), frame.to_raw()) == (frame2.format(), frame2.to_raw());
    }
    format!("{left:?}") == format!("{right:?}")
}

fn committed(number: u32) -> RealtimeEvent {
    RealtimeEvent::TurnCommitted { item: format!("item_{number}").into(), previous: None }
}

/// What every provider of spoken answers tells in the course of two turns.
fn one_of_each(session: &impl RealtimeSession) -> Vec<RealtimeEvent> {
    let (response, item) = ("resp_1", "item_2");
    let mut events = vec![
        RealtimeEvent::SpeechStarted { item: Some("item_1".into()), audio_start: Duration::from_millis(1_200) },
        RealtimeEvent::SpeechStopped { item: Some("item_1".into()), audio_end: Duration::from_millis(2_900) },
        RealtimeEvent::TurnCommitted { item: "item_1".into(), previous: Some("item_0".into()) },
        RealtimeEvent::ItemAdded { item: "item_1".into(), previous: Some("item_0".into()), kind: ItemKind::User },
        RealtimeEvent::ResponseStarted { response: response.into(), request: Some(RequestId(3)) },
        RealtimeEvent::UserTranscript { item: "item_1".into(), text: "予約を \"変更\"\nしたい".into() },
    ];
    let format = session.info().output_format;
    for number in 1..=20_u8 {
        events.push(RealtimeEvent::TranscriptDelta {
            response: response.into(),
            item: item.into(),
            content_index: 0,
            delta: format!("word {number} "),
        });
        // Frames of different lengths, so that base64 ends in every way.
        let bytes = vec![number; 96 + usize::from(number) * 6];
        events.push(RealtimeEvent::Audio {
            response: response.into(),
            item: item.into(),
            content_index: 0,
            frame: AudioFrame::raw(format, bytes),
        });
    }
    let mut usage = Usage::default();
    (usage.input, usage.output, usage.output_audio) = (120, 80, 60);
    let call = ToolCall::new("call_1", "item_3", "lookup", r#"{"order":"417"}"#);
    let done = |response: &str, status| ResponseOutcome::new(response.into(), status);
    events.extend([
        RealtimeEvent::AudioDone { response: response.into(), item: item.into(), content_index: 0 },
        RealtimeEvent::Transcript {
            response: response.into(),
            item: item.into(),
            content_index: 0,
            text: "all words".into(),
        },
        RealtimeEvent::ResponseDone(Box::new(
            done(response, ResponseStatus::Completed).with_calls(vec![call]).with_usage(usage),
        )),
        RealtimeEvent::ResponseDone(Box::new(done("resp_2", ResponseStatus::Interrupted))),
        RealtimeEvent::ResponseDone(Box::new(done("resp_3", ResponseStatus::Cancelled))),
        RealtimeEvent::Truncated { item: item.into(), audio_end: Duration::from_millis(640) },
        RealtimeEvent::Error(ProviderError::new("server_error", "server_error", "Bad luck.")),
    ]);
    events
}

fn every_command(session: &impl RealtimeSession) -> Vec<RealtimeCommand> {
    let format = session.info().input_format;
    let request = RequestId;
    let mut commands: Vec<RealtimeCommand> = (1..=20_u8)
        .map(|number| RealtimeCommand::Append(AudioFrame::raw(format, vec![number; 96 + usize::from(number) * 6])))
        .collect();
    let options = ResponseOptions::default().with_instructions("Greet the caller.");
    let update = SessionUpdate::default().with_instructions("Be brief.");
    commands.extend([
        RealtimeCommand::Commit,
        RealtimeCommand::ClearInput,
        RealtimeCommand::AddItem { request: request(1), item: NewItem::System("It is Monday.".into()) },
        RealtimeCommand::AddItem { request: request(2), item: NewItem::User("押した番号: 1".into()) },
        RealtimeCommand::AddItem { request: request(3), item: NewItem::Assistant("Hello.".into()) },
        RealtimeCommand::AddItem {
            request: request(4),
            item: NewItem::ToolCall { call: "call_1".into(), name: "lookup".into(), arguments: "{}".into() },
        },
        RealtimeCommand::AddItem {
            request: request(5),
            item: NewItem::ToolOutput { call: "call_1".into(), output: r#"{"found":true}"#.into() },
        },
        RealtimeCommand::Respond { request: request(6), options: ResponseOptions::default() },
        RealtimeCommand::Respond { request: request(7), options },
        RealtimeCommand::Cancel { request: request(8), response: None },
        RealtimeCommand::Cancel { request: request(9), response: Some("resp_1".into()) },
        RealtimeCommand::Truncate {
            request: request(10),
            item: "item_1".into(),
            content_index: 0,
            heard: Duration::from_millis(1_234),
        },
        RealtimeCommand::Update { request: request(11), update },
    ]);
    commands
}
