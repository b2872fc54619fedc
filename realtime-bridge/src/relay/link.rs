//! The call's connection to a model: lost, found again, and changed before it has to be.

mod voice;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use self::voice::VOICE_LIMIT;
use super::{
    CallEvent, EndReason, GapFiller, Recovery, Relay,
    kept::Kept,
    sequencer::{Purpose, Wish},
    timers::earlier,
};
use crate::{
    audio::{AudioFormat, Transcoder},
    realtime::{Capabilities, ErrorClass, NewItem, RealtimeCommand, SessionInfo, SessionUpdate, ToolSpec, classify},
};

/// How long before its limit a session is left though nobody is quiet.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// How often to look for a quiet moment while both speak by turns.
const ROTATION_LOOK: Duration = Duration::from_millis(250);

/// How many sessions per endpoint may be lost in a row without one answer that came to its end. A model that dies of
/// every answer would have the caller hear beginnings for ever.
const FRUITLESS: u32 = 5;

/// How often at most to look whether the line has fallen silent.
const LEAST_LOOK: Duration = Duration::from_millis(10);

/// When another attempt to open a session may help, after one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Again {
    /// Now: there is another endpoint that was not asked yet.
    AtOnce,
    /// After a pause, as all were asked; and not before one of them wants to be asked again.
    NotBefore(Instant),
    /// Never.
    Never,
}

/// What the driver has to do about the model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LinkAction {
    /// Let the session go: it is lost.
    Leave {
        /// How it was lost.
        cause: EndReason,
        /// Its endpoint takes connections and gives no answers: another one is to be asked before it.
        elsewhere: bool,
    },
    /// The session has given the caller something to hear: its endpoint works.
    Proven,
    /// Open another session, and tell the relay how that went. An attempt that is under way is given up.
    Open,
    /// Go on with the session that was opened, and close the one before in order.
    Switch,
}

#[derive(Debug)]
enum State {
    Up,
    /// The next session is being opened while this one goes on.
    Rotating {
        ready: bool,
        rounds: u32,
        retry: Option<Instant>,
    },
    Down(Down),
}

#[derive(Debug)]
struct Down {
    since: Instant,
    cause: EndReason,
    /// When the caller has waited long enough.
    limit: Instant,
    /// Attempts that failed.
    attempts: u32,
    /// How often all endpoints were asked.
    rounds: u32,
    /// When the next attempt begins; `None` while one is under way.
    retry: Option<Instant>,
    /// Nothing is to be heard since then.
    silent_since: Option<Instant>,
    filled: bool,
}

/// What is known of the model's session.
#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    recovery: Recovery,
    /// `None` where a session that is lost is lost for good.
    dialling: Option<Dialling>,
    session: u32,
    /// How many sessions were lost since the last answer that came to its end.
    fruitless: u32,
    /// The session has given the caller something to hear.
    proven: bool,
    /// When the session was opened, as far as it is known.
    opened: Option<Instant>,
    /// When the session took over.
    since: Option<Instant>,
    /// How long the caller has waited since the first loss after something was to be heard: in gaps, and for sessions that
    /// gave nothing. `None` when no session was lost since.
    waited: Option<Duration>,
    rotate_at: Option<Instant>,
    leave_at: Option<Instant>,
    actions: VecDeque<LinkAction>,
    tools: Option<Vec<ToolSpec>>,
    /// The new session was told what the caller said, and should have noticed by then.
    voice_due: Option<Instant>,
    /// What the caller said in the gap is on its way to the session.
    backlog: bool,
    /// The answer to what the caller said is owed, should the new session not notice it.
    voice_owed: bool,
}

#[derive(Debug)]
struct Dialling {
    endpoints: u32,
    /// The state of a small generator of numbers that only have to differ between calls.
    seed: u64,
    kept: Kept,
}

impl Link {
    pub(crate) const fn new(recovery: Recovery, opened: Option<Instant>) -> Self {
        Self {
            opened,
            state: State::Up,
            recovery,
            dialling: None,
            session: 0,
            fruitless: 0,
            proven: true,
            since: None,
            waited: None,
            rotate_at: None,
            leave_at: None,
            actions: VecDeque::new(),
            tools: None,
            voice_due: None,
            backlog: false,
            voice_owed: false,
        }
    }

