//! Each form, as Twilio posts it.

use proptest::prelude::*;
use twilio_twiml::{
    Millis, Seconds,
    phone::Address,
    webhook::{
        AnsweringMachine, CallProgress, ConferenceHappening, ConferenceProgress, Dequeued, DialStatus, Dialed,
        Disconnected, Form, FormError, Gathered, MessageProgress, MessageStatus, PartialSpeech, QueueResult,
        RecordTranscription, Recorded, RecordingProgress, RecordingStatus, Referred, StreamEvent, StreamProgress,
        Transcript, VoiceRequest, Waiting, Webhook, WhyEnded, WhyLeft,
    },
    words::{AnsweredBy, CallStatus, Direction},
};

const CALL: &str = "CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef&\
    From=%2B14155550100&To=%2B442071838750&Caller=%2B14155550100&Called=%2B442071838750&CallStatus=in-progress&\
    ApiVersion=2010-04-01&Direction=inbound";
const SIDS: &str = "CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef";

/// Reads a form, and finds the same again in what it writes. A parameter of tomorrow is kept.
fn read<T: Webhook + PartialEq + std::fmt::Debug>(common: &str, more: &str) -> T {
    let form = Form::parse(format!("{common}&{more}&Tomorrow=new").as_bytes());
    let webhook = T::from_form(&form).unwrap();
    let written = webhook.to_form();
    assert_eq!(written.get("Tomorrow"), Some("new"));
    assert_eq!(T::from_form(&written).unwrap(), webhook);
    assert_eq!(Form::parse(written.encode().as_bytes()), written);
    webhook
}

#[test]
fn a_call_comes_in() {
    let request: VoiceRequest = read(
        CALL,
        "FromCity=SAN+FRANCISCO&FromState=CA&FromZip=&FromCountry=US&StirVerstat=TN-Validation-Passed-A&CallToken=%7B%7D\
         &SipHeader_X-Claim=7&ForwardedFrom=",
    );
    assert_eq!(request.call.from, Address::from("+14155550100"));
    assert_eq!((request.call.status, request.call.direction), (CallStatus::InProgress, Some(Direction::Inbound)));
    assert_eq!(request.call.from_city.as_deref(), Some("SAN FRANCISCO"));
    assert_eq!((request.call.from_zip, request.call.forwarded_from), (None, None));
    assert_eq!(request.stir_verstat.as_deref(), Some("TN-Validation-Passed-A"));
    assert_eq!(
        VoiceRequest::from_form(&Form::parse(format!("{CALL}&SipHeader_X-Claim=7").as_bytes()))
            .unwrap()
            .sip_header("x-claim"),
        Some("7")
    );
}

#[test]
fn callers_without_a_number() {
    for (text, address) in [
        ("anonymous", Address::Withheld("anonymous".into())),
        ("client:joey", Address::Client("joey".into())),
        ("", Address::Withheld("".into())),
        ("sip:joey@h.example", Address::Sip("sip:joey@h.example".into())),
    ] {
        let common = CALL.replacen("From=%2B14155550100", &format!("From={text}"), 1);
        assert_eq!(read::<VoiceRequest>(&common, "").call.from, address);
    }
}

#[test]
fn a_call_ends() {
    let progress: CallProgress = read(
        &CALL.replace("in-progress", "no-answer"),
        "CallbackSource=call-progress-events&SequenceNumber=3&Timestamp=Fri%2C+20+Aug+2010+01%3A13%3A42+%2B0000\
         &CallDuration=42&Duration=1&SipResponseCode=487",
    );
    assert!(progress.call.status.is_terminal());
    assert_eq!(progress.call_duration, Some(Seconds(42)));
    assert_eq!(progress.billed_minutes, Some(1));
    assert_eq!(progress.sip_response_code, Some(487));
    assert_eq!(progress.timestamp.unwrap().0, "2010-08-20T01:13:42Z".parse().unwrap());
    assert!(progress.to_form().encode().contains("Timestamp=Fri%2C+20+Aug+2010+01%3A13%3A42+%2B0000"));
}

