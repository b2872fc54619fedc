//! What the caller hears when something fails.

use std::{
    cell::RefCell,
    io::{self, Write},
    time::Duration,
};

use call_simulator::{
    audio::fixtures::{en, ja},
    openai::{Act, Answer, Ending, OnUpdate, RecordedItem, Recording, Script},
    twilio::{CallEnd, CallReport, CallerScript, Event, StreamEnd},
};
use examples::{conversation::Language, settings::Arguments};
use realtime_bridge::relay::EndReason;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::world::{TOKEN, World, between, model, said_by_twilio};

fn english(arguments: &mut Arguments) {
    arguments.conversation.language = Some(Language::English.tag().into());
}

/// Greets, and says goodbye when the caller thanks.
fn takes_over() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_ONE_MOMENT))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

/// Breaks off in its first sentence.
fn dies_greeting() -> Script {
    Script::new().greeting(Answer::say(en::AGENT_GREETING).broken_after(Duration::from_secs(1), Act::Drop))
}

/// What the model was told in system items.
fn told(recording: &Recording) -> String {
    let line = |item: &RecordedItem| {
        let content = &item.item["content"][0];
        let text = content["text"].as_str().or_else(|| content["transcript"].as_str())?;
        Some(format!("{}: {text}", item.item["role"].as_str()?))
    };
    recording.items.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_apology(report: &CallReport) {
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(said_by_twilio(report), [format!("“{}”", ja::AGENT_APOLOGY.transcript)], "{}", report.timeline);
    let spoken = report.timeline.moments().iter().any(|moment| {
        matches!(&moment.event, Event::Document { twiml }
            if twiml.contains(r#"<Say voice="Polly.Mizuki" language="ja-JP">"#) && twiml.contains("<Hangup/>"))
    });
    assert!(spoken, "{}", report.timeline);
}

#[tokio::test]
async fn a_caller_hears_the_apology_when_the_model_cannot_be_reached() {
    let world = World::without_model(|_| {}).await;
    let report = world.call(CallerScript::new()).await;
    check_apology(&report);
    assert_eq!(report.streams.len(), 1, "the caller waits only once");
}

#[tokio::test]
async fn a_caller_hears_the_apology_when_the_model_is_not_ready_in_time() {
    let impatient = |arguments: &mut Arguments| arguments.server.model_wait = Some("2".into());
    let world = World::with(model(Script::new().on_update(OnUpdate::Ignore)), impatient).await;
    check_apology(&world.call(CallerScript::new()).await);
    world.session().await.closed().await;
}

#[tokio::test]
async fn a_caller_whose_model_dies_goes_on_with_another_that_knows_what_was_heard() {
    let first = Script::named("drops-en").unwrap();
    let mut world = World::with(model(takes_over()).first_scripts([first]), english).await;
    let caller = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .say(en::CALLER_HOURS)
        .until_hears(en::AGENT_ONE_MOMENT)
        .say(en::CALLER_THANKS);
    let report = world.call(caller).await;

    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(said_by_twilio(&report), Vec::<String>::new());
    assert_eq!(report.streams.len(), 1, "the line is kept: {}", report.timeline);
    assert!(matches!(world.records.recv().await.unwrap().report.reason, EndReason::Goodbye));

    world.session().await;
    let told = told(&world.session().await.recording());
    assert!(told.contains(&format!("assistant: {}", en::AGENT_GREETING.transcript)), "{told}");
    assert!(told.contains(&format!("user: {}", en::CALLER_HOURS.transcript)), "{told}");
    assert!(told.contains("do not greet again"), "{told}");
    // Of the answer that was cut off, the caller heard less than the model had said.
    assert!(told.contains("assistant: We are open") && !told.contains("holidays"), "{told}");
}

#[tokio::test]
async fn a_caller_whose_models_all_die_hears_the_apology() {
    let world = World::with(model(dies_greeting()), |_| {}).await;
    let report = world.call(CallerScript::new()).await;
    assert_eq!(report.streams.len(), 1, "another stream would find no other model: {}", report.timeline);
    check_apology(&report);
}

#[tokio::test]
async fn a_caller_whose_line_is_lost_is_connected_again() {
    let greets = Script::new().greeting(Answer::say(en::AGENT_GREETING));
    let mut world = World::with(model(takes_over()).first_scripts([greets]), english).await;
    let caller = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .drop_socket()
        .until_hears(en::AGENT_ONE_MOMENT)
        .say(en::CALLER_THANKS);
    let report = world.call(caller).await;
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(report.streams[0].reason, StreamEnd::SocketDropped);
    assert!(matches!(world.records.recv().await.unwrap().report.reason, EndReason::LineFailed(_)));
    assert!(matches!(world.records.recv().await.unwrap().report.reason, EndReason::Goodbye));
    let first = world.session().await.closed().await;
    assert!(matches!(first.ending, Some(Ending::ClientClosed(_))), "{:?}", first.ending);
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_no_session_behind() {
    let mut world = World::new(Script::named("demo-en").unwrap()).await;
    let report = world.call(CallerScript::named("hangs-up-early").unwrap()).await;
    assert!(matches!(report.end, CallEnd::CallerHungUp { .. }), "{}", report.end);
    assert!(matches!(world.records.recv().await.unwrap().report.reason, EndReason::CallerHungUp));
    world.session().await.closed().await;
    // Nobody is waited for.
    world.stopped().await;
}

thread_local! {
    /// What is logged on this thread, if anybody wants to know.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                log.extend(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The runtime of this test has one thread, so that what is logged anywhere is logged here. The subscriber is that of the
/// process all the same: what a thread without one comes past first is never logged again.
#[tokio::test]
async fn the_log_names_the_call_and_nothing_private() {
    LOG.set(Some(Vec::new()));
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info")).with_ansi(false).with_writer(|| Log).init();
    let world = World::with(model(takes_over()).first_scripts([dies_greeting()]), english).await;
    let report = world.call(CallerScript::new().until_hears(en::AGENT_ONE_MOMENT).say(en::CALLER_THANKS)).await;

    let log = String::from_utf8(LOG.take().unwrap()).unwrap();
    assert!(
        log.contains(&format!("call{{call_sid={} stream_sid={}", report.call_sid, report.streams[0].stream_sid)),
        "{log}"
    );
    assert!(log.contains("model-failed") && log.contains("goodbye"), "{log}");
    let documents = report.timeline.moments().iter().filter_map(|moment| match &moment.event {
        Event::Document { twiml } if twiml.contains("token") => Some(twiml),
        _ => None,
    });
    let tokens: Vec<_> = documents.map(|twiml| between(twiml, "name=\"token\" value=\"", "\"")).collect();
    assert_eq!(tokens.len(), 1);
    let words = [en::AGENT_GREETING, en::CALLER_THANKS, en::AGENT_GOODBYE].map(|speech| &speech.transcript[..12]);
    for private in [&["14155550100", "815012345678", TOKEN, "simulated"][..], &tokens, &words].concat() {
        assert!(!log.contains(private), "{private} in {log}");
    }
}
