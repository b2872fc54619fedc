//! The recording of a call: begun with it or in the middle, paused, resumed, and filed.

use std::time::Duration;

use twilio_twiml::{
    Rfc2822, Seconds,
    jiff::Timestamp,
    sid::RecordingSid,
    webhook::{RecordingProgress, RecordingSource, RecordingStatus, Webhook},
    words::{RecordingChannels, RecordingEvent, RecordingTrack},
};

use super::{
    super::{
        account::{mint, whole_seconds},
        frame::SILENT,
        interpreter::{Fetch, TapePlan},
        line::Tick,
        recordings::RecordingFile,
        register::Taping,
        timeline::Event,
    },
    Call,
};

/// A recording that is shorter than this is none (Twilio: warning 16101).
const SHORTEST: Duration = Duration::from_millis(500);

/// A recording that was asked for.
#[derive(Debug, Clone)]
pub(in super::super) struct RecordingPlan {
    pub(in super::super) sid: RecordingSid,
    pub(in super::super) source: RecordingSource,
    pub(in super::super) channels: RecordingChannels,
    pub(in super::super) track: RecordingTrack,
    pub(in super::super) callback: Option<Fetch>,
    pub(in super::super) events: Vec<RecordingEvent>,
}

/// A recording under way.
pub(super) struct Tape {
    plan: RecordingPlan,
    began: Timestamp,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// What is kept meanwhile: silence, or nothing.
    pause: Option<Pause>,
}

/// What a pause leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Pause {
    Silence,
    Skip,
}

impl Call {
    /// Begins a recording.
    pub(super) fn tape(&mut self, plan: RecordingPlan) {
        let tape = Tape { plan, began: Timestamp::now(), inbound: Vec::new(), outbound: Vec::new(), pause: None };
        self.tell_of_tape(&tape, RecordingEvent::InProgress, RecordingStatus::InProgress, None);
        self.tape = Some(tape);
    }

    /// Begins a recording that a document asks for. A call has one at a time.
    pub(super) fn tape_by_document(&mut self, plan: TapePlan) {
        let TapePlan { channels, track, callback, events } = plan;
        let source = RecordingSource::StartCallRecordingApi;
        let plan = RecordingPlan { sid: mint("RE"), source, channels, track, callback, events };
        self.note(Event::Verb { name: "Recording", detail: plan.sid.to_string() });
        if self.entry.begin_taping(&plan) {
            self.tape(plan);
        } else {
            self.note(Event::Trap { text: "the call is recorded already: nothing is started".into() });
        }
    }

    /// Does what the API wants of the recording, and records 20 ms.
    pub(super) fn tape_tick(&mut self, tick: &Tick) {
        for taping in self.entry.take_tapings() {
            match taping {
                Taping::Start(plan) => self.tape(plan),
                Taping::Pause(pause) => self.tape.iter_mut().for_each(|tape| tape.pause = Some(pause)),
                Taping::Resume => self.tape.iter_mut().for_each(|tape| tape.pause = None),
                Taping::Stop => drop(self.file_tape()),
            }
        }
        let Some(tape) = &mut self.tape else { return };
        let (said, heard) = match tape.pause {
            None => (&tick.frame, &tick.heard),
            Some(Pause::Silence) => (&SILENT, &SILENT),
            Some(Pause::Skip) => return,
        };
        tape.inbound.extend_from_slice(said);
        tape.outbound.extend_from_slice(heard);
    }

    /// Ends the recording and files it. Of one that the call was made with: its SID, its place in the API, its length.
    pub(super) fn file_tape(&mut self) -> Option<(RecordingSid, String, Duration)> {
        let mut tape = self.tape.take()?;
        let file = RecordingFile {
            sid: tape.plan.sid.clone(),
            call_sid: Some(self.leg.call_sid.clone()),
            conference_sid: None,
            source: tape.plan.source.clone(),
            channels: tape.plan.channels,
            track: tape.plan.track,
            started: tape.began,
            created: Timestamp::now(),
            inbound: std::mem::take(&mut tape.inbound),
            outbound: std::mem::take(&mut tape.outbound),
        };
        let length = file.duration();
        if length < SHORTEST {
            self.tell_of_tape(&tape, RecordingEvent::Absent, RecordingStatus::Absent, Some(length));
            return None;
        }
        self.account.recordings.add(file);
        self.tell_of_tape(&tape, RecordingEvent::Completed, RecordingStatus::Completed, Some(length));
        let is_of_call = tape.plan.source == RecordingSource::OutboundApi;
        is_of_call.then(|| (tape.plan.sid.clone(), self.tape_address(&tape.plan), length))
    }

    fn tape_address(&self, plan: &RecordingPlan) -> String {
        self.account.address(&format!("Recordings/{}", plan.sid))
    }

    fn tell_of_tape(&mut self, tape: &Tape, event: RecordingEvent, status: RecordingStatus, length: Option<Duration>) {
        let plan = &tape.plan;
        let Some(fetch) = plan.callback.clone().filter(|_| plan.events.contains(&event)) else { return };
        let mut progress = RecordingProgress::new(self.leg.account_sid.clone(), plan.sid.clone(), status);
        progress.call_sid = Some(self.leg.call_sid.clone());
        progress.url = Some(self.tape_address(plan));
        progress.duration = length.map(|length| Seconds(whole_seconds(length)));
        progress.channels = Some(if plan.channels == RecordingChannels::Dual { 2 } else { 1 });
        progress.track = Some(plan.track);
        progress.start_time = Some(Rfc2822(tape.began));
        progress.source = Some(plan.source.clone());
        self.call_back(fetch, progress.to_form());
    }
}
