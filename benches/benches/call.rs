//! What a whole call costs: ten seconds through the driver, between a line and a model in memory.
//!
//! The caller speaks all the time, in frames of 20 ms (160 bytes of μ-law). The model greets for two seconds, answers a
//! turn with five, and is interrupted after two of them, so that a clear and a truncation are in. It speaks in deltas of
//! 100 ms, faster than real time. Time is tokio's paused clock, so ten seconds pass as fast as they are computed.
//!
//! Included beside the bridge: both ends in memory, tokio's timers and wake-ups, the report.
//! Excluded: JSON, base64, WebSockets, TLS and system calls. The load runner has them.

mod common;

use std::time::Duration;

use benches::wire::FRAME_BYTES;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, CallReport},
    media::memory::{Caller, line},
    realtime::{
        RealtimeCommand, SessionConfig,
        memory::{MemoryModel, pair},
    },
};
use tokio::runtime::Builder;

const FRAMES: usize = 500;

async fn call(speech: &AudioFrame) -> CallReport {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = pair(&SessionConfig::default());
    let bridge = Bridge::new(line, session).expect("the default configuration works");
    let (report, (), ()) = tokio::join!(bridge.run(), talk(caller, speech), answer(model));
    report
}

async fn talk(caller: Caller, speech: &AudioFrame) {
    caller.speak(speech).await.expect("the line is open");
    caller.hang_up().await.expect("the line is open");
    caller.closed().await;
}

async fn answer(mut model: MemoryModel) {
    let (mut answered, mut interrupted) = (false, false);
    while let Some(command) = model.recv().await {
        match command {
            RealtimeCommand::Respond { request, .. } => {
                model.say(Some(request), "Good morning, Sakura Dental.", Duration::from_secs(2)).await;
            }
            RealtimeCommand::Append(_) if !answered && model.heard() >= Duration::from_secs(4) => {
                answered = true;
                model.caller_says("Do you have time on Tuesday?").await;
                model.say(None, "On Tuesday we have time at nine, at ten, and at four.", Duration::from_secs(5)).await;
            }
            RealtimeCommand::Append(_) if !interrupted && model.heard() >= Duration::from_secs(6) => {
                interrupted = true;
                model.caller_says("Ten is fine.").await;
            }
            _ => {}
        }
    }
}

fn calls(criterion: &mut Criterion) {
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime needs nothing");
    let speech: Vec<u8> = (1..=120).cycle().take(FRAMES * FRAME_BYTES).collect();
    let speech = AudioFrame::raw(AudioFormat::MuLaw, speech);
    let mut group = criterion.benchmark_group("call");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("10 s, in memory", |bencher| {
        bencher.iter(|| {
            let report = runtime.block_on(call(&speech));
            assert_eq!(report.reason.name(), "caller-hung-up");
            assert_eq!((report.stats.frames_from_line, report.stats.interruptions), (FRAMES as u64, 1));
            report
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::config();
    targets = calls
}
criterion_main!(benches);
