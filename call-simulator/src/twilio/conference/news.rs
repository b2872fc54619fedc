//! What is told of a room.

use std::{sync::Arc, time::Duration};

use realtime_bridge::audio::AudioFormat;
use tokio::time::sleep;
use twilio_twiml::{
    Rfc2822, Seconds,
    jiff::Timestamp,
    webhook::{ConferenceProgress, Form, RecordingProgress, RecordingSource, RecordingStatus, Webhook},
    words::{RecordingChannels, RecordingEvent, RecordingTrack},
};

use super::{
    recorder::Recorder,
    room::{News, Room, Stage},
};
use crate::twilio::{
    account::{Account, whole_seconds},
    callback_plan::Callback,
    interpreter::Fetch,
    recordings::RecordingFile,
    register::lock,
    webhook::Webhooks,
};

impl News {
    /// The callback: where to, and what it says.
    pub(super) fn delivery(self, account: &Account, room: &Room) -> (Fetch, Form) {
        let mut told =
            ConferenceProgress::new(account.sid.clone(), room.sid.clone(), room.name.clone(), self.happening);
        told.sequence_number = Some(self.place);
        told.timestamp = Some(Rfc2822(self.at));
        if let Some(member) = self.member {
            told.muted = Some(member.traits.muted);
            told.hold = Some(member.is_on_hold());
            told.coaching = Some(member.traits.coaches.is_some());
            told.end_conference_on_exit = Some(member.traits.ends);
            told.start_conference_on_enter = Some(member.traits.starts);
            told.participant_label = member.traits.label;
            told.call_sid = Some(member.call);
        }
        told.why_left = self.why_left;
        told.participant_call_status = self.status;
        told.reason = self.why_ended.as_ref().map(|why| format!("Conference ended: {why}"));
        told.why_ended = self.why_ended;
        told.participant_label_ending_conference = self.ender.as_ref().and_then(|ender| ender.1.clone());
        told.call_sid_ending_conference = self.ender.map(|ender| ender.0);
        if let Some((url, failure)) = self.announcement {
            told.announce_url = Some(url);
            told.reason_announcement_failed = failure;
        }
        (self.fetch, told.to_form())
    }
}

/// What a request says that is about a room, and about a leg in it.
pub(super) fn about(account: &Account, room: &Room, leg: Option<&str>) -> Form {
    let mut form = Form::new()
        .with("AccountSid", account.sid.as_str())
        .with("ConferenceSid", room.sid.as_str())
        .with("FriendlyName", room.name.as_str());
    if let Some(member) = room.members.iter().find(|member| leg.is_some_and(|name| member.is_called(name))) {
        form.push("CallSid", member.call.as_str());
    }
    form
}

/// Begins and ends the recording with the room, and tells of it.
pub(super) fn of_recording(account: &Account, room: &mut Room) -> Option<(Fetch, Form)> {
    let now = Timestamp::now();
    let recorder = room.recorder.as_mut()?;
    if std::mem::take(&mut recorder.is_news) {
        return told(account, room, RecordingEvent::InProgress, RecordingStatus::InProgress, None);
    }
    let is_over = room.stage == Stage::Completed && room.members.is_empty();
    let began = recorder.began.filter(|_| is_over)?;
    let heard = recorder.finish();
    let length = AudioFormat::MuLaw.duration_of(heard.len());
    let file = RecordingFile {
        sid: recorder.sid.clone(),
        call_sid: None,
        conference_sid: Some(room.sid.clone()),
        source: RecordingSource::Conference,
        channels: RecordingChannels::Mono,
        track: RecordingTrack::Both,
        started: began,
        created: now,
        outbound: Vec::new(),
        inbound: heard,
    };
    let told = told(account, room, RecordingEvent::Completed, RecordingStatus::Completed, Some(length));
    account.recordings.add(file);
    room.recorder = None;
    told
}

fn told(
    account: &Account,
    room: &Room,
    event: RecordingEvent,
    status: RecordingStatus,
    length: Option<Duration>,
) -> Option<(Fetch, Form)> {
    let Recorder { sid, told, began, .. } = room.recorder.as_ref()?;
    let fetch = told.callback.clone().filter(|_| told.events.contains(&event))?;
    let mut progress = RecordingProgress::new(account.sid.clone(), sid.clone(), status);
    progress.conference_sid = Some(room.sid.clone());
    progress.url = Some(account.address(&format!("Recordings/{sid}")));
    progress.duration = length.map(|length| Seconds(whole_seconds(length)));
    progress.channels = Some(1);
    progress.track = Some(RecordingTrack::Both);
    progress.start_time = began.map(Rfc2822);
    progress.source = Some(RecordingSource::Conference);
    Some((fetch, progress.to_form()))
}

/// Sends a callback on its way, which is the account's and no call's.
pub(super) fn deliver(account: &Arc<Account>, fetch: Fetch, form: Form) {
    let deliveries = lock(&account.callback_plan).clone().decide(&Callback::new(fetch.purpose, &form));
    for late in deliveries {
        let webhooks = Webhooks::new(account.dialer.clone(), account.token.clone());
        let (fetch, form, stop) = (fetch.clone(), form.clone(), account.stop.clone());
        let sending = async move {
            sleep(late).await;
            // Nobody is there to be told that nobody was told.
            let _ = webhooks.send(&fetch, &form).await;
        };
        account.tasks.spawn(async move { stop.run_until_cancelled(sending).await });
    }
}
