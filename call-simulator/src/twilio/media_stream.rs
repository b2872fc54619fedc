//! One media stream as Twilio speaks it: what is sent and what is understood, without a socket.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use realtime_bridge::media::{
    DtmfDigit,
    twilio::wire::{Connected, Dtmf, FromTwilio, Mark, Media, MediaFormat, Start, Stop, ToTwilio, Track},
};

use super::{
    debugger::{Alert, AlertCode},
    frame::{Frame, frames_in, start_of},
};

/// The sender and the strict reader of one stream.
#[derive(Debug)]
pub(super) struct MediaStream {
    start: Start,
    sequence: u64,
    chunk: u64,
    frames: u64,
    lost_until: u64,
    undecodable: bool,
    broken: bool,
    /// It goes one way: nothing that the server says is taken.
    is_copy: bool,
    counts: StreamCounts,
}

/// What went over a media stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCounts {
    /// Frames of 20 ms sent to the server.
    pub frames_sent: u64,
    /// Frames that the script let the network lose.
    pub frames_lost: u64,
    /// Frames that were not sent because the server did not read what was sent before.
    pub frames_stalled: u64,
    /// Messages of audio received.
    pub media_received: u64,
    /// Bytes of audio received; 8 a millisecond.
    pub audio_received: u64,
    /// Marks received.
    pub marks_received: u64,
    /// Marks returned.
    pub marks_returned: u64,
    /// Clears received.
    pub clears_received: u64,
    /// Messages that were ignored because they break the protocol.
    pub messages_refused: u64,
}

/// What the server asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Play(Bytes),
    Mark(String),
    Clear,
}

/// A message that was ignored. Twilio logs only the first of its kind in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) alert: Alert,
    pub(super) logged: bool,
}

impl MediaStream {
    /// A stream that will introduce itself with `start`.
    pub(super) fn new(start: Start) -> Self {
        Self {
            start: Start { tracks: vec![Track::Inbound], media_format: MediaFormat::mulaw(), ..start },
            sequence: 0,
            chunk: 0,
            frames: 0,
            lost_until: 0,
            undecodable: false,
            broken: false,
            is_copy: false,
            counts: StreamCounts::default(),
        }
    }

    /// A unidirectional stream of these tracks.
    pub(super) fn copy(start: Start, tracks: Vec<Track>) -> Self {
        let stream = Self::new(start);
        Self { start: Start { tracks, ..stream.start }, is_copy: true, ..stream }
    }

    pub(super) const fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// `connected` and `start`.
    pub(super) fn open(&mut self) -> [String; 2] {
        let connected = Connected { protocol: "Call".into(), version: "1.0.0".into() };
        let start = Start { sequence_number: self.next(), ..self.start.clone() };
        [FromTwilio::Connected(connected).to_json(), FromTwilio::Start(Box::new(start)).to_json()]
    }

    /// 20 ms of the caller; `None` when the network loses them.
    pub(super) fn frame(&mut self, frame: &Frame) -> Option<String> {
        let index = self.frames;
        self.frames += 1;
        if index < self.lost_until {
            self.counts.frames_lost += 1;
            return None;
        }
        Some(self.media(Track::Inbound, frame, index))
    }

    /// 20 ms of a copy: a message for each of its tracks.
    pub(super) fn both(&mut self, said: &Frame, heard: &Frame) -> Vec<String> {
        let index = self.frames;
        self.frames += 1;
        let tracks = self.start.tracks.clone();
        let of = |track| if track == Track::Inbound { said } else { heard };
        tracks.into_iter().map(|track| self.media(track, of(track), index)).collect()
    }

    fn media(&mut self, track: Track, frame: &Frame, index: u64) -> String {
        self.counts.frames_sent += 1;
        self.chunk += 1;
        FromTwilio::Media(Media {
            sequence_number: self.next(),
            stream_sid: self.start.stream_sid.as_str().into(),
            track,
            chunk: Some(self.chunk),
            timestamp: u64::try_from(start_of(index).as_millis()).ok(),
            payload: STANDARD.encode(frame).into(),
        })
        .to_json()
    }

