//! An independent little model of a telephone and of a provider, without a clock of their own.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{MarkId, MediaCommand},
    realtime::{
        ItemId, ItemKind, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, RequestId, ResponseId,
        ResponseOutcome, ResponseStatus, ToolCall, ToolCallId,
    },
};

/// Plays what it is sent, from the instant it gets it.
#[derive(Debug, Default)]
pub(super) struct Telephone {
    /// What plays from when to when, and whose it is: the byte all its samples have, `None` for a tone.
    played: Vec<(Instant, Instant, Option<u8>)>,
    marks: VecDeque<(Instant, MarkId)>,
    names: Vec<MarkId>,
}

impl Telephone {
    pub(super) fn take(&mut self, now: Instant, command: &MediaCommand) {
        let start = self.played.last().map_or(now, |(_, end, _)| now.max(*end));
        match command {
            MediaCommand::Audio(frame) => self.played.push((start, start + frame.duration(), owner(frame))),
            MediaCommand::Mark(mark) => {
                assert!(!self.names.contains(mark), "a mark's name is used twice");
                self.names.push(*mark);
                self.marks.push_back((start, *mark));
            }
            MediaCommand::Clear => {
                self.played.retain(|(start, ..)| *start < now);
                for (_, end, _) in &mut self.played {
                    *end = now.min(*end);
                }
                for (due, _) in &mut self.marks {
                    *due = now.min(*due);
                }
            }
            other => panic!("a telephone takes no {other:?}"),
        }
    }

    /// How much was heard of the item whose samples are all this byte.
    pub(super) fn heard(&self, now: Instant, item: u8) -> Duration {
        let of_item = self.played.iter().filter(|(.., owner)| *owner == Some(item));
        of_item.map(|(start, end, _)| now.min(*end).saturating_duration_since(*start)).sum()
    }

    pub(super) fn next_mark(&self) -> Option<Instant> {
        self.marks.front().map(|(due, _)| *due)
    }

    pub(super) fn reached(&mut self, now: Instant) -> Option<MarkId> {
        self.marks.pop_front_if(|(due, _)| *due <= now).map(|(_, mark)| mark)
    }
}

/// The byte that all samples have.
pub(super) fn owner(frame: &AudioFrame) -> Option<u8> {
    let bytes = frame.to_raw();
    let first = *bytes.first()?;
    (first < 0xF0 && bytes.iter().all(|byte| *byte == first)).then_some(first)
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) response: ResponseId,
    pub(super) generated: Duration,
    pub(super) delivered: Duration,
}

/// A provider with one conversation, strict about what it is told. What it tells waits in `outbox`.
#[derive(Debug, Default)]
pub(super) struct Provider {
    pub(super) outbox: VecDeque<RealtimeEvent>,
    pub(super) items: Vec<Item>,
    active: Option<ResponseId>,
    responses: usize,
    turns: usize,
    /// The calls it has made, and how many outputs each got.
    pub(super) calls: HashMap<ToolCallId, u32>,
    speech: Option<ItemId>,
    /// It stops answers when the caller speaks, and answers each turn.
    owns_turns: bool,
    /// It names the request in its refusals.
    names_requests: bool,
    /// It sends a little more audio after it was asked to stop.
    dawdles: bool,
}

impl Provider {
    pub(super) fn new(owns_turns: bool, names_requests: bool, dawdles: bool) -> Self {
        Self { owns_turns, names_requests, dawdles, ..Self::default() }
    }

    pub(super) fn begin(&mut self, request: Option<RequestId>) {
        if self.active.is_some() || self.items.len() > 200 {
            return;
        }
        self.responses += 1;
        let response = ResponseId::from(format!("resp_{}", self.responses));
        self.active = Some(response.clone());
        self.outbox.push_back(RealtimeEvent::ResponseStarted { response, request });
        self.next_item();
    }

    pub(super) fn is_busy(&self) -> bool {
        self.active.is_some()
    }

    pub(super) fn next_item(&mut self) {
        let Some(response) = self.active.clone().filter(|_| self.items.len() < 200) else { return };
        let id = ItemId::from(format!("item_{}", self.items.len()));
        let previous = self.items.last().map(|item| item.id.clone());
        self.outbox.push_back(RealtimeEvent::ItemAdded { item: id.clone(), previous, kind: ItemKind::Assistant });
        self.items.push(Item { id, response, generated: Duration::ZERO, delivered: Duration::ZERO });
    }

