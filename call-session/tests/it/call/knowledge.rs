//! What a call knows of the conversation: lines, tools, what is told to another model session, and what Debug shows.

use call_session::call::{
    CallSession, HandoffMode, Line, Outcome, Refused, SessionEvent, Speaker, Status, ToolOutcome, ToolRun,
};
use realtime_bridge::relay::{MemoryLimits, Remembered};

use super::{CALL, Kept, after, at, attached, detached, ended, line, samples, stream};

fn said(lines: Vec<Line>) -> SessionEvent {
    SessionEvent::Said { lines }
}

fn half(item: &str, second: i64, generated: &str, heard: &str) -> Line {
    let mut line = line(stream(1), item, Speaker::Agent, second, generated);
    (line.heard, line.complete) = (heard.into(), false);
    line
}

#[test]
fn a_line_grows_until_it_is_complete() {
    let mut call = after(attached(stream(1)));
    let whole = line(stream(1), "0/a", Speaker::Agent, 11, "Good morning.");
    let caller = line(stream(1), "0/b", Speaker::Caller, 10, "Hello?");
    call.take([said(vec![half("0/a", 11, "Good", "")]).at(at(11))]).unwrap();
    let again = call.take([said(vec![half("0/a", 11, "Good", "")]).at(at(12))]).unwrap();
    assert!(again.is_empty());
    call.take([said(vec![whole.clone()]).at(at(12))]).unwrap();
    // An older version comes late, together with something new: only the new is kept.
    let late = said(vec![half("0/a", 11, "Good mor", "Good"), caller.clone()]);
    let happened = call.take([late.at(at(13))]).unwrap();
    assert_eq!(happened[0].event, said(vec![caller.clone()]));
    // The caller's words are known late and stand where they were said.
    assert_eq!(call.transcript, [caller, whole.clone()]);
    // Not even what is taken in without asking changes what is complete.
    call.apply(&said(vec![half("0/a", 11, "Bad", "")]).at(at(14)));
    assert_eq!(call.transcript[1], whole);
    // The same name on another stream is another line.
    let mut other = whole;
    other.stream = Some(stream(2));
    assert_eq!(call.take([said(vec![other]).at(at(15))]).unwrap().len(), 1);
}

#[test]
fn only_the_callers_words_make_a_conversation() {
    let mut call = after(attached(stream(1)));
    call.take([said(vec![line(stream(1), "0/a", Speaker::Agent, 5, "Hello.")]).at(at(5))]).unwrap();
    assert!(!call.summary.attachments[0].spoken);
    call.take([said(vec![line(stream(1), "0/b", Speaker::Caller, 6, "Hello.")]).at(at(6))]).unwrap();
    assert!(call.summary.attachments[0].spoken);
}

fn run(key: &str, second: i64) -> ToolRun {
    ToolRun::new(key, "call_1", "book", "{}", at(second))
}

fn finished(key: &str, outcome: ToolOutcome) -> SessionEvent {
    SessionEvent::ToolFinished { key: key.into(), outcome, output: Some(format!("{outcome:?}")) }
}

#[test]
fn a_run_of_a_tool_ends_once_and_for_good() {
    let mut call = after(attached(stream(1)));
    let mut take = |event: SessionEvent| call.take([event.at(at(30))]).map(|happened| happened.len());
    assert_eq!(take(finished("1", ToolOutcome::Done)), Ok(0), "what never began does not end");
    assert_eq!(take(SessionEvent::ToolStarted { run: run("1", 20) }), Ok(1));
    assert_eq!(take(SessionEvent::ToolStarted { run: run("1", 21) }), Ok(0));
    // Nobody knows whether it was done; it is begun again under its key, and ends.
    assert_eq!(take(finished("1", ToolOutcome::TimedOut)), Ok(1));
    assert_eq!(take(finished("1", ToolOutcome::Abandoned)), Ok(0));
    assert_eq!(take(finished("1", ToolOutcome::Done)), Ok(1));
    assert_eq!(take(finished("1", ToolOutcome::Failed)), Ok(0));
    assert_eq!(take(ended(Status::Completed)), Ok(1));
    assert_eq!(take(SessionEvent::ToolStarted { run: run("2", 40) }), Err(Refused::Over));
    assert_eq!((call.tools.len(), call.tools[0].outcome), (1, Some(ToolOutcome::Done)));
}

