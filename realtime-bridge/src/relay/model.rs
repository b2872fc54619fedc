//! What the model tells, and what follows from it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    CallEvent, EndReason, Relay, Speaker,
    agent::error_text,
    ledger::Source,
    sequencer::{Began, Ended, Purpose, Wish},
};
use crate::realtime::{
    ErrorClass, ItemId, ItemKind, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, RequestId, ResponseId,
    ResponseOutcome, ResponseStatus, SessionError, ToolCall, classify, retry_delay,
};

/// How many cuts are remembered: to repeat one that was refused, and to cut no entry twice.
const REMEMBERED_CUTS: usize = 16;

/// How long a caller can be left waiting in silence because the model has no time. A model that wants a longer pause
/// has refused.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How much less is claimed to have been heard when the model has made less audio than we have counted.
const CUT_MARGIN: Duration = Duration::from_millis(100);

/// What was asked of the model and may still come back.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    cuts: VecDeque<Cut>,
    /// The newest answer that was spoken.
    spoken: Option<ResponseId>,
}

#[derive(Debug)]
struct Cut {
    /// `None` once it was repeated, and where nothing was asked.
    request: Option<RequestId>,
    item: ItemId,
    content_index: u32,
    heard: Duration,
}

impl Pending {
    pub(crate) fn truncated(&mut self, request: RequestId, item: &ItemId, content_index: u32, heard: Duration) {
        self.remember(Cut { request: Some(request), item: item.clone(), content_index, heard });
    }

    /// No more of this entry will be played, though it was not cut.
    fn left(&mut self, item: &ItemId, content_index: u32) {
        self.remember(Cut { request: None, item: item.clone(), content_index, heard: Duration::ZERO });
    }

    fn remember(&mut self, cut: Cut) {
        if self.cuts.len() == REMEMBERED_CUTS {
            self.cuts.pop_front();
        }
        self.cuts.push_back(cut);
    }

    fn was_cut(&self, item: &ItemId) -> bool {
        self.cuts.iter().any(|cut| cut.item == *item)
    }
}

impl Relay {
    /// The model has told something.
    pub fn handle_model(&mut self, now: Instant, event: RealtimeEvent) {
        if self.is_over() || self.model_is_gone() || self.link.is_down() {
            return;
        }
        match event {
            // Whose line it is plays it.
            RealtimeEvent::Audio { response, .. } if self.playout.elsewhere.is_some() => {
                self.model_works(now, &response);
            }
            RealtimeEvent::Audio { response, item, content_index, frame } => {
                self.model_works(now, &response);
                self.pending.spoken = Some(response.clone());
                self.caller_answered();
                let late = self.stats.late_frames;
                let source = Source::Model { response, item, content_index };
                self.play(now, &source, frame);
                if let Source::Model { item, .. } = source
                    && self.stats.late_frames > late
                    && !self.pending.was_cut(&item)
                {
                    // It was made before the model heard the caller, who has heard nothing of it.
                    self.truncate(item, content_index, Duration::ZERO);
                }
            }
            RealtimeEvent::AudioDone { response, item, content_index } => {
                let source = Source::Model { response: response.clone(), item, content_index };
                self.no_more_audio(&response, Some(&source));
            }
            RealtimeEvent::TranscriptDelta { response, item, content_index, delta } => {
                self.model_works(now, &response);
                self.says_elsewhere(now, &response, (&item, content_index), &delta, false);
                self.transcript.add(self.since_start(now), Speaker::Agent, &item, content_index, &delta);
                self.transcript.belongs(&item, &response);
            }
            RealtimeEvent::Transcript { response, item, content_index, text } => {
                self.says_elsewhere(now, &response, (&item, content_index), &text, true);
                self.write_words(now, Speaker::Agent, &item, content_index, text);
                self.transcript.belongs(&item, &response);
            }
            RealtimeEvent::SpeechStarted { item, .. } => {
                if let Some(item) = item {
                    self.transcript.begins(self.since_start(now), item);
                }
                self.caller_speaks(now);
            }
            RealtimeEvent::SpeechStopped { .. } => self.caller_stops(now),
            RealtimeEvent::TurnCommitted { item, previous } => {
                self.transcript.place(self.since_start(now), &item, previous.as_ref(), ItemKind::User);
                self.turn_committed(now);
            }
            RealtimeEvent::ItemAdded { item, previous, kind } => {
                // What the caller has said is known before it is told of as an entry, unlike what we have told.
                if matches!(kind, ItemKind::ToolOutput | ItemKind::User) && !self.transcript.has(&item) {
                    self.sequencer.result_known();
                }
                self.transcript.place(self.since_start(now), &item, previous.as_ref(), kind);
            }
            RealtimeEvent::UserTranscriptDelta { item, delta } => {
                self.transcript.add(self.since_start(now), Speaker::Caller, &item, 0, &delta);
            }
            RealtimeEvent::UserTranscript { item, text } => {
                self.caller_understood();
                self.write_words(now, Speaker::Caller, &item, 0, text);
            }
            RealtimeEvent::ResponseStarted { response, request } => self.response_started(now, &response, request),
            RealtimeEvent::ResponseDone(outcome) => self.response_done(now, *outcome),
            RealtimeEvent::Dtmf(digit) => self.key_pressed(now, digit),
            RealtimeEvent::RateLimits(limits) => self.tell(now, CallEvent::RateLimits(limits)),
            RealtimeEvent::UserTranscriptFailed { item, error } => {
                self.tell(now, CallEvent::ProviderProblem(error));
                if let Some(entry) = self.transcript.lose_words(self.since_start(now), &item) {
                    self.tell(now, CallEvent::Transcript(entry));
                }
            }
            RealtimeEvent::Error(error) => self.model_error(now, error),
            RealtimeEvent::Other { kind, json } => self.tell(now, CallEvent::Provider { kind, json: json.into() }),
            RealtimeEvent::Playback { response, change } => self.playback_changed(now, &response, change),
            RealtimeEvent::AsideDelta { .. } => {}
            RealtimeEvent::Aside { request, result, usage } => self.aside_done(now, request, result, usage),
            // What was heard is known already: from the ledger, or from what is played.
            RealtimeEvent::Truncated { .. } => {}
        }
    }