    pub(crate) const fn session(&self) -> u32 {
        self.session
    }

    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.state, State::Down(_))
    }

    pub(crate) const fn can_reconnect(&self) -> bool {
        self.dialling.is_some()
    }

    pub(crate) fn kept_mut(&mut self) -> Option<&mut Kept> {
        // In the gap everything waits in the queue anyway.
        let down = self.is_down();
        self.dialling.as_mut().filter(|_| !down).map(|dialling| &mut dialling.kept)
    }

    pub(crate) fn speech_begins(&mut self) {
        self.voice_due = None;
        self.voice_owed = false;
        if let Some(kept) = self.kept_mut() {
            kept.begin();
        }
    }

    /// An answer came to its end.
    pub(crate) fn bears_fruit(&mut self) {
        self.fruitless = 0;
        self.is_heard();
    }

    /// The session gives the caller something to hear.
    pub(crate) fn is_heard(&mut self) {
        self.waited = None;
        if !std::mem::replace(&mut self.proven, true) {
            self.actions.push_back(LinkAction::Proven);
        }
    }

    /// The session is lost; `owed` when it owed the caller an answer. Gives how long the caller has waited already.
    fn session_ends(&mut self, now: Instant, owed: bool) -> Duration {
        let lived = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let stall = self.recovery.stall;
        let waited = match self.waited {
            // Nobody had asked it for anything for so long.
            Some(_) if !owed && lived > stall => Duration::ZERO,
            Some(waited) => waited + lived.min(stall),
            None => Duration::ZERO,
        };
        *self.waited.insert(waited)
    }

    pub(crate) fn set_tools(&mut self, tools: Vec<ToolSpec>) {
        self.tools = Some(tools);
    }

    fn begins(&mut self, now: Instant, limit: Option<Duration>) {
        let before = self.recovery.rotate_before;
        let opened = self.opened.unwrap_or(now);
        let limit = limit.filter(|_| self.dialling.is_some());
        // A session that may last but a short time is not left as soon as it was opened.
        self.rotate_at = limit.map(|limit| opened + limit.saturating_sub(before).max(limit / 2));
        self.leave_at = limit.map(|limit| opened + limit.saturating_sub(LAST_MOMENT).max(limit / 2));
    }

    /// The pause before this round over all endpoints, counted from 0: the first begins at once.
    fn pause(&mut self, round: u32) -> Duration {
        let Some(dialling) = &mut self.dialling else { return Duration::ZERO };
        if round == 0 {
            return Duration::ZERO;
        }
        let pause = self.recovery.backoff.saturating_mul(1 << (round - 1).min(16)).min(self.recovery.backoff_limit);
        // SplitMix64.
        dialling.seed = dialling.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = dialling.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = u32::try_from((z ^ (z >> 31)) % 1_024).unwrap_or_default();
        pause - pause / 4 * share / 1_024
    }
}

impl Relay {
    /// Lets the call live through the loss of its model: [`Relay::poll_link`] tells what to do. `endpoints` is how many
    /// there are to try, `seed` a number that differs between calls, so that they do not all come back at once.
    #[must_use]
    pub fn with_recovery(mut self, endpoints: u32, seed: u64) -> Self {
        if endpoints > 0 && self.playout.elsewhere.is_none() {
            let kept = Kept::new(self.model_input, self.config.recovery.caller_kept);
            self.link.dialling = Some(Dialling { endpoints, seed, kept });
            self.link.proven = false;
        }
        self
    }

    /// The next thing to do about the model.
    pub fn poll_link(&mut self) -> Option<LinkAction> {
        self.link.actions.pop_front()
    }

    /// Whether there is no session at the moment.
    #[must_use]
    pub const fn is_without_model(&self) -> bool {
        self.link.is_down()
    }

    /// A session was opened.
    pub fn handle_session(&mut self, now: Instant, session: &SessionInfo, capabilities: &Capabilities) {
        if self.is_over() {
            return;
        }
        match &mut self.link.state {
            State::Up => {}
            State::Rotating { ready, .. } => {
                *ready = true;
                self.next_session = Some((session.clone(), capabilities.clone()));
                self.check_link(now);
            }
            State::Down(down) => {
                let (gap, attempts) = (now.saturating_duration_since(down.since), down.attempts);
                self.stats.without_model += gap;
                self.link.waited = self.link.waited.map(|waited| waited + gap);
                self.link.actions.push_back(LinkAction::Switch);
                self.enter(now, session, capabilities);
                let info = Arc::new(session.clone());
                self.tell(now, CallEvent::ModelBack { gap, attempts, session: self.link.session, info });
            }
        }
    }

