//! A message that a caller leaves with `<Record>`, 20 ms at a time and without a clock.

use std::time::Duration;

use realtime_bridge::media::DtmfDigit;
use twilio_twiml::{
    twiml::{Key, Keys, Record},
    words::{Method, RecordingEvent, Trim},
};
use url::Url;

use super::{
    debugger::Alert,
    frame::{FRAME, FRAME_BYTES, Frame},
    interpreter::{Fetch, action, resolve},
};

/// A `<Record>` whose URLs are resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecordPlan {
    pub(super) action: Fetch,
    pub(super) beeps: bool,
    pub(super) callback: Option<Fetch>,
    pub(super) events: Vec<RecordingEvent>,
    /// Silence that ends it; none does if `None`.
    timeout: Option<Duration>,
    /// The keys that end it; any if `None`.
    finish_on: Option<Keys>,
    longest: Duration,
    trims: bool,
}

impl RecordPlan {
    pub(super) fn new(base: &Url, record: Record) -> Result<Self, Alert> {
        let url = resolve(base, record.action.as_ref().map_or("", |url| url.as_str()))?;
        let timeout = record.timeout.map_or(Duration::from_secs(5), Duration::from);
        let callback = record.recording_status_callback.as_ref();
        Ok(Self {
            action: Fetch { purpose: "record", url, method: record.method.unwrap_or(Method::Post) },
            beeps: record.play_beep.unwrap_or(true),
            callback: action(base, "recording status", callback, record.recording_status_callback_method)?,
            events: record.recording_status_callback_event.unwrap_or_else(|| vec![RecordingEvent::Completed]),
            timeout: (!timeout.is_zero()).then_some(timeout),
            finish_on: record.finish_on_key,
            longest: record.max_length.map_or(Duration::from_secs(3_600), Duration::from),
            trims: record.trim != Some(Trim::DoNotTrim),
        })
    }
}

/// A message under way.
#[derive(Debug, Default)]
pub(super) struct Message {
    audio: Vec<u8>,
    /// Where the first and the last sound are, in bytes.
    sound: Option<(usize, usize)>,
    silent: Duration,
    length: Duration,
}

impl Message {
    /// Takes 20 ms; tells whether the message is over.
    pub(super) fn tick(&mut self, plan: &RecordPlan, frame: &Frame, audible: bool) -> bool {
        let start = self.audio.len();
        self.audio.extend_from_slice(frame);
        self.length += FRAME;
        if audible {
            self.silent = Duration::ZERO;
            let begin = self.sound.map_or(start, |(begin, _)| begin);
            self.sound = Some((begin, start + FRAME_BYTES));
        } else {
            self.silent += FRAME;
        }
        self.length >= plan.longest || plan.timeout.is_some_and(|timeout| self.silent >= timeout)
    }

    /// Whether a key ends the message.
    pub(super) fn is_ended_by(plan: &RecordPlan, key: DtmfDigit) -> bool {
        let key = Key::new(key.as_char());
        plan.finish_on.as_ref().is_none_or(|keys| key.is_some_and(|key| keys.contains(key)))
    }

    /// What was said; nothing if nobody said anything.
    pub(super) fn finish(self, plan: &RecordPlan) -> Option<Vec<u8>> {
        let (begin, end) = self.sound?;
        Some(if plan.trims { self.audio[begin..end].to_vec() } else { self.audio })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::frame::SILENT, *};

    fn plan(record: Record) -> RecordPlan {
        RecordPlan::new(&"https://bridge.example.com/voice".parse().unwrap(), record).unwrap()
    }

    #[test]
    fn a_message_ends_with_silence_and_is_trimmed() {
        let plan = plan(Record::new().timeout(1));
        let mut message = Message::default();
        let sounds = [false, false, true, true, false, true];
        assert!(!sounds.iter().any(|audible| message.tick(&plan, &[u8::from(*audible); 160], *audible)));
        let ticks = (1..).find(|_| message.tick(&plan, &SILENT, false));
        assert_eq!(ticks, Some(50));
        let heard = message.finish(&plan).unwrap();
        assert_eq!((heard.len(), heard[0], heard[2 * 160]), (4 * 160, 1, 0));
    }

    #[test]
    fn a_message_has_a_limit_and_ends_with_its_keys() {
        let limited = plan(Record::new().max_length(1).timeout(0).finish_on_key(Key::HASH));
        let mut message = Message::default();
        assert_eq!((1..).find(|_| message.tick(&limited, &SILENT, false)), Some(50));
        assert_eq!(message.finish(&limited), None);
        let key = |sign| DtmfDigit::new(sign).unwrap();
        assert!(Message::is_ended_by(&limited, key('#')) && !Message::is_ended_by(&limited, key('1')));
        assert!(Message::is_ended_by(&plan(Record::new()), key('1')));
    }
}