    /// The session has ended, with an error or in order.
    pub fn handle_model_closed(&mut self, now: Instant, error: Option<SessionError>) {
        let reason = error.map_or(EndReason::ModelClosed, |error| EndReason::ModelFailed(error.into()));
        self.model_leaves(now, reason);
    }

    /// The model stalls: whatever it was about is asked for again.
    pub(super) fn answer_again(&mut self, now: Instant) {
        if let Some(response) = self.sequencer.interrupt() {
            let heard = self.playout.is_silent(now);
            for (item, content_index, received) in self.playout.ledger.parts_of(&response) {
                if heard {
                    self.truncate(item, content_index, received);
                } else {
                    // The line still plays it, so it is not cut; but neither has nothing of it been heard.
                    self.pending.left(&item, content_index);
                }
            }
            self.no_more_audio(&response, None);
            self.playout.disown(&response);
            self.sequencer.ended(&response);
            self.cancel(response);
        }
        self.caller.awaits_answer = false;
        self.sequencer.withdraw();
        if !self.sequencer.has(Purpose::Goodbye) {
            self.sequencer.retry(None, now);
        }
    }

    fn write_words(&mut self, now: Instant, speaker: Speaker, item: &ItemId, part: u32, text: String) {
        let at = self.since_start(now);
        if let Some(entry) = self.transcript.write(at, speaker, item, part, text) {
            self.tell(now, CallEvent::Transcript(entry));
        }
    }

    fn response_started(&mut self, now: Instant, response: &ResponseId, request: Option<RequestId>) {
        self.timers.model(now);
        self.timers.active(now);
        self.caller.awaits_answer = false;
        self.goodbye_begins();
        self.playout.know(response);
        match self.sequencer.began(response, request) {
            Began::Wanted => self.latency.response_started(now, response),
            Began::Unwanted => {
                self.playout.disown(response);
                self.cancel(response.clone());
            }
        }
    }

