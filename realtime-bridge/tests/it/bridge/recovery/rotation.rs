//! Sessions are changed before the provider ends them, and nobody notices.

use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, Endpoints},
    media::memory::line,
    realtime::{
        Capabilities, ProviderError, RealtimeClient, RealtimeCommand, RealtimeEvent, ResponseStatus, SessionConfig,
        memory::{MemoryClient, MemoryModel},
    },
    relay::{CallConfig, ConversationMemory, MemoryLimits, Speaker},
};
use tokio::time::{Duration, Instant, sleep};

use super::super::{MS, S};

const MINUTE: Duration = Duration::from_secs(60);
const TURNS_APART: Duration = Duration::from_secs(20);

/// Before each such turn there is one that comes to nothing.
const SPOILT_EVERY: usize = 10;

/// A turn whose words nobody makes out, and whose answer fails when it has words and no voice.
async fn spoil(model: &mut MemoryModel) {
    let item = model.speech_started().await;
    model.speech_stopped(&item).await;
    let error = ProviderError::new("transcription_error", "audio_unintelligible", "no words");
    model.emit(RealtimeEvent::UserTranscriptFailed { item, error }).await;
    let answer = model.begin(None).await;
    model.words(&answer, "Spoilt.").await;
    model.done(&answer, ResponseStatus::Cancelled).await;
}

/// Answers a turn every twenty seconds until its session is closed, or the caller has said enough. Gives the number of
/// turns so far.
async fn talk(model: &mut MemoryModel, mut turn: usize, turns: usize, began: Instant) -> usize {
    while turn < turns {
        let due = began + TURNS_APART * u32::try_from(turn + 1).unwrap();
        tokio::select! {
            biased;
            command = model.recv() => match command {
                Some(RealtimeCommand::AddItem { .. } | RealtimeCommand::Append(_)) => {}
                Some(other) => panic!("nothing was to be asked, and yet {other:?}"),
                None => return turn,
            },
            () = tokio::time::sleep_until(due) => {
                if turn.is_multiple_of(SPOILT_EVERY) {
                    spoil(model).await;
                }
                model.caller_says(&format!("Question {turn}?")).await;
                sleep(300 * MS).await;
                model.say(None, &format!("Answer {turn}."), 3 * S).await;
                turn += 1;
            }
        }
    }
    turn
}

