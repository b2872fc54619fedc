//! Carrying a call's audio, and what of it is written down.

mod models;

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    attach::carry,
    call::{CallSession, Line, NewCall, SessionEvent, Speaker, ToolOutcome, Usage},
    id::{SessionId, StreamId},
    recorder::{Recorder, RecorderConfig, Unwritten},
    store::{Commit, SessionStore, update},
};
use jiff::Timestamp;
use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, CallHandle, CallReport},
    media::{
        DtmfDigit,
        memory::{Caller, Line as MemoryLine, line},
    },
    realtime::{
        NewItem, ProviderError, RealtimeCommand, RealtimeEvent, ResponseOutcome, ResponseStatus, SessionConfig,
        ToolSpec,
        memory::{MemoryModel, MemorySession, pair},
    },
    relay::{CallConfig, ConversationMemory, MemoryLimits},
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolSet},
};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinSet, time::sleep};

use crate::{
    call::{at, attached, stream},
    hardship::HardStore,
};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A stream of a call under way, both of its far ends, and what is kept of it.
struct Live {
    store: Arc<HardStore>,
    id: SessionId,
    stream: StreamId,
    caller: Caller,
    model: MemoryModel,
    handle: CallHandle,
    carrying: JoinSet<CallReport>,
    writing: JoinSet<Result<(), Unwritten>>,
}

async fn new_call(store: &HardStore) -> SessionId {
    let id = SessionId::new();
    store.create(id, at(0), NewCall::inbound("+819012345678", "+81312345678"), vec![]).await.unwrap();
    id
}

/// Carries a stream of this call, with a tool that asks the store, and with what is remembered.
async fn live(
    store: Arc<HardStore>,
    id: SessionId,
    stream: StreamId,
    memory: ConversationMemory,
    config: RecorderConfig,
    leave: impl Future<Output = &'static str> + Send + 'static,
) -> Live {
    let tools = ToolSet::new().with(Witness { store: Arc::clone(&store), id });
    live_with(store, id, stream, memory, (config, tools), leave).await
}

/// The same with these tools.
async fn live_with(
    store: Arc<HardStore>,
    id: SessionId,
    stream: StreamId,
    memory: ConversationMemory,
    (config, tools): (RecorderConfig, ToolSet),
    leave: impl Future<Output = &'static str> + Send + 'static,
) -> Live {
    live_bridged(store, id, stream, config, |bridge| bridge.with_tools(tools).with_memory(memory), leave).await
}

/// The same over a bridge that was made ready by `with`.
async fn live_bridged(
    store: Arc<HardStore>,
    id: SessionId,
    stream: StreamId,
    config: RecorderConfig,
    with: impl FnOnce(Bridge<MemoryLine, MemorySession>) -> Bridge<MemoryLine, MemorySession>,
    leave: impl Future<Output = &'static str> + Send + 'static,
) -> Live {
    let (recorder, writes) = Recorder::new(Arc::clone(&store) as Arc<dyn SessionStore>, id, config);
    let mut writing = JoinSet::new();
    writing.spawn(writes.run());
    for event in attached(stream) {
        recorder.decide(event.at(at(1))).await.unwrap();
    }
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = pair(&SessionConfig::default());
    // Nobody speaks unless the test has them speak, and a silent line is no dead line.
    let quiet =
        CallConfig::default().with_greeting(None).with_idle(None).with_no_media(3_600 * S).with_model_stall(3_600 * S);
    let bridge = with(Bridge::with_config(line, session, quiet).unwrap());
    let (handle, mut carrying) = (bridge.handle(), JoinSet::new());
    carrying.spawn(async move { carry(&recorder, stream, bridge, leave).await });
    Live { store, id, stream, caller, model, handle, carrying, writing }
}

async fn started() -> Live {
    let store = Arc::new(HardStore::default());
    let id = new_call(&store).await;
    live(store, id, stream(1), ConversationMemory::default(), RecorderConfig::default(), pending()).await
}

impl Live {
    /// What is kept of the call by now.
    async fn kept(&self) -> CallSession {
        self.store.inner().load(self.id).await.unwrap().unwrap()
    }

    /// The stream is over: what is kept of the call then.
    async fn over(mut self) -> (CallSession, CallReport) {
        let report = self.carrying.join_next().await.unwrap().unwrap();
        self.writing.join_next().await.unwrap().unwrap().unwrap();
        (self.kept().await, report)
    }

    async fn events(&self) -> Vec<SessionEvent> {
        let history = self.store.inner().history(self.id).await.unwrap();
        history.into_iter().map(|event| event.stamped.event).collect()
    }
}

