//! Our commands as the provider's client events.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wire::{
    Bare, ClientEvent, FunctionCall, FunctionCallOutput, FunctionTool, Item, ItemCreate, ItemTruncate, ResponseCancel,
    ResponseCreate, ResponseParams, Session, SessionUpdate, Tool, ToolChoice,
};
use crate::{
    audio::AudioFrame,
    realtime::{NewItem, RealtimeCommand, RequestId, ResponseOptions, ToolSpec},
};

/// The key under which a response carries back the request that asked for it.
pub(super) const REQUEST_KEY: &str = "client_event_id";

const APPEND_HEAD: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
const APPEND_TAIL: &str = r#""}"#;

/// The text of the client event for a command; [`OpenAiSession`](super::OpenAiSession) without its socket.
///
/// The event's id is the request's name, so that an error finds its way back.
#[must_use]
pub fn encode_command(command: &RealtimeCommand) -> String {
    let event = match command {
        RealtimeCommand::Append(frame) => return append(frame),
        RealtimeCommand::ClearInput => ClientEvent::InputAudioClear(Bare::default()),
        RealtimeCommand::Commit => ClientEvent::InputAudioCommit(Bare::default()),
        RealtimeCommand::AddItem { request, item } => ClientEvent::ItemCreate(ItemCreate {
            event_id: Some(request.to_string()),
            previous_item_id: None,
            item: new_item(item),
        }),
        RealtimeCommand::Respond { request, options } => ClientEvent::ResponseCreate(respond(*request, options)),
        RealtimeCommand::Aside { request, instructions, text } => {
            ClientEvent::ResponseCreate(aside(*request, instructions, text))
        }
        RealtimeCommand::Cancel { request, response } => ClientEvent::ResponseCancel(ResponseCancel {
            event_id: Some(request.to_string()),
            response_id: response.as_ref().map(ToString::to_string),
        }),
        RealtimeCommand::ClearPlayback { request } => {
            ClientEvent::OutputAudioClear(Bare { event_id: Some(request.to_string()) })
        }
        RealtimeCommand::Truncate { request, item, content_index, heard } => ClientEvent::ItemTruncate(ItemTruncate {
            event_id: Some(request.to_string()),
            item_id: item.to_string(),
            content_index: *content_index,
            audio_end_ms: u64::try_from(heard.as_millis()).unwrap_or(u64::MAX),
        }),
        RealtimeCommand::Update { request, update } => ClientEvent::SessionUpdate(SessionUpdate {
            event_id: Some(request.to_string()),
            session: Session {
                instructions: update.instructions.clone(),
                tools: update.tools.as_deref().map(tools),
                ..Session::realtime()
            },
        }),
    };
    event.to_json()
}

/// Fifty times a second and call: one allocation of the exact size, and base64 that came as base64 is only copied.
fn append(frame: &AudioFrame) -> String {
    let mut json = String::with_capacity(APPEND_HEAD.len() + frame.base64_len() + APPEND_TAIL.len());
    json.push_str(APPEND_HEAD);
    frame.push_base64(&mut json);
    json.push_str(APPEND_TAIL);
    json
}

fn respond(request: RequestId, options: &ResponseOptions) -> ResponseCreate {
    let response = ResponseParams {
        instructions: options.instructions.clone(),
        // Rather than no tools at all: the prompt stays the same, and so does the provider's cache of it.
        tool_choice: options.without_tools.then(|| ToolChoice::Mode("none".into())),
        metadata: Some(BTreeMap::from([(REQUEST_KEY.to_owned(), request.to_string())])),
        ..ResponseParams::default()
    };
    ResponseCreate { event_id: Some(request.to_string()), response: Some(response) }
}

/// Its input stands in place of the conversation.
fn aside(request: RequestId, instructions: &str, text: &str) -> ResponseCreate {
    let response = ResponseParams {
        conversation: Some("none".into()),
        output_modalities: Some(vec!["text".into()]),
        instructions: Some(instructions.to_owned()),
        tools: Some(Vec::new()),
        input: Some(vec![Item::text("user", text)]),
        metadata: Some(BTreeMap::from([(REQUEST_KEY.to_owned(), request.to_string())])),
        ..ResponseParams::default()
    };
    ResponseCreate { event_id: Some(request.to_string()), response: Some(response) }
}

fn new_item(item: &NewItem) -> Item {
    match item {
        NewItem::System(text) => Item::text("system", text),
        NewItem::User(text) => Item::text("user", text),
        NewItem::Assistant(text) => Item::text("assistant", text),
        NewItem::ToolCall { call, name, arguments } => Item::FunctionCall(FunctionCall {
            call_id: Some(call.to_string()),
            name: name.clone(),
            arguments: arguments.clone(),
            ..FunctionCall::default()
        }),
        NewItem::ToolOutput { call, output } => Item::FunctionCallOutput(FunctionCallOutput {
            call_id: call.to_string(),
            output: output.clone(),
            ..FunctionCallOutput::default()
        }),
    }
}

/// Tools as the provider wants them; no description rather than an empty one.
pub(super) fn tools(tools: &[ToolSpec]) -> Vec<Tool> {
    let function = |tool: &ToolSpec| FunctionTool {
        name: tool.name.clone(),
        description: (!tool.description.is_empty()).then(|| tool.description.clone()),
        parameters: (tool.parameters != Value::Null).then(|| tool.parameters.clone()),
    };
    tools.iter().map(|tool| Tool::Function(function(tool))).collect()
}
