//! Calls that come to an end that somebody wanted, and the timers that bring it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use realtime_bridge::{
    audio::AudioFormat,
    bridge::Bridge,
    media::{
        DtmfDigit, MarkId, MediaCommand, MediaError, MediaEvent, MediaTransport,
        memory::{Line, line},
    },
    realtime::{
        Capabilities, CloseReason, NewItem, ProviderError, RealtimeCommand, ResponseStatus, SessionConfig, memory::pair,
    },
    relay::{BargeIn, Idle},
    tool::ToolSet,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Call, MS, S, call, call_with, our_turns, quiet, settle};

/// A line that loses some of the marks.
struct Lossy {
    line: Line,
    lost: fn(MarkId) -> bool,
}

impl Stream for Lossy {
    type Item = Result<MediaEvent, MediaError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let event = std::task::ready!(self.line.poll_next_unpin(cx));
            match event {
                Some(Ok(MediaEvent::Mark(mark))) if (self.lost)(mark) => {}
                event => return Poll::Ready(event),
            }
        }
    }
}

impl Sink<MediaCommand> for Lossy {
    type Error = MediaError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        self.line.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, command: MediaCommand) -> Result<(), MediaError> {
        self.line.start_send_unpin(command)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        self.line.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), MediaError>> {
        self.line.poll_close_unpin(cx)
    }
}

impl MediaTransport for Lossy {
    fn format(&self) -> AudioFormat {
        self.line.format()
    }
}

