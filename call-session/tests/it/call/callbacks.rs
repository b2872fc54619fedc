//! Twilio's callbacks come late, twice and in any order.

use call_session::call::{
    self, AnsweredBy, CallSession, Outcome, Recording, SessionEvent, Speaker, Stamped, Status, Times,
};
use jiff::{Timestamp, fmt::rfc2822};
use proptest::prelude::*;
use twilio_twiml::webhook::{AnsweringMachine, CallProgress, Form, RecordingProgress, Webhook};

use super::{CALL, Kept, RECORDING, at, attached, detached, line, stream};

/// How an outbound call goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Story {
    /// A human being talks with the agent to the end.
    Talked,
    /// The audio broke, and the caller hung up.
    BrokeOff,
    /// A machine picked up.
    Machine,
    /// Nobody picked up, in one of four ways.
    Nobody(Status),
}

impl Story {
    pub(crate) const ALL: [Self; 7] = [
        Self::Talked,
        Self::BrokeOff,
        Self::Machine,
        Self::Nobody(Status::Busy),
        Self::Nobody(Status::NoAnswer),
        Self::Nobody(Status::Failed),
        Self::Nobody(Status::Canceled),
    ];

    const fn is_answered(self) -> bool {
        !matches!(self, Self::Nobody(_))
    }

    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Nobody(status) => status,
            _ => Status::Completed,
        }
    }

    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Talked => Outcome::Conversation,
            Self::BrokeOff => Outcome::BrokenOff,
            Self::Machine => Outcome::MachineHungUp,
            Self::Nobody(Status::Busy) => Outcome::Busy,
            Self::Nobody(Status::NoAnswer) => Outcome::NoAnswer,
            Self::Nobody(Status::Canceled) => Outcome::Canceled,
            Self::Nobody(_) => Outcome::Unreachable,
        }
    }

    /// What our own servers do while somebody is there, in its order.
    pub(crate) fn carried(self) -> Vec<Stamped> {
        if !self.is_answered() {
            return Vec::new();
        }
        let words = vec![line(stream(1), "0/item_1", Speaker::Caller, 8, "Hello?")];
        attached(stream(1)).into_iter().chain([SessionEvent::Said { lines: words }]).map(|e| e.at(at(5))).collect()
    }

    /// Everything that is told from outside, each with what it proposes, in the order in which it happens.
    pub(crate) fn told(self, sid: &str) -> Vec<Vec<Stamped>> {
        let progress = |status: &str, second: i64, more: &[(&str, &str)]| {
            let time = rfc2822::to_string(&at(second).to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
            let base = [
                ("CallSid", sid),
                ("AccountSid", "AC0123456789abcdef0123456789abcdef"),
                ("From", "+81312345678"),
                ("To", "+819012345678"),
                ("CallStatus", status),
                ("Timestamp", &time),
            ];
            let form: Form = base.into_iter().chain(more.iter().copied()).collect();
            call::progress(&CallProgress::from_form(&form).unwrap(), at(99))
        };
        // The answer to our request, which may come last of all.
        let bound = vec![SessionEvent::Bound { call: sid.parse().unwrap() }.at(at(1))];
        let mut told = vec![bound, progress("initiated", 1, &[]), progress("ringing", 2, &[])];
        let Self::Nobody(status) = self else {
            let by = if self == Self::Machine { "machine_end_beep" } else { "human" };
            let orderly = self != Self::BrokeOff;
            told.extend([
                progress("in-progress", 5, &[]),
                progress("in-progress", 5, &[("AnsweredBy", "unknown")]),
                machine(sid, by),
                recorded("in-progress", &[("RecordingChannels", "2")]),
                vec![detached(stream(1), if orderly { "goodbye" } else { "line-failed" }, orderly).at(at(40))],
                progress("completed", 41, &[("CallDuration", "36")]),
                recorded("completed", &[("RecordingUrl", "https://api.example/RE01"), ("RecordingDuration", "30")]),
            ]);
            return told;
        };
        let failed = [("CallDuration", "0"), ("ErrorCode", "21211")];
        told.push(progress(status.name(), 30, if status == Status::Failed { &failed } else { &failed[..1] }));
        told
    }
}

fn machine(sid: &str, by: &str) -> Vec<Stamped> {
    let account = ("AccountSid", "AC0123456789abcdef0123456789abcdef");
    let form: Form = [("CallSid", sid), account, ("AnsweredBy", by)].into_iter().collect();
    call::machine(&AnsweringMachine::from_form(&form).unwrap(), at(6))
}

