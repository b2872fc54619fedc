//! What Twilio, or anybody who says to be Twilio, can send on a media stream.
//!
//! Both parsers mean the same, what was read can be written and read again, and the transport neither panics nor makes more
//! silence than the clock allows.

#![no_main]

use std::time::Duration;

use futures_util::StreamExt;
use libfuzzer_sys::fuzz_target;
use realtime_bridge::media::{
    MediaEvent,
    twilio::{
        Config, MediaStream,
        wire::{FromTwilio, ToTwilio},
    },
};
use tokio::io::AsyncWriteExt;

const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
const START: &str = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ0123456789abcdef0123456789abcdef","start":{"accountSid":"AC0123456789abcdef0123456789abcdef","streamSid":"MZ0123456789abcdef0123456789abcdef","callSid":"CAfedcba9876543210fedcba9876543210","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}}}"#;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for line in text.lines() {
            messages(line);
        }
    }
    // As text messages after a good start, as the start itself, and as the bytes of the socket.
    let lines = || data.split(|byte| *byte == b'\n').map(text_frame);
    let good_start = || [text_frame(CONNECTED.as_bytes()), text_frame(START.as_bytes())];
    call(good_start().into_iter().chain(lines()).collect::<Vec<_>>().concat());
    call(lines().collect::<Vec<_>>().concat());
    call([&good_start().concat(), data].concat());
});

fn messages(text: &str) {
    let full = FromTwilio::parse_full(text);
    if let Some(media) = FromTwilio::scan(text) {
        assert_eq!(full.as_ref().expect("the full parser takes what the scan takes"), &FromTwilio::Media(media));
    }
    if let Ok(message) = full {
        let written = message.to_json();
        assert_eq!(FromTwilio::parse(&written).expect("what was written can be read"), message);
    }
    if let Ok(message) = ToTwilio::parse_strict(text) {
        let written = message.to_json();
        assert_eq!(ToTwilio::parse_strict(&written).expect("what was written can be read"), message);
    }
}

/// A final text frame of a client, masked with zeros.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).expect("up to 125")),
        length @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("up to 65535").to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

/// A socket that gives these bytes and then ends.
fn call(bytes: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O can be built").block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(bytes.len() + 1024);
        theirs.write_all(&bytes).await.expect("it has room");
        theirs.shutdown().await.expect("it is open");
        let Ok(mut line) = MediaStream::accept(ours, Config::default()).await else { return };
        assert!(matches!(line.next().await, Some(Ok(MediaEvent::Started(_)))));
        let (mut promised, mut ended) = (Duration::ZERO, false);
        while let Some(event) = line.next().await {
            assert!(!ended, "nothing comes after the end");
            match event {
                Ok(MediaEvent::Started(_)) => panic!("there is one start"),
                Ok(MediaEvent::Gap(length)) => promised += length,
                Ok(event) => ended = matches!(event, MediaEvent::Stopped),
                Err(_) => ended = true,
            }
        }
        assert!(ended, "a stream has an end");
        assert_eq!(promised, line.counters().gap_total);
        assert!(promised <= Duration::from_secs(10), "no time has gone by");
    });
}