#[tokio::test(start_paused = true)]
async fn a_call_of_four_hours_outlives_its_sessions_and_stays_small() {
    let (line, caller) = line(AudioFormat::MuLaw);
    let capabilities = Capabilities::client_driven().with_session_limit(60 * MINUTE);
    let (client, mut provider) = MemoryClient::new();
    let client = client.with_capabilities(capabilities);
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let config = CallConfig::default()
        .with_greeting(None)
        .with_idle(None)
        .with_no_media(24 * 60 * MINUTE)
        .with_max_duration(None)
        .with_transcript_limit(200);
    let limits = MemoryLimits::new(20, 4_096);
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let bridge = bridge
        .with_memory(ConversationMemory::with_limits(limits))
        .with_endpoints(Endpoints::new(client, SessionConfig::default()));
    let (handle, began, turns) = (bridge.handle(), Instant::now(), 720);
    let mut updates = handle.watch();
    let watching = async {
        let (mut told, mut lost) = (0, 0);
        while let Some(update) = updates.next().await {
            lost += usize::from(update.event.name() == "model-lost");
            if let realtime_bridge::relay::CallEvent::Transcript(entry) = update.event {
                told += usize::from(entry.complete);
            }
        }
        (told, lost)
    };
    let models = async {
        let (mut turn, mut sessions, mut last) = (0, 0, None);
        while turn < turns {
            let mut model = provider.accept().await.unwrap();
            sessions += 1;
            let opened = Instant::now();
            turn = talk(&mut model, turn, turns, began).await;
            assert!(opened.elapsed() <= 60 * MINUTE, "the session lives too long");
            last = Some(model);
        }
        sleep(10 * S).await;
        caller.hang_up().await.unwrap();
        caller.closed().await;
        drop(last);
        sessions
    };
    let (report, (told, lost), sessions) = tokio::join!(bridge.run(), watching, models);
    assert_eq!(report.reason.name(), "caller-hung-up");
    assert!(report.duration >= 4 * 60 * MINUTE);
    assert_eq!((sessions, lost, report.stats.rotations), (5, 0, 4));
    let spoilt = 2 * turns / SPOILT_EVERY;
    assert_eq!(told, 2 * turns + spoilt, "each entry was told, once to its end");
    // The newest are kept, in order, and what was dropped is counted.
    assert_eq!(report.transcript.len(), 200);
    assert_eq!(report.transcript_dropped, 2 * 720 + spoilt as u64 - 200);
    let (good, bad): (Vec<_>, Vec<_>) = report.transcript.iter().partition(|entry| !entry.heard.is_empty());
    assert_eq!(bad.len(), 18, "of the last ninety turns nine were spoilt");
    for (index, pair) in good.chunks(2).enumerate() {
        let turn = turns - good.len() / 2 + index;
        let said: Vec<_> = pair.iter().map(|entry| (entry.speaker, entry.heard.clone())).collect();
        let expected = [(Speaker::Caller, format!("Question {turn}?")), (Speaker::Agent, format!("Answer {turn}."))];
        assert_eq!(said, expected);
    }
    assert_eq!(report.memory.entries().len(), 20);
    assert_eq!(caller.heard_total(), 3 * S * 720, "nothing was lost at a change");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_left_in_a_quiet_moment_and_the_next_one_hears_the_caller_at_once() {
    let (line, caller) = line(AudioFormat::MuLaw);
    let capabilities = Capabilities::client_driven().with_session_limit(20 * MINUTE);
    let (client, mut provider) = MemoryClient::new();
    let client = client.with_capabilities(capabilities);
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let config = CallConfig::default().with_greeting(None).with_idle(None).with_no_media(60 * MINUTE);
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let bridge = bridge.with_endpoints(Endpoints::new(client, SessionConfig::default()));
    let handle = bridge.handle();
    let scene = async {
        let mut old = provider.accept().await.unwrap();
        sleep(10 * MINUTE - S).await;
        old.caller_says("When are you open?").await;
        old.say(None, "We are open from nine to six.", 5 * S).await;
        // It is time for another session, but the agent is speaking.
        let mut new = provider.accept().await.unwrap();
        sleep(3 * S).await;
        assert!(!old.is_closed(), "the agent still speaks");
        sleep(2 * S).await;
        assert!(old.is_closed(), "it was left in order");
        let mut items = 0;
        while let Some(command) = new.try_recv() {
            items += usize::from(matches!(command, RealtimeCommand::AddItem { .. }));
        }
        assert_eq!(items, 3);
        caller.keep_quiet(200 * MS).await.unwrap();
        sleep(MS).await;
        while new.try_recv().is_some() {}
        assert_eq!(new.heard(), 200 * MS);
        handle.hang_up().await.unwrap();
        caller.closed().await;
        drop(new);
    };
    let (report, ()) = tokio::join!(bridge.run(), scene);
    assert_eq!((report.stats.rotations, report.stats.sessions_lost), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_not_left_before_the_callers_words_have_come() {
    let (line, caller) = line(AudioFormat::MuLaw);
    let capabilities = Capabilities::client_driven().with_session_limit(20 * MINUTE);
    let (client, mut provider) = MemoryClient::new();
    let client = client.with_capabilities(capabilities);
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let config = CallConfig::default().with_greeting(None).with_idle(None).with_no_media(60 * MINUTE);
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let bridge = bridge.with_endpoints(Endpoints::new(client, SessionConfig::default()));
    let handle = bridge.handle();
    let scene = async {
        let mut old = provider.accept().await.unwrap();
        sleep(10 * MINUTE - S).await;
        let question = old.speech_started().await;
        old.speech_stopped(&question).await;
        old.say(None, "We are open from nine to six.", 3 * S).await;
        let new = provider.accept().await.unwrap();
        sleep(4 * S).await;
        assert!(!old.is_closed(), "what the caller has said is not known yet");
        old.user_transcript(&question, "When are you open?").await;
        sleep(300 * MS).await;
        assert!(old.is_closed());
        // Words that never come are not waited for.
        let mut old = new;
        sleep(9 * MINUTE + 58 * S).await;
        let question = old.speech_started().await;
        old.speech_stopped(&question).await;
        old.say(None, "On every day.", S).await;
        let new = provider.accept().await.unwrap();
        sleep(10 * S).await;
        assert!(old.is_closed());
        handle.hang_up().await.unwrap();
        caller.closed().await;
        drop(new);
    };
    let (report, ()) = tokio::join!(bridge.run(), scene);
    assert_eq!((report.stats.rotations, report.stats.sessions_lost), (2, 0));
    assert_eq!(report.transcript[0].heard, "When are you open?");
}
