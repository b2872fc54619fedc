//! Participants: dialled into a conference, listed, changed, removed (Twilio: API, Participants).

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use twilio_twiml::{
    Rfc2822,
    jiff::Timestamp,
    sid::{ByocTrunkSid, CallSid, ConferenceSid},
    webhook::Form,
    words::{Beep, CallStatus, ConferenceEvent, Direction, Method, RecordingEvent},
};

use super::{
    conferences::{find, over},
    dialled::{detection, dialling, parties, progress},
    error::Refusal,
    list::{PAGING, Paging},
    parameters::Parameters,
    server::{Answer, Question},
};
use crate::twilio::{
    account::{Account, Leg, mint},
    call::{Plan, Way, place},
    conference::{self, ConferencePlan, MOST, Member, RecordingTold, SharedRoom, Shut, Stage, Told, Traits},
    debugger::AlertCode,
    programme::Wait,
    register::{Begin, Order, lock},
};

/// What create-participant takes.
const CREATE: &[&str] = &[
    "From",
    "To",
    "Label",
    "CallerId",
    "CallerDisplayName",
    "CallReason",
    "CallToken",
    "Byoc",
    "Timeout",
    "TimeLimit",
    "EarlyMedia",
    "StartConferenceOnEnter",
    "EndConferenceOnExit",
    "Beep",
    "Muted",
    "Coaching",
    "CallSidToCoach",
    "WaitUrl",
    "WaitMethod",
    "MaxParticipants",
    "JitterBufferSize",
    "Region",
    "StatusCallback",
    "StatusCallbackMethod",
    "StatusCallbackEvent",
    "ConferenceStatusCallback",
    "ConferenceStatusCallbackMethod",
    "ConferenceStatusCallbackEvent",
    "Record",
    "RecordingChannels",
    "RecordingTrack",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "RecordingConfigurationId",
    "Trim",
    "ConferenceRecord",
    "ConferenceTrim",
    "ConferenceRecordingStatusCallback",
    "ConferenceRecordingStatusCallbackMethod",
    "ConferenceRecordingStatusCallbackEvent",
    "MachineDetection",
    "MachineDetectionTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AmdStatusCallback",
    "AmdStatusCallbackMethod",
    "SipAuthUsername",
    "SipAuthPassword",
    "ClientNotificationUrl",
];

/// What update-participant takes.
const UPDATE: &[&str] = &[
    "Muted",
    "Hold",
    "HoldUrl",
    "HoldMethod",
    "AnnounceUrl",
    "AnnounceMethod",
    "WaitUrl",
    "WaitMethod",
    "BeepOnExit",
    "EndConferenceOnExit",
    "Coaching",
    "CallSidToCoach",
];

pub(super) fn create(question: &Question<'_>) -> Result<Answer, Refusal> {
    let account = question.account;
    let parameters = Parameters::new(question.form, CREATE)?;
    let (to, from) = parties(account, &parameters)?;
    parameters.word::<ByocTrunkSid>("Byoc", 21_200)?;
    parameters.truth("EarlyMedia")?;
    let leg = Leg {
        account_sid: account.sid.clone(),
        call_sid: mint("CA"),
        parent: None,
        direction: Direction::OutboundApi,
        from,
        to,
        extra: Form::new(),
    };
    let joining = joining(question, &parameters)?;
    let told = parameters.fetch("machine detection", "AmdStatusCallback", "AmdStatusCallbackMethod")?;
    let progress = progress(&parameters)?;
    let detection = detection(&parameters, true, told)?;
    let room = conference::expect(account, &leg.call_sid, &joining).map_err(shut)?;
    let dialling = match dialling(account, &parameters, &leg.to, detection) {
        Ok(dialling) => dialling,
        Err(refusal) => {
            conference::give_up(account, &room, &leg.call_sid, CallStatus::Failed);
            return Err(refusal);
        }
    };
    let entry = account.register.add(&leg, CallStatus::Queued, progress);
    let call = leg.call_sid.clone();
    let plan = Plan {
        leg,
        begin: Begin::Room(Box::new(joining)),
        fallback: None,
        time_limit: Duration::MAX,
        record: account.settings.record,
        way: Way::Out(Box::new(dialling)),
    };
    let answer = shown(account, &room, call.as_str())?;
    place(account, entry, plan, Some(room));
    Ok(Answer::json(201, &answer))
}

