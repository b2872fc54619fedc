//! What waits for the line, in what order it goes, and where the marks are placed.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    BargeIn, CallConfig, CallEvent, Relay, Speaker,
    elsewhere::Elsewhere,
    ledger::{Ledger, Part, Source},
};
use crate::{
    audio::{AudioFormat, AudioFrame, HoldTone},
    media::{MarkId, MediaCommand},
    realtime::{ItemId, PlaybackOwner, ResponseId},
};

/// How many answers are remembered to tell late audio from new.
const REMEMBERED_RESPONSES: usize = 16;

/// How much of a hold tone is at the line at a time: short, so that speech can follow at once.
const HOLD_TONE_AHEAD: Duration = Duration::from_millis(200);

/// How much of a hold tone is sent at once.
const HOLD_TONE_PIECE: Duration = Duration::from_millis(100);

/// The shortest wait for room at the line.
const LEAST_WAIT: Duration = Duration::from_millis(5);

/// How much of a clip goes to the line in one frame.
const CLIP_PIECE: Duration = Duration::from_millis(200);

/// When audio is paced, longer frames are cut into pieces of this length.
const PACED_PIECE: Duration = Duration::from_millis(60);

#[derive(Debug)]
struct Waiting {
    part: u64,
    response: Option<ResponseId>,
    frame: AudioFrame,
}

#[derive(Debug)]
pub(crate) struct Playout {
    pub(crate) ledger: Ledger,
    waiting: VecDeque<Waiting>,
    waiting_length: Duration,
    /// The epoch each recent answer began in; `None` for one that must not be heard whenever its audio comes.
    responses: VecDeque<(ResponseId, Option<u32>)>,
    clear_due: bool,
    mark_due: bool,
    /// The frame just sent was the first of a turn: its mark measures the latency.
    first_of_turn: Option<Duration>,
    /// How much may be at the line; `None` leaves the queueing to the line.
    window: Option<Duration>,
    /// The agent pauses: nothing goes to the line.
    pub(crate) held: bool,
    hold_tone: Option<HoldTone>,
    line: AudioFormat,
    /// The line has something to play.
    pub(crate) speaking: bool,
    /// What the provider plays, where it has the line; `None` where the line is ours.
    pub(crate) elsewhere: Option<Elsewhere>,
}

impl Playout {
    pub(crate) fn new(config: &CallConfig, line: AudioFormat, owner: PlaybackOwner) -> Self {
        let window = match config.barge_in {
            BargeIn::Immediate => None,
            BargeIn::Confirmed { window, .. } => Some(window),
        };
        Self {
            ledger: Ledger::new(),
            waiting: VecDeque::new(),
            waiting_length: Duration::ZERO,
            responses: VecDeque::new(),
            clear_due: false,
            mark_due: false,
            first_of_turn: None,
            window,
            held: false,
            hold_tone: None,
            line,
            speaking: false,
            elsewhere: (owner == PlaybackOwner::Provider).then(Elsewhere::default),
        }
    }

    /// An answer begins in this epoch, or had begun in an older one.
    pub(crate) fn know(&mut self, response: &ResponseId) {
        if self.responses.iter().any(|(known, _)| known == response) {
            return;
        }
        if self.responses.len() == REMEMBERED_RESPONSES {
            self.responses.pop_front();
        }
        self.responses.push_back((response.clone(), Some(self.ledger.epoch())));
    }

    /// What comes of this answer from now on is late.
    pub(crate) fn disown(&mut self, response: &ResponseId) {
        self.responses.retain(|(known, _)| known != response);
        if self.responses.len() == REMEMBERED_RESPONSES {
            self.responses.pop_front();
        }
        self.responses.push_back((response.clone(), None));
    }

    /// The session is over: what it made goes on playing, and what comes now is of another.
    pub(crate) fn leave(&mut self, session: u32) -> Vec<(ItemId, u32, Duration)> {
        self.responses.clear();
        for waiting in &mut self.waiting {
            waiting.response = None;
        }
        // Without a mark behind it, it would never be known that all was heard.
        self.mark_due |= self.waiting.is_empty() && !self.ledger.unmarked().is_zero();
        self.ledger.leave(session)
    }

    /// Plays something of our own, to its end.
    pub(crate) fn play_clip(&mut self, clip: &AudioFrame) {
        if clip.format() != self.line {
            return;
        }
        let mut raw = clip.to_raw();
        let piece = self.line.bytes_in(CLIP_PIECE);
        while !raw.is_empty() {
            let frame = AudioFrame::raw(self.line, raw.split_to(piece.min(raw.len())));
            let part = self.ledger.receive(&Source::Local, frame.duration());
            self.push(part, None, frame);
        }
        self.ledger.finish(&Source::Local);
    }

    /// Whether a tone fills the silence.
    pub(crate) const fn has_hold_tone(&self) -> bool {
        self.hold_tone.is_some()
    }

