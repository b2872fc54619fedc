//! One call through the driver, between the line in memory and the model in memory, on a paused clock.
//!
//! Ten seconds of a caller's voice (500 frames), in which the model speaks for four. Not in it: sockets, JSON. In it: the
//! far ends in memory, with their channels and the caller's playout, which cost more than the bridge.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::Bridge,
    media::memory::line,
    realtime::{SessionConfig, memory},
    relay::CallConfig,
};

async fn call() -> Duration {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, mut model) = memory::pair(&SessionConfig::default());
    let config = CallConfig::default().with_greeting(None);
    let bridge = Bridge::with_config(line, session, config).expect("the configuration works");
    let voice = AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(10));
    let (report, ..) = tokio::join!(
        bridge.run(),
        async {
            caller.speak(&voice).await.expect("the line is up");
            caller.hang_up().await.expect("the line is up");
        },
        async {
            model.say(None, "Good morning, how can I help you?", Duration::from_secs(4)).await;
            while model.recv().await.is_some() {}
        },
    );
    assert_eq!(report.reason.name(), "caller-hung-up");
    report.duration
}

fn through_the_driver(criterion: &mut Criterion) {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime without sockets can be made")
    };
    criterion.bench_function("driver: ten seconds of a call in memory", |bencher| {
        bencher.iter(|| runtime().block_on(call()));
    });
}

criterion_group!(benches, through_the_driver);
criterion_main!(benches);
