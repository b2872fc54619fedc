//! The caller's leg: its documents, its streams, its end.

use std::time::Duration;

use call_session::{
    call::{CallSession, HandoffEnd, Line, Mode, Next, Place, SessionEvent, Speaker},
    handoff::{AfterPerson, caller_fetched, caller_leaves_room},
    id::{NodeId, StreamId},
    store::SessionStore,
};
use tokio::time::Instant;

use super::{At, Door, Happening, World};

/// What a stream ends with when the line is told to do something else.
const STOPPED: &str = "caller-hung-up";
/// How long the agent may take to have the caller again, and to say so.
const SETTLED: Duration = Duration::from_secs(75);

impl World {
    pub(in crate::handoff) fn caller_gone(&self) -> bool {
        self.state().caller == At::Gone
    }

    pub(super) fn caller_at(&self, at: At) {
        let (silent, was) = {
            let state = &mut *self.state();
            if state.caller == At::Gone {
                return;
            }
            let was = state.caller;
            if matches!(was, At::Room | At::Direct(_)) {
                state.caller_seen = Some(Instant::now());
            }
            if was == At::Room {
                state.left_room = Some(Instant::now());
            }
            (state.caller, state.caller_since) = (at, Instant::now());
            let since = state.silent_since;
            state.silent_since = if at == At::Nowhere { since.or_else(|| Some(Instant::now())) } else { None };
            (if at == At::Nowhere { None } else { since.map(|since| since.elapsed()) }, was)
        };
        self.say(format!("caller: {}", word(at)));
        if at != At::Gone {
            self.silence(silent.unwrap_or_default());
        }
        if was == At::Agent {
            self.stream_ends(STOPPED, true);
        }
    }

    /// The agent has the caller on this stream.
    pub(in crate::handoff) fn has_stream(&self, stream: StreamId) {
        self.state().stream = Some(stream);
    }

    /// The socket of the stream is closed; that is written down soon, late or never.
    pub(super) fn stream_ends(&self, cause: &'static str, orderly: bool) {
        let stream = self.state().stream.take();
        if let Some(stream) = stream {
            self.callback(|| Happening::StreamOver { stream, cause, orderly });
        }
    }

    /// The line has another document to ask for.
    pub(super) fn caller_next(&self, door: Door, from: u64, to: u64) {
        if self.caller_gone() {
            return;
        }
        self.caller_at(At::Nowhere);
        let (wait, epoch) = {
            let state = &mut *self.state();
            state.epoch += 1;
            (state.chance.millis(from, to), state.epoch)
        };
        self.later(wait, Happening::CallerAsks { door, tries: 0, epoch });
    }

    /// The line has a document, and asks for none.
    pub(super) fn caller_runs(&self) {
        if self.caller_gone() {
            return;
        }
        self.caller_at(At::Nowhere);
        let (wait, epoch) = {
            let state = &mut *self.state();
            state.epoch += 1;
            (state.chance.millis(40, 300), state.epoch)
        };
        self.later(wait, Happening::CallerEnters(epoch));
    }

    pub(super) fn caller_enters(&self) {
        self.room_opens();
        self.caller_at(At::Room);
        self.room_tells(None, "participant-join", None);
    }

    /// In the middle of a conversation: one on which nobody ever spoke is not opened for ever.
    pub(super) async fn stream_breaks(&self) {
        if self.state().caller != At::Agent {
            return;
        }
        let Some(stream) = self.state().stream else { return };
        let mut line = Line::new(stream.to_string(), Speaker::Caller, self.now_stamp(), "Are you there?");
        line.stream = Some(stream);
        let said = SessionEvent::Said { lines: vec![line] };
        self.tell(|_| vec![said.clone()]).await;
        self.say("the stream breaks");
        self.stream_ends("line-failed", false);
        self.caller_next(Door::AfterStream(stream), 40, 300);
    }

    /// The agent's side closes the stream.
    pub(super) fn stream_is_left(&self) -> bool {
        let Some(stream) = self.state().stream else { return false };
        self.stream_ends(call_session::call::HANDED_OVER, false);
        self.caller_next(Door::AfterStream(stream), 40, 300);
        true
    }