    /// No session could be opened, or one that was opened and waited is lost; `again` tells when another attempt may
    /// help.
    pub fn handle_session_failed(&mut self, now: Instant, again: Again) {
        if self.is_over() {
            return;
        }
        let pause = match &mut self.link.state {
            State::Up => return,
            State::Down(Down { rounds, .. }) | State::Rotating { rounds, .. } => {
                *rounds += u32::from(again != Again::AtOnce);
                let round = *rounds;
                if again == Again::AtOnce { Duration::ZERO } else { self.link.pause(round) }
            }
        };
        let at = match again {
            Again::NotBefore(at) => at.max(now + pause),
            Again::AtOnce | Again::Never => now + pause,
        };
        match &mut self.link.state {
            State::Down(down) => {
                down.attempts += 1;
                down.retry = Some(at);
                // Nobody is to be asked before the caller has waited too long.
                let late = matches!(again, Again::NotBefore(wanted) if wanted > down.limit);
                if late || again == Again::Never {
                    return self.model_unreachable(now);
                }
            }
            State::Rotating { .. } if again == Again::Never => {
                // It goes on as long as it can.
                self.next_session = None;
                self.link.state = State::Up;
            }
            State::Rotating { ready, retry, .. } => {
                self.next_session = None;
                *ready = false;
                // While this session lasts there is no hurry.
                *retry = Some(at.max(now + self.config.recovery.backoff_limit));
            }
            State::Up => {}
        }
        self.check_link(now);
    }

    /// The session is of no further use: the caller is kept, and another is opened.
    pub(super) fn model_lost(&mut self, now: Instant, cause: EndReason) {
        if self.is_over() || self.link.is_down() {
            return;
        }
        let ready = matches!(self.link.state, State::Rotating { ready: true, .. });
        let waits = matches!(self.link.state, State::Rotating { ready: false, retry: None, .. });
        let owed = self.timers.model_owes() || self.sequencer.is_busy() || self.link.voice_due.is_some();
        let waited = self.link.session_ends(now, owed);
        self.stats.sessions_lost += 1;
        self.tell(now, CallEvent::ModelLost(cause.clone()));
        self.leave(now);
        let elsewhere = self.link.fruitless > 0 || gives_no_answers(&cause);
        self.link.actions.push_back(LinkAction::Leave { cause: cause.clone(), elsewhere });
        // The first session that is lost is replaced at once; if the next ones are lost as well, after growing pauses.
        let endpoints = self.link.dialling.as_ref().map_or(1, |dialling| dialling.endpoints);
        let attempts = self.link.fruitless;
        self.link.fruitless += 1;
        let rounds = attempts / endpoints;
        let pause = if attempts.is_multiple_of(endpoints) { self.link.pause(rounds) } else { Duration::ZERO };
        let retry = (!pause.is_zero()).then(|| now + pause);
        let limit = now + self.link.recovery.budget.saturating_sub(waited);
        let silent_since = self.silent_since(now, owed);
        let down = Down { since: now, cause, limit, attempts, rounds, retry, silent_since, filled: false };
        self.link.state = State::Down(down);
        if attempts >= FRUITLESS * endpoints || limit <= now {
            return self.model_unreachable(now);
        }
        match self.next_session.take().filter(|_| ready) {
            Some((session, capabilities)) => self.handle_session(now, &session, &capabilities),
            None if waits || retry.is_some() => {}
            None => self.link.actions.push_back(LinkAction::Open),
        }
    }

    pub(super) fn check_link(&mut self, now: Instant) {
        match &mut self.link.state {
            State::Up => {
                if self.link.rotate_at.is_some_and(|at| now >= at) {
                    self.link.rotate_at = None;
                    self.link.state = State::Rotating { ready: false, rounds: 0, retry: None };
                    self.link.actions.push_back(LinkAction::Open);
                }
            }
            State::Rotating { ready: false, retry, .. } => {
                if retry.take_if(|at| now >= *at).is_some() {
                    self.link.actions.push_back(LinkAction::Open);
                }
            }
            State::Rotating { ready: true, .. } => {
                if self.may_rotate(now) || self.link.leave_at.is_some_and(|at| now >= at) {
                    self.rotate(now);
                }
            }
            State::Down(down) => {
                if now >= down.limit {
                    self.model_unreachable(now);
                    return;
                }
                if down.retry.take_if(|at| now >= *at).is_some() {
                    self.link.actions.push_back(LinkAction::Open);
                }
                self.fill_gap(now);
            }
        }
        self.check_voice(now);
    }

