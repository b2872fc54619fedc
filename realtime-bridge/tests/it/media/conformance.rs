//! Each transport against the contract of the trait.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures_util::{FutureExt, SinkExt, StreamExt};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{
        DtmfDigit, MarkId, MediaCommand,
        conformance::{FarEnd, Harness},
        memory,
    },
};

/// One test for each check, for each harness.
macro_rules! conforms {
    ($harness:expr => $($check:ident)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $check() {
            realtime_bridge::media::conformance::$check(&$harness).await;
        }
    )+};
    ($harness:expr) => {
        conforms! { $harness =>
            begins_with_its_start
            hands_on_what_the_caller_does_in_order
            ends_with_the_goodbye
            a_line_that_is_cut_does_not_end_like_a_goodbye
            carries_commands_out_in_order
            marks_come_back_when_their_audio_was_played
            marks_come_back_after_a_clear
            refuses_other_formats_and_goes_on
            hears_the_caller_while_nobody_reads
            loses_nothing_when_polls_are_dropped
            closing_the_sink_ends_the_connection
            dropping_the_line_ends_the_connection
        }
    };
}

struct Memory(AudioFormat);

/// Whether the telephone takes commands follows from whether the suite asks for them.
struct Caller(memory::Caller);

#[async_trait]
impl Harness for Memory {
    type Line = memory::Line;
    type FarEnd = Caller;

    async fn connect(&self) -> (memory::Line, Caller) {
        let (line, caller) = memory::line(self.0);
        (line, Caller(caller))
    }
}

#[async_trait]
impl FarEnd for Caller {
    async fn speak(&mut self, frame: &AudioFrame) {
        self.0.send(frame.clone()).await.unwrap();
    }

    async fn press(&mut self, key: DtmfDigit) {
        self.0.press(key).await.unwrap();
    }

    async fn hang_up(&mut self) {
        self.0.hang_up().await.unwrap();
    }

    async fn next_command(&mut self) -> Option<MediaCommand> {
        self.0.next_command().await.map(|received| received.command)
    }

    async fn play_out(&mut self) {
        self.0.hear_out().await;
    }
}

mod memory_in_mulaw {
    use super::*;
    conforms!(Memory(AudioFormat::MuLaw));
}

mod memory_in_pcm {
    use super::*;
    conforms!(Memory(AudioFormat::Pcm16(realtime_bridge::audio::SampleRate::Hz24000)));
}

#[cfg(feature = "twilio")]
mod twilio {
    use realtime_bridge::media::twilio::{Config, MediaStream, wire::ToTwilio};
    use tokio::io::DuplexStream;
    use tokio_tungstenite::tungstenite::Message;

    use super::{
        super::twilio_peer::{Peer, STOP, STREAM, media},
        *,
    };

    struct Twilio;

    struct Far {
        peer: Peer,
        timestamp_ms: u64,
        marks: VecDeque<MarkId>,
    }

    #[async_trait]
    impl Harness for Twilio {
        type Line = MediaStream<DuplexStream>;
        type FarEnd = Far;

        async fn connect(&self) -> (MediaStream<DuplexStream>, Far) {
            let (line, peer) = Peer::line(Config::default()).await;
            (line, Far { peer, timestamp_ms: 0, marks: VecDeque::new() })
        }
    }

    #[async_trait]
    impl FarEnd for Far {
        async fn speak(&mut self, frame: &AudioFrame) {
            let mut payload = String::new();
            frame.push_base64(&mut payload);
            self.peer.say(&media(self.timestamp_ms, &payload)).await;
            self.timestamp_ms += 20;
        }

        async fn press(&mut self, key: DtmfDigit) {
            let key = key.as_char();
            self.peer.say(&format!(r#"{{"event":"dtmf","streamSid":"{STREAM}","dtmf":{{"digit":"{key}"}}}}"#)).await;
        }

        async fn hang_up(&mut self) {
            self.peer.say(STOP).await;
        }

        async fn next_command(&mut self) -> Option<MediaCommand> {
            let text = match self.peer.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) => {
                    // Answers the goodbye.
                    let _ = self.peer.socket.flush().now_or_never();
                    return None;
                }
                None | Some(Err(_)) => return None,
                Some(Ok(other)) => panic!("Twilio takes no {other:?}"),
            };
            Some(match ToTwilio::parse_strict(&text).unwrap() {
                ToTwilio::Media { payload, .. } => {
                    MediaCommand::Audio(AudioFrame::base64(AudioFormat::MuLaw, payload.into_owned()).unwrap())
                }
                ToTwilio::Mark { name, .. } => {
                    self.marks.push_back(MarkId(name.parse().unwrap()));
                    MediaCommand::Mark(MarkId(name.parse().unwrap()))
                }
                _ => MediaCommand::Clear,
            })
        }

        async fn play_out(&mut self) {
            for mark in std::mem::take(&mut self.marks) {
                self.peer
                    .say(&format!(r#"{{"event":"mark","streamSid":"{STREAM}","mark":{{"name":"{mark}"}}}}"#))
                    .await;
            }
        }
    }

    conforms!(Twilio);
}