/// A tool that looks into the store when it runs.
struct Witness {
    store: Arc<HardStore>,
    id: SessionId,
}

#[async_trait]
impl RawTool for Witness {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("witness", "Sees.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }

    async fn call_raw(&self, context: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        let call = self.store.inner().load(self.id).await.unwrap().unwrap();
        let run = call.tools.iter().find(|run| run.key == context.key).expect("it is written down before it runs");
        assert_eq!((run.name.as_str(), run.arguments.as_str(), run.outcome), ("witness", arguments, None));
        Ok("seen".into())
    }
}

/// A tool that takes its time and must not happen twice.
#[derive(Clone, Default)]
struct Charge(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl RawTool for Charge {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("charge", "Takes money.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }

    async fn call_raw(&self, context: &ToolContext, _: &str) -> Result<String, ToolError> {
        sleep(3 * S).await;
        self.0.lock().unwrap().push(context.key.clone());
        Ok("charged".into())
    }
}

fn short(line: &Line) -> String {
    let speaker = if line.speaker == Speaker::Caller { "caller" } else { "agent" };
    format!("{speaker}: {}{}", line.heard, if line.interrupted { "…" } else { "" })
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_written_down() {
    let mut call = started().await;
    call.model.caller_says("A table for two, please.").await;
    call.model.say(None, "Gladly, for which day?", S).await;
    sleep(2 * S).await;
    // Already now, while the call goes on.
    let kept = call.kept().await;
    assert_eq!(
        kept.transcript.iter().map(short).collect::<Vec<_>>(),
        ["caller: A table for two, please.", "agent: Gladly, for which day?"]
    );
    assert!(kept.summary.attachments[0].spoken);
    call.model.say(None, "It is booked, and I can tell you about the menu.", 4 * S).await;
    sleep(2 * S).await;
    call.model.caller_says("Thank you.").await;
    sleep(S).await;
    call.caller.hang_up().await.unwrap();
    let (kept, report) = call.over().await;
    assert_eq!(kept.transcript.len(), 4);
    assert!(kept.transcript[2].interrupted && kept.transcript[2].heard.len() < kept.transcript[2].generated.len());
    assert!(kept.transcript.iter().all(|line| line.complete && line.stream == Some(stream(1))));
    assert!(kept.transcript.is_sorted_by_key(|line| line.at));
    let reported: Vec<_> = report.transcript.iter().map(|entry| (&entry.generated, &entry.heard)).collect();
    let written: Vec<_> = kept.transcript.iter().map(|line| (&line.generated, &line.heard)).collect();
    assert_eq!(written, reported);
    let end = kept.summary.attachments[0].detached.clone().unwrap();
    assert_eq!((end.cause.as_str(), end.orderly), ("caller-hung-up", true));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_caller_calls_off_is_asked_for_no_longer() {
    let mut call = started().await;
    let asked = SessionEvent::EndRequested { by: "operator".into() };
    let before = call.kept().await;
    let commit = Commit::new(call.id, before.summary.version, vec![asked.at(at(2))]);
    call.store.inner().commit(commit).await.unwrap();
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    call.model.say(None, "Goodbye.", 3 * S).await;
    sleep(S).await;
    call.model.caller_says("Wait, one more thing.").await;
    sleep(2 * S).await;
    assert_eq!(call.kept().await.summary.end_requested, None);
    call.caller.hang_up().await.unwrap();
    call.over().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_written_down_before_it_runs_and_when_it_has_ended() {
    let mut call = started().await;
    call.store.slow(S);
    call.model.call_tool(None, "witness", r#"{"of":1}"#).await;
    sleep(5 * S).await;
    let kept = call.kept().await;
    assert_eq!(kept.tools.len(), 1);
    assert_eq!((kept.tools[0].outcome, kept.tools[0].output.as_deref()), (Some(ToolOutcome::Done), Some("seen")));
    // The store is away: the tool does not run, as nobody would know that it did.
    call.store.away_for(60 * S);
    call.model.call_tool(None, "witness", r#"{"of":2}"#).await;
    sleep(120 * S).await;
    let kept = call.kept().await;
    assert_eq!((kept.tools.len(), kept.tools[1].outcome), (2, Some(ToolOutcome::TimedOut)));
    assert!(kept.tools[1].output.as_deref().is_some_and(|output| !output.contains("seen")));
    call.handle.hang_up().await.unwrap();
    call.over().await;
}

#[tokio::test(start_paused = true)]
async fn usage_problems_and_keys_are_written_down() {
    let mut call = started().await;
    for count in 1..=3 {
        let answer = call.model.begin(None).await;
        let mut used = realtime_bridge::realtime::Usage::default();
        (used.input, used.output) = (100 * count, 10);
        let mut outcome = ResponseOutcome::new(answer.response, ResponseStatus::Completed);
        outcome.usage = Some(used);
        call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    }
    call.model.error(ProviderError::new("rate_limit", "rate_limit_exceeded", "slow down")).await;
    for (key, pause) in [('1', MS), ('2', 5 * S), ('3', MS), ('#', S)] {
        call.caller.press(DtmfDigit::new(key).unwrap()).await.unwrap();
        sleep(pause).await;
    }
    call.handle.instruct("The table is free.", false).await.unwrap();
    sleep(S).await;
    call.handle.hang_up().await.unwrap();
    let events = {
        let Live { carrying, writing, .. } = &mut call;
        carrying.join_next().await.unwrap().unwrap();
        writing.join_next().await.unwrap().unwrap().unwrap();
        call.events().await
    };
    let kept = call.kept().await;
    let mut usage = Usage::default();
    (usage.input, usage.output) = (600, 30);
    assert_eq!(kept.summary.usage, usage);
    let keys: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::KeysPressed { keys } => Some(keys.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ["12", "3#"], "a pause makes the next another entry");
    assert!(kept.notes.iter().any(|note| note.text == "The table is free."), "{:?}", kept.notes);
    assert_eq!(kept.summary.problem.as_deref(), Some("model: rate_limit_exceeded"));
    // The end comes after all that happened before it.
    assert_eq!(events.last().map(SessionEvent::name), Some("stream-detached"));
    let end = kept.summary.attachments[0].detached.clone().unwrap();
    assert_eq!((end.cause.as_str(), end.orderly), ("hung-up", true));
}

#[tokio::test(start_paused = true)]
async fn leaving_a_stream_is_not_the_end_of_the_call() {
    let store = Arc::new(HardStore::default());
    let id = new_call(&store).await;
    let (go, leave) = oneshot::channel::<&'static str>();
    let leave = async move { leave.await.unwrap() };
    let memory = ConversationMemory::default();
    // Not even a recorder that is full of what a store does not take holds up the leaving.
    let config = RecorderConfig::default().with_waiting(1);
    let mut call = live(Arc::clone(&store), id, stream(1), memory, config, leave).await;
    call.model.caller_says("A table for two, please.").await;
    sleep(2 * S).await;
    store.away_for(60 * S);
    for note in ["one", "two", "three"] {
        call.handle.instruct(note, false).await.unwrap();
    }
    sleep(S).await;
    go.send("drained").unwrap();
    call.caller.closed().await;
    let stream = call.stream;
    let (kept, report) = call.over().await;
    assert_eq!(report.reason.name(), "hung-up");
    let end = kept.summary.attachments[0].detached.clone().unwrap();
    assert_eq!((end.cause.as_str(), end.orderly), ("drained", false));
    assert_eq!(kept.summary.after_stream(stream), call_session::call::Next::Reconnect);
    assert_eq!(kept.notes.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_falls_behind_misses_no_words_and_no_usage() {
    let store = Arc::new(HardStore::default());
    let id = new_call(&store).await;
    let (config, memory) = (RecorderConfig::default().with_waiting(1), ConversationMemory::default());
    let mut call = live(Arc::clone(&store), id, stream(1), memory, config, pending()).await;
    sleep(S).await;
    store.away_for(60 * S);
    // There is no room for the second: from here on nobody takes the updates, of which 256 are kept.
    for note in ["one", "two", "three"] {
        call.handle.instruct(note, false).await.unwrap();
    }
    sleep(S).await;
    for number in 0..300 {
        call.model.caller_says(&number.to_string()).await;
        let answer = call.model.begin(None).await;
        let mut used = realtime_bridge::realtime::Usage::default();
        used.input = 1;
        let mut outcome = ResponseOutcome::new(answer.response, ResponseStatus::Completed);
        outcome.usage = Some(used);
        call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
        sleep(10 * MS).await;
    }
    call.handle.hang_up().await.unwrap();
    let (kept, _) = call.over().await;
    let words = kept.transcript.iter().filter(|line| line.speaker == Speaker::Caller).map(|line| line.heard.clone());
    assert_eq!(words.collect::<Vec<_>>(), (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(kept.summary.usage.input, 300);
    assert_eq!(kept.summary.attachments[0].detached.as_ref().unwrap().cause, "hung-up");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_ends_by_itself_while_the_server_leaves_is_over() {
    let store = Arc::new(HardStore::default());
    let id = new_call(&store).await;
    let (go, leave) = oneshot::channel::<&'static str>();
    let leave = async move { leave.await.unwrap() };
    let memory = ConversationMemory::default();
    let call = live(Arc::clone(&store), id, stream(1), memory, RecorderConfig::default(), leave).await;
    sleep(S).await;
    call.caller.hang_up().await.unwrap();
    go.send("drained").unwrap();
    let (kept, _) = call.over().await;
    let end = kept.summary.attachments[0].detached.clone().unwrap();
    assert_eq!((end.cause.as_str(), end.orderly), ("caller-hung-up", true));
}

/// The entries that the model is told, as short text.
fn told(model: &mut MemoryModel) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(command) = model.try_recv() {
        let RealtimeCommand::AddItem { item, .. } = command else { continue };
        told.push(match item {
            NewItem::User(text) => format!("user {text}"),
            NewItem::Assistant(text) => format!("assistant {text}"),
            NewItem::ToolCall { name, arguments, .. } => format!("call {name} {arguments}"),
            NewItem::ToolOutput { output, .. } => format!("output {output}"),
            _ => continue,
        });
    }
    told
}

#[tokio::test(start_paused = true)]
async fn another_server_goes_on_with_what_is_kept() {
    let mut call = started().await;
    call.model.caller_says("A table for two, please.").await;
    call.model.call_tool(None, "witness", r#"{"for":2}"#).await;
    sleep(S).await;
    call.model.say(None, "It is booked, and I can tell you about the menu.", 4 * S).await;
    sleep(2 * S).await;
    let last = call.kept().await;
    assert_eq!(last.tools[0].outcome, Some(ToolOutcome::Done));
    // The process dies in the middle of a word.
    let Live { store, id, mut carrying, mut writing, .. } = call;
    carrying.shutdown().await;
    writing.shutdown().await;
    let kept = store.load(id).await.unwrap().unwrap();
    assert_eq!(kept.summary.after_stream(stream(1)), call_session::call::Next::Reconnect);

    let memory = kept.memory(MemoryLimits::default());
    let mut call = live(store, id, stream(2), memory, RecorderConfig::default(), pending()).await;
    sleep(S).await;
    let told = told(&mut call.model);
    assert_eq!(told[..3], ["user A table for two, please.", r#"call witness {"for":2}"#, "output seen",]);
    // The caller has not heard of the result to the end: an equal call gets it again, and nothing runs twice.
    call.model.call_tool(None, "witness", r#"{"for": 2}"#).await;
    sleep(S).await;
    assert_eq!(call.kept().await.tools.len(), 1);
    call.model.say(None, "It is booked.", S).await;
    sleep(2 * S).await;
    call.handle.hang_up().await.unwrap();
    let (kept, _) = call.over().await;
    assert_eq!(kept.summary.attachments.len(), 2);
    assert_eq!(kept.transcript.last().map(short).as_deref(), Some("agent: It is booked."));
}

#[tokio::test(start_paused = true)]
async fn another_server_is_told_the_beginning_of_a_long_call_in_short() {
    let mut call = started().await;
    call.model.caller_says("A table for two, please.").await;
    call.handle.summarise("A table is wanted.").await.unwrap();
    sleep(S).await;
    let Live { store, id, mut carrying, mut writing, .. } = call;
    carrying.shutdown().await;
    writing.shutdown().await;
    let memory = store.load(id).await.unwrap().unwrap().memory(MemoryLimits::default());
    assert_eq!(memory.summary(), Some("A table is wanted."));
    let mut call = live(store, id, stream(2), memory, RecorderConfig::default(), pending()).await;
    sleep(S).await;
    let first = call.model.recv_control().await;
    let Some(RealtimeCommand::AddItem { item: NewItem::System(text), .. }) = first else { panic!("{first:?}") };
    assert!(text.ends_with("in short: A table is wanted."), "{text}");
    call.handle.hang_up().await.unwrap();
    call.over().await;
}

/// How a server loses a call while a tool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Drained,
    Died,
}

/// The caller of a server that lost the call in the middle of a tool is asked by the next, and says yes after this time.
/// Gives how often the tool has come to its end, and what the second model is told of it.
async fn yes_after(store: Arc<HardStore>, lost: Lost, time: Duration) -> (usize, Vec<String>) {
    let charge = Charge::default();
    let id = new_call(&store).await;
    let tools = || (RecorderConfig::default(), ToolSet::new().with(charge.clone()));
    let (go, leave) = oneshot::channel::<&'static str>();
    let leave = async move { leave.await.unwrap() };
    let mut first = live_with(Arc::clone(&store), id, stream(1), ConversationMemory::default(), tools(), leave).await;
    first.model.caller_says("A table for two, please.").await;
    first.model.call_tool(None, "charge", "{}").await;
    sleep(S).await;
    if lost == Lost::Drained {
        go.send("drained").unwrap();
        first.caller.closed().await;
        sleep(100 * MS).await;
    } else {
        first.carrying.shutdown().await;
        first.writing.shutdown().await;
    }
    let kept = store.inner().load(id).await.unwrap().unwrap();
    assert_eq!(kept.summary.after_stream(stream(1)), call_session::call::Next::Reconnect);
    assert_eq!(kept.tools[0].outcome, None, "it still runs, or nobody knows");
    let memory = kept.memory(MemoryLimits::default());
    let mut second = live_with(Arc::clone(&store), id, stream(2), memory, tools(), pending()).await;
    sleep(time).await;
    second.model.caller_says("Yes, please.").await;
    second.model.call_tool(None, "charge", "{}").await;
    sleep(20 * S).await;
    let told = told(&mut second.model);
    second.handle.hang_up().await.unwrap();
    let (kept, _) = second.over().await;
    assert_eq!((kept.tools.len(), kept.tools[0].outcome), (1, Some(ToolOutcome::Done)), "it is one run");
    let keys = charge.0.lock().unwrap().clone();
    assert!(keys.iter().all(|key| *key == kept.tools[0].key));
    (keys.len(), told.into_iter().filter(|told| told.starts_with("output")).collect())
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_a_leaving_server_brings_to_its_end_is_not_run_again() {
    for time in [Duration::ZERO, S, 30 * S] {
        let (runs, told) = yes_after(Arc::default(), Lost::Drained, time).await;
        assert_eq!(runs, 1, "yes after {time:?}");
        assert!(told[0].contains("Ask the caller"), "{told:?}");
        assert_eq!(told[1], "output charged", "yes after {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_died_with_its_server_runs_again_if_the_caller_says_so() {
    for time in [Duration::ZERO, 30 * S] {
        let (runs, told) = yes_after(Arc::default(), Lost::Died, time).await;
        assert_eq!((runs, told.last().map(String::as_str)), (1, Some("output charged")), "yes after {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_on_other_calls_is_no_reason_to_load_this_one() {
    let mut loads = Vec::new();
    for busy in [false, true] {
        let store = Arc::new(HardStore::default());
        let other = new_call(&store).await;
        let mut others = JoinSet::new();
        let theirs = Arc::clone(&store);
        let happening = async move {
            loop {
                sleep(10 * MS).await;
                let note = SessionEvent::Noted { text: "busy".into() }.at(Timestamp::UNIX_EPOCH);
                update(theirs.inner(), other, |_| vec![note.clone()]).await.unwrap();
            }
        };
        if busy {
            others.spawn(happening);
        }
        let (runs, told) = yes_after(Arc::clone(&store), Lost::Died, Duration::ZERO).await;
        assert_eq!((runs, told.last().map(String::as_str)), (1, Some("output charged")));
        loads.push(store.loads());
    }
    assert_eq!(loads[0], loads[1]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_numbers_calls_anew_in_each_session_has_its_tools_run() {
    let mut call = started().await;
    call.model.caller_says("A table for two, please.").await;
    call.model.call_tool(None, "witness", r#"{"for":2}"#).await;
    sleep(S).await;
    call.model.say(None, "It is booked.", S).await;
    sleep(2 * S).await;
    let first = call.kept().await.tools;
    let Live { store, id, mut carrying, mut writing, .. } = call;
    carrying.shutdown().await;
    writing.shutdown().await;
    let kept = store.load(id).await.unwrap().unwrap();
    let memory = kept.memory(MemoryLimits::default());
    let mut call = live(store, id, stream(2), memory, RecorderConfig::default(), pending()).await;
    sleep(S).await;
    call.model.caller_says("And one for four.").await;
    // Its first call has the name that the first call of the session before had.
    let again = call.model.call_tool(None, "witness", r#"{"for":4}"#).await;
    assert_eq!(again.id.as_str(), first[0].id);
    sleep(S).await;
    let tools = call.kept().await.tools;
    assert_eq!((tools.len(), tools[1].outcome), (2, Some(ToolOutcome::Done)));
    assert_ne!(tools[0].key, tools[1].key);
    call.handle.hang_up().await.unwrap();
    call.over().await;
}
