//! Tools beside the audio.

use async_trait::async_trait;
use realtime_bridge::{
    media::MediaCommand,
    realtime::{
        Capabilities, ItemKind, NewItem, RealtimeCommand, RealtimeEvent, ResponseOutcome, ResponseStatus,
        SessionConfig, ToolCall, ToolSpec, memory::Answer,
    },
    relay::{CallEvent, ToolOutcome},
    tool::{AfterTool, EndCall, Filler, RawTool, Tool, ToolContext, ToolError, ToolOptions, ToolSet},
};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use super::{Call, MS, S, call_with, quiet, settle};

/// A tool that takes its time.
struct Slow {
    name: &'static str,
    takes: Duration,
    options: ToolOptions,
}

impl Slow {
    fn new(name: &'static str, takes: Duration) -> Self {
        Self { name, takes, options: ToolOptions::default() }
    }

    fn with_filler(mut self, filler: Filler) -> Self {
        self.options.filler = filler;
        self
    }

    fn with_after(mut self, after: AfterTool) -> Self {
        self.options.after = after;
        self
    }
}

#[async_trait]
impl RawTool for Slow {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new(self.name, "Takes its time.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        self.options.clone()
    }

    async fn call_raw(&self, _context: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        sleep(self.takes).await;
        assert_ne!(arguments, "panic", "as it was told to");
        Ok(format!("{} is done", self.name))
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Number {
    number: u8,
}

struct Typed;

#[async_trait]
impl Tool for Typed {
    type Arguments = Number;
    type Output = u8;

    fn name(&self) -> &'static str {
        "typed"
    }

    fn description(&self) -> &'static str {
        "Doubles a small number."
    }

    async fn call(&self, _context: &ToolContext, arguments: Number) -> Result<u8, ToolError> {
        arguments.number.checked_mul(2).ok_or_else(|| ToolError::new("the number is too large"))
    }
}

fn with(tools: ToolSet) -> Call {
    call_with(quiet(), &SessionConfig::default(), Capabilities::client_driven(), tools)
}

/// An answer that ends with these calls, spoken or not.
async fn calls(call: &mut Call, spoken: bool, status: ResponseStatus, calls: Vec<ToolCall>) -> Answer {
    let answer = call.model.begin(None).await;
    if spoken {
        call.model.speak(&answer, S).await;
        call.model.spoken(&answer, "One moment.").await;
    }
    let outcome = ResponseOutcome::new(answer.response.clone(), status).with_calls(calls);
    call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    answer
}

fn tool_call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall::new(id, format!("item of {id}"), name, arguments)
}

/// The next output of a tool that the model gets, as (call, output).
async fn output(call: &mut Call) -> (String, String) {
    match call.told().await {
        RealtimeCommand::AddItem { item: NewItem::ToolOutput { call, output }, .. } => {
            (call.as_str().to_owned(), output)
        }
        other => panic!("an output was to come, not {other:?}"),
    }
}

fn pair(id: &str, output: &str) -> (String, String) {
    (id.to_owned(), output.to_owned())
}

