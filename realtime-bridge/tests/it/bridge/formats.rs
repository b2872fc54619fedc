//! A line and a model that speak different formats.

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame, SampleRate, Transcoder},
    realtime::{Capabilities, RealtimeCommand, SessionConfig},
    tool::ToolSet,
};
use tokio::time::{Duration, sleep};

use super::{Call, MS, S, call_on, quiet};

const PCM: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

fn mixed() -> Call {
    let session = SessionConfig::default().with_formats(PCM, PCM);
    call_on(AudioFormat::ALaw, quiet(), &session, Capabilities::client_driven(), ToolSet::new())
}

/// A tone of 400 Hz, as loud as this, as samples of 24 kHz.
fn tone(length: Duration, level: f64) -> AudioFrame {
    let samples = PCM.bytes_in(length) / 2;
    #[expect(clippy::cast_possible_truncation, reason = "the level is far below the loudest sample")]
    let bytes: Vec<u8> = (0..samples)
        .flat_map(|n| {
            {
                let n = f64::from(u32::try_from(n).unwrap());
                ((std::f64::consts::TAU * 400.0 * n / 24_000.0).sin() * level) as i16
            }
            .to_le_bytes()
        })
        .collect();
    AudioFrame::raw(PCM, bytes)
}

fn loudest(bytes: &[u8]) -> u16 {
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair).unsigned_abs()).max().unwrap()
}

#[tokio::test(start_paused = true)]
async fn both_directions_are_converted_and_keep_their_length() {
    let mut call = mixed();
    let answer = call.model.begin(None).await;
    for _ in 0..10 {
        call.model.audio(&answer, tone(100 * MS, 8_000.0)).await;
    }
    call.model.spoken(&answer, "Good morning.").await;
    call.until("agent-silent").await;
    assert_eq!((call.caller.format(), call.caller.heard_total()), (AudioFormat::ALaw, S));
    let heard = AudioFrame::raw(AudioFormat::ALaw, call.caller.heard_bytes());
    let heard = Transcoder::new(AudioFormat::ALaw, AudioFormat::Pcm16(SampleRate::Hz8000)).convert(&heard).unwrap();
    assert!((7_500..8_700).contains(&loudest(&heard.to_raw())), "{}", loudest(&heard.to_raw()));

    let speech = Transcoder::new(PCM, AudioFormat::ALaw).convert(&tone(S, 8_000.0)).unwrap();
    let (_, appended) = tokio::join!(call.caller.speak(&speech), async {
        let mut appended = Vec::new();
        while appended.len() < PCM.bytes_in(S) {
            let Some(RealtimeCommand::Append(frame)) = call.model.recv().await else { panic!("no audio") };
            assert_eq!((frame.format(), frame.duration()), (PCM, 20 * MS));
            appended.extend_from_slice(&frame.to_raw());
        }
        appended
    });
    assert!((7_500..8_700).contains(&loudest(&appended)), "{}", loudest(&appended));
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_told_in_the_models_time_and_nothing_of_it_is_left_in_the_converter() {
    let mut call = mixed();
    let answer = call.model.begin(None).await;
    for _ in 0..20 {
        call.model.audio(&answer, tone(100 * MS, 30_000.0)).await;
    }
    sleep(730 * MS).await;
    call.model.speech_started().await;
    let RealtimeCommand::Truncate { heard, .. } = call.told().await else { panic!("it is not cut") };
    assert!(heard.abs_diff(call.caller.heard_total()) <= 20 * MS, "{heard:?}");
    let before = call.caller.heard_bytes().len();
    let next = call.model.begin(None).await;
    call.model.audio(&next, AudioFrame::silence(PCM, 100 * MS)).await;
    sleep(S).await;
    let after = call.caller.heard_bytes().slice(before..);
    let silence = AudioFormat::ALaw.silence_byte();
    assert!(after.iter().all(|byte| *byte == silence || *byte == silence ^ 0x80), "the cut answer is heard: {after:?}");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn audio_without_a_sample_is_not_sent() {
    let mut call = mixed();
    let answer = call.model.begin(None).await;
    call.model.audio(&answer, AudioFrame::raw(PCM, vec![])).await;
    call.model.audio(&answer, AudioFrame::raw(PCM, vec![7])).await;
    sleep(S).await;
    assert_eq!(call.caller.commands(), []);
    call.caller.send(AudioFrame::raw(AudioFormat::ALaw, vec![])).await.unwrap();
    sleep(S).await;
    assert_eq!(call.model.try_recv(), None);
    call.hang_up().await;
}
