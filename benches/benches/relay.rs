//! What the pure core of a call costs: a step for each kind of input, and an answer of a minute with its marks.
//!
//! A step is what the driver does for one wake-up: hand in the input, take out everything that is to be sent and told, ask
//! for the next deadline. The caller's frames are 20 ms (160 bytes of μ-law), the model's deltas 100 ms; both sides speak
//! μ-law, so no audio is touched. Copies of the input's names and frame are in (counted references, no bytes).
//!
//! Excluded: both wires and both sockets, the driver and its clock.

mod common;

use std::{
    collections::VecDeque,
    hint::black_box,
    time::{Duration, Instant},
};

use benches::wire::{Audio, DELTA_BYTES, FRAME_BYTES, Tag};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{MarkId, MediaCommand, MediaEvent, MediaStart},
    realtime::{Capabilities, ItemId, ItemKind, RealtimeCommand, RealtimeEvent, ResponseId, SessionInfo},
    relay::{CallConfig, Relay},
};

const FRAME: Duration = Duration::from_millis(20);
const DELTA: Duration = Duration::from_millis(100);
/// A minute of speech.
const LONG_ANSWER: u32 = 600;
/// Ten seconds of speech.
const ANSWER: u32 = 100;

/// A call between a line and a model that both speak μ-law, and its clock.
struct Call {
    relay: Relay,
    now: Instant,
    response: ResponseId,
    item: ItemId,
    delta: AudioFrame,
}

impl Call {
    /// A call whose model is about to speak.
    fn new() -> Self {
        let session = SessionInfo::new("sess_1", "a model", AudioFormat::MuLaw, AudioFormat::MuLaw);
        let config = CallConfig::default().with_greeting(None);
        let mut call = Self {
            relay: Relay::new(config, AudioFormat::MuLaw, &session, Capabilities::client_driven()),
            now: tokio::time::Instant::now().into_std(),
            response: "resp_CKmW0000000700000003".into(),
            item: "item_CKmW0000000700000003".into(),
            delta: frame(DELTA_BYTES),
        };
        call.relay.handle_media(call.now, MediaEvent::Started(MediaStart::new("call", "stream")));
        let (response, item) = (call.response.clone(), call.item.clone());
        call.relay.handle_model(call.now, RealtimeEvent::ResponseStarted { response, request: None });
        let added = RealtimeEvent::ItemAdded { item, previous: None, kind: ItemKind::Assistant };
        call.relay.handle_model(call.now, added);
        call.take_out(|_| {});
        call
    }

    fn hear(&mut self, frame: &AudioFrame) {
        self.relay.handle_media(self.now, MediaEvent::Audio(frame.clone()));
    }

    fn delta(&mut self) {
        let (response, item, frame) = (self.response.clone(), self.item.clone(), self.delta.clone());
        self.relay.handle_model(self.now, RealtimeEvent::Audio { response, item, content_index: 0, frame });
    }

    fn audio_done(&mut self) {
        let (response, item) = (self.response.clone(), self.item.clone());
        self.relay.handle_model(self.now, RealtimeEvent::AudioDone { response, item, content_index: 0 });
    }

    fn speech_started(&mut self) {
        let started = RealtimeEvent::SpeechStarted { item: None, audio_start: Duration::from_secs(3) };
        self.relay.handle_model(self.now, started);
    }

    fn mark(&mut self, mark: MarkId) {
        self.relay.handle_media(self.now, MediaEvent::Mark(mark));
    }

    /// The second half of a step. Gives how many commands the model gets.
    fn take_out(&mut self, mut media: impl FnMut(MediaCommand)) -> usize {
        while let Some(command) = self.relay.poll_media(self.now) {
            media(command);
        }
        let mut commands = 0;
        while let Some(command) = self.relay.poll_model(self.now) {
            commands += 1;
            black_box::<RealtimeCommand>(command);
        }
        while let Some(action) = self.relay.poll_tool() {
            black_box(action);
        }
        while let Some(update) = self.relay.poll_event() {
            black_box(update);
        }
        assert!(self.relay.poll_end().is_none(), "the call goes on");
        black_box(self.relay.poll_timeout(self.now));
        commands
    }
}

