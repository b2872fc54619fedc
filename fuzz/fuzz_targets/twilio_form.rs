//! Any body as every form that Twilio posts: it is read or refused, and what was read is the same when written and read.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use twilio_twiml::webhook::{
    AnsweringMachine, CallProgress, ConferenceProgress, Dequeued, Dialed, Disconnected, Form, Gathered,
    MessageProgress, PartialSpeech, RecordTranscription, Recorded, RecordingProgress, Referred, StreamProgress,
    Transcript, VoiceRequest, Waiting, Webhook,
};

/// What every form needs, so that the fuzzer need not find it.
const REQUIRED: &str = "&CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef\
    &From=%2B14155550100&To=%2B442071838750&CallStatus=ringing&AnsweredBy=human\
    &RecordingSid=RE0123456789abcdef0123456789abcdef&RecordingStatus=completed&TranscriptionStatus=completed\
    &ConferenceSid=CF0123456789abcdef0123456789abcdef&FriendlyName=room&StatusCallbackEvent=participant-join\
    &StreamSid=MZ0123456789abcdef0123456789abcdef&StreamEvent=stream-started&DialCallStatus=completed\
    &TranscriptionSid=GT0123456789abcdef0123456789abcdef&TranscriptionEvent=transcription-content&QueueResult=leave\
    &MessageSid=SM0123456789abcdef0123456789abcdef&MessageStatus=sent";

fuzz_target!(|data: &[u8]| {
    for body in [data.to_vec(), [data, REQUIRED.as_bytes()].concat()] {
        let form = Form::parse(&body);
        assert_eq!(Form::parse(form.encode().as_bytes()), form);
        check::<VoiceRequest>(&form);
        check::<CallProgress>(&form);
        check::<AnsweringMachine>(&form);
        check::<RecordingProgress>(&form);
        check::<RecordTranscription>(&form);
        check::<ConferenceProgress>(&form);
        check::<StreamProgress>(&form);
        check::<Transcript>(&form);
        check::<Gathered>(&form);
        check::<PartialSpeech>(&form);
        check::<Dialed>(&form);
        check::<Recorded>(&form);
        check::<Dequeued>(&form);
        check::<Waiting>(&form);
        check::<Referred>(&form);
        check::<Disconnected>(&form);
        check::<MessageProgress>(&form);
    }
});

fn check<T: Webhook + Debug + PartialEq>(form: &Form) {
    if let Ok(webhook) = T::from_form(form) {
        let written = webhook.to_form();
        assert_eq!(T::from_form(&written).expect("what was written can be read"), webhook);
    }
}