fn recorded(status: &str, more: &[(&str, &str)]) -> Vec<Stamped> {
    let account = ("AccountSid", "AC0123456789abcdef0123456789abcdef");
    let base = [account, ("RecordingSid", RECORDING), ("RecordingStatus", status)];
    let form: Form = base.into_iter().chain(more.iter().copied()).collect();
    call::recording(&RecordingProgress::from_form(&form).unwrap(), at(7))
}

/// All that is told of a story, some of it again, in any order.
pub(crate) fn permuted(sid: String) -> impl Strategy<Value = (Story, Vec<Vec<Stamped>>)> {
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..8);
    (prop::sample::select(Story::ALL.to_vec()), again).prop_flat_map(move |(story, again)| {
        let mut told = story.told(&sid);
        let repeated: Vec<_> = again.iter().map(|index| index.get(&told).clone()).collect();
        told.extend(repeated);
        (Just(story), Just(told).prop_shuffle())
    })
}

/// What has to be the same in whatever order it was told.
type Known = (Status, Option<Outcome>, Times, Option<AnsweredBy>, Option<u32>, Vec<Recording>, Option<Timestamp>);

fn known(call: &CallSession) -> Known {
    let call = call.summary.clone();
    (call.status, call.outcome, call.times.clone(), call.answered_by, call.seconds, call.recordings, call.times.ended)
}

fn lived(story: Story, told: &[Vec<Stamped>]) -> Kept {
    let mut kept = Kept::new();
    kept.offer(story.carried());
    told.iter().for_each(|events| kept.offer(events.clone()));
    kept
}

#[test]
fn each_story_comes_to_its_end() {
    for story in Story::ALL {
        let call = lived(story, &story.told(CALL)).call.summary;
        assert_eq!((call.status, call.outcome), (story.status(), Some(story.outcome())), "{story:?}");
        assert_eq!(call.times.answered.is_some(), story.is_answered(), "{story:?}");
        assert_eq!(call.times.ringing, Some(at(2)), "{story:?}");
        assert_eq!(call.times.ended, Some(at(if story.is_answered() { 41 } else { 30 })), "{story:?}");
        assert_eq!(call.call_sid.unwrap().as_str(), CALL, "{story:?}");
        assert_eq!(call.problem_code, (story == Story::Nobody(Status::Failed)).then_some(21_211), "{story:?}");
    }
}

#[test]
fn another_call_is_not_this_one() {
    let mut call = lived(Story::Talked, &Story::Talked.told(CALL)).call;
    let other = Story::Talked.told("CA0000000000000000000000000000000f");
    let before = call.clone();
    for events in other.into_iter().filter(|events| events[0].event.name() == "bound") {
        call.take(events.clone()).unwrap_err();
        call.hear(events).unwrap_err();
    }
    assert_eq!(call, before);
}

#[test]
fn what_a_call_does_not_allow_keeps_nothing_else_from_it() {
    let mut call = lived(Story::Talked, &Story::Talked.told(CALL)).call;
    let bound = SessionEvent::Bound { call: CALL.parse().unwrap() };
    let late = SessionEvent::StreamExpected { stream: stream(2) };
    let told = [bound, late, SessionEvent::Lasted { seconds: 99 }].map(|event| event.at(at(80)));
    call.take(told.clone()).unwrap_err();
    let happened = call.hear(told).unwrap();
    assert_eq!(happened.iter().map(|event| event.event.name()).collect::<Vec<_>>(), ["lasted"]);
    assert_eq!(call.summary.seconds, Some(99));
}

#[test]
fn what_was_said_of_the_outcome_counts() {
    let mut kept = lived(Story::Machine, &Story::Machine.told(CALL));
    kept.offer([SessionEvent::Concluded { outcome: Outcome::VoicemailLeft }.at(at(50))]);
    kept.offer(Story::Machine.told(CALL).into_iter().flatten());
    assert_eq!(kept.call.summary.outcome, Some(Outcome::VoicemailLeft));
}

proptest! {
    #[test]
    fn the_order_of_callbacks_makes_no_difference((story, told) in permuted(CALL.into())) {
        let mut kept = lived(story, &told);
        prop_assert_eq!(known(&kept.call), known(&lived(story, &story.told(CALL)).call));
        let ends = kept.history.iter().filter(|event| event.stamped.event.name() == "ended").count();
        prop_assert_eq!(ends, 1);
        prop_assert_eq!(&kept.replayed(), &kept.call);
        // All of it once more: nothing is new.
        let events = kept.history.len();
        kept.offer(told.into_iter().flatten());
        prop_assert_eq!(kept.history.len(), events);
    }
}
