//! What a call remembers, and how another goes on with it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use realtime_bridge::{
    audio::AudioFormat,
    bridge::Bridge,
    media::{
        DtmfDigit,
        memory::{Line, line},
    },
    realtime::{
        Capabilities, NewItem, RealtimeCommand, SessionConfig, ToolSpec,
        memory::{MemorySession, pair},
    },
    relay::{CallEvent, ConversationMemory, MemoryEntry, MemoryLimits, Remembered, Speaker, ToolOutcome, ToolRun},
    tool::{
        Begin, JournalError, PlannedRun, RawTool, ToolContext, ToolError, ToolJournal, ToolOptions, ToolPolicy, ToolSet,
    },
};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};

use super::{Call, MS, S, call_with, quiet, settle};

/// A tool that counts its effects, by key.
#[derive(Clone)]
struct Book {
    takes: Duration,
    policy: ToolPolicy,
    effects: Arc<Mutex<Vec<String>>>,
}

impl Book {
    fn new(takes: Duration, policy: ToolPolicy) -> Self {
        Self { takes, policy, effects: Arc::default() }
    }

    fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap().clone()
    }
}

#[async_trait]
impl RawTool for Book {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("book", "Books a table.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(self.policy)
    }

    async fn call_raw(&self, context: &ToolContext, _arguments: &str) -> Result<String, ToolError> {
        self.effects.lock().unwrap().push(context.key.clone());
        sleep(self.takes).await;
        Ok("booked".into())
    }
}

/// A journal that says what it is told to and keeps what it hears.
#[derive(Default)]
struct Paper {
    answers: Mutex<Vec<Result<Begin, JournalError>>>,
    begun: Mutex<Vec<PlannedRun>>,
    finished: Mutex<Vec<ToolRun>>,
}

#[async_trait]
impl ToolJournal for Paper {
    async fn begin(&self, run: &PlannedRun) -> Result<Begin, JournalError> {
        self.begun.lock().unwrap().push(run.clone());
        sleep(10 * MS).await;
        self.answers.lock().unwrap().pop().unwrap_or(Ok(Begin::Run))
    }

    async fn finish(&self, run: &ToolRun) -> Result<(), JournalError> {
        self.finished.lock().unwrap().push(run.clone());
        Ok(())
    }
}

fn with(book: &Book) -> Call {
    call_with(quiet(), &SessionConfig::default(), Capabilities::client_driven(), ToolSet::new().with(book.clone()))
}

/// A call that goes on with what is remembered.
fn resumed(memory: ConversationMemory, book: &Book, journal: Option<Arc<dyn ToolJournal>>) -> Call {
    resumed_with(book, journal, |bridge| bridge.with_memory(memory))
}

type MemoryBridge = Bridge<Line, MemorySession>;

fn resumed_with(
    book: &Book,
    journal: Option<Arc<dyn ToolJournal>>,
    remembers: impl FnOnce(MemoryBridge) -> MemoryBridge,
) -> Call {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = pair(&SessionConfig::default());
    let bridge = Bridge::with_config(line, session, quiet()).unwrap();
    let mut bridge = remembers(bridge.with_tools(ToolSet::new().with(book.clone())));
    if let Some(journal) = journal {
        bridge = bridge.with_journal(journal);
    }
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    Call { caller, model, handle, updates, run }
}

/// The entries that the model is told until nothing more comes.
async fn items(call: &mut Call) -> Vec<NewItem> {
    let mut items = Vec::new();
    settle().await;
    while let Some(command) = call.model.try_recv() {
        match command {
            RealtimeCommand::AddItem { item, .. } => items.push(item),
            RealtimeCommand::Append(_) | RealtimeCommand::Respond { .. } => {}
            other => panic!("only entries were to come, not {other:?}"),
        }
    }
    items
}

