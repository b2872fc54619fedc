//! Conferences: listed, fetched, changed (Twilio: API, Conferences).

use serde_json::{Value, json};
use twilio_twiml::{Rfc2822, jiff::Timestamp};

use super::{
    error::Refusal,
    list::{PAGING, Paging, dates},
    parameters::Parameters,
    server::{Answer, Question},
};
use crate::twilio::{
    account::Account,
    conference::{self, Room, SharedRoom, Stage},
    register::lock,
};

pub(super) fn list(question: &Question<'_>) -> Result<Answer, Refusal> {
    const FILTERS: [&str; 8] = [
        "FriendlyName",
        "Status",
        "DateCreated",
        "DateCreated<",
        "DateCreated>",
        "DateUpdated",
        "DateUpdated<",
        "DateUpdated>",
    ];
    let parameters = Parameters::new(question.query, &[&FILTERS[..], &PAGING].concat())?;
    let paging = Paging::read(&parameters)?;
    let status = parameters.text("Status");
    if status.is_some_and(|status| !["init", "in-progress", "completed"].contains(&status)) {
        return Err(Refusal::bad(20_001, "Invalid Status"));
    }
    let (created, updated) = (dates(&parameters, "DateCreated")?, dates(&parameters, "DateUpdated")?);
    let account = question.account;
    let lag = account.settings.list_lag;
    let items: Vec<_> = account
        .rooms
        .all()
        .iter()
        .rev()
        .filter_map(|room| {
            let room = lock(room);
            let is_known = Timestamp::now().duration_since(room.created).unsigned_abs() >= lag;
            let fits = is_known
                && parameters.text("FriendlyName").is_none_or(|name| name == room.name)
                && status.is_none_or(|status| status == word(room.stage))
                && created(Some(room.created))
                && updated(Some(room.updated));
            fits.then(|| (room.sid.to_string(), resource(account, &room)))
        })
        .collect();
    Ok(Answer::json(200, &paging.body(question.path, question.query, "conferences", &items)))
}

pub(super) fn fetch(question: &Question<'_>) -> Result<Answer, Refusal> {
    let room = find(question)?;
    let resource = resource(question.account, &lock(&room));
    Ok(Answer::json(200, &resource))
}

pub(super) fn update(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.form, &["Status", "AnnounceUrl", "AnnounceMethod"])?;
    let room = find(question)?;
    let announcement = parameters.fetch("announcement", "AnnounceUrl", "AnnounceMethod")?;
    if announcement.is_some() && lock(&room).stage == Stage::Completed {
        return Err(over());
    }
    match parameters.text("Status") {
        None => {}
        Some("completed") => conference::change(question.account, &room, |room| room.end_by_api(Timestamp::now())),
        Some(other) => return Err(Refusal::bad(20_001, format!("Invalid Status: {other}"))),
    }
    if let Some(fetch) = announcement {
        conference::announce(question.account, &room, None, fetch);
    }
    let resource = resource(question.account, &lock(&room));
    Ok(Answer::json(200, &resource))
}

/// The conference in the path, by its SID.
pub(super) fn find(question: &Question<'_>) -> Result<SharedRoom, Refusal> {
    let sid = question.asked.names.first().map(String::as_str).unwrap_or_default();
    question.account.rooms.find(sid).ok_or_else(|| Refusal::not_found(&format!("/Conferences/{sid}.json")))
}

pub(super) fn over() -> Refusal {
    Refusal::bad(16_022, "The conference does not exist or is completed")
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Init => "init",
        Stage::InProgress => "in-progress",
        Stage::Completed => "completed",
    }
}

/// A conference as the API shows it (Twilio: Conferences, resource).
fn resource(account: &Account, room: &Room) -> Value {
    let place = account.path(&format!("Conferences/{}", room.sid));
    json!({
        "sid": room.sid,
        "account_sid": account.sid,
        "friendly_name": room.name,
        "status": word(room.stage),
        "region": if room.stage == Stage::Init { "unknown" } else { "us1" },
        "reason_conference_ended": room.why_ended,
        "call_sid_ending_conference": room.ended_by.as_ref().map(|(call, _)| call),
        "api_version": "2010-04-01",
        "date_created": Rfc2822(room.created).to_string(),
        "date_updated": Rfc2822(room.updated).to_string(),
        "uri": format!("{place}.json"),
        "subresource_uris": {
            "participants": format!("{place}/Participants.json"),
            "recordings": format!("{place}/Recordings.json"),
        },
    })
}
