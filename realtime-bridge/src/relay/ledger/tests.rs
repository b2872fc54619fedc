use proptest::{collection::vec, prelude::*};

use super::*;

const MS: Duration = Duration::from_millis(1);

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn source(index: usize) -> Source {
    let name = index.to_string();
    Source::Model { response: name.as_str().into(), item: name.as_str().into(), content_index: 0 }
}

/// Receives and sends at once.
fn play(ledger: &mut Ledger, now: Instant, item: usize, ms: u32) {
    let part = ledger.receive(&source(item), ms * MS);
    ledger.send(now, part, ms * MS);
}

/// What was heard and received of each part, in ms.
fn told(parts: Vec<Part>) -> Vec<(u128, u128)> {
    parts.into_iter().map(|part| (part.heard.as_millis(), part.received.as_millis())).collect()
}

#[test]
fn between_marks_the_clock_tells_the_position() {
    let (mut ledger, t0) = (Ledger::new(), now());
    assert_eq!(ledger.played(t0), Duration::ZERO);
    play(&mut ledger, t0, 0, 300);
    let first = ledger.mark();
    play(&mut ledger, t0, 0, 300);
    assert_eq!(ledger.played(t0 + 120 * MS), 120 * MS);
    assert_eq!(ledger.played(t0 + 420 * MS), 300 * MS, "a mark that is out has not been played");
    assert_eq!(ledger.reached(t0 + 450 * MS, first), Some(300 * MS));
    assert_eq!(ledger.played(t0 + 500 * MS), 350 * MS);
    assert_eq!(ledger.played(t0 + 460 * MS), 350 * MS, "never backwards");
    assert_eq!(ledger.played(t0 + 9_000 * MS), 600 * MS, "never more than was sent");
    assert_eq!(ledger.queued(t0 + 9_000 * MS), Duration::ZERO);
}

#[test]
fn a_pause_of_the_line_does_not_count_as_played() {
    let (mut ledger, t0) = (Ledger::new(), now());
    play(&mut ledger, t0, 0, 100);
    play(&mut ledger, t0 + 500 * MS, 0, 100);
    assert_eq!(ledger.played(t0 + 540 * MS), 140 * MS);
}

#[test]
fn a_mark_confirms_those_before_it_and_a_clear_voids_all() {
    let (mut ledger, t0) = (Ledger::new(), now());
    play(&mut ledger, t0, 0, 100);
    let lost = ledger.mark();
    play(&mut ledger, t0, 0, 100);
    let second = ledger.mark();
    play(&mut ledger, t0, 0, 100);
    let third = ledger.mark();
    assert_eq!(ledger.reached(t0 + 200 * MS, second), Some(200 * MS));
    assert_eq!(ledger.reached(t0 + 200 * MS, lost), None);
    assert_eq!(told(ledger.clear(t0 + 250 * MS)), [(250, 300)]);
    assert_eq!(ledger.reached(t0 + 250 * MS, third), None);
    assert!(ledger.all_confirmed());
    play(&mut ledger, t0 + 300 * MS, 1, 100);
    assert_ne!(ledger.mark(), lost, "names are not used again");
    assert_eq!(told(ledger.clear(t0 + 340 * MS)), [(40, 100)]);
}

#[test]
fn a_mark_that_is_long_overdue_is_not_waited_for() {
    let (mut ledger, t0) = (Ledger::new(), now());
    play(&mut ledger, t0, 0, 100);
    let late = ledger.mark();
    play(&mut ledger, t0, 0, 5_000);
    assert_eq!(ledger.played(t0 + 2_000 * MS), 100 * MS);
    assert_eq!(ledger.played(t0 + 2_100 * MS), 2_100 * MS);
    assert_eq!(ledger.reached(t0 + 2_200 * MS, late), Some(100 * MS));
    assert_eq!(ledger.played(t0 + 2_200 * MS), 2_100 * MS);
}

#[test]
fn it_is_known_when_there_will_be_room_again() {
    let (mut ledger, t0) = (Ledger::new(), now());
    assert_eq!(ledger.when_left(t0, Duration::ZERO), None, "nothing was sent");
    play(&mut ledger, t0, 0, 1_000);
    assert_eq!(ledger.when_left(t0 + 100 * MS, 300 * MS), Some(t0 + 700 * MS));
    ledger.mark();
    play(&mut ledger, t0, 0, 1_000);
    assert_eq!(ledger.when_left(t0 + 100 * MS, 300 * MS), Some(t0 + 3_000 * MS), "the mark has to come, or be lost");
    assert!(ledger.queued(t0 + 2_999 * MS) > 300 * MS && ledger.queued(t0 + 3_000 * MS) <= 300 * MS);
}

#[test]
fn a_line_without_marks_gathers_nothing() {
    let (mut ledger, mut time) = (Ledger::new(), now());
    for item in 0..600 {
        play(&mut ledger, time, item, 1_000);
        ledger.finish(&source(item));
        ledger.forget_lost(time);
        ledger.mark();
        let parts = ledger.take_heard();
        assert!(parts.iter().all(|part| part.heard == part.received));
        time += 1_000 * MS;
        assert!(ledger.marks.len() <= 62 && ledger.parts.len() <= 62 && ledger.segments.len() <= 62);
    }
    assert!(!ledger.all_confirmed());
}