    /// When the link is to be looked at next.
    pub(super) fn link_timeout(&mut self, now: Instant) -> Option<Instant> {
        let looks = matches!(self.link.state, State::Rotating { ready: true, .. } | State::Down(_));
        let silent = if looks { self.playout.remaining(now) } else { Duration::ZERO };
        let link = &self.link;
        let due = match &link.state {
            State::Up => link.rotate_at,
            State::Rotating { ready: true, .. } => {
                let quiet = now + silent.max(ROTATION_LOOK);
                Some(link.leave_at.map_or(quiet, |limit| limit.min(quiet)))
            }
            State::Rotating { retry, .. } => *retry,
            State::Down(down) => {
                // That it has fallen silent has to be noticed first.
                let noticed = down.silent_since.map(|since| since + link.recovery.filler_after);
                let fill = noticed.unwrap_or(now + silent.max(LEAST_LOOK));
                let fill = (!down.filled && self.started.is_some()).then_some(fill);
                [fill, down.retry, Some(down.limit)].into_iter().flatten().min()
            }
        };
        earlier(due, link.voice_due)
    }

    /// How long the model may leave an answer that it owes.
    pub(super) const fn model_stall(&self) -> Duration {
        if self.link.can_reconnect() { self.config.recovery.stall } else { self.config.model_stall }
    }

    /// The session is told which tools there are, where they are not those it was opened with.
    pub(super) fn tell_tools(&mut self) {
        if self.link.is_down() || self.link.tools.is_none() {
            return;
        }
        let request = self.request();
        let update = SessionUpdate { tools: self.link.tools.clone(), ..SessionUpdate::default() };
        self.commands.push_back(RealtimeCommand::Update { request, update });
    }

    /// The session is told the conversation so far, with what is still to be heard of it.
    pub(super) fn tell_memory(&mut self) {
        let mut memory = self.memory.clone();
        for (session, item) in self.playout.ledger.past() {
            if let Some(entry) = self.transcript.expected(session, &item) {
                memory.heard(&entry);
            }
        }
        for item in memory.items(&self.config.prompts) {
            self.add_item(item);
        }
    }

    /// What was made goes on playing; what was asked for waits for the next session.
    fn leave(&mut self, now: Instant) {
        let session = self.link.session;
        if let Some(response) = self.sequencer.active().cloned() {
            self.latency.response_done(&response);
        }
        let sounded = self.forget_pending();
        for (item, part, received) in self.playout.leave(session) {
            // It is told when it was heard.
            let _ = self.transcript.broken(&item, part, received);
        }
        let sounding: Vec<_> = self.playout.ledger.past().into_iter().filter(|(s, _)| *s == session).collect();
        let sounding: Vec<_> = sounding.into_iter().map(|(_, item)| item).collect();
        for entry in self.transcript.leave(self.since_start(now), &sounding) {
            self.tell(now, CallEvent::Transcript(entry));
        }
        let owed = self.sequencer.leave(sounded) || std::mem::take(&mut self.caller.awaits_answer);
        self.commands.clear();
        self.digest.lost();
        self.timers.model_idle();
        if sounded {
            self.go_on();
        }
        self.keep_voice(owed);
        // A pause that nobody will confirm is over.
        if self.playout.held {
            self.interrupt(now, false);
        }
    }

    /// The answer was cut off in the middle; another session says the rest.
    fn go_on(&mut self) {
        let words = self.config.prompts.go_on.clone();
        self.sequencer.want(Wish::about(Purpose::Turn, NewItem::System(words)));
    }

