//! Ten minutes of a call in no time.

use realtime_bridge::{
    realtime::{Capabilities, RealtimeCommand, SessionConfig},
    relay::CallConfig,
    tool::ToolSet,
};
use tokio::time::{Duration, sleep};

use super::{MS, S, call_with, greeting};

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_talk_lose_nothing() {
    let began = std::time::SystemTime::now();
    let config = CallConfig::default().with_greeting(greeting());
    let mut call = call_with(config, &SessionConfig::default(), Capabilities::client_driven(), ToolSet::new());
    let (caller, model) = (&call.caller, &mut call.model);
    let talk = async {
        // The caller's telephone sends audio for the whole call.
        caller.keep_quiet(600 * S).await.unwrap();
        caller.hang_up().await.unwrap();
    };
    let answer = async {
        let mut cuts = 0;
        let mut turns = 0;
        while let Some(command) = model.recv().await {
            match command {
                RealtimeCommand::Respond { request, .. } => {
                    model.say(Some(request), "Hello, how can I help?", 2 * S).await;
                }
                RealtimeCommand::Truncate { heard, .. } => {
                    assert!(heard.abs_diff(1_500 * MS) <= 20 * MS, "{heard:?}");
                    cuts += 1;
                }
                RealtimeCommand::Append(_) if model.heard() >= (5 + 10 * turns) * S => {
                    // Every ten seconds the caller says something, each other time over the agent.
                    model.caller_says("And then?").await;
                    model.say(None, "Then you take the second street on the left.", 4 * S).await;
                    turns += 1;
                    if turns % 2 == 0 {
                        sleep(1_500 * MS).await;
                        model.speech_started().await;
                        let item = model.new_item_id();
                        model.speech_stopped(&item).await;
                        model.say(None, "Sorry?", S).await;
                    }
                }
                _ => {}
            }
        }
        (turns, cuts)
    };
    let ((), (turns, cuts)) = tokio::join!(talk, answer);
    assert_eq!((turns, cuts), (60, 30));
    let heard = call.caller.heard_total();
    let report = call.over("caller-hung-up").await;
    assert_eq!(report.duration, 600 * S);
    assert_eq!((report.stats.frames_from_line, report.stats.interruptions), (30_000, 30));
    assert_eq!((report.stats.caller_dropped, report.stats.agent_dropped), (Duration::ZERO, Duration::ZERO));
    // The greeting, thirty whole answers, thirty that were cut, thirty short ones.
    let expected = 2 * S + 30 * (4 * S + 1_500 * MS + S);
    assert!(heard.abs_diff(expected) <= 31 * 20 * MS, "{heard:?} were heard, not {expected:?}");
    // The only real clock here: the call has to be far faster than the ten minutes it tells of.
    assert!(began.elapsed().unwrap() < 10 * S);
}
