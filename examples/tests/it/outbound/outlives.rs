//! Calls that outlive their server, and the store.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{CallSession, Line, Outcome, Speaker, Status, ToolOutcome},
    directory::Directory,
    id::NodeId,
    live::{Board, postgres::PostgresBoard},
    store::{Query, SessionStore, postgres::PostgresStore, sqlite::SqliteStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, OpenAiSimulator, Script},
    twilio::{CallEnd, CallReport, CallerScript, Cue, Event, PhoneScript},
};
use examples::{
    outbound,
    phone::{Parts, Phone, api::Api},
    program,
    settings::{Arguments, Settings},
};
use realtime_bridge::{
    realtime::ToolSpec,
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolPolicy},
};
use serde_json::json;
use tokio::{process::Command, time::timeout};
use twilio_twiml::sid::CallSid;

use super::world::{PATIENCE, World, all_over, lengthy, new_folder, talks};

/// Where bookings are written down, and where it is said that they may come to their end.
pub(super) const FOLDER: &str = "BOOKINGS";

/// A tool with an effect that can be counted from outside: a line in a file. It takes as long as the test wants.
struct Book(PathBuf);

#[async_trait]
impl RawTool for Book {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new(
            "book",
            "Books a day.",
            json!({ "type": "object", "properties": { "day": { "type": "string" } } }),
        )
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Never).with_limit(Duration::from_secs(60))
    }

    async fn call_raw(&self, context: &ToolContext, _: &str) -> Result<String, ToolError> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.0.join("done")).unwrap();
        file.write_all(format!("{}\n", context.key).as_bytes()).unwrap();
        while !self.0.join("go-on").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok("booked".into())
    }
}

/// The keys of all bookings.
fn bookings(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("done")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
#[ignore = "a server, which a test starts as a process"]
async fn a_server_with_bookings() {
    #[derive(clap::Parser)]
    struct FromEnvironment {
        #[command(flatten)]
        arguments: Arguments,
    }
    let FromEnvironment { arguments } = clap::Parser::parse_from(["server"]);
    program::log(false);
    let settings = Settings::check(&arguments).unwrap();
    let tools = outbound::tools().with(Book(std::env::var_os(FOLDER).unwrap().into()));
    let phone = Phone::new(settings.clone(), Parts::new(settings.database.open().await.unwrap(), tools)).unwrap();
    let router = phone.router().merge(Api::new(phone.clone()).router());
    program::serve(&settings, phone, router).await.unwrap();
}

/// Books when the caller first says something; also in a session that goes on with a call.
fn books() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::call("book", &json!({ "day": "monday" })).then(Answer::say(en::AGENT_HOURS)))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})))
}

/// From the moment Twilio asked what comes next until the caller heard the agent again; `None` if it never asked.
fn silence(report: &CallReport) -> Option<Duration> {
    let asked = report
        .timeline
        .moments()
        .iter()
        .find(|moment| matches!(&moment.event, Event::WebhookSent { url, .. } if url.contains("/after-stream/")))?;
    let again = report.agent_speech.iter().find(|speech| speech.start > asked.at);
    again.map(|speech| speech.start - asked.at)
}

/// Twenty people who listen to the greeting, wait for the sign, and say goodbye.
async fn call_twenty(world: &World, store: &dyn SessionStore, directory: &dyn Directory, go: &Cue) -> Vec<CallSid> {
    let talk = CallerScript::new().until_hears(en::AGENT_GREETING).until_cue(go).say(en::CALLER_THANKS);
    let calls = call_all(world, directory, talk).await;
    wait_for_greetings(store, 20).await;
    calls
}

/// Twenty people who do this.
async fn call_all(world: &World, directory: &dyn Directory, talk: CallerScript) -> Vec<CallSid> {
    let customers = world.customers(directory, std::iter::repeat_n(PhoneScript::answers(talk), 20)).await;
    let started = futures_util::future::join_all(customers.iter().map(|customer| world.start(customer))).await;
    started.iter().map(|answer| answer["twilioCallSid"].as_str().unwrap().parse().unwrap()).collect()
}