    /// Another session takes over.
    fn enter(&mut self, now: Instant, session: &SessionInfo, capabilities: &Capabilities) {
        let (line, gap) = (self.line, self.link.is_down());
        let converter = |from, to| (from != to).then(|| Transcoder::new(from, to));
        self.link.state = State::Up;
        self.link.session += 1;
        self.link.since = Some(now);
        self.link.proven = false;
        self.link.opened = session.opened;
        self.link.begins(now, capabilities.session_limit);
        self.journal.enter_session(self.link.session);
        if session.input_format != self.model_input {
            self.change_input(session.input_format);
            self.to_model = converter(line, session.input_format);
        }
        self.to_line = converter(session.output_format, line);
        self.capabilities = capabilities.clone();
        self.turn_owner = session.turn_owner;
        self.link.backlog = gap;
        // What is said in a gap nobody has heard, and it may be speech.
        let again = std::mem::take(&mut self.caller.told_again) || gap && !self.caller_audio.is_empty();
        self.link.voice_due = again.then(|| now + VOICE_LIMIT);
        if let Some(kept) = self.link.kept_mut() {
            // This session may be lost as well before it has understood.
            if again {
                kept.begin();
            }
            self.caller_audio.iter().for_each(|frame| kept.push(frame));
        }
        self.timers.active(now);
        if self.started.is_none() {
            // The model is told everything when the line is up.
            return;
        }
        self.tell_tools();
        self.tell_memory();
        if !self.sequencer.is_busy() && !self.journal.wants_hold_tone() {
            self.playout.stop_hold_tone();
        }
    }

    /// Audio that waits in a format that the next session does not take is lost.
    fn change_input(&mut self, format: AudioFormat) {
        self.stats.caller_dropped += std::mem::take(&mut self.caller_audio_length);
        self.caller_audio.clear();
        self.model_input = format;
        if let Some(dialling) = &mut self.link.dialling {
            dialling.kept.set_format(format);
        }
    }

    /// Nobody speaks, nothing is owed, nothing is done, and what was said is known in words.
    pub(super) fn may_rotate(&mut self, now: Instant) -> bool {
        !self.caller.is_speaking()
            && !self.caller.awaits_answer
            && !self.sequencer.is_busy()
            && !self.journal.is_running()
            && self.playout.is_silent(now)
            && !self.transcript.awaits_words(self.since_start(now))
    }

    fn rotate(&mut self, now: Instant) {
        let Some((session, capabilities)) = self.next_session.take() else { return };
        self.leave(now);
        self.link.actions.push_back(LinkAction::Switch);
        self.stats.rotations += 1;
        self.enter(now, &session, &capabilities);
        self.tell(now, CallEvent::ModelChanged { session: self.link.session, info: Arc::new(session) });
    }

    /// Since when the line has been silent: a model that owed an answer may have been lost long before it was given up.
    /// Where nothing was owed, the caller waits from now on.
    fn silent_since(&mut self, now: Instant, owed: bool) -> Option<Instant> {
        let silent = self.playout.is_silent(now) && !self.playout.has_hold_tone() && self.started.is_some();
        let waits = owed && !self.caller.is_speaking();
        silent.then(|| if !waits { now } else { self.timers.quiet_at().unwrap_or(now).min(now) })
    }

    /// The silence of the gap is filled, once it has lasted.
    fn fill_gap(&mut self, now: Instant) {
        let silent = self.playout.is_silent(now) && self.started.is_some();
        let State::Down(down) = &mut self.link.state else { return };
        if !silent || self.playout.has_hold_tone() {
            down.silent_since = None;
            return;
        }
        let since = *down.silent_since.get_or_insert(now);
        if down.filled || now < since + self.config.recovery.filler_after {
            return;
        }
        down.filled = true;
        match &self.config.recovery.filler {
            GapFiller::Nothing => {}
            GapFiller::HoldTone => self.playout.start_hold_tone(),
            GapFiller::Clip(clip) => self.playout.play_clip(clip),
        }
    }

    fn model_unreachable(&mut self, now: Instant) {
        let State::Down(down) = &self.link.state else { return };
        let (cause, attempts) = (Arc::new(down.cause.clone()), down.attempts);
        self.stats.without_model += now.saturating_duration_since(down.since);
        self.end(now, EndReason::ModelUnreachable { cause, attempts });
    }

    /// The line is up. Where it is not known when the session was opened, its time counts from now.
    pub(super) fn link_begins(&mut self, now: Instant) {
        let limit = self.capabilities.session_limit;
        self.link.begins(now, limit);
    }
}

/// Whether the endpoint took the connection and then had no answers: another one is likelier to have them.
fn gives_no_answers(cause: &EndReason) -> bool {
    match cause {
        EndReason::ModelStalled => true,
        EndReason::ModelRefused(error) => classify(error) != ErrorClass::Rotate,
        _ => false,
    }
}
