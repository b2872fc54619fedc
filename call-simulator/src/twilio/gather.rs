//! What a `<Gather>` takes in, 20 ms at a time and without a clock.

use std::time::Duration;

use realtime_bridge::media::DtmfDigit;
use twilio_twiml::{
    twiml::{Gather, Input, Key, Keys, Prompting, SpeechTimeout},
    webhook::Form,
    words::Method,
};
use url::Url;

use super::{
    debugger::Alert,
    frame::FRAME,
    interpreter::{Fetch, resolve},
};

/// Silence that ends words where Twilio decides by itself.
const AUTO: Duration = Duration::from_millis(1_000);

/// A `<Gather>` whose URLs are resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GatherPlan {
    pub(super) action: Fetch,
    /// Whether the action is requested if nothing was heard.
    pub(super) even_if_empty: bool,
    pub(super) prompt: Vec<Prompting>,
    pub(super) barge_in: bool,
    keys: bool,
    speech: bool,
    timeout: Duration,
    finish_on: Keys,
    num_digits: Option<usize>,
    speech_timeout: Duration,
}

impl GatherPlan {
    pub(super) fn new(base: &Url, gather: Gather) -> Result<Self, Alert> {
        let url = resolve(base, gather.action.as_ref().map_or("", |url| url.as_str()))?;
        let input = gather.input.unwrap_or_else(|| vec![Input::Dtmf]);
        let timeout = gather.timeout.map_or(Duration::from_secs(5), Duration::from);
        Ok(Self {
            action: Fetch { purpose: "gather", url, method: gather.method.unwrap_or(Method::Post) },
            even_if_empty: gather.action_on_empty_result.unwrap_or(false),
            prompt: gather.content,
            barge_in: gather.barge_in.unwrap_or(true),
            keys: input.contains(&Input::Dtmf),
            speech: input.contains(&Input::Speech),
            timeout,
            finish_on: gather.finish_on_key.unwrap_or_else(|| Keys::from(Key::HASH)),
            num_digits: gather.num_digits.and_then(|count| usize::try_from(count.0).ok()),
            speech_timeout: match gather.speech_timeout {
                Some(SpeechTimeout::After(time)) => time.into(),
                Some(SpeechTimeout::Auto) => AUTO,
                _ => timeout,
            },
        })
    }
}

/// An input under way.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    digits: String,
    words: Vec<String>,
    /// Since the last key, or the end of the prompt.
    waited: Duration,
    /// Since the last sound of the caller.
    silent: Duration,
    has_spoken: bool,
}

impl Gathering {
    /// Whether the caller has begun to answer.
    pub(super) const fn has_begun(&self) -> bool {
        self.has_spoken || !self.digits.is_empty()
    }

    pub(super) fn says(&mut self, plan: &GatherPlan, words: &str) {
        if plan.speech {
            self.words.push(words.to_owned());
        }
    }

    /// Takes a key; gives the parameters of the action if it was the last one.
    pub(super) fn presses(&mut self, plan: &GatherPlan, key: DtmfDigit) -> Option<Form> {
        if !plan.keys {
            return None;
        }
        let sign = key.as_char();
        if Key::new(sign).is_some_and(|key| plan.finish_on.contains(key)) {
            return Some(self.keys().with("FinishedOnKey", sign));
        }
        self.digits.push(sign);
        self.waited = Duration::ZERO;
        plan.num_digits.is_some_and(|most| self.digits.chars().count() >= most).then(|| self.keys())
    }

    /// Lives through 20 ms; gives the parameters of the action once the input is over, which are empty if there was none.
    pub(super) fn tick(&mut self, plan: &GatherPlan, prompt_is_over: bool, caller_is_audible: bool) -> Option<Form> {
        if caller_is_audible && plan.speech {
            self.has_spoken = true;
            self.silent = Duration::ZERO;
        } else if self.has_spoken {
            self.silent += FRAME;
            if self.silent >= plan.speech_timeout && self.digits.is_empty() {
                return Some(Form::new().with("SpeechResult", self.words.join(" ")).with("Confidence", "0.9"));
            }
            return None;
        }
        if prompt_is_over && !self.has_spoken {
            self.waited += FRAME;
        }
        let is_late = self.waited >= plan.timeout;
        is_late.then(|| if self.digits.is_empty() { Form::new() } else { self.keys() })
    }

    fn keys(&self) -> Form {
        Form::new().with("Digits", self.digits.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(gather: Gather) -> GatherPlan {
        GatherPlan::new(&"https://bridge.example.com/ask".parse().unwrap(), gather).unwrap()
    }

    fn key(sign: char) -> DtmfDigit {
        DtmfDigit::new(sign).unwrap()
    }

    #[test]
    fn keys_end_by_number_by_key_or_by_time() {
        let one = plan(Gather::new().num_digits(1));
        assert_eq!(one.action.url.as_str(), "https://bridge.example.com/ask");
        assert_eq!(Gathering::default().presses(&one, key('4')), Some(Form::new().with("Digits", "4")));

        let any = plan(Gather::new());
        let mut gathering = Gathering::default();
        assert_eq!(gathering.presses(&any, key('4')), None);
        let done = Form::new().with("Digits", "4").with("FinishedOnKey", "#");
        assert_eq!(gathering.presses(&any, key('#')), Some(done));

        let ticks = (1..).find_map(|tick| gathering.tick(&any, true, false).map(|form| (tick, form)));
        assert_eq!(ticks, Some((250, Form::new().with("Digits", "4"))));
        let ticks = (1..).find_map(|tick| {
            Gathering::default().tick(&plan(Gather::new().timeout(0)), true, false).map(|form| (tick, form))
        });
        assert_eq!(ticks, Some((1, Form::new())));
    }

    #[test]
    fn words_end_with_silence() {
        let speech = plan(Gather::new().input([Input::Speech]).speech_timeout(1));
        let mut gathering = Gathering::default();
        assert_eq!(gathering.presses(&speech, key('4')), None);
        gathering.says(&speech, "Hello.");
        assert_eq!(gathering.tick(&speech, false, true), None);
        assert!(gathering.has_begun());
        let ticks = (1..).find_map(|tick| gathering.tick(&speech, false, false).map(|form| (tick, form)));
        assert_eq!(ticks, Some((50, Form::new().with("SpeechResult", "Hello.").with("Confidence", "0.9"))));
    }
}