/// How the leg joins the conference in the path: by its SID, or by its name.
fn joining(question: &Question<'_>, parameters: &Parameters<'_>) -> Result<ConferencePlan, Refusal> {
    let named = question.asked.names.first().map(String::as_str).unwrap_or_default();
    let name = match named.parse::<ConferenceSid>() {
        Err(_) => named.to_owned(),
        Ok(_) => {
            let room = find(question)?;
            let room = lock(&room);
            if room.stage == Stage::Completed {
                return Err(over());
            }
            room.name.clone()
        }
    };
    let label = parameters.text("Label").map(str::to_owned);
    let is_label =
        |label: &String| label.chars().count() <= 128 && !label.contains('/') && label.parse::<CallSid>().is_err();
    if !label.iter().all(is_label) {
        return Err(Refusal::bad(16_024, "Invalid Label"));
    }
    let most = parameters.text("MaxParticipants").map(|most| {
        let number = most.parse().ok().filter(|number| (2..=MOST).contains(number));
        number.ok_or_else(|| Refusal::bad(21_200, format!("Invalid MaxParticipants: {most}")))
    });
    let told = parameters.fetch("conference", "ConferenceStatusCallback", "ConferenceStatusCallbackMethod")?;
    let events = parameters.words("ConferenceStatusCallbackEvent", 21_200)?;
    let events = events.unwrap_or_else(|| vec![ConferenceEvent::Start, ConferenceEvent::End]);
    let recording = RecordingTold {
        callback: parameters.fetch(
            "recording status",
            "ConferenceRecordingStatusCallback",
            "ConferenceRecordingStatusCallbackMethod",
        )?,
        events: parameters
            .words("ConferenceRecordingStatusCallbackEvent", 21_200)?
            .unwrap_or_else(|| vec![RecordingEvent::Completed]),
    };
    Ok(ConferencePlan {
        name,
        traits: Traits {
            label,
            muted: parameters.truth("Muted")?.unwrap_or(false),
            starts: parameters.truth("StartConferenceOnEnter")?.unwrap_or(true),
            ends: parameters.truth("EndConferenceOnExit")?.unwrap_or(false),
            beep: parameters.word("Beep", 21_200)?.unwrap_or(Beep::Always),
            coaches: coached(parameters)?,
            wait: parameters.wait("WaitUrl", "WaitMethod", Method::Post)?.unwrap_or(Wait::Music),
        },
        most: most.transpose()?.unwrap_or(MOST),
        told: told.map(|fetch| Told { fetch, events }),
        record: matches!(parameters.text("ConferenceRecord"), Some("true" | "record-from-start")).then_some(recording),
        action: None,
        leaves_on_star: false,
        time_limit: None,
    })
}

/// The leg that is coached: `Coaching=false` takes it back.
fn coached(parameters: &Parameters<'_>) -> Result<Option<CallSid>, Refusal> {
    let coached = parameters.word("CallSidToCoach", 16_028)?;
    match (parameters.truth("Coaching")?, coached) {
        (Some(false), _) => Ok(None),
        (Some(true), None) => Err(Refusal::bad(16_028, "Coaching needs CallSidToCoach")),
        (_, coached) => Ok(coached),
    }
}

pub(super) fn list(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.query, &[&["Muted", "Hold", "Coaching"][..], &PAGING].concat())?;
    let paging = Paging::read(&parameters)?;
    let room = find(question)?;
    let (muted, hold, coaching) =
        (parameters.truth("Muted")?, parameters.truth("Hold")?, parameters.truth("Coaching")?);
    let room = lock(&room);
    let items: Vec<_> = room
        .members
        .iter()
        .filter(|member| {
            muted.is_none_or(|muted| muted == member.traits.muted)
                && hold.is_none_or(|hold| hold == member.is_on_hold())
                && coaching.is_none_or(|coaching| coaching == member.traits.coaches.is_some())
        })
        .map(|member| (member.call.to_string(), resource(question.account, &room.sid, member)))
        .collect();
    Ok(Answer::json(200, &paging.body(question.path, question.query, "participants", &items)))
}

pub(super) fn fetch(question: &Question<'_>) -> Result<Answer, Refusal> {
    let room = find(question)?;
    Ok(Answer::json(200, &shown(question.account, &room, name(question))?))
}