    /// More speech of the answer that runs, with words.
    pub(super) fn speak(&mut self, length: Duration) {
        if self.active.is_none() {
            return;
        }
        let byte = u8::try_from(self.items.len() - 1).expect("items are fewer");
        let item = self.items.last_mut().expect("an answer has an item");
        item.generated += length;
        let (response, id) = (item.response.clone(), item.id.clone());
        let bytes = vec![byte; AudioFormat::MuLaw.bytes_in(length)];
        let frame = AudioFrame::raw(AudioFormat::MuLaw, bytes);
        let delta = " word".into();
        self.outbox.push_back(RealtimeEvent::TranscriptDelta {
            response: response.clone(),
            item: id.clone(),
            content_index: 0,
            delta,
        });
        self.outbox.push_back(RealtimeEvent::Audio { response, item: id, content_index: 0, frame });
    }

    pub(super) fn finish(&mut self, status: ResponseStatus, tools: &[&str]) {
        let Some(response) = self.active.take() else { return };
        if status == ResponseStatus::Completed {
            for item in self.items.iter().filter(|item| item.response == response) {
                let (response, item) = (response.clone(), item.id.clone());
                self.outbox.push_back(RealtimeEvent::AudioDone { response, item, content_index: 0 });
            }
        }
        let complete = status == ResponseStatus::Completed;
        let calls: Vec<_> = tools
            .iter()
            .map(|name| {
                let id = ToolCallId::from(format!("call_{}", self.calls.len()));
                self.calls.insert(id.clone(), 0);
                let mut call = ToolCall::new(id, "tool-item", *name, "{}");
                call.complete = complete;
                call
            })
            .collect();
        let outcome = ResponseOutcome::new(response, status).with_calls(calls);
        self.outbox.push_back(RealtimeEvent::ResponseDone(Box::new(outcome)));
    }

    pub(super) fn caller_begins(&mut self) {
        if self.speech.is_some() {
            return;
        }
        self.turns += 1;
        let item = ItemId::from(format!("turn_{}", self.turns));
        self.speech = Some(item.clone());
        self.outbox.push_back(RealtimeEvent::SpeechStarted { item: Some(item), audio_start: Duration::ZERO });
        if self.owns_turns {
            self.finish(ResponseStatus::Interrupted, &[]);
        }
    }

    pub(super) fn caller_ends(&mut self) {
        let Some(item) = self.speech.take() else { return };
        let ended = RealtimeEvent::SpeechStopped { item: Some(item.clone()), audio_end: Duration::ZERO };
        self.outbox.push_back(ended);
        self.outbox.push_back(RealtimeEvent::TurnCommitted { item, previous: None });
        if self.owns_turns {
            self.begin(None);
        }
    }

    /// Carries a command out.
    pub(super) fn serve(&mut self, command: RealtimeCommand) {
        match command {
            RealtimeCommand::Respond { request, .. } if self.active.is_some() => {
                let code = "conversation_already_has_active_response";
                let mut error = ProviderError::new("invalid_request_error", code, "busy");
                error.request = self.names_requests.then_some(request);
                self.outbox.push_back(RealtimeEvent::Error(error));
            }
            RealtimeCommand::Respond { request, .. } => self.begin(Some(request)),
            RealtimeCommand::Cancel { response, .. } if response.is_some() && response == self.active => {
                if self.dawdles {
                    self.speak(Duration::from_millis(40));
                }
                self.finish(ResponseStatus::Cancelled, &[]);
            }
            RealtimeCommand::Cancel { request, .. } => {
                let code = "response_cancel_not_active";
                let error = ProviderError::new("invalid_request_error", code, "not active").with_request(request);
                self.outbox.push_back(RealtimeEvent::Error(error));
            }
            RealtimeCommand::Truncate { item, heard, .. } => {
                let known = self.items.iter().find(|known| known.id == item);
                let known = known.unwrap_or_else(|| panic!("there is no {item} to cut"));
                assert!(heard <= known.generated, "{item} has {:?}, not {heard:?}", known.generated);
            }
            RealtimeCommand::AddItem { item: NewItem::ToolOutput { call, .. }, .. } => {
                let outputs = self.calls.get_mut(&call).unwrap_or_else(|| panic!("there is no call {call}"));
                *outputs += 1;
                assert_eq!(*outputs, 1, "{call} has got its output twice");
            }
            _ => {}
        }
    }

    pub(super) fn item(&self, id: &ItemId) -> (u8, &Item) {
        let index = self.items.iter().position(|item| item.id == *id);
        let index = index.unwrap_or_else(|| panic!("nothing was said about {id}"));
        (u8::try_from(index).expect("items are fewer"), &self.items[index])
    }
}