    fn response_done(&mut self, now: Instant, outcome: ResponseOutcome) {
        let ResponseOutcome { response, status, calls, usage, .. } = outcome;
        self.no_more_audio(&response, None);
        self.settle_words(now, &response);
        self.latency.response_done(&response);
        let Ended { wish, cancelled } = self.sequencer.ended(&response);
        let unwanted = cancelled || self.playout.is_disowned(&response);
        let spoke = self.pending.spoken.as_ref() == Some(&response);
        self.timers.active(now);
        if !self.sequencer.is_owed() {
            self.timers.model_idle();
        }
        if let Some(usage) = usage {
            self.usage += usage;
            self.tell(now, CallEvent::Usage(usage));
        }
        if !matches!(status, ResponseStatus::Failed(_)) {
            self.link.bears_fruit();
        }
        match status {
            // It was whole before the model heard of the interruption: what it was about to do is not wanted any more.
            ResponseStatus::Completed if unwanted => self.decline(calls),
            ResponseStatus::Completed => {
                let (whole, broken): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.complete);
                self.run_tools(now, &response, spoke, whole);
                self.decline(broken);
            }
            ResponseStatus::Interrupted | ResponseStatus::Cancelled => {
                self.never_begins(now, &response);
                self.decline(calls);
            }
            ResponseStatus::Incomplete { reason } => {
                self.decline(calls);
                if !spoke && !unwanted {
                    // The caller has heard nothing and waits.
                    self.sequencer.retry(wish, now);
                }
                let message = "the answer was cut short";
                self.tell(now, CallEvent::ProviderProblem(ProviderError::new("incomplete", reason, message)));
            }
            ResponseStatus::Failed(error) => {
                self.decline(calls);
                self.answer_failed(now, wish, error);
            }
        }
        self.expect_confirmation(now);
        self.finish_if_said(now);
    }

    /// Words whose voice never came, as the answer failed or was stopped, were not heard.
    fn settle_words(&mut self, now: Instant, response: &ResponseId) {
        if self.playout.elsewhere.is_some() {
            // Only the provider knows what it plays.
            return;
        }
        let ledger = &self.playout.ledger;
        for entry in self.transcript.settle(response, |item| ledger.holds(item)) {
            self.tell(now, CallEvent::Transcript(entry));
        }
    }

    /// Calls that must not run, since the model did not finish them or the caller interrupted. Each gets an output, as a
    /// call without one confuses later turns.
    fn decline(&mut self, calls: Vec<ToolCall>) {
        for call in calls {
            self.add_item(NewItem::ToolOutput { call: call.id, output: error_text("cancelled, nothing was done") });
        }
    }

    fn answer_failed(&mut self, now: Instant, wish: Option<Wish>, error: ProviderError) {
        let again = match classify(&error) {
            ErrorClass::Retry => {
                let pause = retry_delay(&error);
                pause <= LONGEST_PAUSE && self.sequencer.retry(wish.clone(), now + pause)
            }
            ErrorClass::Benign => self.sequencer.retry(wish.clone(), now),
            ErrorClass::Rotate | ErrorClass::Fatal => false,
        };
        if again {
            self.tell(now, CallEvent::ProviderProblem(error));
        } else if self.link.can_reconnect() {
            self.sequencer.want(wish.unwrap_or_else(|| Wish::new(Purpose::Turn)));
            self.model_lost(now, EndReason::ModelRefused(error));
        } else {
            self.end(now, EndReason::ModelRefused(error));
        }
    }

    fn model_error(&mut self, now: Instant, error: ProviderError) {
        if error.request.is_some_and(|request| self.digest.is_asked(request)) {
            return self.not_summed_up(now, error);
        }
        let class = classify(&error);
        let pause = (class == ErrorClass::Retry).then(|| retry_delay(&error));
        let refused = self.sequencer.is_refused(&error, pause.is_some());
        let hopeless = refused && pause.is_some_and(|pause| pause > LONGEST_PAUSE);
        if hopeless || matches!(class, ErrorClass::Rotate | ErrorClass::Fatal) {
            self.model_leaves(now, EndReason::ModelRefused(error));
            return;
        }
        let goodbye = self.sequencer.has(Purpose::Goodbye);
        if refused {
            self.sequencer.refused(now, &error, pause);
        }
        if goodbye && !self.sequencer.has(Purpose::Goodbye) {
            self.goodbye_refused();
        }
        if !self.sequencer.is_owed() {
            self.timers.model_idle();
        }
        self.cut_again(&error);
        self.tell(now, CallEvent::ProviderProblem(error));
        self.finish_if_said(now);
    }

    /// A cut that the model refused as too long did not happen: it is asked for once more, with less.
    fn cut_again(&mut self, error: &ProviderError) {
        if error.code.as_deref() != Some("invalid_value") || error.request.is_none() {
            return;
        }
        let Some(cut) = self.pending.cuts.iter_mut().find(|cut| cut.request == error.request) else { return };
        cut.request = None;
        let (item, content_index) = (cut.item.clone(), cut.content_index);
        let heard = cut.heard.saturating_sub(CUT_MARGIN);
        let request = self.request();
        self.commands.push_back(RealtimeCommand::Truncate { request, item, content_index, heard });
    }

    /// This answer is more than calls of tools.
    pub(super) fn pending_spoken(&mut self, response: &ResponseId) {
        self.pending.spoken = Some(response.clone());
    }

    /// Nothing that was asked of a session that is over comes back.
    pub(super) fn forget_pending(&mut self) -> bool {
        let spoke = self.pending.spoken.is_some() && self.pending.spoken.as_ref() == self.sequencer.active();
        self.pending = Pending::default();
        spoke
    }

    /// The model is at work on the answer that runs.
    fn model_works(&mut self, now: Instant, response: &ResponseId) {
        if self.sequencer.active() == Some(response) {
            self.timers.model(now);
        }
    }
}