/// As short text, without what only the relay says.
fn told(items: &[NewItem]) -> Vec<String> {
    let short = |item: &NewItem| match item {
        NewItem::System(text) if text.contains("goes on after") => None,
        NewItem::System(text) => Some(format!("system {text}")),
        NewItem::User(text) => Some(format!("user {text}")),
        NewItem::Assistant(text) => Some(format!("assistant {text}")),
        NewItem::ToolCall { name, arguments, .. } => Some(format!("call {name} {arguments}")),
        NewItem::ToolOutput { output, .. } => Some(format!("output {output}")),
        _ => None,
    };
    items.iter().filter_map(short).collect()
}

#[tokio::test(start_paused = true)]
async fn another_session_is_told_what_was_heard_and_what_tools_gave() {
    let book = Book::new(S, ToolPolicy::Ask);
    let mut call = with(&book);
    let mut own = ConversationMemory::default();
    call.model.caller_says("A table for two, please.").await;
    call.model.say(None, "One moment.", S).await;
    call.model.call_tool(None, "book", r#"{"for": 2}"#).await;
    sleep(2 * S).await;
    call.model.say(None, "It is booked, and I can tell you about the menu.", 4 * S).await;
    // The caller talks over the agent, and presses keys.
    sleep(2 * S).await;
    call.model.caller_says("Thank you.").await;
    settle().await;
    call.caller.press(DtmfDigit::new('1').unwrap()).await.unwrap();
    call.caller.press(DtmfDigit::new('#').unwrap()).await.unwrap();
    settle().await;
    call.handle.hang_up().await.unwrap();
    while let Some(update) = call.updates.next().await {
        own.apply(&update);
    }
    let Call { mut run, .. } = call;
    let report = run.join_next().await.unwrap().unwrap();
    assert_eq!(own, report.memory, "whoever watches knows as much");

    let stored = serde_json::to_string(&own).unwrap();
    let mut call = resumed(serde_json::from_str(&stored).unwrap(), &book, None);
    let items = items(&mut call).await;
    assert_eq!(
        told(&items),
        [
            "user A table for two, please.",
            "assistant One moment.",
            r#"call book {"for": 2}"#,
            "output booked",
            "assistant It is booked, and I can…",
            "user Thank you.",
            "system The caller pressed these keys on the telephone: 1#",
        ]
    );
    assert_eq!(book.effects().len(), 1);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_the_caller_has_not_heard_of_is_given_again() {
    let book = Book::new(S, ToolPolicy::Ask);
    let mut call = with(&book);
    call.model.call_tool(None, "book", r#"{"for": 2, "at": 8}"#).await;
    assert_eq!(told(&[item(&mut call).await]), ["output booked"]);
    let (request, _) = call.asked().await;
    // The answer is cut off, and the model calls again.
    call.model.say(Some(request), "It is booked for eight.", 3 * S).await;
    sleep(S).await;
    call.model.caller_says("Hello?").await;
    call.model.call_tool(None, "book", r#"{"at":8,"for":2}"#).await;
    call.until("tool-answered").await;
    let mut memory = call.hang_up().await.memory;
    assert_eq!(book.effects().len(), 1);

    // The same in another session, until the caller has heard of it: then an equal call is a new wish.
    for line in 1..=2 {
        let mut call = resumed(memory, &book, None);
        items(&mut call).await;
        call.model.call_tool(None, "book", r#"{"for": 2, "at": 8}"#).await;
        call.until(if line == 1 { "tool-answered" } else { "tool-finished" }).await;
        assert_eq!(book.effects().len(), line);
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "It is booked for eight.", S).await;
        call.until("agent-silent").await;
        memory = call.hang_up().await.memory;
    }
    let keys = book.effects();
    assert_ne!(keys[0], keys[1], "two wishes have two keys");
}

/// The next entry that the model is told.
async fn item(call: &mut Call) -> NewItem {
    loop {
        match call.told().await {
            RealtimeCommand::AddItem { item, .. } => return item,
            RealtimeCommand::Truncate { .. } => {}
            other => panic!("an entry was to come, not {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_equal_call_waits_for_the_one_that_runs() {
    let book = Book::new(3 * S, ToolPolicy::Never);
    let mut call = with(&book);
    let first = call.model.call_tool(None, "book", "{}").await;
    sleep(S).await;
    call.model.caller_says("Hello?").await;
    let second = call.model.call_tool(None, "book", "{}").await;
    let outputs = [item(&mut call).await, item(&mut call).await];
    let expected = [first.id, second.id].map(|call| NewItem::ToolOutput { call, output: "booked".into() });
    assert_eq!(outputs, expected);
    call.asked().await;
    assert_eq!(book.effects().len(), 1);
    let report = call.hang_up().await;
    assert_eq!(report.tools.len(), 1, "it is one run");
}

/// What another session is told of a run that nobody saw the end of, and how often it has run then.
async fn left(policy: ToolPolicy) -> (Vec<String>, Call, Book) {
    let book = Book::new(S, policy);
    let mut memory = ConversationMemory::default();
    memory.push(MemoryEntry::said(Speaker::Caller, "A table, please."));
    memory.push(MemoryEntry::tool("call_9", "CA1/1.0/call_9", "book", "{}", None));
    let mut call = resumed(memory, &book, None);
    let items = items(&mut call).await;
    let told = told(&items).into_iter().skip(1).collect();
    (told, call, book)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_saw_the_end_of_follows_its_policy() {
    let (told, mut call, book) = left(ToolPolicy::Repeat).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("book {}"), "{told:?}");
    // This session was only told that it is at work, and takes no result without its call.
    let result = [item(&mut call).await, item(&mut call).await];
    assert_eq!(self::told(&result), ["call book {}", "output booked"]);
    call.asked().await;
    assert_eq!(book.effects(), ["CA1/1.0/call_9"], "under the key that it had");
    call.hang_up().await;

    let (told, mut call, book) = left(ToolPolicy::Never).await;
    assert_eq!(told[0], "call book {}");
    assert!(told[1].contains("must not be done again"), "{told:?}");
    call.model.caller_says("Do it!").await;
    call.model.call_tool(None, "book", "{}").await;
    let CallEvent::ToolAnswered { outcome, .. } = call.until("tool-answered").await else { unreachable!() };
    assert_eq!((outcome, book.effects().len()), (ToolOutcome::Refused, 0));
    call.hang_up().await;

    let (told, mut call, book) = left(ToolPolicy::Ask).await;
    assert!(told[1].contains("Ask the caller"), "{told:?}");
    call.model.call_tool(None, "book", "{}").await;
    call.until("tool-answered").await;
    assert_eq!(book.effects().len(), 0, "the caller has said nothing");
    call.model.caller_says("Yes, please.").await;
    call.model.call_tool(None, "book", "{}").await;
    call.until("tool-finished").await;
    assert_eq!(book.effects(), ["CA1/1.0/call_9"]);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_journal_is_asked_before_and_told_after() {
    let (book, paper) = (Book::new(S, ToolPolicy::Never), Arc::new(Paper::default()));
    let refused = Begin::Refuse { why: "another node does it".into() };
    let known = Begin::Replay { outcome: ToolOutcome::Done, output: "known".into() };
    *paper.answers.lock().unwrap() = vec![Err(JournalError::new("full")), Ok(known), Ok(refused), Ok(Begin::Run)];
    let mut call = resumed(ConversationMemory::default(), &book, Some(Arc::clone(&paper) as Arc<dyn ToolJournal>));
    let mut outcomes = Vec::new();
    for number in 0..4 {
        call.model.call_tool(None, "book", &format!(r#"{{"number": {number}}}"#)).await;
        let CallEvent::ToolFinished { outcome, key, .. } = call.until("tool-finished").await else { unreachable!() };
        assert_eq!(paper.begun.lock().unwrap()[number].key, key);
        outcomes.push(outcome);
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "Well.", 100 * MS).await;
    }
    assert_eq!(outcomes, [ToolOutcome::Done, ToolOutcome::Refused, ToolOutcome::Done, ToolOutcome::Failed]);
    assert_eq!(book.effects().len(), 1);
    let finished: Vec<_> = paper.finished.lock().unwrap().iter().map(|run| (run.outcome, run.output.clone())).collect();
    assert_eq!(finished, [(Some(ToolOutcome::Done), Some("booked".into()))]);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_is_written_down_and_not_repeated_unasked() {
    let (book, paper) = (Book::new(60 * S, ToolPolicy::Ask), Arc::new(Paper::default()));
    let mut call = resumed(ConversationMemory::default(), &book, Some(Arc::clone(&paper) as Arc<dyn ToolJournal>));
    call.model.call_tool(None, "book", "{}").await;
    let CallEvent::ToolFinished { outcome, output, .. } = call.until("tool-finished").await else { unreachable!() };
    assert_eq!(outcome, ToolOutcome::TimedOut);
    assert!(output.contains("Ask the caller"), "{output}");
    settle().await;
    assert_eq!(paper.finished.lock().unwrap()[0].outcome, Some(ToolOutcome::TimedOut));
    call.model.call_tool(None, "book", "{}").await;
    call.until("tool-answered").await;
    assert_eq!(book.effects().len(), 1);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_on_owes_the_answer_that_was_waited_for() {
    let book = Book::new(S, ToolPolicy::Ask);
    let mut memory = ConversationMemory::default();
    memory.push(MemoryEntry::said(Speaker::Caller, "Are you open on Sunday?"));
    let mut call = resumed(memory.clone(), &book, None);
    call.asked().await;
    call.hang_up().await;
    memory.push(MemoryEntry::said(Speaker::Agent, "Yes, from nine."));
    let mut call = resumed(memory, &book, None);
    assert_eq!(items(&mut call).await.len(), 3);
    assert!(call.told_nothing(5 * S).await);
    call.hang_up().await;
}

#[test]
fn the_oldest_is_forgotten_and_a_summary_stands_in_for_it() {
    let mut memory = ConversationMemory::with_limits(MemoryLimits::new(3, 1_000));
    memory.push(MemoryEntry::tool("call_1", "key", "book", "{}", None));
    for number in 0..5 {
        memory.push(MemoryEntry::said(Speaker::Caller, format!("Number {number}")));
    }
    let kept: Vec<_> = memory.entries().iter().map(|entry| matches!(entry.what, Remembered::Tool(_))).collect();
    assert_eq!((kept, memory.forgotten()), (vec![true, false, false], 3), "how the run ended may still be told");
    memory.push(MemoryEntry::note("x".repeat(2_000)));
    assert_eq!((memory.entries().len(), memory.forgotten()), (2, 5), "the newest is kept, however long");
    assert_eq!(memory.summary(), None);
    memory.set_summary("Numbers.");
    assert_eq!(memory.summary(), Some("Numbers."));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_goes_on_is_told_nothing_that_it_knows() {
    for policy in [ToolPolicy::Repeat, ToolPolicy::Never] {
        let book = Book::new(S, policy);
        let mut memory = ConversationMemory::default();
        memory.push(MemoryEntry::said(Speaker::Caller, "A table, please."));
        let done = Some((ToolOutcome::Done, "booked".into()));
        memory.push(MemoryEntry::tool("call_8", "CA1/1.0/call_8", "book", r#"{"for": 2}"#, done));
        memory.push(MemoryEntry::tool("call_9", "CA1/1.0/call_9", "book", "{}", None));
        let mut call = resumed_with(&book, None, |bridge| bridge.with_known_memory(memory));
        // The session waits for the result of the call that it has made.
        let NewItem::ToolOutput { call: id, output } = item(&mut call).await else {
            panic!("only a result is missing")
        };
        assert_eq!(id.as_str(), "call_9");
        assert_eq!(output == "booked", policy == ToolPolicy::Repeat, "{output}");
        let (request, items) = call.asked().await;
        assert!(items.is_empty(), "{items:?}");
        // What is remembered counts: an equal call is the same one.
        call.model.call_tool(Some(request), "book", r#"{"for": 2}"#).await;
        assert_eq!(told(&[item(&mut call).await]), ["output booked"]);
        assert_eq!(book.effects().len(), usize::from(policy == ToolPolicy::Repeat));
        call.hang_up().await;
    }
}
