//! The caller's side: audio to the model, speech, turns, and what talking over the agent does.

use std::time::{Duration, Instant};

use super::{
    BargeIn, CallEvent, EndReason, Relay, Speaker,
    ledger::{Part, Source},
    sequencer::{Purpose, Wish},
};
use crate::{
    audio::AudioFrame,
    media::{MediaError, MediaEvent},
    realtime::{ItemId, NewItem, RealtimeCommand, ResponseId, TurnOwner},
};

/// What is appended when the caller's audio ends in the middle of speech, so that the model can hear the end of it.
const PADDING: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Caller {
    speaking: bool,
    /// The agent has paused; if the caller still speaks then, it stops.
    confirm_at: Option<Instant>,
    /// The turn that is about to be committed was only a noise, and gets no answer.
    passing: bool,
    /// The gap in the audio has been padded.
    padded: bool,
    /// The provider is about to answer a turn by itself: to ask for an answer now would only be in its way.
    pub(crate) awaits_answer: bool,
    /// What the caller has said is told to the next session again.
    pub(crate) told_again: bool,
}

impl Caller {
    pub(crate) const fn is_speaking(&self) -> bool {
        self.speaking
    }

    pub(crate) const fn confirm_at(&self) -> Option<Instant> {
        self.confirm_at
    }

    /// Speech that is under way needs audio to come to its end.
    pub(crate) const fn wants_padding(&self) -> bool {
        self.speaking && !self.padded
    }
}

impl Relay {
    /// The line has told something.
    pub fn handle_media(&mut self, now: Instant, event: MediaEvent) {
        if self.is_over() {
            return;
        }
        match event {
            MediaEvent::Audio(frame) => {
                self.stats.frames_from_line += 1;
                self.timers.media(now);
                self.caller.padded = false;
                self.hear(now, frame);
            }
            MediaEvent::Mark(mark) => self.mark_reached(now, mark),
            MediaEvent::Dtmf(digit) => self.key_pressed(now, digit),
            MediaEvent::Gap(missing) => {
                self.stats.gaps += 1;
                self.stats.gap_time += missing;
                self.tell(now, CallEvent::Gap(missing));
            }
            MediaEvent::Started(start) => self.line_started(now, start),
            MediaEvent::Stopped => self.end(now, EndReason::CallerHungUp),
        }
    }

    /// The line has ended, with an error or without having said goodbye.
    pub fn handle_media_closed(&mut self, now: Instant, error: Option<MediaError>) {
        let error = error.unwrap_or(MediaError::CutOff);
        self.end(now, EndReason::LineFailed(error.into()));
    }

    pub(super) fn caller_speaks(&mut self, now: Instant) {
        self.caller.speaking = true;
        self.link.speech_begins();
        self.caller.padded = false;
        self.caller.passing = false;
        self.caller.awaits_answer = false;
        self.timers.caller_active(now);
        if !self.sequencer.is_owed() {
            // An answer that nobody has asked for yet cannot be late.
            self.timers.model_waits();
        }
        self.tell(now, CallEvent::CallerSpeaking);
        match self.config.barge_in {
            BargeIn::Immediate => self.interrupt(now, self.turn_owner == TurnOwner::Bridge),
            BargeIn::Confirmed { speech, .. } => {
                // An agent that cannot be heard is not talked over: what the caller says then is meant.
                if !self.playout.is_silent(now) {
                    self.playout.held = true;
                    self.caller.confirm_at = Some(now + speech);
                    self.tell(now, CallEvent::Paused);
                } else {
                    self.interrupt(now, true);
                }
            }
        }
    }

    pub(super) fn caller_stops(&mut self, now: Instant) {
        self.caller.speaking = false;
        self.timers.caller_active(now);
        self.tell(now, CallEvent::CallerSilent);
        self.renew_limit(now);
        if self.caller.confirm_at.take().is_some() {
            self.caller.passing = true;
            self.playout.held = false;
            self.tell(now, CallEvent::Resumed);
            self.expect_confirmation(now);
            self.finish_if_said(now);
        } else {
            self.latency.begin(now);
        }
    }

    /// The caller is not listened to any more.
    pub(super) const fn caller_silenced(&mut self) {
        self.caller.speaking = false;
        self.caller.confirm_at = None;
        self.playout.held = false;
    }

    pub(super) fn turn_committed(&mut self, now: Instant) {
        let passing = std::mem::take(&mut self.caller.passing);
        match self.turn_owner {
            // A model that alone decides when it speaks owes nothing.
            TurnOwner::Provider if !self.capabilities.respond => {}
            TurnOwner::Provider => {
                self.timers.model(now);
                self.caller.awaits_answer = self.sequencer.active().is_none();
            }
            TurnOwner::Bridge if passing => {}
            TurnOwner::Bridge => self.sequencer.want(Wish::new(Purpose::Turn)),
        }
    }

    /// The caller goes on speaking over the agent: it is more than a noise.
    pub(super) fn confirm_speech(&mut self, now: Instant) {
        if self.caller.confirm_at.take_if(|at| now >= *at).is_some() {
            self.interrupt(now, true);
        }
    }

