//! `<Record>` in a call.

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;
use twilio_twiml::{
    Rfc2822, Seconds,
    jiff::Timestamp,
    sid::RecordingSid,
    webhook::{Form, RecordingProgress, RecordingSource, RecordingStatus, Webhook},
    words::{RecordingChannels, RecordingEvent, RecordingTrack},
};

use super::{
    super::{
        account::{mint, whole_seconds},
        caller::Act,
        line::is_audible,
        message::{Message, RecordPlan},
        phone::beep,
        recordings::RecordingFile,
        timeline::Event,
    },
    Call, Leave,
};

/// How long the beep before a message is.
const BEEP: Duration = Duration::from_millis(400);

impl Call {
    /// Takes a message, and goes on with it. If the caller says nothing the next verb runs.
    pub(super) async fn record(&mut self, plan: RecordPlan) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Record", detail: plan.action.url.to_string() });
        if plan.beeps {
            self.hear(&beep(BEEP).into(), Some(1)).await?;
        }
        let (started, mut message, mut key) = (Timestamp::now(), Message::default(), None);
        let lived = loop {
            self.clock.tick().await;
            let tick = self.line.tick();
            let is_over = message.tick(&plan, &tick.frame, is_audible(&tick.frame));
            if let Err(leave) = self.lived(&tick) {
                break Err(leave);
            }
            key = tick.acts.iter().find_map(|act| match act {
                Act::Presses(key) if Message::is_ended_by(&plan, *key) => Some(key.as_char()),
                _ => None,
            });
            if is_over || key.is_some() {
                break Ok(());
            }
        };
        let Some(heard) = message.finish(&plan) else { return lived };
        let kept = self.keep_message(&plan, heard, started);
        match lived {
            Ok(()) => {
                let digits = key.map(String::from).unwrap_or_default();
                self.fetch_with(plan.action, &kept.with("Digits", digits)).await
            }
            Err(leave @ Leave::End(_)) => {
                // Nobody is there for the answer.
                let mut form = self.leg.voice_form(twilio_twiml::words::CallStatus::Completed, None);
                kept.iter().for_each(|(name, value)| form.push(name, value));
                self.call_back(plan.action, form.with("Digits", "hangup"));
                Err(leave)
            }
            Err(leave) => Err(leave),
        }
    }

    /// Files a message and tells of it; what the action is told.
    fn keep_message(&mut self, plan: &RecordPlan, heard: Vec<u8>, started: Timestamp) -> Form {
        let sid: RecordingSid = mint("RE");
        let length = Seconds(whole_seconds(AudioFormat::MuLaw.duration_of(heard.len())));
        let url = self.account.address(&format!("Recordings/{sid}"));
        self.account.recordings.add(RecordingFile {
            sid: sid.clone(),
            call_sid: Some(self.leg.call_sid.clone()),
            conference_sid: None,
            source: RecordingSource::RecordVerb,
            channels: RecordingChannels::Mono,
            track: RecordingTrack::Inbound,
            started,
            created: Timestamp::now(),
            inbound: heard,
            outbound: Vec::new(),
        });
        if let Some(callback) = plan.callback.clone().filter(|_| plan.events.contains(&RecordingEvent::Completed)) {
            let mut told =
                RecordingProgress::new(self.leg.account_sid.clone(), sid.clone(), RecordingStatus::Completed);
            told.call_sid = Some(self.leg.call_sid.clone());
            told.url = Some(url.clone());
            told.duration = Some(length);
            told.channels = Some(1);
            told.start_time = Some(Rfc2822(started));
            told.source = Some(RecordingSource::RecordVerb);
            self.call_back(callback, told.to_form());
        }
        Form::new()
            .with("RecordingUrl", url)
            .with("RecordingSid", sid.as_str())
            .with("RecordingDuration", length.to_string())
    }
}
