//! The provider's events as ours.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    delta::{Delta, DeltaKind, scan},
    encode::REQUEST_KEY,
    wire::{ErrorBody, FunctionCall, Item, ItemEvent, ParseError, Response, ServerEvent, TokenUsage},
};
use crate::{
    audio::{AudioFormat, AudioFrame},
    media::DtmfDigit,
    realtime::{
        ItemId, ItemKind, PlaybackChange, ProviderError, RateLimit, RealtimeEvent, RequestId, ResponseId,
        ResponseOutcome, ResponseStatus, SessionError, ToolCall, Usage,
    },
};

/// The event whose shape we must know: without it there is no speech.
const AUDIO_DELTA: &str = "response.output_audio.delta";

/// Our name for the problem that an event has another shape than its type says.
const MALFORMED_EVENT: &str = "malformed_event";

/// Turns the text of a session's events into [`RealtimeEvent`]s, in order; [`OpenAiSession`](super::OpenAiSession)
/// without its socket.
///
/// ```
/// use realtime_bridge::{audio::AudioFormat, realtime::{RealtimeEvent, openai::EventDecoder}};
///
/// let mut decoder = EventDecoder::new(AudioFormat::MuLaw);
/// let text = r#"{"type":"input_audio_buffer.speech_started","event_id":"event_1","audio_start_ms":1200,"item_id":"item_1"}"#;
/// let event = decoder.decode(&text.into()).unwrap();
/// assert!(matches!(event, RealtimeEvent::SpeechStarted { audio_start, .. } if audio_start.as_millis() == 1_200));
/// ```
#[derive(Debug)]
pub struct EventDecoder {
    format: AudioFormat,
    /// The last names seen; a name that comes again costs no allocation.
    response: ResponseId,
    item: ItemId,
    /// Answers that are running beside the conversation, and none of its business; with our request, where it is ours.
    out_of_band: Vec<(String, Option<RequestId>)>,
}

impl EventDecoder {
    /// A decoder for a session whose speech has this format.
    #[must_use]
    pub fn new(format: AudioFormat) -> Self {
        Self { format, response: "".into(), item: "".into(), out_of_band: Vec::new() }
    }

    /// The event in a message. Audio is not copied: its frame keeps a slice of the message.
    ///
    /// # Errors
    ///
    /// [`SessionError::Malformed`] when the message is not an event, or a known event lacks what it must have.
    pub fn decode(&mut self, message: &Bytes) -> Result<RealtimeEvent, SessionError> {
        match std::str::from_utf8(message) {
            Ok(text) => self.decode_text(message, text),
            Err(error) => Err(SessionError::Malformed { event: "event".to_owned(), source: Box::new(error) }),
        }
    }

    /// As `decode`, where `text` is all of `message` and known to be UTF-8.
    pub(super) fn decode_text(&mut self, message: &Bytes, text: &str) -> Result<RealtimeEvent, SessionError> {
        if self.out_of_band.is_empty()
            && let Some(delta) = scan(text)
        {
            let audio = match delta.kind {
                DeltaKind::Audio => message.slice_ref(delta.delta.as_bytes()),
                DeltaKind::Transcript | DeltaKind::UserTranscript => Bytes::new(),
            };
            if let Some(event) = self.delta(delta, audio) {
                return Ok(event);
            }
        }
        self.decode_in_full(text)
    }

    /// `None` when the audio is not base64, so that the full parser tells the error.
    fn delta(&mut self, delta: Delta<'_>, audio: Bytes) -> Option<RealtimeEvent> {
        let item = self.item(delta.item_id);
        let content_index = delta.content_index;
        Some(match delta.kind {
            DeltaKind::Audio => {
                let frame = AudioFrame::base64(self.format, audio).ok()?;
                RealtimeEvent::Audio { response: self.response(delta.response_id), item, content_index, frame }
            }
            DeltaKind::Transcript => RealtimeEvent::TranscriptDelta {
                response: self.response(delta.response_id),
                item,
                content_index,
                delta: delta.delta.to_owned(),
            },
            DeltaKind::UserTranscript => RealtimeEvent::UserTranscriptDelta { item, delta: delta.delta.to_owned() },
        })
    }

