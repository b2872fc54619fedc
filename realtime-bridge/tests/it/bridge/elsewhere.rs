//! Calls whose line is the provider's (SIP): what was heard comes from the provider's playback events.

use std::time::Duration;

use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, BridgeError, CallHandle, CallReport, Updates},
    media::{
        MediaStart,
        elsewhere::{FarEnd, elsewhere},
    },
    realtime::{
        Capabilities, PlaybackChange, PlaybackOwner, RealtimeCommand, RealtimeEvent, RequestId, ResponseId,
        ResponseStatus, SessionConfig, TurnDetection, TurnOwner,
        memory::{Answer, MemoryModel, pair_with},
    },
    relay::{BargeIn, CallConfig, CallEvent, Idle},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{MS, S, our_turns, over, settle};

struct Call {
    model: MemoryModel,
    far_end: FarEnd,
    handle: CallHandle,
    updates: Updates,
    run: JoinSet<CallReport>,
}

fn call(config: CallConfig) -> Call {
    call_with(config, &SessionConfig::default())
}

fn call_with(config: CallConfig, session: &SessionConfig) -> Call {
    let capabilities = Capabilities::client_driven().with_playback(PlaybackOwner::Provider);
    let (session, model) = pair_with(session, capabilities);
    let (line, far_end) = elsewhere(AudioFormat::MuLaw, MediaStart::new("rtc_1", ""));
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    Call { model, far_end, handle, updates, run }
}

fn quiet() -> CallConfig {
    CallConfig::default().with_greeting(None).with_idle(None)
}

impl Call {
    async fn until(&mut self, name: &str) -> CallEvent {
        let found = async {
            loop {
                let update = self.updates.next().await.unwrap_or_else(|| panic!("the call ended without {name}"));
                if update.event.name() == name {
                    return update.event;
                }
            }
        };
        timeout(120 * S, found).await.unwrap_or_else(|_| panic!("there is no {name}"))
    }

    async fn told(&mut self) -> RealtimeCommand {
        timeout(120 * S, self.model.recv()).await.expect("the model is told something").expect("the session is open")
    }

    async fn asked(&mut self) -> RequestId {
        loop {
            match self.told().await {
                RealtimeCommand::AddItem { .. } => {}
                RealtimeCommand::Respond { request, .. } => return request,
                other => panic!("an answer was to be asked for, not {other:?}"),
            }
        }
    }

    async fn playback(&mut self, response: &ResponseId, change: PlaybackChange) {
        self.model.emit(RealtimeEvent::Playback { response: response.clone(), change }).await;
    }

    /// An answer whose words have all come; the caller hears its beginning.
    async fn says(&mut self, request: Option<RequestId>, text: &str) -> Answer {
        let answer = self.model.begin(request).await;
        self.playback(&answer.response, PlaybackChange::Started).await;
        self.model.words(&answer, text).await;
        self.model.spoken(&answer, text).await;
        self.model.done(&answer, ResponseStatus::Completed).await;
        answer
    }