    /// 20 ms of the caller that cannot be sent.
    pub(super) const fn stall(&mut self) {
        self.frames += 1;
        self.counts.frames_stalled += 1;
    }

    /// Loses what the caller says from now on.
    pub(super) fn lose(&mut self, time: Duration) {
        self.lost_until = self.frames + frames_in(time);
    }

    pub(super) fn key(&mut self, key: DtmfDigit) -> String {
        FromTwilio::Dtmf(Dtmf {
            sequence_number: self.next(),
            stream_sid: self.start.stream_sid.as_str().into(),
            digit: key.as_char().to_string().into(),
        })
        .to_json()
    }

    pub(super) fn mark(&mut self, name: &str) -> String {
        self.counts.marks_returned += 1;
        FromTwilio::Mark(Mark {
            sequence_number: self.next(),
            stream_sid: self.start.stream_sid.as_str().into(),
            name: name.into(),
        })
        .to_json()
    }

    pub(super) fn stop(&mut self) -> String {
        FromTwilio::Stop(Stop {
            sequence_number: self.next(),
            stream_sid: self.start.stream_sid.as_str().into(),
            account_sid: self.start.account_sid.as_str().into(),
            call_sid: self.start.call_sid.as_str().into(),
        })
        .to_json()
    }

    /// Reads a text message with Twilio's strictness.
    pub(super) fn text(&mut self, text: &str) -> Result<Asked, Refused> {
        if self.is_copy {
            return Err(self.break_protocol("a unidirectional stream takes nothing"));
        }
        let message = ToTwilio::parse_strict(text).map_err(|error| self.break_protocol(error.to_string()))?;
        let (ToTwilio::Media { stream_sid, .. } | ToTwilio::Mark { stream_sid, .. } | ToTwilio::Clear { stream_sid }) =
            &message
        else {
            return Err(self.break_protocol("there is no such event"));
        };
        if stream_sid != self.start.stream_sid.as_str() {
            return Err(self.break_protocol("the streamSid is another stream's"));
        }
        match message {
            ToTwilio::Media { payload, .. } => {
                let audio = STANDARD
                    .decode(payload.as_bytes())
                    .map_err(|error| self.break_protocol(format!("the payload is not base64: {error}")))?;
                self.counts.media_received += 1;
                self.counts.audio_received += audio.len() as u64;
                Ok(Asked::Play(audio.into()))
            }
            ToTwilio::Mark { name, .. } => {
                self.counts.marks_received += 1;
                Ok(Asked::Mark(name.into_owned()))
            }
            ToTwilio::Clear { .. } => {
                self.counts.clears_received += 1;
                Ok(Asked::Clear)
            }
            _ => Err(self.break_protocol("there is no such event")),
        }
    }

    /// Refuses a binary message.
    pub(super) fn binary(&mut self, length: usize) -> Refused {
        self.counts.messages_refused += 1;
        let logged = !std::mem::replace(&mut self.undecodable, true);
        let detail = format!("a binary message of {length} bytes");
        Refused { alert: Alert::new(AlertCode::StreamUndecodable, detail), logged }
    }

    fn break_protocol(&mut self, detail: impl Into<String>) -> Refused {
        self.counts.messages_refused += 1;
        let logged = !std::mem::replace(&mut self.broken, true);
        Refused { alert: Alert::new(AlertCode::StreamMessage, detail), logged }
    }

    fn next(&mut self) -> Option<u64> {
        self.sequence += 1;
        Some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::frame::{FRAME_BYTES, SILENT},
        *,
    };

    const SID: &str = "MZ0123456789abcdef0123456789abcdef";

    fn stream() -> MediaStream {
        MediaStream::new(Start {
            sequence_number: None,
            stream_sid: SID.parse().unwrap(),
            account_sid: "AC0123456789abcdef0123456789abcdef".parse().unwrap(),
            call_sid: "CAfedcba9876543210fedcba9876543210".parse().unwrap(),
            tracks: vec![],
            media_format: MediaFormat::mulaw(),
            custom_parameters: BTreeMap::from([("token".into(), "k3J9".into())]),
        })
    }

