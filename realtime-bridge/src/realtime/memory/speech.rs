//! What a voice model does in the course of a call, as sequences of events.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::MemoryModel;
use crate::{
    audio::AudioFrame,
    realtime::{
        ItemId, ItemKind, ProviderError, RealtimeEvent, RequestId, ResponseId, ResponseOutcome, ResponseStatus,
        ToolCall,
    },
};

/// Length of the audio deltas that [`MemoryModel::say`] sends: what OpenAI sends is of this order.
const DELTA: Duration = Duration::from_millis(100);

/// An answer that was begun with [`MemoryModel::begin`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The answer.
    pub response: ResponseId,
    /// Its spoken entry.
    pub item: ItemId,
}

/// Conveniences: the sequences of events in which OpenAI Realtime tells of a call (OpenAI: Realtime conversations).
impl MemoryModel {
    /// The caller begins to speak; returns the entry the words will get.
    pub async fn speech_started(&mut self) -> ItemId {
        let item = self.new_item_id();
        let audio_start = self.heard;
        self.emit(RealtimeEvent::SpeechStarted { item: Some(item.clone()), audio_start }).await;
        item
    }

    /// The caller has finished: the end of speech, the committed turn and its entry.
    pub async fn speech_stopped(&mut self, item: &ItemId) {
        let (audio_end, previous) = (self.heard, self.last_item.clone());
        self.emit(RealtimeEvent::SpeechStopped { item: Some(item.clone()), audio_end }).await;
        self.emit(RealtimeEvent::TurnCommitted { item: item.clone(), previous: previous.clone() }).await;
        self.emit(RealtimeEvent::ItemAdded { item: item.clone(), previous, kind: ItemKind::User }).await;
    }

    /// The words of the caller.
    pub async fn user_transcript(&mut self, item: &ItemId, text: &str) {
        self.emit(RealtimeEvent::UserTranscript { item: item.clone(), text: text.into() }).await;
    }

    /// A whole turn of the caller, with its words.
    pub async fn caller_says(&mut self, text: &str) -> ItemId {
        let item = self.speech_started().await;
        self.speech_stopped(&item).await;
        self.user_transcript(&item, text).await;
        item
    }

    /// The text that was asked for beside the conversation, by this request.
    pub async fn aside(&mut self, request: RequestId, text: &str) {
        self.emit(RealtimeEvent::AsideDelta { request, delta: text.into() }).await;
        self.emit(RealtimeEvent::Aside { request, result: Ok(text.into()), usage: None }).await;
    }

    /// A spoken answer begins: the answer and its entry, no audio yet. `request` is the `Respond` it answers.
    pub async fn begin(&mut self, request: Option<RequestId>) -> Answer {
        let answer = Answer { response: self.new_response_id(), item: self.new_item_id() };
        self.emit(RealtimeEvent::ResponseStarted { response: answer.response.clone(), request }).await;
        self.add_item(answer.item.clone(), ItemKind::Assistant).await;
        answer
    }

    /// Audio of an answer, of any length, as one delta.
    pub async fn audio(&mut self, answer: &Answer, frame: AudioFrame) {
        let Answer { response, item } = answer.clone();
        self.emit(RealtimeEvent::Audio { response, item, content_index: 0, frame }).await;
    }

    /// A tone of this length in the session's format, base64 as on the wire, in deltas of 100 ms.
    pub async fn speak(&mut self, answer: &Answer, duration: Duration) {
        let format = self.info.output_format;
        let mut left = duration;
        while left > Duration::ZERO {
            let bytes = tone(format.bytes_in(left.min(DELTA)));
            let frame = AudioFrame::base64(format, STANDARD.encode(bytes)).expect("just encoded");
            self.audio(answer, frame).await;
            left = left.saturating_sub(DELTA);
        }
    }

    /// Words of an answer.
    pub async fn words(&mut self, answer: &Answer, delta: &str) {
        let Answer { response, item } = answer.clone();
        self.emit(RealtimeEvent::TranscriptDelta { response, item, content_index: 0, delta: delta.into() }).await;
    }

    /// The spoken part of an answer is whole: no more audio, all its words. The answer goes on until
    /// [`MemoryModel::done`].
    pub async fn spoken(&mut self, answer: &Answer, text: &str) {
        let Answer { response, item } = answer.clone();
        self.emit(RealtimeEvent::AudioDone { response: response.clone(), item: item.clone(), content_index: 0 }).await;
        self.emit(RealtimeEvent::Transcript { response, item, content_index: 0, text: text.into() }).await;
    }

    /// An answer ends.
    pub async fn done(&mut self, answer: &Answer, status: ResponseStatus) {
        let outcome = ResponseOutcome::new(answer.response.clone(), status);
        self.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    }

    /// A whole spoken answer: `text` as its words, a tone of `duration` as its audio.
    pub async fn say(&mut self, request: Option<RequestId>, text: &str, duration: Duration) -> Answer {
        let answer = self.begin(request).await;
        self.words(&answer, text).await;
        self.speak(&answer, duration).await;
        self.spoken(&answer, text).await;
        self.done(&answer, ResponseStatus::Completed).await;
        answer
    }

    /// A whole answer that is nothing but one call of a tool; returns the call.
    pub async fn call_tool(&mut self, request: Option<RequestId>, name: &str, arguments: &str) -> ToolCall {
        let (response, item) = (self.new_response_id(), self.new_item_id());
        let call = ToolCall::new(self.name("call"), item.clone(), name, arguments);
        self.emit(RealtimeEvent::ResponseStarted { response: response.clone(), request }).await;
        self.add_item(item, ItemKind::ToolCall).await;
        let outcome = ResponseOutcome::new(response, ResponseStatus::Completed).with_calls(vec![call.clone()]);
        self.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
        call
    }

    /// A command, or the session, has a problem.
    pub async fn error(&mut self, error: ProviderError) {
        self.emit(RealtimeEvent::Error(error)).await;
    }

    /// An entry joins the end of the conversation.
    pub async fn add_item(&mut self, item: ItemId, kind: ItemKind) {
        let previous = self.last_item.clone();
        self.emit(RealtimeEvent::ItemAdded { item, previous, kind }).await;
    }
}

/// Bytes that are audio in every format and silence in none: each position has its own value, so that a test can see
/// what is missing or doubled.
fn tone(length: usize) -> Vec<u8> {
    (1..=120).cycle().take(length).collect()
}