#[test]
fn a_machine_answers() {
    let machine: AnsweringMachine = read(SIDS, "AnsweredBy=machine_end_beep&MachineDetectionDuration=4120");
    assert!(machine.answered_by.is_machine());
    assert_eq!(machine.detection_duration, Some(Millis(4120)));
    let new: AnsweringMachine = read(SIDS, "AnsweredBy=robot");
    assert_eq!(new.answered_by, AnsweredBy::Other("robot".into()));
}

#[test]
fn a_recording_is_ready() {
    let recording: RecordingProgress = read(
        SIDS,
        "RecordingSid=RE0123456789abcdef0123456789abcdef&RecordingUrl=https%3A%2F%2Fapi.example%2FRE01&\
         RecordingStatus=completed&RecordingDuration=17&RecordingChannels=2&RecordingTrack=both&\
         RecordingStartTime=Fri%2C+20+Aug+2010+01%3A13%3A42+%2B0000&RecordingSource=StartCallRecordingAPI",
    );
    assert_eq!((recording.status, recording.duration), (RecordingStatus::Completed, Some(Seconds(17))));
    let running: RecordingProgress =
        read(SIDS, "RecordingSid=RE0123456789abcdef0123456789abcdef&RecordingStatus=in-progress&RecordingDuration=-1");
    assert_eq!(running.duration, None);
    let text: RecordTranscription = read(
        SIDS,
        "RecordingSid=RE0123456789abcdef0123456789abcdef&TranscriptionStatus=completed&TranscriptionText=hello",
    );
    assert_eq!(text.text.as_deref(), Some("hello"));
}

#[test]
fn a_conference_goes_on() {
    let room = "AccountSid=AC0123456789abcdef0123456789abcdef&ConferenceSid=CF0123456789abcdef0123456789abcdef&\
        FriendlyName=room-1&SequenceNumber=4&Timestamp=Fri%2C+20+Aug+2010+01%3A13%3A42+%2B0000";
    let left: ConferenceProgress = read(
        room,
        "StatusCallbackEvent=participant-leave&CallSid=CAfedcba9876543210fedcba9876543210&Muted=false&Hold=false&\
         Coaching=false&EndConferenceOnExit=true&StartConferenceOnEnter=true&ParticipantLabel=caller&\
         ParticipantCallStatus=in-progress&ReasonParticipantLeft=participant_updated_via_api",
    );
    assert_eq!((left.event, left.why_left), (ConferenceHappening::Leave, Some(WhyLeft::Redirected)));
    assert_eq!((left.muted, left.end_conference_on_exit), (Some(false), Some(true)));
    let ended: ConferenceProgress = read(
        room,
        "StatusCallbackEvent=conference-end&CallSidEndingConference=CAfedcba9876543210fedcba9876543210&\
         ReasonConferenceEnded=last-participant-left&Reason=Last+participant+left",
    );
    assert_eq!(ended.why_ended, Some(WhyEnded::LastLeft));
}

#[test]
fn a_stream_fails() {
    let stream: StreamProgress = read(
        SIDS,
        "StreamSid=MZ0123456789abcdef0123456789abcdef&StreamName=one&StreamEvent=stream-error&StreamError=31920&\
         Timestamp=2026-04-01T12%3A00%3A00.123Z",
    );
    assert_eq!((stream.event, stream.error.as_deref()), (StreamEvent::Error, Some("31920")));
    assert_eq!(stream.timestamp, Some("2026-04-01T12:00:00.123Z".parse().unwrap()));
}

#[test]
fn words_are_heard() {
    let words: Transcript = read(
        SIDS,
        "TranscriptionSid=GT0123456789abcdef0123456789abcdef&TranscriptionEvent=transcription-content&SequenceId=7&\
         LanguageCode=ja-JP&Track=inbound_track&Final=true&Timestamp=2026-04-01T12%3A00%3A00Z&\
         TranscriptionData=%7B%22transcript%22%3A%22%E3%81%AF%E3%81%84%22%2C%22confidence%22%3A0.99%7D",
    );
    let heard = words.words.unwrap();
    assert_eq!((heard.transcript.as_str(), heard.confidence), ("はい", Some(0.99)));
    assert_eq!(words.is_final, Some(true));
}