/// Base64, as it comes off both wires.
fn frame(bytes: usize) -> AudioFrame {
    let mut text = Vec::new();
    Audio::new(bytes).push(&mut text, Tag { nanos: 0, seq: 0, who: 7, turn: 3 });
    AudioFrame::base64(AudioFormat::MuLaw, text).expect("it is base64")
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/step");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a caller's frame", |bencher| {
        let (mut call, frame) = (Call::new(), frame(FRAME_BYTES));
        bencher.iter(|| {
            call.now += FRAME;
            call.hear(&frame);
            assert_eq!(call.take_out(|_| {}), 1, "each frame is appended");
        });
    });
    // The line plays as fast as the model speaks, and gives each mark back when it is reached: with the default
    // configuration one in five of these steps places a mark and one takes one back.
    group.bench_function("a model's delta, with marks", |bencher| {
        let (mut call, mut reached) = (Call::new(), None);
        bencher.iter(|| {
            call.now += DELTA;
            if let Some(mark) = reached.take() {
                call.mark(mark);
            }
            call.delta();
            let mut played = 0;
            call.take_out(|command| match command {
                MediaCommand::Audio(frame) => played += black_box(frame).byte_len(),
                MediaCommand::Mark(mark) => reached = Some(mark),
                other => panic!("nobody interrupts, and yet there is a {other:?}"),
            });
            assert_eq!(played, DELTA_BYTES, "each delta is played");
        });
    });
    group.finish();
}

/// A minute of speech that the model gives at once and the line plays in real time: 600 deltas, and a wake-up for each of
/// the marks. What is measured is the ledger under its greatest load, with the relay around it.
fn long_answer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/answer");
    group.throughput(Throughput::Elements(u64::from(LONG_ANSWER)));
    group.bench_function("60 s of speech, with marks", |bencher| {
        bencher.iter_batched_ref(
            || (Call::new(), VecDeque::with_capacity(256)),
            |(call, marks)| {
                let mut ends = call.now;
                let mut send = |command, ends: &mut Instant| match command {
                    MediaCommand::Audio(frame) => *ends += black_box(frame).duration(),
                    MediaCommand::Mark(mark) => marks.push_back((*ends, mark)),
                    other => panic!("nobody interrupts, and yet there is a {other:?}"),
                };
                for _ in 0..LONG_ANSWER {
                    call.delta();
                    call.take_out(|command| send(command, &mut ends));
                }
                call.audio_done();
                call.take_out(|command| send(command, &mut ends));
                assert_eq!(ends - call.now, LONG_ANSWER * DELTA);
                let mut last = call.now;
                for (reached, mark) in marks.drain(..) {
                    (call.now, last) = (reached, reached);
                    call.mark(mark);
                    call.take_out(|_| {});
                }
                assert_eq!(last, ends, "the end of the answer has a mark");
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// The caller begins to speak three seconds into an answer of ten: from `speech_started` to the clear for the line and the
/// truncation for the model.
fn barge_in(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relay/barge-in");
    // With a line that takes everything at once, as Twilio does; and with one that took three seconds and then stalled.
    for (name, taken) in [("10 s at the line", ANSWER), ("7 of 10 s in the relay", 30)] {
        let answered = || {
            let mut call = Call::new();
            for sent in 0..ANSWER {
                call.delta();
                if sent < taken {
                    call.take_out(|_| {});
                }
            }
            call.now += Duration::from_secs(3);
            call
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                answered,
                |call| {
                    call.speech_started();
                    let mut clears = 0;
                    let commands = call.take_out(|command| match command {
                        MediaCommand::Clear => clears += 1,
                        other => panic!("the agent is silent, and yet there is a {other:?}"),
                    });
                    assert_eq!((clears, commands), (1, 1), "one clear, one truncation");
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = steps, long_answer, barge_in
}
criterion_main!(benches);
