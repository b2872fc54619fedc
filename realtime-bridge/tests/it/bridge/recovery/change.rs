//! How long nobody hears the caller, and the caller nobody, when a session is changed for another before its limit.

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, CallReport, Endpoints},
    media::memory::{Caller, line},
    realtime::{
        Capabilities, RealtimeClient, RealtimeCommand, SessionConfig,
        memory::{MemoryClient, MemoryModel, MemoryProvider},
    },
    relay::CallConfig,
};
use tokio::time::{Duration, Instant, sleep};

use super::super::{MS, S};

const MINUTE: Duration = Duration::from_secs(60);

/// The longest time in which nobody may hear anybody.
const GAP: Duration = Duration::from_millis(300);

/// How long a model thinks about its first word.
const THINKS: Duration = Duration::from_millis(150);

/// How long each session may last.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// What became of the caller's voice: which frames a session heard, and when.
#[derive(Default)]
struct Log(Vec<(Instant, u32)>);

impl Log {
    fn note(&mut self, command: &RealtimeCommand) {
        if let RealtimeCommand::Append(frame) = command {
            let number = frame.to_raw()[..4].try_into().map(u32::from_be_bytes).unwrap();
            self.0.push((Instant::now(), number));
        }
    }

    /// Each frame was heard, and nobody waited long for the next.
    fn check(&self, frames: u32) {
        let missing: Vec<_> = (0..frames).filter(|number| !self.0.iter().any(|(_, heard)| heard == number)).collect();
        assert!(missing.is_empty(), "{missing:?} of {frames} were heard by nobody");
        let gap = self.0.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
        assert!(gap <= GAP, "nobody heard the caller for {gap:?}");
    }
}

/// The caller's telephone sends audio for so long.
async fn send(caller: &Caller, time: Duration) -> u32 {
    let mut number = 0_u32;
    let until = Instant::now() + time;
    while Instant::now() < until {
        let bytes: Vec<_> = number.to_be_bytes().into_iter().chain([0xFF; 156]).collect();
        caller.send(AudioFrame::raw(AudioFormat::MuLaw, bytes)).await.unwrap();
        number += 1;
        sleep(20 * MS).await;
    }
    number
}

/// A session that hears, and whose model speaks without a pause when `speaks`, until it is left or the time is up.
async fn live(model: &mut MemoryModel, log: &mut Log, mut speaks: bool, until: Instant) {
    let mut answer = None;
    let mut next = Instant::now();
    while Instant::now() < until {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(until) => return,
            command = model.recv() => match command {
                Some(RealtimeCommand::Respond { request, .. }) => {
                    (answer, speaks) = (Some(request), true);
                    next = Instant::now() + THINKS;
                }
                Some(command) => log.note(&command),
                None => return,
            },
            () = tokio::time::sleep_until(next), if speaks => {
                let speech = model.begin(answer.take()).await;
                // In real time, with a little ahead.
                model.speak(&speech, 100 * MS).await;
                while Instant::now() < until && !model.is_closed() {
                    model.speak(&speech, 100 * MS).await;
                    sleep(100 * MS).await;
                    while let Some(command) = model.try_recv() {
                        log.note(&command);
                    }
                }
                return;
            }
        }
    }
}

/// The longest silence between what the caller heard.
fn silence(caller: &Caller) -> Duration {
    let heard = caller.heard();
    let gaps = heard.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at + pair[0].frame.duration()));
    gaps.max().unwrap_or_default()
}

/// A call whose sessions may last twenty minutes, and what happens in it.
async fn play(scene: impl AsyncFnOnce(&Caller, &mut MemoryProvider)) -> CallReport {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (client, mut provider) = MemoryClient::new();
    let client = client.with_capabilities(Capabilities::client_driven().with_session_limit(LIMIT));
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let config =
        CallConfig::default().with_greeting(None).with_idle(None).with_no_media(60 * MINUTE).with_max_duration(None);
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let bridge = bridge.with_endpoints(Endpoints::new(client, SessionConfig::default()));
    let scene = async {
        scene(&caller, &mut provider).await;
        caller.hang_up().await.unwrap();
        caller.closed().await;
    };
    let (report, ()) = tokio::join!(bridge.run(), scene);
    assert_eq!(report.stats.sessions_lost, 0);
    report
}

#[tokio::test(start_paused = true)]
async fn a_change_in_a_quiet_moment_is_not_noticed() {
    let report = play(async |caller, provider| {
        let mut old = provider.accept().await.unwrap();
        sleep(10 * MINUTE - 3 * S).await;
        let until = Instant::now() + 8 * S;
        let hears = async {
            let mut log = Log::default();
            live(&mut old, &mut log, false, until).await;
            assert!(Instant::now() < until, "the session was not left");
            let mut new = provider.accept().await.unwrap();
            live(&mut new, &mut log, false, until).await;
            (log, new)
        };
        let (frames, (log, _new)) = tokio::join!(send(caller, 7 * S), hears);
        log.check(frames);
    })
    .await;
    assert_eq!(report.stats.rotations, 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_at_the_last_moment_is_hardly_noticed() {
    let report = play(async |caller, provider| {
        let began = Instant::now();
        let mut old = provider.accept().await.unwrap();
        sleep(10 * MINUTE - S).await;
        // From here on there is no quiet moment.
        let until = began + LIMIT + 5 * S;
        let hears = async {
            let mut log = Log::default();
            live(&mut old, &mut log, true, until).await;
            assert_eq!((began + LIMIT - Instant::now()).as_secs(), 4, "five seconds before the limit");
            let mut new = provider.accept().await.unwrap();
            live(&mut new, &mut log, false, until).await;
            (log, new)
        };
        let sends = async {
            tokio::time::sleep_until(began + LIMIT - 10 * S).await;
            send(caller, 14 * S).await
        };
        let (frames, (log, _new)) = tokio::join!(sends, hears);
        log.check(frames);
        let silence = silence(caller);
        assert!(silence <= GAP, "the caller heard nobody for {silence:?}");
    })
    .await;
    assert_eq!(report.stats.rotations, 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_session_counts_from_when_it_was_opened() {
    let report = play(async |_, provider| {
        let began = Instant::now();
        let mut sessions = Vec::new();
        sessions.push(provider.accept().await.unwrap());
        // The caller talks on and on, so that each session is left at its last moment.
        sessions[0].speech_started().await;
        let mut left = Vec::new();
        for _ in 0..2 {
            let mut next = provider.accept().await.unwrap();
            let opened = began.elapsed();
            let old = sessions.last_mut().unwrap();
            while old.recv().await.is_some() {}
            left.push(began.elapsed().as_secs());
            next.speech_started().await;
            assert!(opened.as_secs() >= 10 * 60 - 1);
            sessions.push(next);
        }
        // The second was opened ten minutes before it took over.
        assert_eq!(left, [20 * 60 - 5, 30 * 60 - 5]);
    })
    .await;
    assert_eq!(report.stats.rotations, 2);
}
