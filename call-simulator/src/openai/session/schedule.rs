//! What is due, in the order of time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Session, rate_limits, usage};
use crate::openai::script::{Act, Heard};

/// What is due at its time whatever else happens.
#[derive(Debug)]
pub(super) enum Later {
    Updated(Value),
    Transcript { item_id: String, audio: Duration, heard: Heard, model: String },
    RateLimits,
    PlaybackStops(String),
    Act(Act),
}

/// What is due next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    Later,
    TurnEnd,
    Idle,
    /// A step of the running response at this place.
    Step(usize),
}

impl Session {
    pub(super) fn schedule(&mut self, due: Instant, later: Later) {
        self.later_count += 1;
        self.later.insert((due, self.later_count), later);
    }

    pub(super) fn next_task(&self) -> Option<(Instant, Task)> {
        let later = self.later.keys().next().map(|(due, _)| (*due, Task::Later));
        let turn_end = self.turn_end.as_ref().map(|end| (end.due, Task::TurnEnd));
        let idle = self.idle_at.map(|due| (due, Task::Idle));
        let steps = self.running.iter().enumerate();
        let steps = steps.filter_map(|(at, running)| running.next_due().map(|due| (due, Task::Step(at))));
        [turn_end, later, idle].into_iter().flatten().chain(steps).min_by_key(|(due, _)| *due)
    }

    pub(super) fn perform(&mut self, task: Task) {
        match task {
            Task::Later => {
                if let Some((_, later)) = self.later.pop_first() {
                    self.perform_later(later);
                }
            }
            Task::TurnEnd => self.end_turn(),
            Task::Idle => self.idle(),
            Task::Step(at) => self.step(at),
        }
    }

    fn perform_later(&mut self, later: Later) {
        match later {
            Later::Updated(session) => self.emit(json!({"type": "session.updated", "session": session})),
            Later::Transcript { item_id, audio, heard, model } => self.transcribe(&item_id, audio, heard, &model),
            Later::RateLimits => {
                #[expect(clippy::cast_precision_loss, reason = "a token limit is far below 2^52")]
                let missing = super::TOKEN_LIMIT.saturating_sub(self.tokens_left) as f64;
                #[expect(clippy::cast_precision_loss, reason = "a token limit is far below 2^52")]
                let per_second = super::TOKEN_LIMIT as f64 / 60.0;
                self.emit(rate_limits(self.tokens_left, missing / per_second));
            }
            Later::PlaybackStops(response_id) => self.playback_stops(&response_id),
            Later::Act(act) => self.perform_act(act),
        }
    }

    /// Reports what a caller's item says, or that nobody knows.
    fn transcribe(&mut self, item_id: &str, audio: Duration, heard: Heard, model: &str) {
        let words = match heard {
            Heard::Words(words) => words,
            Heard::Failed(code) => {
                let message = "The audio could not be transcribed.";
                let error = json!({"type": "transcription_error", "code": code, "message": message, "param": null});
                self.emit(json!({
                    "type": "conversation.item.input_audio_transcription.failed",
                    "item_id": item_id,
                    "content_index": 0,
                    "error": error,
                }));
                return;
            }
        };
        if let Some(item) = self.conversation.get_mut(item_id) {
            item.body["content"][0]["transcript"] = json!(words);
        }
        if !words.is_empty() {
            self.emit(json!({
                "type": "conversation.item.input_audio_transcription.delta",
                "item_id": item_id,
                "content_index": 0,
                "delta": words,
            }));
        }
        let usage = if model == "whisper-1" {
            json!({"type": "duration", "seconds": audio.as_secs_f64()})
        } else {
            let (input, output) = (usage::caller_tokens(audio), usage::text_tokens(&words));
            json!({
                "type": "tokens",
                "total_tokens": input + output,
                "input_tokens": input,
                "input_token_details": {"text_tokens": 0, "audio_tokens": input},
                "output_tokens": output,
            })
        };
        self.emit(json!({
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item_id,
            "content_index": 0,
            "transcript": words,
            "usage": usage,
        }));
    }
}