    /// As `decode`, by the full parser alone, which the fast way must agree with.
    #[doc(hidden)]
    pub fn decode_in_full(&mut self, text: &str) -> Result<RealtimeEvent, SessionError> {
        let event = match ServerEvent::parse(text) {
            Ok(event) => event,
            // The service changes without notice: one event that has another shape is told, and does not end a call.
            Err(ParseError::Malformed { kind, source }) if kind != AUDIO_DELTA => {
                tracing::warn!(event = kind, "the provider sent an event of another shape than it documents");
                return Ok(RealtimeEvent::Error(ProviderError::new(MALFORMED_EVENT, kind, source.to_string())));
            }
            Err(error) => return Err(malformed(error)),
        };
        let kind = event.kind().to_owned();
        let other = || match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => Ok(RealtimeEvent::Other { kind: kind.clone(), json: json.to_owned() }),
            Err(error) => Err(malformed(ParseError::NoType(error))),
        };
        if let Some(request) = self.out_of_band(&event) {
            return request.and_then(|request| aside(event, request)).map_or_else(other, Ok);
        }
        match self.known(event) {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(error),
            None => other(),
        }
    }

    /// `None` for an event that nobody needs.
    fn known(&mut self, event: ServerEvent) -> Option<Result<RealtimeEvent, SessionError>> {
        Some(Ok(match event {
            ServerEvent::OutputAudioDelta(event) => {
                let frame = match AudioFrame::base64(self.format, event.delta) {
                    Ok(frame) => frame,
                    Err(error) => return Some(Err(not_audio(error))),
                };
                RealtimeEvent::Audio {
                    response: self.response(&event.response_id),
                    item: self.item(&event.item_id),
                    content_index: event.content_index,
                    frame,
                }
            }
            ServerEvent::OutputAudioDone(event) => RealtimeEvent::AudioDone {
                response: self.response(&event.response_id),
                item: self.item(&event.item_id),
                content_index: event.content_index,
            },
            ServerEvent::OutputTranscriptDelta(event) => RealtimeEvent::TranscriptDelta {
                response: self.response(&event.response_id),
                item: self.item(&event.item_id),
                content_index: event.content_index,
                delta: event.delta,
            },
            ServerEvent::OutputTranscriptDone(event) => RealtimeEvent::Transcript {
                response: self.response(&event.response_id),
                item: self.item(&event.item_id),
                content_index: event.content_index,
                text: event.transcript,
            },
            ServerEvent::SpeechStarted(event) => RealtimeEvent::SpeechStarted {
                item: event.item_id.map(ItemId::from),
                audio_start: Duration::from_millis(event.audio_start_ms),
            },
            ServerEvent::SpeechStopped(event) => RealtimeEvent::SpeechStopped {
                item: event.item_id.map(ItemId::from),
                audio_end: Duration::from_millis(event.audio_end_ms),
            },
            ServerEvent::InputAudioCommitted(event) => RealtimeEvent::TurnCommitted {
                item: event.item_id.into(),
                previous: event.previous_item_id.map(ItemId::from),
            },
            ServerEvent::ItemAdded(event) => return item_added(event).map(Ok),
            ServerEvent::ItemTruncated(event) => RealtimeEvent::Truncated {
                item: event.item_id.into(),
                audio_end: Duration::from_millis(event.audio_end_ms),
            },
            ServerEvent::InputTranscriptDelta(event) => RealtimeEvent::UserTranscriptDelta {
                item: self.item(&event.item_id),
                delta: event.delta.unwrap_or_default(),
            },
            ServerEvent::InputTranscriptCompleted(event) => {
                RealtimeEvent::UserTranscript { item: event.item_id.into(), text: event.transcript }
            }
            ServerEvent::InputTranscriptFailed(event) => {
                RealtimeEvent::UserTranscriptFailed { item: event.item_id.into(), error: provider_error(event.error) }
            }
            ServerEvent::ResponseCreated(event) => started(event.response),
            ServerEvent::ResponseDone(event) => RealtimeEvent::ResponseDone(Box::new(outcome(event.response))),
            ServerEvent::DtmfReceived(event) => return key(&event.event).map(|key| Ok(RealtimeEvent::Dtmf(key))),
            ServerEvent::OutputAudioStarted(event) => playback(event.response_id, PlaybackChange::Started),
            ServerEvent::OutputAudioStopped(event) => playback(event.response_id, PlaybackChange::Stopped),
            ServerEvent::OutputAudioCleared(event) => playback(event.response_id, PlaybackChange::Cleared),
            ServerEvent::RateLimitsUpdated(event) => RealtimeEvent::RateLimits(
                event
                    .rate_limits
                    .into_iter()
                    .map(|limit| {
                        let reset = Duration::try_from_secs_f64(limit.reset_seconds).unwrap_or_default();
                        RateLimit::new(limit.name, limit.limit, limit.remaining, reset)
                    })
                    .collect(),
            ),
            ServerEvent::Error(event) => RealtimeEvent::Error(provider_error(event.error)),
            _ => return None,
        }))
    }

    /// `Some` when an event belongs to an answer beside the conversation, with the request of ours that asked for it, if
    /// any; notes where such an answer begins and ends.
    #[expect(clippy::option_option, reason = "none of its business, ours, or somebody else's")]
    fn out_of_band(&mut self, event: &ServerEvent) -> Option<Option<RequestId>> {
        let response = match event {
            ServerEvent::ResponseCreated(event) if event.response.conversation_id.is_null() => {
                let request = request(&event.response);
                self.out_of_band.push((event.response.id.clone(), request));
                return Some(request);
            }
            ServerEvent::ResponseDone(event) => {
                let known = self.out_of_band.iter().position(|(id, _)| *id == event.response.id);
                let known = known.map(|index| self.out_of_band.swap_remove(index).1);
                let null = event.response.conversation_id.is_null();
                return known.or_else(|| null.then(|| request(&event.response)));
            }
            ServerEvent::OutputAudioDelta(event)
            | ServerEvent::OutputTranscriptDelta(event)
            | ServerEvent::OutputTextDelta(event) => &event.response_id,
            ServerEvent::OutputAudioDone(event) => &event.response_id,
            ServerEvent::OutputTranscriptDone(event) => &event.response_id,
            ServerEvent::OutputAudioStarted(event)
            | ServerEvent::OutputAudioStopped(event)
            | ServerEvent::OutputAudioCleared(event) => &event.response_id,
            _ => return None,
        };
        self.out_of_band.iter().find(|(id, _)| id == response).map(|(_, request)| *request)
    }

    fn response(&mut self, name: &str) -> ResponseId {
        if self.response.as_str() != name {
            self.response = name.into();
        }
        self.response.clone()
    }

    fn item(&mut self, name: &str) -> ItemId {
        if self.item.as_str() != name {
            self.item = name.into();
        }
        self.item.clone()
    }
}

