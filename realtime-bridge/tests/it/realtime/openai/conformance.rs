//! The contract of the traits, with a far end that speaks the wire protocol through its types.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    realtime::{
        ItemKind, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, ResponseOptions, ResponseOutcome,
        ResponseStatus, SessionUpdate, conformance,
        openai::{
            OpenAiClient,
            wire::{
                ClientEvent, ErrorBody, ErrorEvent, FunctionCall, InputAudioCommitted, InputTranscriptCompleted, Item,
                ItemEvent, ItemTruncated, Message, Nullable, PartDelta, PartDone, Response, ResponseEvent, ServerEvent,
                SpeechStarted, SpeechStopped, StatusDetails, TokenDetails, TokenUsage, ToolChoice, TranscriptDone,
            },
        },
    },
};

use super::server::{Peer, Server};

struct Loopback(Server);

struct FarEnd(Option<Peer>);

#[async_trait]
impl conformance::Provider for Loopback {
    type Client = OpenAiClient;
    type FarEnd = FarEnd;

    fn client(&self) -> OpenAiClient {
        OpenAiClient::new(self.0.config()).unwrap()
    }

    async fn accept(&mut self) -> FarEnd {
        let mut peer = self.0.accept().await;
        peer.set_up().await;
        FarEnd(Some(peer))
    }
}

#[async_trait]
impl conformance::FarEnd for FarEnd {
    async fn recv(&mut self) -> Option<RealtimeCommand> {
        let json = self.0.as_mut()?.recv().await?;
        Some(command(ClientEvent::parse(&json.to_string()).unwrap()))
    }

    async fn emit(&mut self, told: RealtimeEvent) {
        let peer = self.0.as_mut().unwrap();
        peer.send_text(event(told).to_json()).await;
    }

    async fn end(&mut self) {
        self.0.as_mut().unwrap().close(1_000, "").await;
    }

    async fn vanish(&mut self) {
        self.0 = None;
    }
}

#[tokio::test]
async fn the_client_keeps_the_contract() {
    conformance::all(async || Loopback(Server::bind().await)).await;
}

/// What a client event asks for.
fn command(event: ClientEvent) -> RealtimeCommand {
    let request = |event_id: Option<String>| event_id.unwrap().parse().unwrap();
    match event {
        ClientEvent::InputAudioAppend(event) => {
            RealtimeCommand::Append(AudioFrame::base64(AudioFormat::MuLaw, event.audio).unwrap())
        }
        ClientEvent::InputAudioCommit(_) => RealtimeCommand::Commit,
        ClientEvent::InputAudioClear(_) => RealtimeCommand::ClearInput,
        ClientEvent::ItemCreate(event) => {
            RealtimeCommand::AddItem { request: request(event.event_id), item: new_item(event.item) }
        }
        ClientEvent::ResponseCreate(event) => {
            let asked = event.response.unwrap();
            let mut options = ResponseOptions::default();
            options.instructions = asked.instructions;
            options.without_tools = asked.tool_choice == Some(ToolChoice::Mode("none".into()));
            RealtimeCommand::Respond { request: request(event.event_id), options }
        }
        ClientEvent::ResponseCancel(event) => {
            RealtimeCommand::Cancel { request: request(event.event_id), response: event.response_id.map(Into::into) }
        }
        ClientEvent::ItemTruncate(event) => RealtimeCommand::Truncate {
            request: request(event.event_id),
            item: event.item_id.into(),
            content_index: event.content_index,
            heard: Duration::from_millis(event.audio_end_ms),
        },
        ClientEvent::SessionUpdate(event) => {
            let mut update = SessionUpdate::default();
            update.instructions = event.session.instructions;
            RealtimeCommand::Update { request: request(event.event_id), update }
        }
        other => panic!("{other:?}"),
    }
}

fn new_item(item: Item) -> NewItem {
    match item {
        Item::Message(Message { role, mut content, .. }) => {
            let text = content.remove(0).text.unwrap();
            match role.as_str() {
                "system" => NewItem::System(text),
                "user" => NewItem::User(text),
                _ => NewItem::Assistant(text),
            }
        }
        Item::FunctionCall(FunctionCall { call_id, name, arguments, .. }) => {
            NewItem::ToolCall { call: call_id.unwrap().into(), name, arguments }
        }
        Item::FunctionCallOutput(item) => NewItem::ToolOutput { call: item.call_id.into(), output: item.output },
        other => panic!("{other:?}"),
    }
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap()
}