/// Waits until so many callers have heard the greeting.
async fn wait_for_greetings(store: &dyn SessionStore, calls: usize) {
    wait_for(store, calls, |call| call.transcript.iter().any(|line| line.complete && line.speaker == Speaker::Agent))
        .await;
}

/// Waits until it is so with as many active calls.
async fn wait_for(store: &dyn SessionStore, calls: usize, so: impl Fn(&CallSession) -> bool) {
    let so = async {
        loop {
            let position = store.feed_end().await.unwrap();
            let mut count = 0;
            for call in store.query(&Query::active().with_limit(100)).await.unwrap().calls {
                count += usize::from(so(&store.load(call.id).await.unwrap().unwrap()));
            }
            if count == calls {
                return;
            }
            store.feed_moved(position).await;
        }
    };
    timeout(PATIENCE, so).await.unwrap();
}

/// The server that is there, once it has said so.
async fn the_only_server(store: &PostgresStore) -> NodeId {
    let board = PostgresBoard::new(store.postgres().clone());
    let there = async {
        loop {
            if let [(node, true)] = &board.nodes().await.unwrap()[..] {
                return node.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, there).await.unwrap()
}

/// Waits until all calls are with servers that took them on, and the agent speaks on each.
async fn wait_for_return(store: &dyn SessionStore, calls: usize, gone: &NodeId) {
    wait_for(store, calls, |call| {
        let now = call.summary.attachment().map(|attachment| attachment.stream);
        let spoke = call.transcript.iter().any(|line| line.speaker == Speaker::Agent && line.stream == now);
        spoke && call.summary.node().is_some_and(|node| node != gone)
    })
    .await;
}

/// How long those were in silence whose server went away; and that all came to a good end, with all that was said.
async fn check_all_went_on(world: &World, store: &dyn SessionStore, calls: &[CallSid]) -> Vec<Duration> {
    let mut silences = Vec::new();
    for sid in calls {
        let report = world.twilio.report(sid).await.unwrap();
        silences.extend(silence(&report).filter(|_| report.streams.len() > 1));
    }
    assert!(!silences.is_empty(), "some calls were on the server that went away");
    let fates = all_over(store, calls.len()).await;
    assert!(fates.iter().all(|fate| *fate == (Status::Completed, Some(Outcome::Conversation))), "{fates:?}");
    for call in store.query(&Query::default().with_limit(100)).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let agents = session.transcript.iter().filter(|line| line.speaker == Speaker::Agent).count();
        let streams = call.attachments.len();
        assert_eq!(session.transcript[0].heard, en::AGENT_GREETING.transcript, "what was heard is kept");
        assert!(agents >= streams, "on each of {streams} streams the agent spoke: {:?}", session.transcript);
        let heard: Vec<_> = session.transcript.iter().map(|line| line.heard.as_str()).collect();
        let end = [en::CALLER_THANKS, en::AGENT_GOODBYE].map(|speech| speech.transcript);
        assert!(heard.ends_with(&end), "what was said later is there, too: {heard:?} {:?}", call.attachments);
    }
    silences
}

/// All are in the middle of a booking when one of the servers dies, and that is not booked again.
#[tokio::test]
async fn callers_go_on_talking_when_their_server_is_killed() {
    let folder = new_folder();
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::talking(database.url().to_owned(), books()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let mut first = world.serve_with_bookings(0, &folder).await;
    let gone = the_only_server(&store).await;
    let _second = world.serve_with_bookings(1, &folder).await;
    // Whoever is cut off is asked to say the last again.
    let go = Cue::new();
    let talk = CallerScript::new()
        .until_agent_finishes()
        .say(en::CALLER_HOURS)
        .until_agent_finishes()
        .until_cue(&go)
        .say(en::CALLER_THANKS)
        .until_agent_finishes()
        .say(en::CALLER_THANKS);
    let calls = call_all(&world, &store, talk).await;
    let asked = |line: &Line| line.complete && line.heard == en::CALLER_HOURS.transcript;
    wait_for(&store, 20, |call| !call.tools.is_empty() && call.transcript.iter().any(asked)).await;
    // They are written down before they begin.
    let begun = async {
        loop {
            let mut begun = bookings(&folder);
            begun.sort_unstable();
            begun.dedup();
            if begun.len() == 20 {
                return begun;
            }
            tokio::task::yield_now().await;
        }
    };
    let begun = timeout(PATIENCE, begun).await.unwrap();
    first.kill().await.unwrap();
    std::fs::write(folder.join("go-on"), "").unwrap();
    wait_for_return(&store, 20, &gone).await;
    go.give();
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert!(silences.iter().all(|silence| *silence < Duration::from_secs(3)), "{silences:?}");

    let mut booked = bookings(&folder);
    booked.sort_unstable();
    assert_eq!(booked, begun, "nothing was booked twice");
    let (mut unknown, mut done) = (0, 0);
    for call in store.query(&Query::default().with_limit(100)).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let runs: Vec<_> = session.tools.iter().filter(|run| begun.contains(&run.key)).collect();
        assert_eq!(runs.len(), 1, "each effect is in the journal of its call");
        assert!(session.transcript.iter().any(asked), "what was said just before is there: {:?}", session.transcript);
        unknown += usize::from(runs[0].outcome.is_none());
        done += usize::from(runs[0].outcome == Some(ToolOutcome::Done));
    }
    assert_eq!((unknown, done), (silences.len(), 20 - silences.len()), "of those that were cut off nobody knows more");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn callers_go_on_talking_when_their_server_is_deployed_anew() {
    let database = throwaway_postgres::Database::create().unwrap();
    let world = World::new(database.url().to_owned()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    // The balancer of this world looks fifty times a second.
    let settings = [("MACHINE", "ignore"), ("DRAIN_NOTICE", "0.3")];
    let mut first = world.serve(0, &settings).await;
    let gone = the_only_server(&store).await;
    let _second = world.serve(1, &settings).await;
    let go = Cue::new();
    let calls = call_twenty(&world, &store, &store, &go).await;
    let pid = first.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(first.wait().await.unwrap().success(), "it stops by itself");
    let active = store.query(&Query::active().with_limit(100)).await.unwrap().calls.len();
    assert_eq!(active, 20, "it does not wait for calls that others can have");
    wait_for_return(&store, 20, &gone).await;
    go.give();
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert!(silences.iter().all(|silence| *silence < Duration::from_secs(1)), "{silences:?}");
}

/// The server is told to stop while the agent speaks: it says what it is saying, and the next one goes on.
#[tokio::test]
async fn an_answer_is_heard_to_its_end_when_its_server_is_deployed_anew() {
    let database = throwaway_postgres::Database::create().unwrap();
    let model = OpenAiSimulator::builder().script(talks()).first_scripts([lengthy()]);
    let world = World::modelled(database.url().to_owned(), model).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let settings = [("MACHINE", "ignore"), ("DRAIN_NOTICE", "0.3")];
    let mut first = world.serve(0, &settings).await;
    let speaks = Cue::new();
    let talk = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .say(en::CALLER_HOURS)
        .until_agent_spoke_for(Duration::from_secs(1))
        .cue(&speaks)
        .until_hears(en::AGENT_GREETING)
        .say(en::CALLER_THANKS);
    let customers = world.customers(&store, [PhoneScript::answers(talk)]).await;
    let sid = world.start(&customers[0]).await["twilioCallSid"].as_str().unwrap().parse().unwrap();
    timeout(PATIENCE, speaks.given()).await.unwrap();
    let _second = world.serve(1, &settings).await;
    let pid = first.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(first.wait().await.unwrap().success(), "it stops by itself");

    let report = timeout(PATIENCE, world.twilio.report(&sid)).await.unwrap().unwrap();
    assert_eq!((report.streams.len(), &report.end), (2, &CallEnd::HungUp), "{}", report.timeline);
    // What the caller hears between both questions: the answer, and the next server's first words.
    let [asks, thanks] = &report.caller_speech[..] else { panic!("{}", report.timeline) };
    let heard: Vec<_> =
        report.agent_speech.iter().filter(|span| (asks.end..thanks.start).contains(&span.start)).collect();
    let gaps: Vec<_> = heard.windows(2).map(|spans| spans[1].start.saturating_sub(spans[0].end)).collect();
    assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(1)), "nobody hears a gap: {gaps:?} {}", report.timeline);
    all_over(&store, 1).await;
    let call = store.query(&Query::default()).await.unwrap().calls.remove(0);
    let session = store.load(call.id).await.unwrap().unwrap();
    let heard: Vec<_> = session.transcript.iter().map(|line| line.heard.as_str()).collect();
    let greeting = en::AGENT_GREETING;
    let spoken = [greeting, en::CALLER_HOURS, en::AGENT_HOURS, greeting, en::CALLER_THANKS, en::AGENT_GOODBYE];
    assert_eq!(heard, spoken.map(|speech| speech.transcript), "the answer was heard to its end");
}

#[tokio::test]
async fn callers_go_on_talking_when_the_only_server_is_killed_and_started_again() {
    let folder = new_folder();
    let path = folder.join("calls.db");
    let world = World::new(format!("sqlite:{}", path.display())).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let mut server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let go = Cue::new();
    let calls = call_twenty(&world, &store, &store, &go).await;
    let one = store.query(&Query::active()).await.unwrap().calls.remove(0);
    let gone = one.node().unwrap().clone();
    server.kill().await.unwrap();
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;
    wait_for_return(&store, 20, &gone).await;
    go.give();
    let silences = check_all_went_on(&world, &store, &calls).await;
    assert_eq!(silences.len(), 20);
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// The store is away for twenty seconds in the middle of every call.
#[tokio::test]
async fn callers_do_not_notice_that_postgres_is_away() {
    let mut database = throwaway_postgres::Database::alone().unwrap();
    let world = World::talking(database.url().to_owned(), lengthy()).await;
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let (away, back) = (Cue::new(), Cue::new());
    let talk = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .until_cue(&away)
        .say(en::CALLER_HOURS)
        .until_hears(en::AGENT_HOURS)
        .until_cue(&back)
        .say(en::CALLER_THANKS);
    let _server = world.serve(0, &[("MACHINE", "ignore")]).await;
    let customers = world.customers(&store, std::iter::repeat_n(PhoneScript::answers(talk), 10)).await;
    let started = futures_util::future::join_all(customers.iter().map(|customer| world.start(customer))).await;
    wait_for_greetings(&store, 10).await;

    let server = database.server().unwrap();
    server.stop().unwrap();
    away.give();
    tokio::time::sleep(Duration::from_secs(20)).await;
    server.start_again().unwrap();
    back.give();

    for answer in &started {
        let sid = answer["twilioCallSid"].as_str().unwrap().parse().unwrap();
        let report = world.twilio.report(&sid).await.unwrap();
        assert_eq!((report.streams.len(), &report.end), (1, &CallEnd::HungUp), "{}", report.timeline);
    }
    let fates = all_over(&store, 10).await;
    assert!(fates.iter().all(|fate| *fate == (Status::Completed, Some(Outcome::Conversation))), "{fates:?}");
    for call in store.query(&Query::default()).await.unwrap().calls {
        let session = store.load(call.id).await.unwrap().unwrap();
        let heard: Vec<_> = session.transcript.iter().map(|line| line.heard.as_str()).collect();
        let spoken = [en::AGENT_GREETING, en::CALLER_HOURS, en::AGENT_HOURS, en::CALLER_THANKS, en::AGENT_GOODBYE];
        assert_eq!(heard, spoken.map(|speech| speech.transcript), "nothing is lost");
    }
}
