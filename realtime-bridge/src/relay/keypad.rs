//! Keys the caller presses, gathered into one text for the model.

use std::time::{Duration, Instant};

use super::{
    CallEvent, Relay,
    sequencer::{Purpose, Wish},
};
use crate::{media::DtmfDigit, realtime::NewItem};

/// More keys than any number has.
const LONGEST: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct KeyBuffer {
    keys: String,
    last: Option<Instant>,
}

impl KeyBuffer {
    pub(crate) fn timeout(&self, pause: Duration) -> Option<Instant> {
        self.last.map(|last| last + pause)
    }

    fn take(&mut self) -> Option<String> {
        self.last = None;
        Some(std::mem::take(&mut self.keys)).filter(|keys| !keys.is_empty())
    }
}

impl Relay {
    pub(super) fn key_pressed(&mut self, now: Instant, digit: DtmfDigit) {
        self.tell(now, CallEvent::Dtmf(digit));
        self.timers.caller_active(now);
        if self.config.keypad.interrupts && self.keys.keys.is_empty() {
            self.interrupt(now, true);
        }
        self.keys.last = Some(now);
        self.keys.keys.push(digit.as_char());
        if self.config.keypad.end_key == Some(digit.as_char()) || self.keys.keys.len() >= LONGEST {
            self.tell_keys(now);
        }
    }

    pub(super) fn check_keys(&mut self, now: Instant) {
        if self.keys.timeout(self.config.keypad.pause).is_some_and(|at| now >= at) {
            self.tell_keys(now);
        }
    }

    fn tell_keys(&mut self, now: Instant) {
        let Some(keys) = self.keys.take() else { return };
        self.note(now, NewItem::User(format!("{}{keys}", self.config.prompts.keys)));
        self.sequencer.want(Wish::new(Purpose::Keys));
    }
}