fn remembered(call: &CallSession) -> Vec<String> {
    let short = |what: &Remembered| match what {
        Remembered::Said(said) if said.is_not_understood() => "not understood".into(),
        Remembered::Said(said) => {
            format!("{:?} {}{}", said.speaker, said.text, if said.interrupted { "…" } else { "" })
        }
        Remembered::Tool(tool) => format!("{} {:?} settled: {}", tool.name, tool.outcome, tool.settled),
        Remembered::Note(text) => format!("note {text}"),
        _ => "?".into(),
    };
    call.memory(MemoryLimits::default()).entries().iter().map(|entry| short(&entry.what)).collect()
}

#[test]
fn another_session_is_told_what_was_heard_in_its_order() {
    let mut call = after(attached(stream(1)));
    let mut take = |event: SessionEvent, second| assert_eq!(call.take([event.at(at(second))]).unwrap().len(), 1);
    take(said(vec![line(stream(1), "0/a", Speaker::Caller, 10, "A table, please.")]), 12);
    take(SessionEvent::ToolStarted { run: run("1", 14) }, 14);
    take(said(vec![line(stream(1), "0/b", Speaker::Agent, 15, "One moment.")]), 16);
    take(SessionEvent::Noted { text: "A key.".into() }, 17);
    take(finished("1", ToolOutcome::Done), 20);
    take(said(vec![half("0/c", 21, "It is booked.", "It is")]), 22);
    take(said(vec![half("0/d", 23, "And", "")]), 23);
    let mut lost = line(stream(1), "0/lost", Speaker::Caller, 24, "");
    lost.interrupted = true;
    take(said(vec![lost]), 24);
    let told = remembered(&call);
    let [caller, tool, moment, note, half] = ["A table, please.", "book", "One moment.", "A key.", "It is"];
    let expected = [
        format!("Caller {caller}"),
        format!("{tool} Some(Done) settled: false"),
        format!("Agent {moment}"),
        format!("note {note}"),
        // The process may have died here: what came after these words is not known to have been heard.
        format!("Agent {half}…"),
        "not understood".into(),
    ];
    assert_eq!(told, expected);
    call.take([said(vec![line(stream(1), "0/e", Speaker::Agent, 24, "It is booked for eight.")]).at(at(26))]).unwrap();
    assert_eq!(remembered(&call)[1], "book Some(Done) settled: true", "now the caller has heard of it");
}

#[test]
fn another_session_is_told_the_newest_and_the_beginning_in_short() {
    let mut call = after(attached(stream(1)));
    for number in 0..5 {
        let words = line(stream(1), &format!("0/{number}"), Speaker::Caller, 10 + number, &format!("Number {number}."));
        call.take([said(vec![words]).at(at(10 + number))]).unwrap();
    }
    let limits = MemoryLimits::new(3, 1_000);
    assert_eq!((call.memory(limits).summary(), call.memory(limits).forgotten()), (None, 2));
    for text in ["One number.", "Some numbers."] {
        let summarised = SessionEvent::Summarised { text: text.into() };
        assert_eq!(call.take([summarised.at(at(20))]).unwrap().len(), 1);
    }
    let memory = call.memory(limits);
    assert_eq!((memory.summary(), memory.entries().len()), (Some("Some numbers."), 3));
}

#[test]
fn a_stream_that_never_came_says_nothing_of_the_conversation_before() {
    let expected = |number| SessionEvent::StreamExpected { stream: stream(number) };
    let broken = detached(stream(1), "line-failed", false);
    let events = attached(stream(1)).into_iter().chain([broken, expected(2), ended(Status::Completed)]);
    assert_eq!(after(events).summary.outcome, Some(Outcome::BrokenOff));
    let goodbye = detached(stream(1), "goodbye", true);
    let events = attached(stream(1)).into_iter().chain([goodbye, expected(2), ended(Status::Completed)]);
    assert_eq!(after(events).summary.outcome, Some(Outcome::Conversation));
}

#[test]
fn debug_shows_no_words_keys_or_numbers() {
    let mut kept = Kept::new();
    kept.offer((1..).zip(samples()).map(|(second, event)| event.at(at(second))));
    let lines = [line(stream(2), "1/x", Speaker::Caller, 90, "secret-words")];
    kept.offer([said(lines.to_vec()).at(at(90))]);
    let shown = format!("{:?} {:?} {:?} {:?}", samples(), kept.history, kept.call, HandoffMode::Warm);
    for secret in ["secret", "312345678", "9012345678"] {
        assert!(!shown.contains(secret), "Debug shows {secret}");
    }
    assert!(shown.contains(CALL), "the names at Twilio are no secret");
}
