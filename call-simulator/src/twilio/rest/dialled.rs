//! What create-call and create-participant share: who is called from where, and what is asked for beside it.

use std::time::Duration;

use twilio_twiml::{
    phone::Address,
    twiml::Digits,
    webhook::RecordingSource,
    words::{CallEvent, MachineDetection, RecordingChannels, RecordingEvent, RecordingTrack},
};

use super::{error::Refusal, parameters::Parameters};
use crate::twilio::{
    account::{Account, mint},
    call::{Detection, Dialling, RecordingPlan},
    debugger::{Alert, AlertCode},
    detection::Settings,
    interpreter::Fetch,
    register::Progress,
};

pub(super) fn parties(account: &Account, parameters: &Parameters<'_>) -> Result<(Address, Address), Refusal> {
    let to = parameters.text("To").ok_or_else(|| Refusal::bad(21_201, "No 'To' number is specified"))?;
    let address = Address::from(to);
    if !matches!(address, Address::Phone(_) | Address::Client(_) | Address::Sip(_)) {
        return Err(Refusal::bad(21_211, format!("The phone number you are attempting to call, {to}, is not valid.")));
    }
    let from = parameters.text("From").ok_or_else(|| Refusal::bad(21_213, "From phone number is required"))?;
    let caller = Address::from(from);
    let is_ours = |address: &Address| account.numbers.iter().any(|number| Some(&number.number) == address.phone());
    match &caller {
        Address::Phone(_) if is_ours(&caller) || parameters.text("CallToken").is_some() => {}
        Address::Phone(_) => {
            let message = format!("The source phone number provided, {from}, is not yet verified for your account.");
            return Err(Refusal::bad(21_210, message));
        }
        Address::Client(_) | Address::Sip(_) if address.phone().is_none() => {}
        _ => {
            let message =
                format!("The 'From' number {from} is not a valid phone number, shortcode, or alphanumeric sender ID.");
            return Err(Refusal::bad(21_212, message));
        }
    }
    Ok((address, caller))
}

/// Who is told what becomes of the call.
pub(super) fn progress(parameters: &Parameters<'_>) -> Result<Option<Progress>, Refusal> {
    let fetch = parameters.fetch("call status", "StatusCallback", "StatusCallbackMethod")?;
    let events = parameters.words("StatusCallbackEvent", 21_200)?.unwrap_or_else(|| vec![CallEvent::Completed]);
    Ok(fetch.map(|fetch| Progress { fetch, events, is_numbered: true }))
}

/// How the telephone is called; `detection` is read by its caller, since the parameters have two sets of names.
pub(super) fn dialling(
    account: &Account,
    parameters: &Parameters<'_>,
    to: &Address,
    detection: Option<Detection>,
) -> Result<Dialling, Refusal> {
    let seconds = |name, range| parameters.time(name, Duration::from_secs, range, 21_208);
    let send_digits = match parameters.text("SendDigits") {
        Some(digits) if digits.len() > 32 || !digits.chars().all(|sign| "0123456789ABCD#*wW".contains(sign)) => {
            return Err(Refusal::bad(21_206, format!("Invalid SendDigits: {digits}")));
        }
        digits => digits.map(Digits::from),
    };
    let untold = detection.as_ref().is_some_and(|detection| detection.is_async && detection.callback.is_none());
    let warning = untold.then(|| Alert::new(AlertCode::DetectionUntold, "nobody is told who answers"));
    let taped = recording(parameters, RecordingSource::OutboundApi)?;
    Ok(Dialling {
        timeout: seconds("Timeout", 1..=600)?.unwrap_or(Duration::from_secs(60)),
        time_limit: seconds("TimeLimit", 1..=86_400)?.unwrap_or(account.settings.time_limit),
        send_digits,
        detection,
        recording: parameters.truth("Record")?.unwrap_or(false).then_some(taped),
        warnings: warning.into_iter().collect(),
        // Looked up last: a request that is refused calls nobody.
        phone: account.phones.call(to),
    })
}

/// Detection that was asked for, told to the callback.
pub(super) fn detection(
    parameters: &Parameters<'_>,
    is_async: bool,
    callback: Option<Fetch>,
) -> Result<Option<Detection>, Refusal> {
    let millis = |name, range| parameters.time(name, Duration::from_millis, range, 21_263);
    let mode: Option<MachineDetection> = parameters.word("MachineDetection", 21_234)?;
    let mut settings = Settings::new(mode.unwrap_or(MachineDetection::Enable));
    let timeout = parameters.time("MachineDetectionTimeout", Duration::from_secs, 3..=60, 21_263)?;
    settings.timeout = timeout.unwrap_or(settings.timeout);
    let threshold = millis("MachineDetectionSpeechThreshold", 1_000..=6_000)?;
    settings.speech_threshold = threshold.unwrap_or(settings.speech_threshold);
    settings.speech_end = millis("MachineDetectionSpeechEndThreshold", 500..=5_000)?.unwrap_or(settings.speech_end);
    let silence = millis("MachineDetectionSilenceTimeout", 2_000..=10_000)?;
    settings.silence_timeout = silence.unwrap_or(settings.silence_timeout);
    Ok(mode.map(|_| Detection { settings, is_async, callback }))
}

/// A recording, as it is asked for with a call and during it.
pub(super) fn recording(parameters: &Parameters<'_>, source: RecordingSource) -> Result<RecordingPlan, Refusal> {
    Ok(RecordingPlan {
        sid: mint("RE"),
        source,
        channels: parameters.word("RecordingChannels", 21_200)?.unwrap_or(RecordingChannels::Mono),
        track: parameters.word("RecordingTrack", 21_200)?.unwrap_or(RecordingTrack::Both),
        callback: parameters.fetch("recording status", "RecordingStatusCallback", "RecordingStatusCallbackMethod")?,
        events: parameters
            .words("RecordingStatusCallbackEvent", 21_200)?
            .unwrap_or_else(|| vec![RecordingEvent::Completed]),
    })
}
