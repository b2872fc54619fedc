//! The messages of Media Streams, against the examples of Twilio's documentation.

use std::borrow::Cow;

use proptest::prelude::*;
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::twilio::wire::{FromTwilio, Media, ToTwilio, Track, media_message},
};

const FROM_TWILIO: &str = include_str!("../../data/twilio/messages-from-twilio.jsonl");
const TO_TWILIO: &str = include_str!("../../data/twilio/messages-to-twilio.jsonl");
const STREAM: &str = "MZ0123456789abcdef0123456789abcdef";

#[test]
fn every_documented_message_from_twilio_is_read_and_written_exactly() {
    for text in FROM_TWILIO.lines() {
        let message = FromTwilio::parse(text).unwrap();
        assert!(!matches!(message, FromTwilio::Unknown(_)), "{text}");
        assert_eq!(message.to_json(), text);
    }
}

#[test]
fn every_documented_message_to_twilio_is_read_and_written_exactly() {
    for text in TO_TWILIO.lines() {
        assert_eq!(ToTwilio::parse_strict(text).unwrap().to_json(), text);
    }
}

#[test]
fn the_documented_layout_of_media_takes_the_scan_and_means_the_same_in_the_full_parser() {
    let text = FROM_TWILIO.lines().find(|line| line.contains(r#""event":"media""#)).unwrap();
    let media = FromTwilio::scan(text).unwrap();
    assert_eq!(
        media,
        Media {
            sequence_number: Some(4),
            stream_sid: STREAM.into(),
            track: Track::Inbound,
            chunk: Some(3),
            timestamp: Some(65),
            payload: "//7+/v7/fn5+".into(),
        }
    );
    assert!(matches!(media.payload, Cow::Borrowed(_)));
    assert_eq!(FromTwilio::parse_full(text).unwrap(), FromTwilio::Media(media));
}

#[test]
fn the_start_is_typed() {
    let text = FROM_TWILIO.lines().nth(1).unwrap();
    let FromTwilio::Start(start) = FromTwilio::parse(text).unwrap() else { panic!("not a start") };
    assert_eq!(start.call_sid.as_str(), "CAfedcba9876543210fedcba9876543210");
    assert_eq!(start.tracks, [Track::Inbound]);
    assert_eq!(start.custom_parameters["token"], "k3J9");
    assert!(!format!("{start:?}").contains("k3J9"), "the token is shown");
}

#[test]
fn media_is_read_in_any_dress() {
    let dresses = [
        // Numbers as numbers, another order, white space, unknown members.
        r#"{ "streamSid": "MZ0123456789abcdef0123456789abcdef", "media": { "payload": "//7+", "timestamp": 65, "chunk": 3,
            "track": "inbound", "codec": {"x": [1]} }, "new": null, "sequenceNumber": 4, "event": "media" }"#,
        // Escapes, as some JSON writers have them.
        r#"{"event":"media","sequenceNumber":"4","streamSid":"MZ0123456789abcdef0123456789abcdef","media":{"track":"inbound","chunk":"3","timestamp":"65","payload":"\/\u002f7+"}}"#,
        // The other spelling of the track.
        r#"{"event":"media","sequenceNumber":"4","streamSid":"MZ0123456789abcdef0123456789abcdef","media":{"track":"inbound_track","chunk":"3","timestamp":"65","payload":"//7+"}}"#,
    ];
    for text in dresses {
        assert_eq!(FromTwilio::scan(text), None);
        let FromTwilio::Media(media) = FromTwilio::parse(text).unwrap() else { panic!("not media: {text}") };
        assert_eq!((media.sequence_number, media.chunk, media.timestamp), (Some(4), Some(3), Some(65)));
        assert_eq!((&*media.payload, media.track), ("//7+", Track::Inbound));
    }
}

