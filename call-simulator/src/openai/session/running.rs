//! A response while it is made.

use std::time::Instant;

use serde_json::{Value, json};

use super::{
    config::ResponseConfig,
    plan::{Outcome, Step, Steps},
    usage::{self, Tokens},
};
use crate::openai::script::Answer;

/// A response that has been created and is not done.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: String,
    /// `None` outside the conversation.
    pub(super) conversation_id: Option<String>,
    pub(super) config: ResponseConfig,
    pub(super) steps: Steps,
    pub(super) answer: Answer,
    pub(super) open: Option<OpenItem>,
    /// Finished items.
    pub(super) output: Vec<Value>,
    /// Why it was cancelled, while late audio still comes.
    pub(super) cancelled: bool,
    /// Tools that were called to the end.
    pub(super) call_ids: Vec<String>,
    pub(super) first_audio: Option<Instant>,
    pub(super) audio_bytes: usize,
    pub(super) text_tokens: u64,
    pub(super) input: Tokens,
    pub(super) cached: Tokens,
}

/// An item that is being made.
#[derive(Debug)]
pub(super) struct OpenItem {
    pub(super) id: String,
    pub(super) body: Value,
    /// Transcript, text or arguments as far as they were sent.
    pub(super) text: String,
    /// Whether its content part was announced.
    pub(super) part: bool,
}

/// Audio that a telephone call is hearing, where the provider has the line.
#[derive(Debug)]
pub(super) struct Playback {
    pub(super) response_id: String,
    pub(super) item_id: String,
    pub(super) began: Instant,
}

impl Running {
    pub(super) const fn in_conversation(&self) -> bool {
        self.conversation_id.is_some()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.steps.front().map(|(due, _)| *due)
    }

    pub(super) fn output_index(&self) -> usize {
        self.output.len()
    }

    /// Leaves only what still comes after a cancellation at `now`: late audio, then the end.
    pub(super) fn cancel(&mut self, now: Instant, reason: &'static str) {
        self.cancelled = true;
        let mut late = self.config.format.bytes_in(self.answer.late_audio);
        let mut last = now;
        let mut kept = Steps::new();
        for (due, step) in self.steps.drain(..) {
            match step {
                Step::Audio(audio) if late > 0 && self.open.is_some() => {
                    late = late.saturating_sub(audio.len());
                    last = due.max(now);
                    kept.push_back((last, Step::Audio(audio)));
                }
                _ => break,
            }
        }
        kept.push_back((last, Step::Finish(Outcome::Cancelled(reason))));
        self.steps = kept;
    }

    /// The `response` of its events.
    pub(super) fn body(&self, outcome: Option<&Outcome>) -> Value {
        let (status, details) = match outcome {
            None => ("in_progress", Value::Null),
            Some(Outcome::Completed) => ("completed", Value::Null),
            Some(Outcome::Cancelled(reason)) => ("cancelled", json!({"type": "cancelled", "reason": reason})),
            Some(Outcome::Incomplete(reason)) => ("incomplete", json!({"type": "incomplete", "reason": reason})),
            Some(Outcome::Failed(error)) => {
                let error = json!({"type": error.kind, "code": error.code, "message": error.message});
                ("failed", json!({"type": "failed", "error": error}))
            }
        };
        json!({
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": self.output,
            "conversation_id": self.conversation_id,
            "output_modalities": [if self.config.speaks { "audio" } else { "text" }],
            "max_output_tokens": self.config.max_output_tokens,
            "audio": {"output": {"format": self.config.format_json, "voice": self.config.voice}},
            "usage": outcome.map(|outcome| self.usage(outcome)),
            "metadata": self.config.metadata,
        })
    }

    fn usage(&self, outcome: &Outcome) -> Value {
        if matches!(outcome, Outcome::Failed(_)) {
            return Value::Null;
        }
        let output = self.output_tokens();
        if output.total() == 0 {
            return usage::usage(Tokens::default(), Tokens::default(), output);
        }
        usage::usage(self.input, self.cached, output)
    }

    pub(super) fn output_tokens(&self) -> Tokens {
        let audio = self.config.format.duration_of(self.audio_bytes);
        Tokens { text: self.text_tokens, audio: usage::model_tokens(audio) }
    }
}