    /// Stops the agent: what waits is dropped, what plays is cut, and the model is told what was heard of it.
    /// `cancel` also stops an answer that is being made, where the provider does not do so by itself.
    pub(super) fn interrupt(&mut self, now: Instant, cancel: bool) {
        self.caller.confirm_at = None;
        self.playout.held = false;
        self.journal.call_off_end();
        let active = self.sequencer.interrupt();
        let called_off = self.call_off_end(now);
        if called_off && let Some(reason) = self.gone.take() {
            self.end(now, reason);
            return;
        }
        if active.is_some() || !self.playout.all_heard() || !self.playout.is_silent(now) {
            if cancel && active.is_none() {
                // The answer is whole, and the provider still plays it.
                self.ask_for_silence();
            }
            self.stop_agent(now, active.filter(|_| cancel));
        }
        if called_off {
            // The model may have been told, or have said, that the call ends.
            self.add_item(NewItem::System(self.config.prompts.end_called_off.clone()));
        }
        self.finish_if_said(now);
    }

    fn stop_agent(&mut self, now: Instant, cancel: Option<ResponseId>) {
        let unheard = self.cut(now, true);
        if let Some(response) = cancel {
            self.cancel(response);
        }
        self.stats.interruptions += 1;
        self.tell(now, CallEvent::Interrupted { unheard });
        if std::mem::take(&mut self.playout.speaking) {
            self.tell(now, CallEvent::AgentSilent);
        }
    }

    /// Drops everything that was not heard, and settles what was. Gives the length of what will never be heard.
    pub(super) fn cut(&mut self, now: Instant, tell_model: bool) -> Duration {
        if let Some(transcoder) = &mut self.to_line {
            transcoder.reset();
        }
        let mut unheard = self.clear_elsewhere(now);
        for Part { source, received, heard, done, .. } in self.playout.clear(now) {
            let (session, item, content_index) = match source {
                Source::Model { item, content_index, .. } => (None, item, content_index),
                Source::Past { session, item, content_index } => (Some(session), item, content_index),
                Source::Local => continue,
            };
            unheard += received - heard;
            let whole = done && heard == received;
            if tell_model && !whole && session.is_none() {
                self.truncate(item.clone(), content_index, heard);
            }
            let session = session.unwrap_or(self.link.session());
            let entry = if whole {
                self.transcript.heard_all_in(session, &item, content_index)
            } else {
                self.transcript.cut_in(session, (&item, content_index), heard, received, done)
            };
            if let Some(entry) = entry {
                if tell_model && !whole && session != self.link.session() {
                    // Nothing of an earlier session can be cut, and this one was told that it would be heard.
                    self.add_item(NewItem::System(format!("{}{}", self.config.prompts.cut_off, entry.heard)));
                }
                self.tell(now, CallEvent::Transcript(entry));
            }
        }
        unheard
    }

    pub(super) fn cancel(&mut self, response: ResponseId) {
        if !self.capabilities.respond || self.link.is_down() {
            return;
        }
        let request = self.request();
        self.commands.push_back(RealtimeCommand::Cancel { request, response: Some(response) });
        self.ask_for_silence();
    }

    pub(super) fn truncate(&mut self, item: ItemId, content_index: u32, heard: Duration) {
        if !self.capabilities.truncate || self.link.is_down() {
            return;
        }
        let request = self.request();
        self.pending.truncated(request, &item, content_index, heard);
        self.commands.push_back(RealtimeCommand::Truncate { request, item, content_index, heard });
    }

    pub(super) fn pad_speech(&mut self) {
        self.caller.padded = true;
        // A model that does not take what waits already would not hear the end any sooner.
        if self.caller_audio_length > self.config.caller_queue {
            return;
        }
        self.append(AudioFrame::silence(self.model_input, PADDING));
    }

    fn hear(&mut self, now: Instant, frame: AudioFrame) {
        if self.model_is_gone() {
            return;
        }
        let length = frame.duration();
        let queue = self.caller_queue();
        let converted = match &mut self.to_model {
            Some(transcoder) => transcoder.convert(&frame).ok(),
            None => Some(frame),
        };
        let mut dropped = Duration::ZERO;
        match converted {
            Some(frame) => {
                if let Some(kept) = self.link.kept_mut() {
                    kept.push(&frame);
                }
                self.append(frame);
            }
            None => dropped += length,
        }
        while self.caller_audio_length > queue {
            let Some(oldest) = self.caller_audio.pop_front() else { break };
            self.caller_audio_length = self.caller_audio_length.saturating_sub(oldest.duration());
            dropped += oldest.duration();
        }
        self.check_backlog();
        if !dropped.is_zero() {
            self.stats.caller_dropped += dropped;
            self.dropped(now, Speaker::Caller, dropped);
        }
    }

    fn append(&mut self, frame: AudioFrame) {
        if frame.is_empty() {
            return;
        }
        self.caller_audio_length += frame.duration();
        self.caller_audio.push_back(frame);
    }
}