/// An error of the provider in our words.
pub(super) fn provider_error(error: ErrorBody) -> ProviderError {
    ProviderError {
        kind: error.kind,
        code: error.code,
        message: error.message.unwrap_or_default(),
        param: error.param,
        request: error.event_id.and_then(|id| id.parse().ok()),
    }
}

pub(super) fn malformed(error: ParseError) -> SessionError {
    SessionError::Malformed { event: error.kind().unwrap_or("event").to_owned(), source: Box::new(error) }
}

fn not_audio(error: crate::audio::FrameError) -> SessionError {
    SessionError::Malformed { event: AUDIO_DELTA.to_owned(), source: Box::new(error) }
}

fn key(text: &str) -> Option<DtmfDigit> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.as_str().is_empty()).and_then(DtmfDigit::new)
}

fn playback(response: String, change: PlaybackChange) -> RealtimeEvent {
    RealtimeEvent::Playback { response: response.into(), change }
}

fn item_added(event: ItemEvent) -> Option<RealtimeEvent> {
    let kind = match &event.item {
        Item::Message(message) => match message.role.as_str() {
            "user" => ItemKind::User,
            "assistant" => ItemKind::Assistant,
            "system" => ItemKind::System,
            _ => ItemKind::Other,
        },
        Item::FunctionCall(_) => ItemKind::ToolCall,
        Item::FunctionCallOutput(_) => ItemKind::ToolOutput,
        _ => ItemKind::Other,
    };
    let item = event.item.id()?.into();
    Some(RealtimeEvent::ItemAdded { item, previous: event.previous_item_id.map(ItemId::from), kind })
}

