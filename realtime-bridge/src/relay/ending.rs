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
    /// The model has refused to say goodbye.
    refused: bool,
    /// When to end without any confirmation.
    limit: Instant,
}

impl Closing {
    /// Why the call ends; `unheard` where nobody knows that the goodbye was heard.
    fn reason(&self, unheard: bool) -> EndReason {
        match &self.reason {
            EndReason::Goodbye if unheard => EndReason::GoodbyeUnconfirmed,
            reason => reason.clone(),
        }
    }
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
        let words = words.filter(|_| !self.model_is_gone());
        let unsaid = words.is_some() && !self.capabilities.respond;
        if let Some(words) = words {
            self.instruct(Purpose::Goodbye, words);
        }
        let limit = self.goodbye_due(now);
        self.phase = Phase::Closing(Closing { reason, forced, unsaid, refused: false, limit });
        self.expect_confirmation(now);
        self.finish_if_said(now);
    }

    /// What waits at the line is heard first, however long it is.
    fn goodbye_due(&mut self, now: Instant) -> Instant {
        now + self.playout.remaining(now) + self.config.goodbye_limit
    }

    /// An answer begins, which is the goodbye where one was wished for.
    pub(super) const fn goodbye_begins(&mut self) {
        if let Phase::Closing(closing) = &mut self.phase {
            closing.unsaid = false;
        }
    }

    /// The caller has something to say after all. True when an end was called off.
    pub(super) fn call_off_end(&mut self, now: Instant) -> bool {
        if !matches!(&self.phase, Phase::Closing(closing) if !closing.forced) {
            return false;
        }
        self.phase = Phase::Talking;
        self.sequencer.forget(Purpose::Goodbye);
        self.tell(now, CallEvent::EndCalledOff);
        true
    }

    /// The model has refused something, which leaves the goodbye unsaid if that was it.
    pub(super) fn goodbye_refused(&mut self) {
        if let Phase::Closing(closing) = &mut self.phase {
            closing.refused = true;
        }
    }

    /// An answer has ended. Once the model has said all it will, only the line is waited for.
    pub(super) fn expect_confirmation(&mut self, now: Instant) {
        let limit = if self.speech_is_due() {
            // What was said before the goodbye may be longer than was known when the goodbye was wished for. A caller who
            // talks over it gains no time.
            if !self.sequencer.waits(Purpose::Goodbye) || self.caller.is_speaking() {
                return;
            }
            self.goodbye_due(now)
        } else {
            now + self.playout.remaining(now) + CONFIRMATION_MARGIN
        };
        if let Phase::Closing(closing) = &mut self.phase
            && !closing.unsaid
        {
            closing.limit = limit;
        }
    }

    /// What was to be heard may have been: ends a call whose goodbye was heard to its end.
    pub(super) fn finish_if_said(&mut self, now: Instant) {
        self.tell_if_said(now);
        if let Phase::Closing(closing) = &self.phase
            && !closing.unsaid
            && !self.speech_is_due()
            && !self.caller_holds_end(closing)
            && self.playout.all_heard()
        {
            let reason = closing.reason(closing.refused);
            self.end(now, reason);
        }
    }

    /// Tells when all that the agent was told to say was heard.
    fn tell_if_said(&mut self, now: Instant) {
        if self.saying && !self.is_over() && !self.sequencer.has(Purpose::Say) && self.playout.all_heard() {
            self.saying = false;
            self.tell(now, CallEvent::Said);
        }
    }

    pub(super) fn check_closing(&mut self, now: Instant) {
        if let Phase::Closing(closing) = &self.phase
            && self.closing_limit().is_some_and(|limit| now >= limit)
        {
            let reason = closing.reason(true);
            self.end(now, reason);
        }
    }

    /// When to end without any confirmation.
    pub(super) fn closing_limit(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Closing(closing) if !self.caller_holds_end(closing) => Some(closing.limit),
            Phase::Closing(_) | Phase::Talking | Phase::Ended(_) => None,
        }
    }

    /// A caller who spoke through the end of the call has stopped, so that its time begins anew.
    pub(super) fn renew_limit(&mut self, now: Instant) {
        let limit = self.goodbye_due(now);
        if let Phase::Closing(closing) = &mut self.phase
            && !closing.forced
        {
            closing.limit = limit;
        }
    }

    /// The model has left. A goodbye that only has to be heard needs no model.
    pub(super) fn model_leaves(&mut self, now: Instant, reason: EndReason) {
        if self.model_is_gone() {
            return;
        }
        if !matches!(&self.phase, Phase::Closing(closing) if !closing.unsaid) || self.sequencer.is_busy() {
            if self.link.can_reconnect() {
                self.model_lost(now, reason);
            } else {
                self.end(now, reason);
            }
            return;
        }
        self.gone = Some(reason);
        self.commands.clear();
        self.caller_audio.clear();
        self.caller_audio_length = Duration::ZERO;
        self.timers.model_idle();
        self.caller_silenced();
        self.expect_confirmation(now);
        self.finish_if_said(now);
    }

    /// The model has left while its goodbye was to be heard: there is nothing more to be had of its session.
    pub(crate) const fn model_is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// An answer runs, was asked for, or waits, and there is a model to give it.
    fn speech_is_due(&self) -> bool {
        !self.model_is_gone() && self.sequencer.is_busy()
    }

    /// Nobody hangs up on a caller in the middle of a word.
    const fn caller_holds_end(&self, closing: &Closing) -> bool {
        !closing.forced && self.caller.is_speaking()
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