    pub(super) async fn stream_up(&self, stream: StreamId, epoch: u32) {
        if self.state().epoch != epoch || self.caller_gone() {
            return;
        }
        self.caller_at(At::Agent);
        self.has_stream(stream);
        let node: NodeId = "node-stream".parse().unwrap();
        let up = SessionEvent::StreamAttached { stream, sid: None, node };
        self.tell(|call| if call.summary.status.is_terminal() { vec![] } else { vec![up.clone()] }).await;
    }

    pub(super) async fn caller_leaves(&self) {
        if self.caller_gone() {
            return;
        }
        self.settled().await;
        let was = self.state().caller;
        self.caller_at(At::Gone);
        self.state().gone = Some(Instant::now());
        self.callback(|| Happening::CallerOver);
        if was == At::Room {
            self.room_tells(None, "participant-leave", Some("completed"));
        }
        self.room_closes();
    }

    /// Long after a handoff the caller is where the caller belongs.
    async fn settled(&self) {
        let Some(call) = self.store.inner().summary(self.session).await.unwrap() else { return };
        let Some((at, end)) = call.handoff.as_ref().and_then(|handoff| handoff.ended.clone()) else { return };
        let (caller, here, told) = {
            let state = self.state();
            (state.caller, state.caller_since.elapsed(), state.failures_told)
        };
        let since = Duration::try_from(self.now_stamp().duration_since(at)).unwrap_or_default();
        if since < SETTLED || call.status.is_terminal() {
            return;
        }
        match end {
            HandoffEnd::Finished => {}
            _ if caller != At::Agent => self.wrong(format!("long after a handoff the caller is {}", word(caller))),
            HandoffEnd::Failed(_) if told == 0 && here > Duration::from_secs(20) => {
                self.wrong("the caller was never told that nobody takes the call");
            }
            _ => {}
        }
    }

    pub(super) async fn caller_asks(&self, door: Door, tries: u32, epoch: u32) {
        if self.state().epoch != epoch || self.caller_gone() {
            return;
        }
        if tries < 2 && self.mishap(5) {
            return self.later(Duration::from_secs(1), Happening::CallerAsks { door, tries: tries + 1, epoch });
        }
        let told = match &door {
            Door::Redirect => self.tell_door(|_| Vec::new()).await,
            Door::AfterRoom(dialed) => {
                let dialed = dialed.as_ref().map(|(sid, status)| (Some(sid), status));
                self.tell_door(|call| caller_leaves_room(call, dialed)).await
            }
            Door::AfterStream(stream) => {
                let lost = SessionEvent::StreamDetached { stream: *stream, cause: "lost".to_owned(), orderly: false };
                Some(self.tell(|_| vec![lost.clone()]).await)
            }
        };
        if let (Door::AfterStream(stream), Some(call)) = (&door, &told)
            && matches!(call.summary.after_stream(*stream), Next::HangUp | Next::Apologize | Next::Elsewhere)
        {
            return self.wrong(format!("the caller is dropped: {:?}", call.summary.after_stream(*stream)));
        }
        let mut call = if told.is_some() { self.tell_door(caller_fetched).await } else { None };
        let dials = call.as_ref().is_some_and(|call| matches!(call.summary.place(), Place::Dial(_)));
        if !dials && self.mishap(5) {
            // The line asks again, since the answer was slow; the first one is thrown away.
            call = self.tell_door(caller_fetched).await;
        }
        if let (Door::AfterRoom(_), Some(call)) = (&door, &call)
            && tries < 2
            && self.mishap(10)
        {
            // All of it is written down, and the answer is lost: the same door is asked the same.
            self.expect(call).await;
            self.say("the answer of a door is lost");
            return self.later(Duration::from_secs(1), Happening::CallerAsks { door, tries: tries + 1, epoch });
        }
        match call {
            Some(call) => self.follow_document(&call, epoch, tries == 0).await,
            None => self.waits_with_a_word(epoch),
        }
    }

