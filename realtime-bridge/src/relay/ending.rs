//! How a call comes to its end: the goodbye is heard before the line is closed, and every end has one reason.

use std::time::{Duration, Instant};

use super::{CallEvent, EndReason, Relay, sequencer::Purpose};

/// How much later than expected the line may confirm that the goodbye was heard.
const CONFIRMATION_MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Phase {
    Talking,
    Closing(Closing),
    Ended(EndReason),
}

/// The goodbye is being said.
#[derive(Debug)]
pub(crate) struct Closing {
    reason: EndReason,
    /// Speech of the caller does not call the end off.
    forced: bool,
    /// A model that alone decides when it speaks was told what to say, and has not begun to.
    unsaid: bool,
    /// When to end without any confirmation.
    pub(crate) limit: Instant,
}

impl Relay {
    /// Ends the call once everything was said and heard; `words` instructs the model what else to say.
    pub(super) fn close(&mut self, now: Instant, reason: EndReason, words: Option<String>, forced: bool) {
        match &self.phase {
            Phase::Ended(_) => return,
            Phase::Closing(closing) if closing.forced || !forced => return,
            Phase::Closing(_) | Phase::Talking => {}
        }
        self.sequencer.forget(Purpose::Nudge);
        let unsaid = words.is_some() && !self.capabilities.respond;
        if let Some(words) = words {
            self.instruct(Purpose::Goodbye, words);
        }
        self.phase = Phase::Closing(Closing { reason, forced, unsaid, limit: now + self.config.goodbye_limit });
        self.finish_if_said(now);
    }

    /// An answer begins, which is the goodbye where one was wished for.
    pub(super) const fn goodbye_begins(&mut self) {
        if let Phase::Closing(closing) = &mut self.phase {
            closing.unsaid = false;
        }
    }

    /// The caller has something to say after all.
    pub(super) fn call_off_end(&mut self, now: Instant) {
        if matches!(&self.phase, Phase::Closing(closing) if !closing.forced) {
            self.phase = Phase::Talking;
            self.sequencer.forget(Purpose::Goodbye);
            self.tell(now, CallEvent::EndCalledOff);
        }
    }

    /// The model has said all it will: from here on only the line is waited for.
    pub(super) fn expect_confirmation(&mut self, now: Instant) {
        if self.sequencer.is_busy() {
            return;
        }
        let limit = now + self.playout.remaining(now) + CONFIRMATION_MARGIN;
        if let Phase::Closing(closing) = &mut self.phase
            && !closing.unsaid
        {
            closing.limit = closing.limit.min(limit);
        }
    }

    /// Ends a call whose goodbye was heard to its end.
    pub(super) fn finish_if_said(&mut self, now: Instant) {
        if let Phase::Closing(closing) = &self.phase
            && !closing.unsaid
            && !self.sequencer.is_busy()
            && self.playout.all_heard()
        {
            let reason = closing.reason.clone();
            self.end(now, reason);
        }
    }

    pub(super) fn check_closing(&mut self, now: Instant) {
        if let Phase::Closing(closing) = &self.phase
            && now >= closing.limit
        {
            let reason = match &closing.reason {
                EndReason::Goodbye => EndReason::GoodbyeUnconfirmed,
                reason => reason.clone(),
            };
            self.end(now, reason);
        }
    }

    /// The call is over. The first reason counts.
    pub(super) fn end(&mut self, now: Instant, reason: EndReason) {
        if self.is_over() {
            return;
        }
        self.cut(now, false);
        self.commands.clear();
        self.caller_audio.clear();
        self.phase = Phase::Ended(reason.clone());
        self.tell(now, CallEvent::Ended(reason));
    }
}