    /// Whether this answer was given up.
    pub(crate) fn is_disowned(&self, response: &ResponseId) -> bool {
        self.began_in(response).is_some_and(|epoch| epoch.is_none())
    }

    fn is_late(&self, response: &ResponseId) -> bool {
        self.began_in(response).is_some_and(|epoch| epoch != Some(self.ledger.epoch()))
    }

    fn began_in(&self, response: &ResponseId) -> Option<Option<u32>> {
        self.responses.iter().rev().find(|(known, _)| known == response).map(|(_, epoch)| *epoch)
    }

    /// How long the line and this queue have to play.
    pub(crate) fn remaining(&mut self, now: Instant) -> Duration {
        let elsewhere = self.elsewhere.as_ref().map_or(Duration::ZERO, |elsewhere| elsewhere.remaining(now));
        self.ledger.queued(now) + self.waiting_length + elsewhere
    }

    /// Nothing waits here, and the line has confirmed that it has played everything.
    pub(crate) fn all_heard(&self) -> bool {
        let elsewhere = self.elsewhere.as_ref().is_none_or(Elsewhere::all_heard);
        self.waiting.is_empty() && self.ledger.all_confirmed() && elsewhere
    }

    /// Nothing waits here, and the line should have played everything.
    pub(crate) fn is_silent(&mut self, now: Instant) -> bool {
        let elsewhere = self.elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.remaining(now).is_zero());
        self.waiting.is_empty() && self.ledger.is_silent(now) && elsewhere
    }

    fn push(&mut self, part: u64, response: Option<ResponseId>, frame: AudioFrame) {
        let duration = frame.duration();
        self.waiting_length += duration;
        if self.window.is_none() || duration <= PACED_PIECE {
            self.waiting.push_back(Waiting { part, response, frame });
            return;
        }
        // Little may be at the line, so nothing that goes there may be long.
        let (format, mut raw) = (frame.format(), frame.to_raw());
        let piece = format.bytes_in(PACED_PIECE);
        while !raw.is_empty() {
            let frame = AudioFrame::raw(format, raw.split_to(piece.min(raw.len())));
            self.waiting.push_back(Waiting { part, response: response.clone(), frame });
        }
    }

    /// Stops everything. Gives the parts that were not heard to their end.
    pub(crate) fn clear(&mut self, now: Instant) -> Vec<Part> {
        // Where marks are out the line may still play, whatever the clock says.
        self.clear_due |= !self.ledger.all_confirmed();
        self.waiting.clear();
        self.waiting_length = Duration::ZERO;
        self.mark_due = false;
        self.first_of_turn = None;
        self.held = false;
        self.hold_tone = None;
        self.ledger.clear(now)
    }

    /// Begins a soft tone, until speech follows it.
    pub(crate) fn start_hold_tone(&mut self) {
        // Nothing of ours can be played into a line that is not ours.
        if self.hold_tone.is_none() && self.elsewhere.is_none() {
            self.hold_tone = Some(HoldTone::new(self.line));
        }
    }

    pub(crate) fn stop_hold_tone(&mut self) {
        if self.hold_tone.take().is_some() {
            self.ledger.finish(&Source::Local);
            // Without a mark behind it, it would never be known that all was heard.
            self.mark_due |= self.waiting.is_empty() && !self.ledger.unmarked().is_zero();
        }
    }

    /// When more may go to the line though nothing happens.
    pub(crate) fn timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.held {
            return None;
        }
        let ahead = match self.window {
            Some(window) if !self.waiting.is_empty() => window,
            _ if self.hold_tone.is_some() && self.waiting.is_empty() => HOLD_TONE_AHEAD.saturating_sub(HOLD_TONE_PIECE),
            _ => return None,
        };
        // Where there is room already, it is the line that takes nothing, which time does not change.
        let full = self.ledger.queued(now) > ahead;
        self.ledger.when_left(now, ahead).filter(|_| full).map(|at| at.max(now + LEAST_WAIT))
    }

    fn next(&mut self, now: Instant) -> Option<(Option<ResponseId>, AudioFrame)> {
        if self.held {
            return None;
        }
        if self.waiting.is_empty() {
            return self.next_of_hold_tone(now).map(|frame| (None, frame));
        }
        if self.window.is_some_and(|window| self.ledger.queued(now) > window) {
            return None;
        }
        let Waiting { part, response, frame } = self.waiting.pop_front()?;
        let duration = frame.duration();
        self.waiting_length = self.waiting_length.saturating_sub(duration);
        self.ledger.send(now, part, duration);
        Some((response, frame))
    }

    fn next_of_hold_tone(&mut self, now: Instant) -> Option<AudioFrame> {
        if self.ledger.queued(now) + HOLD_TONE_PIECE > HOLD_TONE_AHEAD {
            return None;
        }
        let frame = self.hold_tone.as_mut()?.next(HOLD_TONE_PIECE);
        let part = self.ledger.receive(&Source::Local, frame.duration());
        self.ledger.send(now, part, frame.duration());
        Some(frame)
    }
}