#[test]
fn parts_are_heard_in_turn_and_only_when_they_are_whole() {
    let (mut ledger, t0) = (Ledger::new(), now());
    play(&mut ledger, t0, 0, 100);
    play(&mut ledger, t0, 1, 100);
    let part = ledger.receive(&source(1), 50 * MS);
    let mark = ledger.mark();
    ledger.reached(t0 + 200 * MS, mark);
    assert_eq!(ledger.take_heard(), [], "more may come");
    ledger.finish(&source(0));
    ledger.finish_response(&"1".into());
    assert_eq!(told(ledger.take_heard()), [(100, 100)]);
    assert_eq!(ledger.parts_of(&"1".into()), [("1".into(), 0, 150 * MS)]);
    ledger.send(t0 + 200 * MS, part, 50 * MS);
    let mark = ledger.mark();
    ledger.reached(t0 + 250 * MS, mark);
    assert_eq!(told(ledger.take_heard()), [(150, 150)]);
    assert!(ledger.last_is_done() && ledger.is_silent(t0 + 250 * MS));
}

#[derive(Debug, Clone)]
enum Step {
    Receive(usize, u64),
    Finish(usize),
    Send,
    Mark,
    /// Marks that the line has reached come back, with this many of them lost on the way.
    Return(usize),
    Pass(u64),
    TakeHeard,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 1..400_u64).prop_map(|(item, ms)| Step::Receive(item, ms)),
        2 => (0..3_usize).prop_map(Step::Finish),
        6 => Just(Step::Send),
        3 => Just(Step::Mark),
        3 => (0..2_usize).prop_map(Step::Return),
        6 => (1..600_u64).prop_map(Step::Pass),
        2 => Just(Step::TakeHeard),
        1 => Just(Step::Clear),
    ]
}

/// The line as it is: each piece plays after the one before it, and not before it was sent.
#[derive(Default)]
struct Line {
    pieces: Vec<(Instant, Instant, u64)>,
    marks: VecDeque<(Instant, MarkId)>,
    /// Played before the last clear.
    before: Duration,
}

impl Line {
    fn end(&self, now: Instant) -> Instant {
        self.pieces.last().map_or(now, |(_, end, _)| now.max(*end))
    }

    fn played(&self, now: Instant, part: Option<u64>) -> Duration {
        let pieces = self.pieces.iter().filter(|(.., of)| part.is_none_or(|part| part == *of));
        pieces.map(|(start, end, _)| now.min(*end).saturating_duration_since(*start)).sum()
    }
}

fn ordered(parts: &VecDeque<Part>) -> Result<(), TestCaseError> {
    for part in parts {
        prop_assert!(part.heard <= part.sent && part.sent <= part.received, "{part:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn it_is_never_ahead_of_the_line(steps in vec(step(), 1..80), prompt in any::<bool>()) {
        let (mut ledger, mut line, mut now) = (Ledger::new(), Line::default(), now());
        let mut waiting: VecDeque<(u64, Duration)> = VecDeque::new();
        let mut told = Duration::ZERO;
        for step in steps {
            match step {
                Step::Receive(item, ms) => {
                    let length = Duration::from_millis(ms);
                    waiting.push_back((ledger.receive(&source(item), length), length));
                }
                Step::Finish(item) => ledger.finish(&source(item)),
                Step::Send => {
                    if let Some((part, length)) = waiting.pop_front() {
                        let start = line.end(now);
                        line.pieces.push((start, start + length, part));
                        ledger.send(now, part, length);
                    }
                }
                Step::Mark => line.marks.push_back((line.end(now), ledger.mark())),
                Step::Return(lost) => {
                    let lost = if prompt { 0 } else { lost };
                    for n in 0.. {
                        let Some((_, mark)) = line.marks.pop_front_if(|(due, _)| *due <= now) else { break };
                        if n >= lost {
                            ledger.reached(now, mark);
                        }
                    }
                }
                Step::Pass(ms) => {
                    let until = now + Duration::from_millis(ms);
                    while prompt && line.marks.front().is_some_and(|(due, _)| *due <= until) {
                        let Some((due, mark)) = line.marks.pop_front() else { break };
                        now = now.max(due);
                        ledger.reached(now, mark);
                    }
                    now = until;
                }
                Step::TakeHeard => {
                    let first = ledger.first_part;
                    for (index, part) in ledger.take_heard().into_iter().enumerate() {
                        prop_assert!(part.done && part.heard == part.received, "{part:?}");
                        prop_assert_eq!(line.played(now, Some(first + index as u64)), part.received);
                    }
                }
                Step::Clear => {
                    let (first, epoch) = (ledger.first_part, ledger.epoch());
                    for (index, part) in ledger.clear(now).into_iter().enumerate() {
                        let truth = line.played(now, Some(first + index as u64));
                        prop_assert!(part.heard <= truth, "{part:?} {truth:?}");
                        prop_assert!(!prompt || part.heard == truth, "{part:?} {truth:?}");
                    }
                    prop_assert!(ledger.all_confirmed() && ledger.epoch() > epoch);
                    line.before = ledger.sent;
                    line.pieces.clear();
                    line.marks.clear();
                    waiting.clear();
                }
            }
            let played = ledger.played(now);
            let truth = line.before + line.played(now, None);
            prop_assert!(played >= told && played >= ledger.confirmed && played <= ledger.sent);
            prop_assert!(played <= truth, "{played:?} of {truth:?}");
            prop_assert!(!prompt || played == truth, "{played:?} is not {truth:?}");
            told = played;
            ordered(&ledger.parts)?;
        }
    }
}
