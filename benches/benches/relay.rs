//! What the pure core costs for each input.
//!
//! Not in it: sockets, JSON, the driver, the runtime. Memory is warm, as it is not with a thousand calls.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use benches::wire::{Audio, DELTA_BYTES, FRAME_BYTES, Tag};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{MediaCommand, MediaEvent, MediaStart},
    realtime::{Capabilities, ItemId, RealtimeEvent, ResponseId, ResponseOutcome, ResponseStatus, SessionInfo},
    relay::{CallConfig, Relay},
};

const FRAME: Duration = Duration::from_millis(20);
const DELTA: Duration = Duration::from_millis(100);

fn audio(bytes: usize) -> AudioFrame {
    let mut text = Vec::new();
    Audio::new(bytes).push(&mut text, Tag { nanos: 1, seq: 7, who: 3, turn: 1 });
    AudioFrame::base64(AudioFormat::MuLaw, text).expect("it is base64")
}

/// A call that is up, in which nobody has to be asked whether they are still there.
fn call(now: Instant) -> Relay {
    let format = AudioFormat::MuLaw;
    let info = SessionInfo::new("sess_1", "model", format, format);
    let config = CallConfig::default().with_greeting(None).with_idle(None).with_max_duration(None);
    let mut relay = Relay::new(config, format, &info, Capabilities::client_driven());
    relay.handle_media(now, MediaEvent::Started(MediaStart::default()));
    settle(&mut relay, now);
    relay
}

/// Takes out all there is, as the driver does at each wake-up, and gives the marks back.
fn settle(relay: &mut Relay, now: Instant) -> usize {
    let mut taken = 0;
    let mut marks = Vec::new();
    while let Some(command) = relay.poll_media(now) {
        if let MediaCommand::Mark(mark) = &command {
            marks.push(*mark);
        }
        black_box(command);
        taken += 1;
    }
    for mark in marks {
        relay.handle_media(now, MediaEvent::Mark(mark));
    }
    while let Some(command) = relay.poll_model(now) {
        black_box(command);
        taken += 1;
    }
    while let Some(update) = relay.poll_event() {
        black_box(update);
    }
    while relay.poll_tool().is_some() {}
    black_box(relay.poll_timeout(now));
    taken
}

#[expect(clippy::disallowed_methods, reason = "the relay has no clock: any instant will do to count from")]
fn begin() -> Instant {
    Instant::now()
}

fn caller_frame(criterion: &mut Criterion) {
    let mut now = begin();
    let (mut relay, frame) = (call(now), audio(FRAME_BYTES));
    criterion.bench_function("relay: a caller's frame", |bencher| {
        bencher.iter(|| {
            now += FRAME;
            relay.handle_media(now, MediaEvent::Audio(frame.clone()));
            settle(&mut relay, now)
        });
    });
}

/// One answer of four seconds, with its marks and its end: the ledger's and the sequencer's work included.
fn answer(criterion: &mut Criterion) {
    const DELTAS: u32 = 40;
    let frame = audio(DELTA_BYTES);
    let (response, item): (ResponseId, ItemId) = ("resp_1".into(), "item_1".into());
    let events: Vec<RealtimeEvent> =
        std::iter::once(RealtimeEvent::ResponseStarted { response: response.clone(), request: None })
            .chain((0..DELTAS).map(|_| RealtimeEvent::Audio {
                response: response.clone(),
                item: item.clone(),
                content_index: 0,
                frame: frame.clone(),
            }))
            .chain([
                RealtimeEvent::AudioDone { response: response.clone(), item: item.clone(), content_index: 0 },
                RealtimeEvent::ResponseDone(Box::new(ResponseOutcome::new(
                    response.clone(),
                    ResponseStatus::Completed,
                ))),
            ])
            .collect();
    let start = begin();
    criterion.bench_function("relay: an answer of 40 deltas, with marks", |bencher| {
        bencher.iter_batched(
            || (call(start), events.clone()),
            |(mut relay, events)| {
                let mut now = start;
                for event in events {
                    now += DELTA;
                    relay.handle_model(now, event);
                    settle(&mut relay, now);
                }
                relay
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("relay: an answer that is interrupted after 20 deltas", |bencher| {
        bencher.iter_batched(
            || (call(start), events[..=20].to_vec()),
            |(mut relay, events)| {
                let mut now = start;
                for event in events {
                    now += DELTA / 2;
                    relay.handle_model(now, event);
                    settle(&mut relay, now);
                }
                let speech = RealtimeEvent::SpeechStarted { item: None, audio_start: Duration::ZERO };
                relay.handle_model(now, speech);
                assert!(settle(&mut relay, now) > 0, "there is a clear and a truncate");
                relay
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, caller_frame, answer);
criterion_main!(benches);
