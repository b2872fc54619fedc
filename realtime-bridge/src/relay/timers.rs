//! What happens when nothing happens. All deadlines are absolute.

use std::time::{Duration, Instant};

use super::{CallConfig, EndReason, Relay, ending::Phase, sequencer::Purpose};

/// A caller who falls silent without any more audio (mute, packet loss) would never end a turn.
const SPEECH_WITHOUT_AUDIO: Duration = Duration::from_millis(750);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The line brought audio.
    media: Option<Instant>,
    /// Somebody spoke, or was heard.
    activity: Option<Instant>,
    /// The model told us something about an answer that it owes or makes.
    model: Option<Instant>,
    max_duration: Option<Instant>,
    stalls: u32,
    nudges: u32,
}

impl Timers {
    pub(crate) fn start(&mut self, now: Instant, config: &CallConfig) {
        self.media = Some(now);
        self.activity = Some(now);
        self.max_duration = config.max_duration.map(|limit| now + limit);
    }

    /// The line brought audio.
    pub(crate) const fn media(&mut self, now: Instant) {
        self.media = Some(now);
    }

    /// No audio is expected: it does not pass us.
    pub(crate) const fn no_media(&mut self) {
        self.media = None;
    }

    /// Somebody spoke, or was heard.
    pub(crate) fn active(&mut self, now: Instant) {
        self.activity = self.activity.max(Some(now));
    }

    /// When somebody spoke, or was heard, for the last time.
    pub(crate) const fn quiet_at(&self) -> Option<Instant> {
        self.activity
    }

    /// Whether the model owes something, or makes it.
    pub(crate) const fn model_owes(&self) -> bool {
        self.model.is_some()
    }

    /// How long nobody has spoken, and nothing was heard.
    pub(crate) fn quiet_since(&self, now: Instant) -> Duration {
        self.activity.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// When nobody will have spoken for this long.
    pub(crate) fn quiet_for(&self, time: Duration) -> Option<Instant> {
        self.activity.map(|at| at + time)
    }

    /// The caller did something, so asking after them begins anew.
    pub(crate) fn caller_active(&mut self, now: Instant) {
        self.active(now);
        self.nudges = 0;
    }

    /// The model is at work on an answer.
    pub(crate) const fn model(&mut self, now: Instant) {
        self.model = Some(now);
    }

    /// The model has nothing to do until it is asked, which does not make up for a stall.
    pub(crate) const fn model_waits(&mut self) {
        self.model = None;
    }

    /// The model owes nothing.
    pub(crate) const fn model_idle(&mut self) {
        self.model = None;
        self.stalls = 0;
    }
}

/// Whichever comes first.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

impl Relay {
    /// Time has passed. Harmless when nothing is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        self.check_link(now);
        if self.is_over() || self.started.is_none() {
            return;
        }
        self.check_line(now);
        if self.is_over() {
            return;
        }
        self.check_speech(now);
        self.check_keys(now);
        self.check_drops(now);
        self.check_tools(now);
        self.check_model(now);
        self.check_idle(now);
        self.check_duration(now);
        self.check_closing(now);
        self.check_digest(now);
    }

    /// When [`handle_timeout`](Relay::handle_timeout) is wanted next.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        let link = self.link_timeout(now);
        let digest = self.digest_due(now);
        let config = &self.config;
        let timers = &self.timers;
        let speech = timers.media.filter(|_| self.caller.wants_padding()).map(|at| at + SPEECH_WITHOUT_AUDIO);
        let idle = config.idle.filter(|_| self.waits_for_caller()).and_then(|idle| Some(timers.activity? + idle.after));
        // Asked at each wake-up: one after the other costs half of what a list of them does.
        let mut next = link;
        let mut due = |at| next = earlier(next, at);
        due(timers.media.map(|at| at + config.no_media));
        due(timers.model.map(|at| at + self.model_stall()));
        due(timers.max_duration);
        due(speech);
        due(idle);
        due(self.closing_limit());
        due(self.caller.confirm_at());
        due(self.keys.timeout(config.keypad.pause));
        due(self.journal.timeout());
        due(self.sequencer.timeout(now));
        due(self.playout.timeout(now));
        due(self.drops.timeout());
        due(self.tone_due(now));
        due(digest);
        next
    }

    fn check_line(&mut self, now: Instant) {
        if self.timers.media.is_some_and(|at| now >= at + self.config.no_media) {
            self.end(now, EndReason::LineSilent);
        }
    }

    fn check_speech(&mut self, now: Instant) {
        self.confirm_speech(now);
        if self.caller.wants_padding() && self.timers.media.is_some_and(|at| now >= at + SPEECH_WITHOUT_AUDIO) {
            self.pad_speech();
        }
    }

    fn check_model(&mut self, now: Instant) {
        if let Some(wish) = self.sequencer.give_up(now) {
            self.sequencer.retry(Some(wish), now);
        }
        if self.is_over() || self.timers.model.is_none_or(|at| now < at + self.model_stall()) {
            return;
        }
        self.timers.stalls += 1;
        if self.link.can_reconnect() {
            self.model_lost(now, EndReason::ModelStalled);
            return;
        }
        if self.timers.stalls > 1 {
            self.end(now, EndReason::ModelStalled);
            return;
        }
        self.timers.model = Some(now);
        self.answer_again(now);
    }

    fn check_idle(&mut self, now: Instant) {
        let Some(idle) = self.config.idle.filter(|_| self.waits_for_caller()) else { return };
        if self.timers.activity.is_none_or(|at| now < at + idle.after) {
            return;
        }
        self.timers.active(now);
        if self.sequencer.is_busy() || !self.playout.is_silent(now) {
            return;
        }
        self.timers.nudges += 1;
        if self.timers.nudges > idle.nudges {
            let goodbye = self.config.prompts.goodbye.clone();
            self.close(now, EndReason::IdleCaller, Some(goodbye), false);
        } else {
            let nudge = self.config.prompts.nudge.clone();
            self.instruct(Purpose::Nudge, nudge);
        }
    }

    fn check_duration(&mut self, now: Instant) {
        if self.timers.max_duration.is_some_and(|at| now >= at) {
            self.timers.max_duration = None;
            let words = self.config.prompts.time_is_up.clone();
            self.close(now, EndReason::MaxDuration, Some(words), true);
        }
    }

    /// Nobody speaks, nothing is being done, nobody says goodbye: the caller is to speak next.
    fn waits_for_caller(&self) -> bool {
        matches!(self.phase, Phase::Talking)
            && !self.caller.is_speaking()
            && !self.journal.is_running()
            && !self.link.is_down()
            && !self.accompanies
    }
}
