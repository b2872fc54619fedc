//! Calls: made, listed, fetched, changed (Twilio: API, Calls).

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use twilio_twiml::{
    Rfc2822,
    phone::Address,
    sid::{ApplicationSid, ByocTrunkSid, CallSid},
    webhook::Form,
    words::{CallEvent, CallStatus, Direction, Trim},
};

use super::{
    dialled::{detection, dialling, parties, progress},
    error::Refusal,
    list::{PAGING, Paging, dates},
    parameters::Parameters,
    server::{Answer, Question},
};
use crate::twilio::{
    account::{Account, Leg, mint, whole_seconds},
    call::{Plan, Way, place},
    register::{Begin, Entry, Order, Progress, Turn},
};

/// What create-call takes.
const CREATE: &[&str] = &[
    "To",
    "From",
    "Url",
    "Method",
    "Twiml",
    "ApplicationSid",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "StatusCallbackEvent",
    "Timeout",
    "TimeLimit",
    "CallerId",
    "SendDigits",
    "Record",
    "RecordingChannels",
    "RecordingTrack",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "RecordingStatusCallbackEvent",
    "RecordingConfigurationId",
    "Trim",
    "MachineDetection",
    "MachineDetectionTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
    "SipAuthUsername",
    "SipAuthPassword",
    "Byoc",
    "CallReason",
    "CallToken",
    "ClientNotificationUrl",
];

/// What update-call takes.
const UPDATE: &[&str] = &[
    "Url",
    "Method",
    "Twiml",
    "Status",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "TimeLimit",
];

pub(super) fn create(question: &Question<'_>) -> Result<Answer, Refusal> {
    let account = question.account;
    let parameters = Parameters::new(question.form, CREATE)?;
    let (to, from) = parties(account, &parameters)?;
    if parameters.word::<ApplicationSid>("ApplicationSid", 21_218)?.is_some() {
        return Err(Refusal::bad(21_218, "The account has no application"));
    }
    let begin = parameters.begin("voice")?.ok_or_else(|| Refusal::bad(21_205, "Url parameter is required."))?;
    parameters.word::<ByocTrunkSid>("Byoc", 21_200)?;
    parameters.word::<Trim>("Trim", 21_200)?;
    let leg = Leg {
        account_sid: account.sid.clone(),
        call_sid: mint("CA"),
        parent: None,
        direction: Direction::OutboundApi,
        from,
        to,
        extra: Form::new(),
    };
    let progress = progress(&parameters)?;
    let is_async = parameters.truth("AsyncAmd")?.unwrap_or(false);
    let told = parameters.fetch("machine detection", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")?;
    let fallback = parameters.fetch("voice fallback", "FallbackUrl", "FallbackMethod")?;
    let dialling = dialling(account, &parameters, &leg.to, detection(&parameters, is_async, told)?)?;
    let entry = account.register.add(&leg, CallStatus::Queued, progress);
    let plan = Plan {
        leg,
        begin,
        fallback,
        time_limit: Duration::MAX,
        record: account.settings.record,
        way: Way::Out(Box::new(dialling)),
    };
    let answer = resource(account, &entry);
    place(account, entry, plan, None);
    Ok(Answer::json(201, &answer))
}

pub(super) fn list(question: &Question<'_>) -> Result<Answer, Refusal> {
    const FILTERS: [&str; 10] = [
        "To",
        "From",
        "ParentCallSid",
        "Status",
        "StartTime",
        "StartTime<",
        "StartTime>",
        "EndTime",
        "EndTime<",
        "EndTime>",
    ];
    let parameters = Parameters::new(question.query, &[&FILTERS[..], &PAGING].concat())?;
    let paging = Paging::read(&parameters)?;
    let (to, from) = (parameters.text("To").map(Address::from), parameters.text("From").map(Address::from));
    let status = status(&parameters, 20_001)?;
    let parent: Option<CallSid> = parameters.word("ParentCallSid", 20_001)?;
    let (started, ended) = (dates(&parameters, "StartTime")?, dates(&parameters, "EndTime")?);
    let account = question.account;
    let items: Vec<_> = account
        .register
        .all()
        .iter()
        .rev()
        .filter(|entry| {
            let facts = entry.facts();
            let is_known = facts.created_at.elapsed() >= account.settings.list_lag;
            is_known
                && to.as_ref().is_none_or(|to| *to == facts.to)
                && from.as_ref().is_none_or(|from| *from == facts.from)
                && status.as_ref().is_none_or(|status| *status == facts.status)
                && parent.as_ref().is_none_or(|parent| Some(parent) == facts.parent.as_ref())
                && started(facts.started.or(Some(facts.created)))
                && ended(facts.ended)
        })
        .map(|entry| (entry.sid.to_string(), resource(account, entry)))
        .collect();
    Ok(Answer::json(200, &paging.body(question.path, question.query, "calls", &items)))
}

pub(super) fn fetch(question: &Question<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(200, &resource(question.account, find(question)?.as_ref())))
}

