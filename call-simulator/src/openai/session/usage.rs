//! Tokens: what a response has read and written.
//!
//! OpenAI: Realtime guide, managing costs. A second of the caller's speech is 10 tokens, a second of the model's 20.

use std::time::Duration;

use serde_json::{Value, json};

/// A rough count: a quarter of a token for an ASCII character, one for any other.
pub(super) fn text_tokens(text: &str) -> u64 {
    let quarters: u64 = text.chars().map(|c| if c.is_ascii() { 1 } else { 4 }).sum();
    quarters.div_ceil(4)
}

/// Tokens of audio the caller spoke.
pub(super) fn caller_tokens(audio: Duration) -> u64 {
    u64::try_from(audio.as_millis().div_ceil(100)).unwrap_or(u64::MAX)
}

/// Tokens of audio the model spoke.
pub(super) fn model_tokens(audio: Duration) -> u64 {
    u64::try_from(audio.as_millis().div_ceil(50)).unwrap_or(u64::MAX)
}

/// Tokens by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) text: u64,
    pub(super) audio: u64,
}

impl Tokens {
    pub(super) const fn total(self) -> u64 {
        self.text + self.audio
    }
}

/// The `usage` of a response. `cached` is the part of the input that an earlier response has read already.
pub(super) fn usage(input: Tokens, cached: Tokens, output: Tokens) -> Value {
    json!({
        "total_tokens": input.total() + output.total(),
        "input_tokens": input.total(),
        "output_tokens": output.total(),
        "input_token_details": {
            "text_tokens": input.text,
            "audio_tokens": input.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total(),
            "cached_tokens_details": {"text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": output.text, "audio_tokens": output.audio},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_speech_costs_what_the_price_list_says() {
        assert_eq!(caller_tokens(Duration::from_secs(60)), 600);
        assert_eq!(model_tokens(Duration::from_secs(60)), 1_200);
        assert_eq!(text_tokens("abcde"), 2);
        assert_eq!(text_tokens("診療"), 2);
    }
}
