//! What the caller has said and no session has put into words: kept, and told again.

use std::time::{Duration, Instant};

use super::super::{
    Relay,
    sequencer::{Purpose, Wish},
};
use crate::realtime::NewItem;

/// How long a session that was told the caller's voice again may take to notice it.
pub(super) const VOICE_LIMIT: Duration = Duration::from_millis(2_500);

impl Relay {
    /// How much of the caller's audio may wait.
    pub(in crate::relay) fn caller_queue(&self) -> Duration {
        let queue = self.config.caller_queue;
        if self.link.is_down() || self.link.backlog || self.link.voice_due.is_some() {
            queue.max(self.config.recovery.caller_kept)
        } else {
            queue
        }
    }

    /// A new connection takes but little at once: the gap is over when what was said in it is on its way.
    pub(in crate::relay) fn check_backlog(&mut self) {
        self.link.backlog &= self.caller_audio_length > self.config.caller_queue;
    }

    /// What the caller said last is known in words.
    pub(in crate::relay) fn caller_understood(&mut self) {
        let speaking = self.caller.is_speaking();
        if let Some(kept) = self.link.kept_mut().filter(|kept| kept.holds()) {
            kept.known(speaking);
        }
    }

    /// What the caller said last is being answered.
    pub(in crate::relay) fn caller_answered(&mut self) {
        if !self.caller.is_speaking()
            && let Some(kept) = self.link.kept_mut().filter(|kept| kept.holds())
        {
            kept.forget();
            self.transcript.answered();
        }
    }

    /// What the caller has said and nobody has put into words yet is told again.
    pub(super) fn keep_voice(&mut self, owed: bool) {
        let speaking = self.caller.is_speaking();
        let Some(dialling) = &mut self.link.dialling else { return };
        let again = dialling.kept.holds();
        let owed = owed || std::mem::take(&mut self.link.voice_owed);
        if dialling.kept.length() >= self.caller_audio_length {
            self.caller_audio_length = dialling.kept.length();
            self.caller_audio = dialling.kept.take();
        }
        dialling.kept.forget();
        self.link.voice_owed = again && owed && !speaking;
        if owed && !again {
            self.owe_answer();
        }
        self.link.voice_due = None;
        self.caller.told_again = again || speaking;
    }

    fn owe_answer(&mut self) {
        let wish = if self.capabilities.respond {
            Wish::new(Purpose::Turn)
        } else {
            Wish::about(Purpose::Turn, NewItem::System(self.config.prompts.answer.clone()))
        };
        self.sequencer.want(wish);
    }

    /// A session that was told the caller's voice again has not noticed it: it was not speech, or the end of it.
    pub(super) fn check_voice(&mut self, now: Instant) {
        if self.link.voice_due.take_if(|at| now >= *at).is_none() {
            return;
        }
        if self.caller_audio_length > self.config.caller_queue {
            // It has not even been told yet.
            self.link.voice_due = Some(now + VOICE_LIMIT);
            return;
        }
        if self.caller.is_speaking() {
            self.caller_stops(now);
            self.link.voice_owed = true;
        }
        if std::mem::take(&mut self.link.voice_owed) {
            self.owe_answer();
        } else if let Some(kept) = self.link.kept_mut() {
            kept.release();
        }
    }
}