    /// The stream that the line is told to open, if it is: the one that it was told of before, or a new one.
    async fn expect(&self, call: &CallSession) -> Option<StreamId> {
        if call.summary.place() != Place::Agent || call.summary.mode == Mode::Conference {
            return None;
        }
        let expected = call.summary.attachment().filter(|attachment| attachment.node.is_none());
        if let Some(attachment) = expected {
            return Some(attachment.stream);
        }
        let stream = StreamId::new();
        self.tell(|_| vec![SessionEvent::StreamExpected { stream }]).await;
        Some(stream)
    }

    /// A word and a pause, then the handoff's door again.
    fn waits_with_a_word(&self, epoch: u32) {
        self.caller_at(At::Waiting);
        self.later(Duration::from_secs(1), Happening::CallerAsks { door: Door::Redirect, tries: 2, epoch });
    }

    async fn follow_document(&self, call: &CallSession, epoch: u32, quick: bool) {
        match call.summary.place() {
            // Turn by turn the agent's words are in the document.
            Place::Agent if call.summary.mode == Mode::Conference => self.caller_at(At::Agent),
            Place::Agent => {
                let Some(stream) = self.expect(call).await else { return };
                // Not after the line has asked several times: more than that nobody can bear.
                let slow = quick && self.mishap(15);
                let wait = self.with(|chance| if slow { chance.millis(900, 1900) } else { chance.millis(200, 900) });
                self.later(wait, Happening::StreamUp(stream, epoch));
            }
            Place::Room => self.caller_enters(),
            Place::Dial(id) => {
                self.caller_at(At::Direct(id));
                let cold = call
                    .summary
                    .handoff
                    .as_ref()
                    .is_some_and(|it| it.plan.mode == call_session::call::HandoffMode::Cold);
                let to = call.summary.legs.get(&id).and_then(|leg| leg.to.clone()).unwrap();
                self.place(id, to, true, cold, None);
            }
            Place::Wait => {
                self.waits_with_a_word(epoch);
            }
            Place::Goodbye => {
                if call.summary.handoff.as_ref().is_none_or(|it| it.plan.after != AfterPerson::Goodbye) {
                    self.wrong("the caller gets a goodbye that nobody asked for");
                }
                self.caller_at(At::Goodbye);
                let words = self.with(|chance| chance.millis(2000, 9000));
                self.later(words, Happening::GoodbyeOver(epoch));
            }
            _ => self.wrong("the caller is dropped"),
        }
    }

    /// The line leaves what it does, as a redirect asks for. Nobody is torn away without a reason.
    pub(super) async fn torn(&self) {
        let Some(call) = self.store.inner().summary(self.session).await.unwrap() else { return };
        let (caller, here, with_person) = {
            let state = self.state();
            let person = state.legs.iter().any(|leg| leg.in_room && leg.role.is_none() && !super::over(&leg.status));
            (state.caller, state.caller_since.elapsed(), person)
        };
        let ended = call.handoff.as_ref().and_then(|handoff| handoff.ended.as_ref().map(|(at, _)| *at));
        let decided = Duration::try_from(ended.map(|at| self.now_stamp().duration_since(at)).unwrap_or_default());
        let unsure = std::mem::take(&mut self.state().unsure);
        let settled = !unsure && decided.unwrap_or_default() > Duration::from_secs(1) && here > Duration::from_secs(1);
        match (caller, call.place()) {
            (At::Goodbye, Place::Goodbye) => self.wrong("the goodbye is cut off"),
            (At::Agent, Place::Agent) if settled => self.wrong("the caller is torn away from the agent"),
            (At::Room, Place::Room) if with_person && here > Duration::from_secs(1) => {
                self.wrong("the caller is torn away from the person")
            }
            (At::Direct(id), Place::Dial(other)) if id == other && here > Duration::from_secs(1) => {
                self.wrong("the caller is torn away from who is dialled");
            }
            _ => {}
        }
    }
}

fn word(at: At) -> &'static str {
    match at {
        At::Agent => "with the agent",
        At::Nowhere => "between documents",
        At::Waiting => "waiting",
        At::Room => "in the room",
        At::Direct(_) => "dialling directly",
        At::Goodbye => "hears a goodbye",
        At::Gone => "gone",
    }
}