fn started(response: Response) -> RealtimeEvent {
    let request = request(&response);
    RealtimeEvent::ResponseStarted { response: response.id.into(), request }
}

/// The request of ours that a response carries back.
fn request(response: &Response) -> Option<RequestId> {
    response.metadata.as_ref()?.get(REQUEST_KEY)?.parse().ok()
}

/// What an event of an answer that we have asked for beside the conversation says of it.
fn aside(event: ServerEvent, request: RequestId) -> Option<RealtimeEvent> {
    match event {
        ServerEvent::OutputTextDelta(event) => Some(RealtimeEvent::AsideDelta { request, delta: event.delta }),
        ServerEvent::ResponseDone(event) => {
            let text = written(&event.response.output);
            let ResponseOutcome { status, usage, .. } = outcome(event.response);
            let result = match status {
                ResponseStatus::Completed => Ok(text),
                ResponseStatus::Failed(error) => Err(error),
                ResponseStatus::Incomplete { reason } => Err(not_whole(reason)),
                ResponseStatus::Interrupted | ResponseStatus::Cancelled => Err(not_whole("cancelled")),
            };
            Some(RealtimeEvent::Aside { request, result, usage })
        }
        _ => None,
    }
}

fn not_whole(reason: impl Into<String>) -> ProviderError {
    ProviderError::new("incomplete", reason, "the text was cut short")
}

/// The words of an answer in text.
fn written(output: &[Item]) -> String {
    let messages =
        output.iter().filter_map(|item| if let Item::Message(message) = item { Some(message) } else { None });
    messages.flat_map(|message| &message.content).filter_map(|part| part.text.as_deref()).collect()
}

fn outcome(response: Response) -> ResponseOutcome {
    let completed = response.status == "completed";
    let details = response.status_details.unwrap_or_default();
    let status = match response.status.as_str() {
        "completed" => ResponseStatus::Completed,
        "cancelled" if details.reason.as_deref() == Some("turn_detected") => ResponseStatus::Interrupted,
        "cancelled" => ResponseStatus::Cancelled,
        "failed" => ResponseStatus::Failed(details.error.map(provider_error).unwrap_or_default()),
        // A status of next year: not whole, and not to be repeated.
        status => ResponseStatus::Incomplete { reason: details.reason.unwrap_or_else(|| status.to_owned()) },
    };
    let calls = response.output.into_iter().filter_map(|item| match item {
        Item::FunctionCall(call) => tool_call(call, completed),
        _ => None,
    });
    let outcome = ResponseOutcome::new(response.id.into(), status).with_calls(calls.collect());
    match response.usage {
        Some(used) => outcome.with_usage(usage(&used)),
        None => outcome,
    }
}

/// `None` for a call that nobody could answer, as it has no id.
fn tool_call(call: FunctionCall, response_completed: bool) -> Option<ToolCall> {
    let id = call.call_id?;
    let item = call.id.unwrap_or_else(|| id.clone());
    let written = call.status.as_deref().is_none_or(|status| status == "completed");
    let mut found = ToolCall::new(id, item, call.name, call.arguments);
    found.complete = response_completed && written;
    Some(found)
}

fn usage(used: &TokenUsage) -> Usage {
    let input = used.input_token_details.as_ref();
    let output = used.output_token_details.as_ref();
    Usage {
        input: used.input_tokens,
        input_audio: input.and_then(|details| details.audio_tokens).unwrap_or(0),
        cached: input.and_then(|details| details.cached_tokens).unwrap_or(0),
        output: used.output_tokens,
        output_audio: output.and_then(|details| details.audio_tokens).unwrap_or(0),
        seconds: 0.0,
    }
}
