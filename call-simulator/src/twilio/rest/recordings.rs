//! Recordings: listed, fetched, downloaded, deleted (Twilio: API, Recordings).

use serde_json::{Value, json};
use twilio_twiml::{
    Rfc2822,
    sid::{CallSid, ConferenceSid},
    words::RecordingChannels,
};

use super::{
    error::Refusal,
    list::{PAGING, Paging, dates},
    parameters::Parameters,
    server::{Answer, Question},
};
use crate::twilio::{
    account::{Account, whole_seconds},
    recordings::RecordingFile,
};

pub(super) fn list(question: &Question<'_>) -> Result<Answer, Refusal> {
    const FILTERS: [&str; 6] =
        ["CallSid", "ConferenceSid", "DateCreated", "DateCreated<", "DateCreated>", "IncludeSoftDeleted"];
    let parameters = Parameters::new(question.query, &[&FILTERS[..], &PAGING].concat())?;
    let paging = Paging::read(&parameters)?;
    let wanted: Option<CallSid> = match question.asked.names.first() {
        Some(_) => Some(question.asked.call()?),
        None => parameters.word("CallSid", 20_001)?,
    };
    let created = dates(&parameters, "DateCreated")?;
    let account = question.account;
    let conference: Option<ConferenceSid> = parameters.word("ConferenceSid", 20_001)?;
    let items: Vec<_> = account
        .recordings
        .all()
        .iter()
        .rev()
        .filter(|file| {
            wanted.as_ref().is_none_or(|sid| Some(sid) == file.call_sid.as_ref()) && created(Some(file.created))
        })
        .filter(|file| conference.as_ref().is_none_or(|sid| Some(sid) == file.conference_sid.as_ref()))
        .map(|file| (file.sid.to_string(), resource(account, file)))
        .collect();
    Ok(Answer::json(200, &paging.body(question.path, question.query, "recordings", &items)))
}

pub(super) fn fetch(question: &Question<'_>) -> Result<Answer, Refusal> {
    let file = find(question)?;
    Ok(Answer::json(200, &resource(question.account, &file)))
}

pub(super) fn download(question: &Question<'_>) -> Result<Answer, Refusal> {
    let parameters = Parameters::new(question.query, &["RequestedChannels"])?;
    let file = find(question)?;
    if parameters.text("RequestedChannels") == Some("2") && file.channels != RecordingChannels::Dual {
        return Err(Refusal::bad(16_113, "Dual channel of a mono recording was requested"));
    }
    let wav = file.wav().map_err(|error| Refusal::new(500, 20_500, error.to_string()))?;
    Ok(Answer::wav(wav))
}

pub(super) fn delete(question: &Question<'_>) -> Result<Answer, Refusal> {
    let file = find(question)?;
    question.account.recordings.remove(file.sid.as_str());
    Ok(Answer::empty(204))
}

fn find(question: &Question<'_>) -> Result<std::sync::Arc<RecordingFile>, Refusal> {
    let sid = question.asked.names.first().map(String::as_str).unwrap_or_default();
    question.account.recordings.find(sid).ok_or_else(|| Refusal::not_found(&format!("/Recordings/{sid}.json")))
}

/// A recording as the API shows it (Twilio: Recordings, resource).
fn resource(account: &Account, file: &RecordingFile) -> Value {
    let date = |moment| Rfc2822(moment).to_string();
    json!({
        "sid": file.sid,
        "account_sid": account.sid,
        "call_sid": file.call_sid,
        "conference_sid": file.conference_sid,
        "status": "completed",
        "duration": whole_seconds(file.duration()).to_string(),
        "channels": if file.channels == RecordingChannels::Dual { 2 } else { 1 },
        "source": file.source,
        "track": file.track,
        "start_time": date(file.started),
        "error_code": null,
        "price": null,
        "price_unit": "USD",
        "encryption_details": null,
        "api_version": "2010-04-01",
        "date_created": date(file.created),
        "date_updated": date(file.created),
        "media_url": account.address(&format!("Recordings/{}", file.sid)),
        "uri": account.path(&format!("Recordings/{}.json", file.sid)),
        "subresource_uris": {},
    })
}