    async fn over(self, reason: &str) -> CallReport {
        let Self { model, far_end, handle, updates, run } = self;
        drop(far_end);
        over(reason, run, &handle, updates, None, Some(&model)).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_heard_before_the_call_ends() {
    let mut call = call(quiet());
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let request = call.asked().await;
    let answer = call.says(Some(request), "Goodbye.").await;
    let said = Instant::now();
    sleep(900 * MS).await;
    assert!(call.run.try_join_next().is_none(), "the caller still hears it");
    call.playback(&answer.response, PlaybackChange::Stopped).await;
    let report = call.over("goodbye").await;
    assert_eq!(said.elapsed(), 900 * MS);
    assert_eq!(report.transcript[0].heard, "Goodbye.");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_whose_end_is_never_told_does_not_last_for_ever() {
    let mut call = call(quiet());
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let request = call.asked().await;
    call.says(Some(request), "Goodbye.").await;
    call.over("goodbye-unconfirmed").await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_talks_over_the_agent_has_heard_a_part() {
    let mut call = call(quiet());
    let text = "We are open from nine to six, and on Saturdays from ten to two.";
    let answer = call.says(None, text).await;
    sleep(2 * S).await;
    let item = call.model.speech_started().await;
    call.playback(&answer.response, PlaybackChange::Cleared).await;
    assert!(matches!(call.until("interrupted").await, CallEvent::Interrupted { unheard } if unheard > S));
    call.model.speech_stopped(&item).await;
    settle().await;
    assert_eq!(call.model.try_recv(), None, "the provider stops and cuts by itself");
    call.handle.hang_up().await.unwrap();
    let report = call.over("hung-up").await;
    let heard = &report.transcript[0].heard;
    assert!(text.starts_with(heard.as_str()) && heard.len() > 20 && heard.len() < 45, "{heard}");
    assert!(report.transcript[0].interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_command_stops_what_is_played() {
    let mut call = call(quiet());
    let answer = call.says(None, "This will take a while to say, so somebody stops it.").await;
    settle().await;
    call.handle.interrupt().await.unwrap();
    assert!(matches!(call.told().await, RealtimeCommand::ClearPlayback { .. }), "the answer itself is whole");
    call.playback(&answer.response, PlaybackChange::Cleared).await;

    let running = call.model.begin(None).await;
    call.playback(&running.response, PlaybackChange::Started).await;
    call.model.words(&running, "And").await;
    settle().await;
    call.handle.interrupt().await.unwrap();
    let cancelled = matches!(call.told().await, RealtimeCommand::Cancel { response, .. } if response == Some(running.response.clone()));
    assert!(cancelled && matches!(call.told().await, RealtimeCommand::ClearPlayback { .. }));
    call.handle.hang_up().await.unwrap();
    call.over("hung-up").await;
}

#[tokio::test(start_paused = true)]
async fn our_turns_stop_the_agent_by_asking() {
    let mut call = call_with(quiet(), &our_turns());
    let running = call.model.begin(None).await;
    call.playback(&running.response, PlaybackChange::Started).await;
    call.model.words(&running, "We are").await;
    settle().await;
    call.model.speech_started().await;
    assert!(matches!(call.told().await, RealtimeCommand::Cancel { .. }));
    assert!(matches!(call.told().await, RealtimeCommand::ClearPlayback { .. }));
    call.handle.hang_up().await.unwrap();
    call.over("hung-up").await;
}

#[tokio::test(start_paused = true)]
async fn the_latency_is_that_of_the_ear_and_no_audio_is_no_dead_line() {
    let mut call = call(quiet().with_no_media(2 * S));
    sleep(60 * S).await;
    call.model.caller_says("When are you open?").await;
    sleep(700 * MS).await;
    let answer = call.says(None, "From nine.").await;
    let CallEvent::Latency(latency) = call.until("latency").await else { unreachable!() };
    assert_eq!(latency.first_heard, Some(700 * MS));
    call.playback(&answer.response, PlaybackChange::Stopped).await;
    call.until("agent-silent").await;
    call.far_end.hung_up();
    call.over("caller-hung-up").await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_caller_is_asked_once_the_agent_was_heard() {
    let mut call = call(quiet().with_idle(Some(Idle::new(5 * S, 1))));
    let answer = call.says(None, "What is your name?").await;
    sleep(3 * S).await;
    call.playback(&answer.response, PlaybackChange::Stopped).await;
    let silent = Instant::now();
    call.asked().await;
    assert_eq!(silent.elapsed(), 5 * S, "counted from when it was heard");
    call.handle.hang_up().await.unwrap();
    call.over("hung-up").await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_a_long_call_are_kept() {
    let mut call = call(quiet().with_transcript_limit(4));
    for turn in 0..10 {
        call.model.caller_says("And now?").await;
        let answer = call.says(None, &format!("It is {turn}.")).await;
        call.playback(&answer.response, PlaybackChange::Stopped).await;
        call.until("agent-silent").await;
    }
    call.handle.hang_up().await.unwrap();
    let report = call.over("hung-up").await;
    let said: Vec<_> = report.transcript.iter().map(|entry| entry.heard.as_str()).collect();
    assert_eq!(said, ["And now?", "It is 8.", "And now?", "It is 9."]);
    assert_eq!(report.transcript_dropped, 16);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_cannot_be_held_back_takes_no_reversible_barge_in() {
    let session =
        SessionConfig::default().with_turn_detection(TurnDetection::server_vad().with_owner(TurnOwner::Bridge));
    let with = |capabilities: Capabilities| {
        let (session, _model) = pair_with(&session, capabilities);
        let (line, _far_end) = elsewhere(AudioFormat::MuLaw, MediaStart::default());
        Bridge::with_config(line, session, quiet().with_barge_in(BargeIn::confirmed())).map(drop)
    };
    let BridgeError::Config { problems } =
        with(Capabilities::client_driven().with_playback(PlaybackOwner::Provider)).unwrap_err()
    else {
        unreachable!()
    };
    assert!(problems[0].contains("the provider has the line"));
    with(Capabilities::client_driven()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn marks_come_back_where_somebody_places_them() {
    use futures_util::{SinkExt, StreamExt};
    use realtime_bridge::media::{MarkId, MediaCommand, MediaEvent};

    let (mut line, far_end) = elsewhere(AudioFormat::MuLaw, MediaStart::default());
    line.send(MediaCommand::Mark(MarkId(3))).await.unwrap();
    assert!(matches!(line.next().await, Some(Ok(MediaEvent::Started(_)))));
    assert_eq!(line.next().await.unwrap().unwrap(), MediaEvent::Mark(MarkId(3)));
    assert!(timeout(Duration::from_secs(1), line.next()).await.is_err());
    far_end.hung_up();
    assert_eq!(line.next().await.unwrap().unwrap(), MediaEvent::Stopped);
    assert!(line.next().await.is_none());
}
