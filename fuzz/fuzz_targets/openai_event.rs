//! Whatever an OpenAI server sends, no event panics, and the fast reader agrees with the full parser.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::{Corpus, fuzz_target};
use realtime_bridge::{
    audio::AudioFormat,
    realtime::{
        RealtimeEvent,
        openai::{EventDecoder, wire::ServerEvent},
    },
};

/// The hot events in the orders of members that services use, into which an input is spliced so that most inputs get
/// past the outer syntax.
const FRAMES: [(&str, &str); 4] = [
    ("", ""),
    (r#"{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","#, "}"),
    (r#"{"response_id":"r","item_id":"i","delta":""#, r#"","type":"response.output_audio.delta"}"#),
    (r#"{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","#, "}"),
];

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((choice, rest)) = input.split_first() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(rest) else { return Corpus::Reject };
    let (head, tail) = FRAMES[usize::from(choice % 4)];
    let text = format!("{head}{text}{tail}");

    let mut fast = EventDecoder::new(AudioFormat::MuLaw);
    let mut full = EventDecoder::new(AudioFormat::MuLaw);
    // Twice, since names are remembered.
    for _ in 0..2 {
        let quick = fast.decode(&Bytes::from(text.clone()));
        match (quick, full.decode_in_full(&text)) {
            (Ok(quick), Ok(slow)) => assert!(same(&quick, &slow), "{quick:?} is not {slow:?}"),
            (Err(quick), Err(slow)) => assert_eq!(format!("{quick:?}"), format!("{slow:?}")),
            (quick, slow) => panic!("{quick:?} is not {slow:?}"),
        }
    }
    // What was read can be written, and read again as the same.
    if let Ok(event) = ServerEvent::parse(&text) {
        let written = event.to_json();
        let again = ServerEvent::parse(&written).expect("what we write is an event");
        assert_eq!(again.to_json(), written);
        assert_eq!(again.kind(), event.kind());
    }
    Corpus::Keep
});

fn same(left: &RealtimeEvent, right: &RealtimeEvent) -> bool {
    if let (RealtimeEvent::Audio { frame: left, .. }, RealtimeEvent::Audio { frame: right, .. }) = (left, right)
        && left != right
    {
        return false;
    }
    format!("{left:?}") == format!("{right:?}")
}
