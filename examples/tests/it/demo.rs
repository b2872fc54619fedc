//! The call without accounts, as a newcomer runs it.

use std::{path::Path, time::Duration};

use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script},
    twilio::{CallEnd, CallReport, CallerScript},
};
use examples::{conversation::Language, database::Database, handoff, inbound::demo, outbound};
use serde_json::json;
use tokio::time::Instant;

use crate::world::World;

async fn check(language: Language) {
    let report = Box::pin(demo::run(language)).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    let voices = [report.telephone.recording.caller(), report.telephone.recording.agent()];
    assert!(voices.iter().all(|voice| voice.len() > 8 * 20_000), "both voices are on the recording");
    let told = report.to_string();
    assert!(told.contains("fell silent") && told.contains("calls free_slots"), "{told}");
}

/// Both at once, as each takes its time.
#[tokio::test]
async fn the_call_goes_as_scripted_in_english_and_japanese() {
    tokio::join!(check(Language::English), check(Language::Japanese));
}

/// How long the agent may be heard after the model sent `speech_started`.
const CUT_LIMIT: Duration = Duration::from_millis(60);

/// How long the agent was heard after the model had heard the caller interrupt it, by the simulators' own clocks.
async fn cut() -> (Duration, CallReport) {
    let script = Script::new()
        .greeting(Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_INTERRUPTS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})));
    let world = World::new(script).await;
    let caller = CallerScript::new().until_agent_spoke_for(Duration::from_millis(1_500)).say(en::CALLER_INTERRUPTS);
    let report = world.call(caller).await;
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    let session = world.session().await;
    let recording = session.recording();
    let [started] = recording.of_type("input_audio_buffer.speech_started").collect::<Vec<_>>()[..] else {
        panic!("{}", report.timeline)
    };
    let at = report.at(Instant::from_std(session.opened_at() + started.at));
    let heard = report.agent_speech.iter().find(|span| span.start < at && at <= span.end);
    let cut = heard.unwrap_or_else(|| panic!("nobody was interrupted at {at:?}\n{}", report.timeline)).end - at;
    (cut, report)
}

/// Measured, with the machine to itself (see `.config/nextest.toml`). A call in which this machine was busy with something else
/// says nothing of the agent, so there are three.
#[tokio::test]
async fn alone_an_agent_who_is_interrupted_falls_silent_at_once() {
    let mut cuts = Vec::new();
    for _ in 0..3 {
        let (cut, report) = cut().await;
        if cut <= CUT_LIMIT {
            return;
        }
        cuts.push((cut, report.worst_lateness));
    }
    panic!("the agent was heard for (with the line so late): {cuts:?}");
}

/// All at once, as each takes its time.
#[tokio::test]
async fn callers_are_handed_to_people_and_back() {
    let report = Box::pin(handoff::demo::run()).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    let files = report.save(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("handoff-calls")).unwrap();
    let parties: usize = report.scenarios.iter().map(|scenario| scenario.parties().count()).sum();
    assert_eq!((report.scenarios.len(), files.len()), (6, parties));
    // 16 bits on two channels: a second has 32,000 bytes.
    let short = files.iter().find(|file| file.metadata().unwrap().len() < 32_000);
    assert_eq!(short, None, "{report}");
}

/// Four people are called, and their calls kept here.
async fn check_calls(database: Database) {
    let report = Box::pin(outbound::demo::run(&database)).await.unwrap();
    assert_eq!(report.problems(), Vec::<String>::new(), "{report}");
    assert_eq!(report.calls.len(), 4, "{report}");
}

#[tokio::test]
async fn people_are_called_wherever_the_calls_are_kept() {
    let folder = std::env::temp_dir().join(format!("calls-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let file = format!("sqlite:{}", folder.join("calls.db").display());
    let server = throwaway_postgres::Database::create().unwrap();
    // As on the command line.
    let [memory, sqlite, postgres] = ["memory", &file, server.url()].map(|url| url.parse().unwrap());
    tokio::join!(check_calls(memory), check_calls(sqlite), check_calls(postgres));
    std::fs::remove_dir_all(folder).unwrap();
}