#[test]
fn a_known_event_that_is_broken_is_refused_and_an_unknown_one_is_not() {
    let broken = [
        ("message", "not json"),
        ("message", r#"["event","media"]"#),
        ("message", r#"{"event":7}"#),
        ("message", r#"{"streamSid":"MZ0123456789abcdef0123456789abcdef"}"#),
        ("media", r#"{"event":"media","streamSid":"MZ"}"#),
        ("media", r#"{"event":"media","media":{"payload":"//7+"}}"#),
        ("media", r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7"}}"#),
        ("media", r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+","timestamp":"-5"}}"#),
        ("media", r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+","timestamp":"+5"}}"#),
        (
            "media",
            r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+","timestamp":"99999999999999999999"}}"#,
        ),
        ("media", r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+","track":"sideways"}}"#),
        ("mark", r#"{"event":"mark","streamSid":"MZ","mark":{}}"#),
        ("dtmf", r#"{"event":"dtmf","streamSid":"MZ","dtmf":{"digit":5}}"#),
        ("start", r#"{"event":"start","streamSid":"MZ0123456789abcdef0123456789abcdef"}"#),
    ];
    for (event, text) in broken {
        assert_eq!(FromTwilio::parse(text).unwrap_err().event(), event, "{text}");
    }
    let start = FROM_TWILIO.lines().nth(1).unwrap();
    for (good, bad) in [("CAfedc", "CAxedc"), (r#","streamSid":"MZ01"#, r#","streamSid":"MZ11"#), ("8000", "-1")] {
        assert_eq!(FromTwilio::parse(&start.replacen(good, bad, 1)).unwrap_err().event(), "start", "{bad}");
    }
    let unknown = r#"{"event":"applause","media":"what it likes","start":3}"#;
    assert_eq!(FromTwilio::parse(unknown).unwrap(), FromTwilio::Unknown("applause".into()));
}

#[test]
fn what_twilio_would_not_take_is_refused() {
    let refused = [
        r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+","track":"outbound"}}"#,
        r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7+"},"sequenceNumber":"1"}"#,
        r#"{"event":"media","streamSid":"MZ","media":{"payload":"//7"}}"#,
        r#"{"event":"media","streamSid":"MZ","media":{}}"#,
        r#"{"event":"media","media":{"payload":"//7+"}}"#,
        r#"{"event":"mark","streamSid":"MZ","mark":{"name":7}}"#,
        r#"{"event":"mark","streamSid":"MZ"}"#,
        r#"{"event":"clear","streamSid":"MZ","clear":{}}"#,
        r#"{"event":"clear"}"#,
        r#"{"event":"dtmf","streamSid":"MZ","dtmf":{"digit":"5"}}"#,
        r#"{"streamSid":"MZ"}"#,
        r#"{"event":"clear","streamSid":"MZ"} {}"#,
        "",
    ];
    for text in refused {
        assert!(ToTwilio::parse_strict(text).is_err(), "{text} was taken");
    }
}

#[test]
fn an_outgoing_frame_is_one_allocation_and_what_twilio_demands() {
    let raw = AudioFrame::raw(AudioFormat::MuLaw, vec![0x7F; 160]);
    let encoded = AudioFrame::base64(AudioFormat::MuLaw, "//7+/v7/fn5+").unwrap();
    for frame in [raw, encoded] {
        let text = media_message(STREAM, &frame);
        assert_eq!(text.capacity(), text.len());
        let ToTwilio::Media { stream_sid, payload } = ToTwilio::parse_strict(&text).unwrap() else { panic!("{text}") };
        assert_eq!(stream_sid, STREAM);
        assert_eq!(AudioFrame::base64(AudioFormat::MuLaw, payload.into_owned()).unwrap().to_raw(), frame.to_raw());
    }
}

proptest! {
    #[test]
    fn whatever_the_scan_takes_the_full_parser_takes_the_same(
        sequence in any::<u64>(), chunk in any::<u64>(), timestamp in any::<u64>(), outbound: bool,
        audio in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<char>(),
    ) {
        let mut payload = String::new();
        AudioFrame::raw(AudioFormat::MuLaw, audio).push_base64(&mut payload);
        let media = Media {
            sequence_number: Some(sequence),
            stream_sid: STREAM.into(),
            track: if outbound { Track::Outbound } else { Track::Inbound },
            chunk: Some(chunk),
            timestamp: Some(timestamp),
            payload: payload.into(),
        };
        let text = FromTwilio::Media(media.clone()).to_json();
        prop_assert_eq!(FromTwilio::parse(&text).unwrap(), FromTwilio::Media(media));

        let mut broken: Vec<char> = text.chars().collect();
        let at = at.index(broken.len());
        broken[at] = byte;
        let broken: String = broken.into_iter().collect();
        if let Some(scanned) = FromTwilio::scan(&broken) {
            prop_assert_eq!(FromTwilio::parse_full(&broken).unwrap(), FromTwilio::Media(scanned));
        }
    }
}
