//! Whether a person is free is asked right before they are dialled.

use std::time::Duration;

use call_session::{
    call::{CallSession, HandoffEnd, HandoffMode, NewCall, SessionEvent},
    handoff::{
        Ask, Desk, DirectDial, Effect, HandoffSettings, HandoffStrategy, Person, Wanted, WarmTransfer, caller_fetched,
        caller_leaves_room, decide, request,
    },
    id::{LegId, NodeId, SessionId},
};
use jiff::Timestamp;
use twilio_twiml::{sid::CallSid, words::CallStatus};

/// A handoff to two persons, and who performs it.
struct Play {
    call: CallSession,
    desk: Desk,
    now: Timestamp,
}

impl Play {
    fn new() -> Self {
        Self::with(&WarmTransfer)
    }

    fn with(strategy: &dyn HandoffStrategy) -> Self {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let mut call = CallSession::new(SessionId::new(), now, NewCall::outbound("+81312345678", "+819012345678"));
        call.take([SessionEvent::Answered.at(now)]).unwrap();
        let people = ["sato", "ito"].map(|name| Person::new(name.parse().unwrap(), "+81311112222"));
        let settings = HandoffSettings::default();
        let plan = strategy.plan(&Ask::new(&call, &people, &Wanted::Anyone, &settings)).unwrap();
        call.take([request(plan, "rule", "").at(now)]).unwrap();
        Self { call, desk: Desk::new(NodeId::unique(), now, false), now }
    }

    /// Writes down what has to be, until something is done.
    fn next(&mut self) -> Vec<Effect> {
        for _ in 0..8 {
            let leg = LegId::new();
            self.desk.offer(leg);
            let decision = decide(&self.call.summary, &self.desk, self.now, leg);
            self.call.take(decision.propose.into_iter().map(|event| event.at(self.now))).unwrap();
            if !decision.effects.is_empty() {
                decision.effects.iter().for_each(|effect| self.desk.begin(effect));
                return decision.effects;
            }
        }
        Vec::new()
    }

    fn asks_about(&mut self) -> (Effect, String) {
        let mut effects = self.next();
        let Some(effect @ Effect::KeepFree { .. }) = effects.pop() else { panic!("{effects:?}") };
        let Effect::KeepFree { candidate, .. } = &effect else { unreachable!() };
        let person = candidate.person.as_ref().unwrap().to_string();
        (effect, person)
    }

    fn hear(&mut self, effect: &Effect, free: bool) {
        self.desk.end(effect, true, self.now);
        self.desk.hear(effect, free, self.now);
    }

    /// The next person is free and may be called by the caller's own line.
    fn is_dialled(&mut self) -> LegId {
        let (asked, _) = self.asks_about();
        self.hear(&asked, true);
        self.next();
        let leg = self.call.summary.wanted_leg().unwrap();
        self.take(caller_fetched);
        leg
    }

    /// A door hears something.
    fn take(&mut self, hears: impl Fn(&CallSession) -> Vec<SessionEvent>) {
        let events = hears(&self.call);
        self.call.take(events.into_iter().map(|event| event.at(self.now))).unwrap();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn whoever_has_another_caller_by_now_is_passed_over() {
    let mut play = Play::new();
    let (asked, person) = play.asks_about();
    assert_eq!(person, "sato");
    assert!(play.call.summary.legs.is_empty(), "nobody is dialled before it is known");
    play.hear(&asked, false);
    let (asked, person) = play.asks_about();
    assert_eq!(person, "ito");
    // It is written down, so that another server goes on with the next one, too.
    let ended: Vec<_> = play.call.summary.legs.values().map(|leg| leg.ended.as_deref()).collect();
    assert_eq!(ended, [Some("busy-elsewhere")]);
    play.hear(&asked, true);
    assert!(
        matches!(play.next().as_slice(), [Effect::Dial { candidate, .. }] if candidate.person == Some("ito".parse().unwrap()))
    );
}

#[test]
fn nobody_who_is_free_is_an_end_with_its_reason() {
    let mut play = Play::new();
    for _ in 0..2 {
        let (asked, _) = play.asks_about();
        play.hear(&asked, false);
    }
    play.next();
    let ended = play.call.summary.handoff.as_ref().unwrap().ended.as_ref().unwrap();
    assert_eq!(ended.1, HandoffEnd::Failed("busy-elsewhere".into()));
}

#[test]
fn an_answer_that_is_some_seconds_old_is_asked_for_again() {
    let mut play = Play::new();
    let (asked, _) = play.asks_about();
    play.hear(&asked, true);
    play.wait(Duration::from_secs(4));
    let (again, person) = play.asks_about();
    assert_eq!(person, "sato");
    assert!(play.call.summary.legs.is_empty());
    // And when there was none.
    play.desk.end(&again, false, play.now);
    assert!(play.next().is_empty());
    play.wait(Duration::from_secs(4));
    let (again, _) = play.asks_about();
    play.hear(&again, true);
    assert!(matches!(play.next().as_slice(), [Effect::Dial { .. }]));
}

/// An answer of ours is lost, and the line tells of the first person again.
#[test]
fn what_became_of_one_person_is_not_held_against_the_next() {
    let mut play = Play::with(&DirectDial { mode: HandoffMode::Cold });
    play.call
        .take([SessionEvent::Bound { call: "CA0123456789abcdef0123456789abcdef".parse().unwrap() }.at(play.now)])
        .unwrap();
    let first = play.is_dialled();
    let sid: CallSid = "CA00000000000000000000000000000001".parse().unwrap();
    let left = |call: &CallSession| caller_leaves_room(call, Some((Some(&sid), &CallStatus::NoAnswer)));
    play.take(left);
    assert_eq!(play.call.summary.legs[&first].ended.as_deref(), Some("no-answer"));
    let second = play.is_dialled();
    assert_ne!(first, second);
    play.take(left);
    assert_eq!(play.call.summary.wanted_leg(), Some(second), "{:?}", play.call.summary);
    play.take(caller_fetched);
    assert_eq!(play.call.summary.wanted_leg(), Some(second), "the line is told of them anew");
}