fn lossy(barge_in: BargeIn, session: &SessionConfig, lost: fn(MarkId) -> bool) -> Call {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (session, model) = pair(session);
    let bridge = Bridge::with_config(Lossy { line, lost }, session, quiet().with_barge_in(barge_in)).unwrap();
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    Call { caller, model, handle, updates, run }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_heard_to_its_last_word_before_the_line_is_closed() {
    let mut call = call(quiet());
    call.model.say(None, "It opens at nine.", 2 * S).await;
    settle().await;
    let began = Instant::now();
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let (request, items) = call.asked().await;
    assert!(matches!(&items[..], [NewItem::System(text)] if text.ends_with("Goodbye.")));
    call.model.say(Some(request), "Goodbye.", S).await;
    call.until("agent-silent").await;
    assert_eq!((call.caller.heard_total(), began.elapsed()), (3 * S, 3 * S - MS));
    call.over("goodbye").await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_the_line_does_not_confirm_ends_by_the_watchdog() {
    let mut call = lossy(BargeIn::Immediate, &SessionConfig::default(), |_| true);
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let (request, _) = call.asked().await;
    let began = Instant::now();
    call.model.say(Some(request), "Goodbye.", S).await;
    call.caller.hear_out().await;
    call.until("ended").await;
    assert_eq!((call.caller.heard_total(), began.elapsed()), (S, 3 * S));
    call.over("goodbye-unconfirmed").await;

    // A model that says no goodbye at all.
    let mut call = super::call(quiet().with_model_stall(60 * S));
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    call.asked().await;
    let began = Instant::now();
    call.until("ended").await;
    assert_eq!(began.elapsed(), 15 * S);
    call.over("goodbye-unconfirmed").await;
}

#[tokio::test(start_paused = true)]
async fn lost_marks_do_not_stop_a_paced_agent() {
    let mut call = lossy(BargeIn::confirmed(), &our_turns(), |mark| mark.0.is_multiple_of(2));
    call.model.say(None, "A long story.", 4 * S).await;
    sleep(20 * S).await;
    assert_eq!(call.caller.heard_total(), 4 * S);
    call.model.speech_started().await;
    settle().await;
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_speaks_calls_the_goodbye_off() {
    let mut call = call(quiet());
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let (request, _) = call.asked().await;
    let answer = call.model.begin(Some(request)).await;
    call.model.speak(&answer, 2 * S).await;
    sleep(S).await;
    let item = call.model.speech_started().await;
    call.until("end-called-off").await;
    call.model.done(&answer, ResponseStatus::Interrupted).await;
    call.model.speech_stopped(&item).await;
    assert!(matches!(call.told().await, RealtimeCommand::Truncate { .. }));
    // The model has said goodbye and would take the call to be over.
    let RealtimeCommand::AddItem { item: NewItem::System(text), .. } = call.told().await else {
        panic!("the model does not learn that the call goes on")
    };
    assert!(text.contains("goes on"), "{text}");
    call.model.say(None, "What else?", S).await;
    assert!(call.told_nothing(30 * S).await, "the goodbye is not said any more");
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_behind_long_speech_is_heard_to_its_last_word() {
    // Twenty seconds wait at the line, and the rest of the speech is yet to be made.
    for made in [20, 5] {
        let mut call = call(quiet());
        let answer = call.model.begin(None).await;
        call.model.speak(&answer, made * S).await;
        settle().await;
        call.handle.end(Some("Goodbye.".into())).await.unwrap();
        settle().await;
        call.model.speak(&answer, (20 - made) * S).await;
        call.model.spoken(&answer, "It is a long story.").await;
        call.model.done(&answer, ResponseStatus::Completed).await;
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "Goodbye.", 20 * S).await;
        call.until("agent-silent").await;
        assert_eq!(call.caller.heard_total(), 40 * S);
        call.over("goodbye").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_heard_though_the_model_has_left() {
    for expired in [true, false] {
        let mut call = call(quiet());
        call.handle.end(Some("Goodbye.".into())).await.unwrap();
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "Goodbye.", 2 * S).await;
        settle().await;
        assert!(!call.caller.is_closed());
        let Call { caller, model, handle, mut updates, run } = call;
        let mut model = Some(model);
        if expired {
            let expired = ProviderError::new("invalid_request_error", "session_expired", "too long");
            model.as_mut().unwrap().error(expired).await;
        } else if let Some(model) = model.take() {
            model.close(CloseReason::new(Some(1_011), "try later"));
        }
        caller.keep_quiet(S).await.unwrap();
        while updates.next().await.is_some_and(|update| update.event.name() != "agent-silent") {}
        assert_eq!(caller.heard_total(), 2 * S);
        super::over("goodbye", run, &handle, updates, Some(&caller), model.as_ref()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_has_more_to_say_needs_the_model_that_has_left() {
    let mut call = call(quiet());
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "Goodbye.", 2 * S).await;
    settle().await;
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "too long")).await;
    settle().await;
    call.caller.press(DtmfDigit::new('1').unwrap()).await.unwrap();
    call.over("model-refused").await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_the_model_refuses_was_not_heard() {
    let mut call = call(quiet());
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    let (request, _) = call.asked().await;
    call.model.error(ProviderError::new("invalid_request_error", "odd", "no").with_request(request)).await;
    call.over("goodbye-unconfirmed").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_hangs_up_on_a_caller_who_is_speaking() {
    let mut call = call(quiet());
    let item = call.model.speech_started().await;
    settle().await;
    call.handle.end(None).await.unwrap();
    sleep(30 * S).await;
    assert!(!call.caller.is_closed(), "the caller speaks");
    call.model.speech_stopped(&item).await;
    call.model.say(None, "Thank you.", S).await;
    call.over("goodbye").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_leaves_the_line_is_not_held_up_by_the_caller() {
    let mut call = call(quiet());
    call.handle.detach(Some("I put you through.".into())).await.unwrap();
    let (request, _) = call.asked().await;
    call.model.say(Some(request), "I put you through.", 2 * S).await;
    sleep(500 * MS).await;
    call.model.speech_started().await;
    call.until("interrupted").await;
    call.over("detached").await;

    let mut call = super::call(quiet());
    call.model.say(None, "One moment.", S).await;
    settle().await;
    call.handle.detach(None).await.unwrap();
    call.until("agent-silent").await;
    assert_eq!(call.caller.heard_total(), S);
    call.over("detached").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_long_ends_with_a_goodbye() {
    let mut call = call(quiet().with_max_duration(Some(60 * S)));
    let began = Instant::now();
    let (request, _) = call.asked().await;
    assert_eq!(began.elapsed(), 60 * S);
    call.model.say(Some(request), "Our time is up. Goodbye.", 2 * S).await;
    call.until("agent-silent").await;
    assert_eq!(call.caller.heard_total(), 2 * S);
    let report = call.over("max-duration").await;
    assert_eq!(report.duration, 62 * S);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_talks_on_and_on_does_not_lengthen_the_call() {
    let mut call = call(quiet().with_max_duration(Some(60 * S)));
    sleep(59 * S).await;
    let mut answer = call.model.begin(None).await;
    for _ in 0..10 {
        let item = call.model.speech_started().await;
        call.model.done(&answer, ResponseStatus::Interrupted).await;
        sleep(3 * S).await;
        call.model.speech_stopped(&item).await;
        answer = call.model.begin(None).await;
        settle().await;
    }
    let report = call.over("max-duration").await;
    assert!(report.duration < 80 * S, "{:?}", report.duration);
}

#[tokio::test(start_paused = true)]
async fn a_silent_caller_is_asked_twice_and_then_left() {
    let mut call = call(quiet().with_idle(Some(Idle::new(10 * S, 2))));
    let began = Instant::now();
    for asked in [10, 21] {
        let (request, _) = call.asked().await;
        assert_eq!(began.elapsed(), asked * S, "ten seconds after the agent's last word");
        call.model.say(Some(request), "Are you there?", S).await;
    }
    let (request, _) = call.asked().await;
    assert_eq!(began.elapsed(), 32 * S);
    call.model.say(Some(request), "Goodbye.", S).await;
    call.over("idle-caller").await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_answers_is_asked_anew() {
    let mut call = call(quiet().with_idle(Some(Idle::new(10 * S, 1))));
    for _ in 0..4 {
        let (request, _) = call.asked().await;
        call.model.say(Some(request), "Are you there?", S).await;
        sleep(3 * S).await;
        call.model.caller_says("Yes.").await;
        call.model.say(None, "Good.", S).await;
    }
    assert!(!call.caller.is_closed());
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_alone_decides_when_it_speaks() {
    let mut call = call_with(quiet(), &SessionConfig::default(), Capabilities::server_driven(), ToolSet::new());
    // It is not told to cut, to stop or to answer.
    call.model.say(None, "Welcome.", 3 * S).await;
    sleep(S).await;
    call.model.speech_started().await;
    call.until("interrupted").await;
    call.handle.interrupt().await.unwrap();
    assert!(call.told_nothing(5 * S).await);
    assert_eq!(call.caller.heard_total(), S);
    // It may say nothing to what the caller says.
    call.model.caller_says("Hm.").await;
    assert!(call.told_nothing(60 * S).await);
    // It is told what to say, and says it after what it is saying.
    call.model.say(None, "It opens at nine.", 2 * S).await;
    settle().await;
    call.handle.end(Some("Goodbye.".into())).await.unwrap();
    assert!(matches!(call.told().await, RealtimeCommand::AddItem { item: NewItem::System(_), .. }));
    call.until("agent-silent").await;
    sleep(3 * S).await;
    call.model.say(None, "Goodbye.", S).await;
    sleep(1_500 * MS).await;
    assert_eq!(call.caller.heard_total(), 4 * S, "the goodbye was not heard");
    call.over("goodbye").await;
}