impl Relay {
    /// The next thing to tell the line.
    pub fn poll_media(&mut self, now: Instant) -> Option<MediaCommand> {
        if std::mem::take(&mut self.playout.clear_due) {
            return Some(MediaCommand::Clear);
        }
        if std::mem::take(&mut self.playout.mark_due) {
            return Some(MediaCommand::Mark(self.place_mark(now)));
        }
        let (response, frame) = self.playout.next(now)?;
        self.stats.frames_to_line += 1;
        if let Some(response) = &response
            && self.latency.sent(now, response)
        {
            self.playout.first_of_turn = Some(frame.duration());
        }
        if !self.playout.speaking {
            self.playout.speaking = true;
            self.tell(now, CallEvent::AgentSpeaking);
        }
        self.playout.mark_due = self.playout.first_of_turn.is_some()
            || self.playout.ledger.unmarked() >= self.config.mark_every
            || (self.playout.waiting.is_empty() && self.playout.ledger.last_is_done());
        Some(MediaCommand::Audio(frame))
    }

    /// Audio of the model goes to the end of what waits.
    pub(super) fn play(&mut self, now: Instant, source: &Source, frame: AudioFrame) {
        let Source::Model { response, .. } = source else { return };
        self.playout.know(response);
        if self.playout.is_late(response) {
            self.stats.late_frames += 1;
            return;
        }
        let duration = frame.duration();
        let converted = match &mut self.to_line {
            Some(transcoder) => transcoder.convert(&frame).ok(),
            None => Some(frame),
        };
        let room = self.playout.waiting_length + duration <= self.config.agent_queue;
        let Some(frame) = converted.filter(|_| room) else {
            self.stats.agent_dropped += duration;
            self.dropped(now, Speaker::Agent, duration);
            return;
        };
        // A converter gives back what it has gathered, which may be more or less than what went in.
        let duration = frame.duration();
        if duration.is_zero() {
            return;
        }
        self.playout.stop_hold_tone();
        self.link.is_heard();
        self.latency.first_audio(now, response);
        let part = self.playout.ledger.receive(source, duration);
        self.playout.push(part, Some(response.clone()), frame);
    }

    /// No more audio comes for this part, or for any part of an answer.
    pub(super) fn no_more_audio(&mut self, response: &ResponseId, part: Option<&Source>) {
        match part {
            Some(part) => self.playout.ledger.finish(part),
            None => self.playout.ledger.finish_response(response),
        }
        // The end of speech gets a mark, so that it is known when it was heard.
        if self.playout.waiting.is_empty() && !self.playout.ledger.unmarked().is_zero() {
            self.playout.mark_due = true;
        }
    }

    /// The line has reached a mark.
    pub(super) fn mark_reached(&mut self, now: Instant, mark: MarkId) {
        if self.playout.ledger.reached(now, mark).is_none() {
            self.stats.void_marks += 1;
            return;
        }
        if let Some(latency) = self.latency.reached(now, mark) {
            self.tell(now, CallEvent::Latency(latency));
        }
        self.tell_heard(now);
        self.timers.active(now);
        if self.playout.speaking && self.playout.all_heard() {
            self.playout.speaking = false;
            self.tell(now, CallEvent::AgentSilent);
            // A hold tone that gave way to speech goes on.
            self.check_tools(now);
        }
        self.finish_if_said(now);
    }

    /// What was heard to its end is told, and forgotten.
    fn tell_heard(&mut self, now: Instant) {
        for part in self.playout.ledger.take_heard() {
            let (session, item, content_index) = match part.source {
                Source::Model { item, content_index, .. } => (None, item, content_index),
                Source::Past { session, item, content_index } => (Some(session), item, content_index),
                Source::Local => continue,
            };
            let session = session.unwrap_or(self.link.session());
            let entry = self.transcript.heard_all_in(session, &item, content_index);
            // Of an answer that broke off nobody knows which words were spoken.
            if let Some(entry) = entry.as_ref().filter(|entry| content_index == 0 && !entry.interrupted) {
                self.transcript.learn(&entry.heard, part.received);
            }
            if let Some(entry) = entry {
                self.tell(now, CallEvent::Transcript(entry));
            }
        }
        self.transcript.trim(self.since_start(now), self.config.transcript_limit);
    }

    fn place_mark(&mut self, now: Instant) -> MarkId {
        self.playout.ledger.forget_lost(now);
        self.tell_heard(now);
        let mark = self.playout.ledger.mark();
        if let Some(duration) = self.playout.first_of_turn.take() {
            self.latency.marked(mark, duration);
        }
        mark
    }
}