#[tokio::test(start_paused = true)]
async fn calls_in_parallel_give_one_answer_when_the_last_is_done() {
    let mut call = with(ToolSet::new().with(Slow::new("a", 3 * S)).with(Slow::new("b", S)));
    let asked = vec![tool_call("1", "a", "{}"), tool_call("2", "b", "{}"), tool_call("3", "c", "{}")];
    calls(&mut call, false, ResponseStatus::Completed, asked.clone()).await;
    let began = Instant::now();
    assert_eq!(output(&mut call).await, pair("3", r#"{"error":"there is no such tool"}"#));
    assert_eq!(output(&mut call).await, pair("2", "b is done"));
    assert_eq!((output(&mut call).await, began.elapsed()), (pair("1", "a is done"), 3 * S));
    let (request, items) = call.asked().await;
    assert!(items.is_empty());
    // The provider tells of the same calls again: they are not made again.
    let answer = call.model.begin(Some(request)).await;
    let outcome = ResponseOutcome::new(answer.response, ResponseStatus::Completed).with_calls(asked);
    call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    assert!(call.told_nothing(20 * S).await);
    let outcomes: Vec<_> = call.hang_up().await.tools.into_iter().map(|run| (run.name, run.outcome.unwrap())).collect();
    let expected = [("a", ToolOutcome::Done), ("b", ToolOutcome::Done), ("c", ToolOutcome::Unknown)];
    assert_eq!(outcomes, expected.map(|(name, outcome)| (name.to_owned(), outcome)));
}

#[tokio::test(start_paused = true)]
async fn a_result_reaches_the_model_at_once_though_the_line_is_silent() {
    let mut call = with(ToolSet::new().with(Slow::new("a", Duration::ZERO)).with(Slow::new("b", 30 * MS)));
    let began = Instant::now();
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    assert!(began.elapsed() <= MS, "it took {:?}", began.elapsed());
    let began = Instant::now();
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("2", "b", "{}")]).await;
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "It is done.", 100 * MS).await;
    assert_eq!(output(&mut call).await, pair("2", "b is done"));
    assert!(began.elapsed() <= 31 * MS, "it took {:?}", began.elapsed());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_told_to_the_model_and_the_call_goes_on() {
    let mut call =
        with(ToolSet::new().with(Typed).with(Slow::new("slow", 60 * S)).with(Slow::new("a", Duration::ZERO)));
    let cases = [
        ("typed", r#"{"number": 21}"#, "42", ToolOutcome::Done),
        ("typed", r#"{"number": 200}"#, r#"{"error":"the number is too large"}"#, ToolOutcome::Failed),
        ("typed", r#"{"number": "#, "the arguments are not what the tool takes", ToolOutcome::Failed),
        ("typed", "", "missing field `number`", ToolOutcome::Failed),
        ("a", "panic", r#"{"error":"the tool failed"}"#, ToolOutcome::Failed),
        ("slow", "{}", r#"{"error":"the tool took too long and was stopped. It is not known"#, ToolOutcome::TimedOut),
        ("none", "{}", r#"{"error":"there is no such tool"}"#, ToolOutcome::Unknown),
    ];
    for (index, (name, arguments, told, outcome)) in cases.into_iter().enumerate() {
        let id = index.to_string();
        calls(&mut call, false, ResponseStatus::Completed, vec![tool_call(&id, name, arguments)]).await;
        let (of, output) = output(&mut call).await;
        assert!(of == id && output.contains(told), "{name}({arguments}): {output}");
        let CallEvent::ToolFinished { outcome: finished, .. } = call.until("tool-finished").await else {
            unreachable!()
        };
        assert_eq!(finished, outcome, "{name}({arguments})");
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "So it is.", 100 * MS).await;
    }
    assert!(call.told_nothing(120 * S).await, "the tool that was stopped gives no result any more");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_waits_until_the_caller_has_finished() {
    let mut call = with(ToolSet::new().with(Slow::new("a", S)));
    calls(&mut call, true, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    sleep(300 * MS).await;
    let item = call.model.speech_started().await;
    assert!(matches!(call.told().await, RealtimeCommand::Truncate { .. }), "the caller can always interrupt");
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    assert!(call.told_nothing(5 * S).await, "the caller speaks");
    // The provider answers the turn by itself, and knows the result by then.
    let entry = call.model.new_item_id();
    call.model.add_item(entry, ItemKind::ToolOutput).await;
    call.model.speech_stopped(&item).await;
    let answer = call.model.begin(None).await;
    call.model.done(&answer, ResponseStatus::Completed).await;
    assert!(call.told_nothing(5 * S).await, "it is answered");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_an_answer_did_not_know_is_spoken_of_in_the_next() {
    let mut call = with(ToolSet::new().with(Slow::new("a", S)));
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    call.model.caller_says("Are you there?").await;
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    // The answer was begun before the result came, and tells of it late.
    call.model.say(None, "I am.", S).await;
    call.asked().await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_answer_that_the_caller_has_stopped_are_not_made() {
    let mut call = with(ToolSet::new().with(EndCall));
    let answer = call.model.begin(None).await;
    call.model.speak(&answer, 2 * S).await;
    sleep(S).await;
    // The answer is whole before the model hears of the caller.
    let item = call.model.speech_started().await;
    let outcome = ResponseOutcome::new(answer.response.clone(), ResponseStatus::Completed)
        .with_calls(vec![tool_call("1", "end_call", "{}")]);
    call.model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
    assert!(matches!(call.told().await, RealtimeCommand::Truncate { .. }));
    assert_eq!(output(&mut call).await, pair("1", r#"{"error":"cancelled, nothing was done"}"#));
    sleep(20 * S).await;
    call.model.speech_stopped(&item).await;
    call.model.say(None, "What else?", S).await;
    sleep(20 * S).await;
    assert!(call.hang_up().await.tools.is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_answer_that_did_not_end_well_are_declined_and_not_made() {
    let incomplete = || {
        let mut half = tool_call("half", "a", r#"{"num"#);
        half.complete = false;
        half
    };
    let declined = r#"{"error":"cancelled, nothing was done"}"#;
    for status in [ResponseStatus::Cancelled, ResponseStatus::Interrupted, ResponseStatus::Completed] {
        let mut call = with(ToolSet::new().with(Slow::new("a", S)));
        calls(&mut call, false, status, vec![incomplete()]).await;
        assert_eq!(output(&mut call).await, pair("half", declined));
        assert!(call.told_nothing(20 * S).await);
        assert!(call.hang_up().await.tools.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_tool_has_a_line_said_once_and_its_result_follows() {
    let filler = Filler::Line { after: S, text: "I am looking.".into() };
    let mut call = with(ToolSet::new().with(Slow::new("a", 8 * S).with_filler(filler)));
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    let began = Instant::now();
    let (request, items) = call.asked().await;
    assert_eq!(began.elapsed(), S);
    assert!(matches!(&items[..], [NewItem::System(text)] if text.ends_with("I am looking.")));
    call.model.say(Some(request), "I am looking.", S).await;
    assert_eq!((output(&mut call).await, began.elapsed()), (pair("1", "a is done"), 8 * S));
    call.asked().await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_tone_fills_the_silence_and_gives_way_to_speech() {
    let filler = Filler::HoldTone { after: 700 * MS };
    let mut call = with(ToolSet::new().with(Slow::new("a", 6 * S).with_filler(filler)));
    calls(&mut call, true, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    // The agent still speaks when the tone would be due, so its time begins anew.
    sleep(1_399 * MS).await;
    assert_eq!(call.caller.heard_total(), S);
    sleep(2_001 * MS).await;
    let tone = call.caller.heard_total() - S;
    assert!((1_500 * MS..=2_100 * MS).contains(&tone), "{tone:?}");
    assert!(call.caller.left_to_hear() <= 200 * MS, "a tone that is far ahead delays the speech after it");
    // The agent says something, and the tone goes on.
    call.model.say(None, "Still looking.", 500 * MS).await;
    sleep(900 * MS).await;
    assert!(call.caller.left_to_hear() > Duration::ZERO, "the tone does not go on");
    output(&mut call).await;
    sleep(S).await;
    assert_eq!(call.caller.left_to_hear(), Duration::ZERO);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_tone_leaves_no_trace_in_what_the_model_is_told() {
    let filler = Filler::HoldTone { after: 100 * MS };
    let mut call = with(ToolSet::new().with(Slow::new("a", 6 * S).with_filler(filler)));
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    sleep(S).await;
    call.model.speech_started().await;
    call.until("interrupted").await;
    settle().await;
    assert_eq!((call.caller.left_to_hear(), call.cleared()), (Duration::ZERO, 1));
    // There is nothing to cut: the next thing told is the result.
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_ends_the_call_when_the_goodbye_was_heard() {
    // Said before: nothing more is to be said.
    let mut call = with(ToolSet::new().with(EndCall));
    let began = Instant::now();
    calls(&mut call, true, ResponseStatus::Completed, vec![tool_call("1", "end_call", "{}")]).await;
    call.until("agent-silent").await;
    assert_eq!((began.elapsed(), call.caller.heard_total()), (S, S));
    call.over("goodbye").await;

    // Not said: it is asked for.
    let mut call = with(ToolSet::new().with(EndCall));
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "end_call", "{}")]).await;
    output(&mut call).await;
    let (request, items) = call.asked().await;
    assert_eq!(items.len(), 1);
    call.model.say(Some(request), "Goodbye.", 700 * MS).await;
    call.until("agent-silent").await;
    assert_eq!(call.caller.heard_total(), 700 * MS);
    call.over("goodbye").await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_speaks_calls_the_end_off_that_a_tool_brings() {
    let slow_end = || Slow::new("a", 2 * S).with_after(AfterTool::EndCall);
    let mut call = with(ToolSet::new().with(slow_end()));
    calls(&mut call, true, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    sleep(500 * MS).await;
    let item = call.model.speech_started().await;
    assert!(matches!(call.told().await, RealtimeCommand::Truncate { .. }));
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    let RealtimeCommand::AddItem { item: NewItem::System(text), .. } = call.told().await else {
        panic!("the model does not learn that the call goes on")
    };
    assert!(text.contains("goes on"), "{text}");
    call.model.speech_stopped(&item).await;
    call.model.say(None, "What else?", S).await;
    sleep(20 * S).await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_under_a_tone_is_heard_and_confirmed() {
    let end = Slow::new("a", 3 * S).with_after(AfterTool::EndCall).with_filler(Filler::HoldTone { after: 100 * MS });
    let mut call = with(ToolSet::new().with(end));
    let began = Instant::now();
    calls(&mut call, true, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    output(&mut call).await;
    call.until("ended").await;
    assert!(began.elapsed() < 4 * S, "it took {:?}", began.elapsed());
    call.over("goodbye").await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_may_stay_silent() {
    let mut call = with(ToolSet::new().with(Slow::new("a", S).with_after(AfterTool::Silent)));
    calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
    assert_eq!(output(&mut call).await, pair("1", "a is done"));
    assert!(call.told_nothing(60 * S).await);
    let frames = call.caller.commands();
    assert!(frames.iter().all(|received| !matches!(received.command, MediaCommand::Audio(_))));
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_when_the_caller_hangs_up_is_recorded() {
    for (takes, outcome) in [(3 * S, ToolOutcome::Done), (60 * S, ToolOutcome::Abandoned)] {
        let mut call = with(ToolSet::new().with(Slow::new("a", takes)));
        calls(&mut call, false, ResponseStatus::Completed, vec![tool_call("1", "a", "{}")]).await;
        call.until("tool-started").await;
        call.caller.hang_up().await.unwrap();
        call.until("ended").await;
        assert!(call.handle.say("Wait!").await.is_err(), "a call that is over takes a command");
        let report = call.over("caller-hung-up").await;
        assert_eq!(report.tools[0].outcome, Some(outcome));
    }
}

/// A tool that never comes to its end.
pub(super) fn slow() -> impl RawTool {
    Slow::new("slow", 3_600 * S)
}