#[test]
fn verbs_end() {
    let keys: Gathered = read(CALL, "Digits=1234&FinishedOnKey=%23");
    assert_eq!(keys.digits.as_deref(), Some("1234"));
    let speech: Gathered = read(CALL, "SpeechResult=yes+please&Confidence=0.9317&Language=en-US");
    assert_eq!((speech.speech.as_deref(), speech.confidence), (Some("yes please"), Some(0.9317)));
    let partial: PartialSpeech = read(CALL, "UnstableSpeechResult=yes&StableSpeechResult=");
    assert_eq!((partial.unstable.as_deref(), partial.stable), (Some("yes"), None));

    let dialed: Dialed = read(
        CALL,
        "DialCallStatus=completed&DialCallSid=CA00000000000000000000000000000001&DialCallDuration=20&DialBridged=true",
    );
    assert_eq!(
        (dialed.status, dialed.bridged, dialed.duration),
        (DialStatus::Completed, Some(true), Some(Seconds(20)))
    );
    let after_room: Dialed = read(CALL, "DialCallStatus=answered");
    assert_eq!((after_room.status, after_room.dialed_call_sid), (DialStatus::Answered, None));

    let message: Recorded =
        read(CALL, "RecordingUrl=https%3A%2F%2Fapi.example%2FRE01&RecordingDuration=9&Digits=hangup");
    assert_eq!(message.duration, Some(Seconds(9)));
    let out: Dequeued = read(CALL, "QueueResult=queue-full&QueueTime=0");
    assert_eq!(out.result, QueueResult::QueueFull);
    let waiting: Waiting =
        read(CALL, "QueuePosition=2&QueueTime=31&AvgQueueTime=40&CurrentQueueSize=3&MaxQueueSize=1000");
    assert_eq!(waiting.queue_position, Some(2));
    let referred: Referred = read(CALL, "ReferCallStatus=completed&ReferSipResponseCode=202&NotifySipResponseCode=200");
    assert_eq!(referred.notify_sip_response_code, Some(200));
    let relay: Disconnected = read(CALL, "SessionId=VX1&SessionStatus=ended&SessionDuration=12&HandoffData=%7B%7D");
    assert_eq!(relay.handoff_data.as_deref(), Some("{}"));
}

#[test]
fn a_message_arrives() {
    let message: MessageProgress = read(
        "AccountSid=AC0123456789abcdef0123456789abcdef",
        "MessageSid=SM0123456789abcdef0123456789abcdef&MessageStatus=undelivered&ErrorCode=30003&To=%2B14155550100",
    );
    assert_eq!((message.status, message.error_code), (MessageStatus::Undelivered, Some(30003)));
}

#[test]
fn what_is_wrong_has_a_name_and_no_value() {
    let missing = VoiceRequest::from_form(&Form::parse(SIDS.as_bytes())).unwrap_err();
    assert_eq!(missing, FormError::Missing { name: "From" });
    let invalid = CallProgress::from_form(&Form::parse(format!("{CALL}&CallDuration=%2B1415").as_bytes())).unwrap_err();
    assert_eq!(invalid.to_string(), "the parameter CallDuration should be a whole number of seconds");
    let request: VoiceRequest = read(CALL, "Digits=4111");
    let shown = format!("{request:?}");
    assert!(!shown.contains("4155550100") && !shown.contains("4111"), "{shown}");
}

#[test]
fn a_parameter_that_is_repeated_counts_once() {
    let message: MessageProgress = read(
        "AccountSid=AC0123456789abcdef0123456789abcdef",
        "ErrorCode=&MessageSid=SM0123456789abcdef0123456789abcdef&MessageStatus=sent&ErrorCode=30003",
    );
    assert_eq!(message.error_code, None);
    assert_eq!(message.other.iter().count(), 1);
}

proptest! {
    #[test]
    fn every_body_is_a_form(body in any::<Vec<u8>>()) {
        let form = Form::parse(&body);
        prop_assert_eq!(Form::parse(form.encode().as_bytes()), form);
    }
}
