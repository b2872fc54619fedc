//! Recordings of live calls: started, paused, resumed, stopped (Twilio: API, Call recordings).

use std::sync::Arc;

use serde_json::{Value, json};
use twilio_twiml::{
    Rfc2822,
    jiff::Timestamp,
    webhook::RecordingSource,
    words::{CallStatus, RecordingChannels, Trim},
};

use super::{
    dialled::recording,
    error::Refusal,
    parameters::Parameters,
    server::{Answer, Question},
};
use crate::twilio::{
    account::Account,
    call::{Pause, RecordingPlan},
    register::{Entry, Taping},
};

pub(super) fn start(question: &Question<'_>) -> Result<Answer, Refusal> {
    const START: &[&str] = &[
        "RecordingStatusCallback",
        "RecordingStatusCallbackMethod",
        "RecordingStatusCallbackEvent",
        "Trim",
        "RecordingChannels",
        "RecordingTrack",
        "RecordingConfigurationId",
    ];
    let parameters = Parameters::new(question.form, START)?;
    parameters.word::<Trim>("Trim", 21_200)?;
    let entry = live(question)?;
    let plan = recording(&parameters, RecordingSource::StartCallRecordingApi)?;
    if !entry.begin_taping(&plan) {
        return Err(Refusal::bad(16_108, "The call is recorded already"));
    }
    let answer = resource(question.account, &entry, &plan, "in-progress");
    entry.order_taping(Taping::Start(plan));
    Ok(Answer::json(201, &answer))
}

pub(super) fn update(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.form, &["Status", "PauseBehavior"])?;
    let entry = live(question)?;
    let name = question.asked.names.get(1).map(String::as_str).unwrap_or_default();
    let plan = entry.taping().filter(|plan| name == "Twilio.CURRENT" || plan.sid.as_str() == name);
    let plan = plan.ok_or_else(|| Refusal::not_found(&format!("/Recordings/{name}.json")))?;
    let pause = match parameters.text("PauseBehavior") {
        None | Some("silence") => Pause::Silence,
        Some("skip") => Pause::Skip,
        Some(other) => return Err(Refusal::bad(21_200, format!("Invalid PauseBehavior: {other}"))),
    };
    let (status, taping) = match parameters.text("Status") {
        Some("paused") => ("paused", Taping::Pause(pause)),
        Some("in-progress") => ("in-progress", Taping::Resume),
        Some("stopped") => ("stopped", Taping::Stop),
        other => return Err(Refusal::bad(21_200, format!("Invalid Status: {}", other.unwrap_or_default()))),
    };
    entry.order_taping(taping);
    Ok(Answer::json(200, &resource(question.account, &entry, &plan, status)))
}

fn live(question: &Question<'_>) -> Result<Arc<Entry>, Refusal> {
    let sid = question.asked.call()?;
    let entry = question.account.register.find(&sid);
    let entry = entry.ok_or_else(|| Refusal::not_found(&format!("/Calls/{sid}.json")))?;
    match entry.status() {
        CallStatus::InProgress => Ok(entry),
        _ => Err(Refusal::bad(21_220, "Requested resource is not eligible for recording")),
    }
}

fn resource(account: &Account, entry: &Entry, plan: &RecordingPlan, status: &str) -> Value {
    let now = Rfc2822(Timestamp::now()).to_string();
    json!({
        "sid": plan.sid,
        "account_sid": account.sid,
        "call_sid": entry.sid,
        "conference_sid": null,
        "status": status,
        "duration": null,
        "channels": if plan.channels == RecordingChannels::Dual { 2 } else { 1 },
        "source": plan.source,
        "track": plan.track,
        "start_time": now,
        "error_code": null,
        "price": null,
        "price_unit": "USD",
        "encryption_details": null,
        "api_version": "2010-04-01",
        "date_created": now,
        "date_updated": now,
        "uri": account.path(&format!("Calls/{}/Recordings/{}.json", entry.sid, plan.sid)),
    })
}