pub(super) fn update(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.form, UPDATE)?;
    let (room, name, account) = (find(question)?, name(question), question.account);
    shown(account, &room, name)?;
    let hold_music = parameters.wait("HoldUrl", "HoldMethod", Method::Get)?;
    let wait = parameters.wait("WaitUrl", "WaitMethod", Method::Post)?;
    let announcement = parameters.fetch("announcement", "AnnounceUrl", "AnnounceMethod")?;
    let hold = parameters.truth("Hold")?;
    let ends = parameters.truth("EndConferenceOnExit")?;
    let beeps = parameters.truth("BeepOnExit")?;
    let is_coaching_said = parameters.text("Coaching").is_some() || parameters.text("CallSidToCoach").is_some();
    let coaches = is_coaching_said.then(|| coached(&parameters)).transpose()?;
    if let Some(Some(coached)) = &coaches {
        match lock(&room).members.iter().find(|member| member.is_in && member.call == *coached) {
            None => return Err(Refusal::bad(16_028, "The leg to be coached is not in the conference")),
            Some(member) if member.is_on_hold() => {
                return Err(Refusal::bad(16_027, "The leg to be coached is on hold"));
            }
            Some(_) => {}
        }
    }
    let now = Timestamp::now();
    conference::change(account, &room, |room| {
        // Anything but `true` is no (Twilio: Participants, update).
        if let Some(muted) = parameters.text("Muted") {
            room.mute(name, muted == "true", now);
        }
        match hold {
            Some(true) => room.hold(name, Some(hold_music.unwrap_or(Wait::Music)), now),
            Some(false) => room.hold(name, None, now),
            None => {}
        }
        if wait.is_some() || ends.is_some() || beeps.is_some() || coaches.is_some() {
            room.modify(name, now, |member| modify(member, wait, ends, beeps, coaches));
        }
    });
    if let Some(fetch) = announcement {
        conference::announce(account, &room, Some(name.to_owned()), fetch);
    }
    Ok(Answer::json(200, &shown(account, &room, name)?))
}

fn modify(
    member: &mut Member,
    wait: Option<Wait>,
    ends: Option<bool>,
    beeps: Option<bool>,
    coaches: Option<Option<CallSid>>,
) -> bool {
    let before = member.traits.clone();
    if let Some(wait) = wait {
        member.wait_with(wait);
    }
    member.traits.ends = ends.unwrap_or(member.traits.ends);
    member.traits.beep = match (beeps, member.traits.beep) {
        (Some(true), Beep::OnEnter | Beep::Always) => Beep::Always,
        (Some(true), _) => Beep::OnExit,
        (Some(false), Beep::Always | Beep::OnEnter) => Beep::OnEnter,
        (Some(false), _) => Beep::Never,
        (None, beep) => beep,
    };
    if let Some(coaches) = coaches {
        member.traits.coaches = coaches;
    }
    member.traits != before
}

pub(super) fn delete(question: &Question<'_>) -> Result<Answer, Refusal> {
    let (room, name, account) = (find(question)?, name(question), question.account);
    let dialled = lock(&room).member(name).filter(|member| !member.is_in).map(|member| member.call.clone());
    if let Some(entry) = dialled.and_then(|call| account.register.find(&call)) {
        entry.order(Order::End);
    } else if !conference::change(account, &room, |room| room.kick(name)) {
        return Err(absent(question));
    }
    Ok(Answer::empty(204))
}

fn name<'a>(question: &'a Question<'_>) -> &'a str {
    question.asked.names.get(1).map(String::as_str).unwrap_or_default()
}

fn absent(question: &Question<'_>) -> Refusal {
    Refusal::not_found(&format!("/Participants/{}.json", name(question)))
}

fn shown(account: &Arc<Account>, room: &SharedRoom, name: &str) -> Result<Value, Refusal> {
    let mut room = lock(room);
    let sid = room.sid.clone();
    let member = room.member(name).ok_or_else(|| Refusal::not_found(&format!("/Participants/{name}.json")))?;
    Ok(resource(account, &sid, member))
}

/// Why a leg is not dialled into the room, in the API's numbers.
fn shut(why: Shut) -> Refusal {
    let (code, message) = match why {
        Shut::LabelTaken => (16_026, "The label is in use"),
        Shut::Full => (AlertCode::ConferenceFull.number(), "The conference is full"),
        Shut::CoachMissing => (16_028, "The leg to be coached is not in the conference"),
    };
    Refusal::bad(code, message)
}

/// A participant as the API shows it (Twilio: Participants, resource).
fn resource(account: &Account, conference: &ConferenceSid, member: &Member) -> Value {
    let status = match account.register.find(&member.call).map(|entry| entry.facts()) {
        _ if member.is_in => "connected",
        Some(facts) if facts.status == CallStatus::Ringing => "ringing",
        Some(facts) if facts.started.is_some() => "connecting",
        _ => "queued",
    };
    json!({
        "call_sid": member.call,
        "conference_sid": conference,
        "account_sid": account.sid,
        "label": member.traits.label,
        "muted": member.traits.muted,
        "hold": member.is_on_hold(),
        "coaching": member.traits.coaches.is_some(),
        "call_sid_to_coach": member.traits.coaches,
        "start_conference_on_enter": member.traits.starts,
        "end_conference_on_exit": member.traits.ends,
        "status": status,
        "queue_time": "0",
        "date_created": Rfc2822(member.created).to_string(),
        "date_updated": Rfc2822(member.updated).to_string(),
        "uri": account.path(&format!("Conferences/{conference}/Participants/{}.json", member.call)),
    })
}