/// The server event that tells this.
fn event(told: RealtimeEvent) -> ServerEvent {
    match told {
        RealtimeEvent::SpeechStarted { item, audio_start } => ServerEvent::SpeechStarted(SpeechStarted {
            item_id: item.map(|item| item.to_string()),
            audio_start_ms: ms(audio_start),
            ..Default::default()
        }),
        RealtimeEvent::SpeechStopped { item, audio_end } => ServerEvent::SpeechStopped(SpeechStopped {
            item_id: item.map(|item| item.to_string()),
            audio_end_ms: ms(audio_end),
            ..Default::default()
        }),
        RealtimeEvent::TurnCommitted { item, previous } => ServerEvent::InputAudioCommitted(InputAudioCommitted {
            item_id: item.to_string(),
            previous_item_id: previous.map(|item| item.to_string()),
            ..Default::default()
        }),
        RealtimeEvent::ItemAdded { item, previous, kind } => {
            assert_eq!(kind, ItemKind::User);
            let message = Message { id: Some(item.to_string()), role: "user".into(), ..Default::default() };
            ServerEvent::ItemAdded(ItemEvent {
                event_id: None,
                previous_item_id: previous.map(|item| item.to_string()),
                item: Item::Message(message),
            })
        }
        RealtimeEvent::UserTranscript { item, text } => {
            ServerEvent::InputTranscriptCompleted(InputTranscriptCompleted {
                item_id: item.to_string(),
                transcript: text,
                ..Default::default()
            })
        }
        RealtimeEvent::ResponseStarted { response, request } => ServerEvent::ResponseCreated(ResponseEvent {
            event_id: None,
            response: Response {
                id: response.to_string(),
                status: "in_progress".into(),
                conversation_id: Nullable::Value("conv_1".into()),
                metadata: request.map(|request| [("client_event_id".to_owned(), request.to_string())].into()),
                ..Default::default()
            },
        }),
        RealtimeEvent::TranscriptDelta { response, item, content_index, delta } => {
            let (response_id, item_id) = (response.to_string(), item.to_string());
            ServerEvent::OutputTranscriptDelta(PartDelta {
                response_id,
                item_id,
                content_index,
                delta,
                ..Default::default()
            })
        }
        RealtimeEvent::Audio { response, item, content_index, frame } => {
            let (response_id, item_id) = (response.to_string(), item.to_string());
            let delta = STANDARD.encode(frame.to_raw());
            ServerEvent::OutputAudioDelta(PartDelta {
                response_id,
                item_id,
                content_index,
                delta,
                ..Default::default()
            })
        }
        RealtimeEvent::AudioDone { response, item, content_index } => {
            let (response_id, item_id) = (response.to_string(), item.to_string());
            ServerEvent::OutputAudioDone(PartDone { response_id, item_id, content_index, ..Default::default() })
        }
        RealtimeEvent::Transcript { response, item, content_index, text } => {
            let (response_id, item_id, transcript) = (response.to_string(), item.to_string(), text);
            ServerEvent::OutputTranscriptDone(TranscriptDone {
                response_id,
                item_id,
                content_index,
                transcript,
                ..Default::default()
            })
        }
        RealtimeEvent::ResponseDone(outcome) => {
            ServerEvent::ResponseDone(ResponseEvent { event_id: None, response: response(*outcome) })
        }
        RealtimeEvent::Truncated { item, audio_end } => ServerEvent::ItemTruncated(ItemTruncated {
            item_id: item.to_string(),
            audio_end_ms: ms(audio_end),
            ..Default::default()
        }),
        RealtimeEvent::Error(error) => ServerEvent::Error(ErrorEvent { event_id: None, error: body(error) }),
        other => panic!("{other:?}"),
    }
}

fn body(error: ProviderError) -> ErrorBody {
    ErrorBody {
        kind: error.kind,
        code: error.code,
        message: Some(error.message),
        param: error.param,
        event_id: error.request.map(|request| request.to_string()),
    }
}

fn response(outcome: ResponseOutcome) -> Response {
    let (status, reason) = match outcome.status {
        ResponseStatus::Completed => ("completed", None),
        ResponseStatus::Interrupted => ("cancelled", Some("turn_detected")),
        ResponseStatus::Cancelled => ("cancelled", Some("client_cancelled")),
        other => panic!("{other:?}"),
    };
    let call = |call: realtime_bridge::realtime::ToolCall| {
        Item::FunctionCall(FunctionCall {
            id: Some(call.item.to_string()),
            call_id: Some(call.id.to_string()),
            name: call.name,
            arguments: call.arguments,
            ..Default::default()
        })
    };
    Response {
        id: outcome.response.to_string(),
        status: status.into(),
        status_details: reason.map(|reason| StatusDetails { reason: Some(reason.into()), ..Default::default() }),
        conversation_id: Nullable::Value("conv_1".into()),
        output: outcome.calls.into_iter().map(call).collect(),
        usage: outcome.usage.map(|usage| TokenUsage {
            input_tokens: usage.input,
            output_tokens: usage.output,
            output_token_details: Some(TokenDetails { audio_tokens: Some(usage.output_audio), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}