pub(super) fn delete(question: &Question<'_>) -> Result<Answer, Refusal> {
    let entry = find(question)?;
    if !entry.status().is_terminal() {
        return Err(Refusal::bad(20_009, "Cannot delete this resource before it is complete"));
    }
    question.account.register.remove(&entry.sid);
    Ok(Answer::empty(204))
}

pub(super) fn update(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.form, UPDATE)?;
    let entry = find(question)?;
    if parameters.text("Url").is_some() && parameters.text("Twiml").is_some() {
        return Err(Refusal::bad(21_200, "Url and Twiml exclude each other"));
    }
    let begin = parameters.begin("redirect")?;
    let fallback = parameters.fetch("voice fallback", "FallbackUrl", "FallbackMethod")?;
    let wanted = status(&parameters, 21_200)?;
    let callback = parameters.fetch("call status", "StatusCallback", "StatusCallbackMethod")?;
    let limit = parameters.time("TimeLimit", Duration::from_secs, 1..=86_400, 21_208)?;

    let now = entry.status();
    let has_news = begin.is_some() || wanted.is_some() || limit.is_some() || callback.is_some();
    if now.is_terminal() && has_news || begin.is_some() && now != CallStatus::InProgress {
        return Err(Refusal::not_in_progress());
    }
    if let Some(fetch) = callback {
        entry.change(|facts| {
            let events = facts.progress.take().map_or_else(|| vec![CallEvent::Completed], |progress| progress.events);
            facts.progress = Some(Progress { fetch, events, is_numbered: true });
        });
    }
    if let Some(limit) = limit {
        entry.limit(limit);
    }
    match (wanted, begin) {
        (Some(CallStatus::Completed), _) => entry.order(Order::End),
        // Calls that are answered are not affected (Twilio: Calls, update).
        (Some(CallStatus::Canceled), _) if now == CallStatus::InProgress => {}
        (Some(CallStatus::Canceled), _) => entry.order(Order::End),
        (Some(other), _) => return Err(Refusal::bad(21_200, format!("Invalid Status: {other}"))),
        (None, Some(begin)) => entry.order(Order::Go(Box::new(Turn { begin: checked(begin)?, fallback }))),
        (None, None) => {}
    }
    Ok(Answer::json(200, &resource(question.account, &entry)))
}

/// A status, which must be one that the resource can have.
fn status(parameters: &Parameters<'_>, code: u32) -> Result<Option<CallStatus>, Refusal> {
    let status = parameters.text("Status").map(CallStatus::from);
    match status {
        Some(CallStatus::Other(word)) => Err(Refusal::bad(code, format!("Invalid Status: {word}"))),
        Some(CallStatus::Initiated) => Err(Refusal::bad(code, "Invalid Status: initiated")),
        known => Ok(known),
    }
}

/// A document that a live call can be given.
fn checked(begin: Begin) -> Result<Begin, Refusal> {
    match &begin {
        Begin::Document { response, .. } if response.verbs.is_empty() => {
            Err(Refusal::bad(21_200, "Twiml has no verbs"))
        }
        _ => Ok(begin),
    }
}

fn find(question: &Question<'_>) -> Result<Arc<Entry>, Refusal> {
    let sid = question.asked.call()?;
    question.account.register.find(&sid).ok_or_else(|| Refusal::not_found(&format!("/Calls/{sid}.json")))
}

/// A call as the API shows it (Twilio: Calls, resource).
fn resource(account: &Account, entry: &Entry) -> Value {
    let facts = entry.facts();
    let sid = &entry.sid;
    let date = |moment| Rfc2822(moment).to_string();
    let written = |address: &Address| address.to_string();
    let subresource = |name: &str| account.path(&format!("Calls/{sid}/{name}.json"));
    let status = match facts.status {
        // A word of callbacks only.
        CallStatus::Initiated => CallStatus::Queued,
        status => status,
    };
    json!({
        "sid": sid,
        "account_sid": account.sid,
        "parent_call_sid": facts.parent,
        "to": written(&facts.to),
        "from": written(&facts.from),
        "to_formatted": written(&facts.to),
        "from_formatted": written(&facts.from),
        "phone_number_sid": null,
        "status": status,
        "direction": facts.direction,
        "start_time": facts.started.map(date),
        "end_time": facts.ended.map(date),
        "duration": facts.talked.map(|talked| whole_seconds(talked).to_string()),
        "price": null,
        "price_unit": "USD",
        "answered_by": facts.answered_by,
        "forwarded_from": null,
        "caller_name": null,
        "group_sid": null,
        "queue_time": "0",
        "trunk_sid": null,
        "api_version": "2010-04-01",
        "date_created": date(facts.created),
        "date_updated": date(facts.updated),
        "uri": account.path(&format!("Calls/{sid}.json")),
        "subresource_uris": {
            "notifications": subresource("Notifications"),
            "recordings": subresource("Recordings"),
            "payments": subresource("Payments"),
            "events": subresource("Events"),
            "siprec": subresource("Siprec"),
            "streams": subresource("Streams"),
            "transcriptions": subresource("Transcriptions"),
            "user_defined_message_subscriptions": subresource("UserDefinedMessageSubscriptions"),
            "user_defined_messages": subresource("UserDefinedMessages"),
        },
    })
}