    #[test]
    fn the_first_messages_are_the_documented_ones() {
        let [connected, start] = stream().open();
        assert_eq!(connected, r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
        assert_eq!(
            start,
            concat!(
                r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ0123456789abcdef0123456789abcdef","#,
                r#""start":{"accountSid":"AC0123456789abcdef0123456789abcdef","#,
                r#""streamSid":"MZ0123456789abcdef0123456789abcdef","callSid":"CAfedcba9876543210fedcba9876543210","#,
                r#""tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"#,
                r#""customParameters":{"token":"k3J9"}}}"#
            )
        );
    }

    #[test]
    fn lost_audio_is_a_jump_in_the_timestamps_and_none_in_the_counters() {
        let mut stream = stream();
        stream.open();
        let first = stream.frame(&SILENT).unwrap();
        stream.lose(Duration::from_millis(60));
        assert_eq!((0..3).filter_map(|_| stream.frame(&SILENT)).count(), 0);
        let second = stream.frame(&SILENT).unwrap();

        let counters = |text: &str| match FromTwilio::parse(text).unwrap() {
            FromTwilio::Media(media) => {
                assert_eq!(STANDARD.decode(&*media.payload).unwrap(), [0xFF; FRAME_BYTES]);
                (media.sequence_number, media.chunk, media.timestamp)
            }
            other => panic!("{other:?} is not media"),
        };
        assert_eq!(counters(&first), (Some(2), Some(1), Some(0)));
        assert_eq!(counters(&second), (Some(3), Some(2), Some(80)));
    }

    #[test]
    fn a_copy_has_a_message_for_each_track_and_takes_nothing() {
        let start = stream().start;
        let mut copy = MediaStream::copy(start, vec![Track::Inbound, Track::Outbound]);
        let [_, start] = copy.open();
        assert!(start.contains(r#""tracks":["inbound","outbound"]"#), "{start}");
        let messages = copy.both(&SILENT, &[0; FRAME_BYTES]);
        let read = |text: &String| match FromTwilio::parse(text).unwrap() {
            FromTwilio::Media(media) => (media.track, media.timestamp, STANDARD.decode(&*media.payload).unwrap()[0]),
            other => panic!("{other:?} is not media"),
        };
        let read: Vec<_> = messages.iter().map(read).collect();
        assert_eq!(read, [(Track::Inbound, Some(0), 0xFF), (Track::Outbound, Some(0), 0)]);
        for text in [
            r#"{"event":"mark","streamSid":"MZ0123456789abcdef0123456789abcdef","mark":{"name":"a"}}"#,
            r#"{"event":"clear","streamSid":"MZ0123456789abcdef0123456789abcdef"}"#,
        ] {
            assert_eq!(copy.text(text).unwrap_err().alert.code, AlertCode::StreamMessage, "{text}");
        }
    }

    #[test]
    fn messages_that_break_the_protocol_are_ignored_and_logged_once() {
        let mut stream = stream();
        for (number, text) in [
            "nonsense",
            r#"{"event":"clear"}"#,
            r#"{"event":"clear","streamSid":"MZ00000000000000000000000000000000"}"#,
            r#"{"event":"stop","streamSid":"MZ0123456789abcdef0123456789abcdef"}"#,
            r#"{"event":"media","streamSid":"MZ0123456789abcdef0123456789abcdef","media":{"payload":"not base64"}}"#,
            r#"{"event":"mark","streamSid":"MZ0123456789abcdef0123456789abcdef","mark":{"name":"a"},"sequenceNumber":"1"}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let refused = stream.text(text).unwrap_err();
            assert_eq!(refused.alert.code, AlertCode::StreamMessage, "{text}");
            assert_eq!(refused.logged, number == 0, "{text}");
        }
        assert!(stream.binary(3).logged);
        assert!(!stream.binary(3).logged);
        assert_eq!(stream.counts().messages_refused, 8);
        let clear = r#"{"event":"clear","streamSid":"MZ0123456789abcdef0123456789abcdef"}"#;
        assert_eq!(stream.text(clear), Ok(Asked::Clear));
    }
}
