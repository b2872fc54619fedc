//! Every event at every status.

use std::fmt::Write as _;

use call_session::call::{SessionEvent, Status};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::{Kept, at, at_status, samples};

/// What becomes of an event: the status after it, `same`, `known` or why it is refused.
fn fate(status: Status, event: &SessionEvent) -> String {
    let mut call = at_status(status);
    match call.take([event.clone().at(at(60))]) {
        Err(refused) => {
            let why = format!("{refused:?}");
            format!("! {}", why.split(['(', ' ']).next().unwrap_or_default())
        }
        Ok(happened) if happened.is_empty() => "known".into(),
        Ok(_) if call.summary.status == status => "same".into(),
        Ok(_) => call.summary.status.name().into(),
    }
}

#[test]
fn each_event_has_a_decided_fate_at_each_status() {
    let mut table = String::new();
    for event in samples() {
        // Without the names that only the test has.
        writeln!(table, "{}", format!("{event:?}").replace("00000000-0000-0000-0000-00000000000", "")).unwrap();
        let fates = Status::ALL.map(|status| (status.name(), fate(status, &event)));
        for group in fates.chunk_by(|one, other| one.1 == other.1) {
            let names: Vec<_> = group.iter().map(|(name, _)| *name).collect();
            writeln!(table, "    {}: {}", names.join(", "), group[0].1).unwrap();
        }
    }
    assert_snapshot!(table);
}

#[test]
fn what_is_over_stays_over() {
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        for event in samples() {
            let mut call = at_status(status);
            let ending = call.summary.ending.clone();
            // Whatever may be decided: not even what is taken in without asking changes it.
            call.apply(&event.clone().at(at(60)));
            assert_eq!((call.summary.status, &call.summary.ending), (status, &ending), "{event:?}");
            assert_eq!(call.summary.times.ended, at_status(status).summary.times.ended, "{event:?}");
        }
    }
}

proptest! {
    /// Whatever comes in whatever order: what was kept makes the same call again, and it ends once.
    #[test]
    fn a_call_is_its_events(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..120)) {
        let samples = samples();
        let mut kept = Kept::new();
        let mut over = None;
        for (second, pick) in (1..).zip(picks) {
            kept.offer([pick.get(&samples).clone().at(at(second))]);
            let status = kept.call.summary.status;
            prop_assert!(over.is_none_or(|over| over == status));
            over = over.or_else(|| status.is_terminal().then_some(status));
        }
        let ends = kept.history.iter().filter(|event| event.stamped.event.name() == "ended").count();
        prop_assert_eq!(ends, usize::from(over.is_some()));
        prop_assert_eq!(kept.call.summary.version.0, kept.history.len() as u64);
        prop_assert_eq!(&kept.replayed(), &kept.call);
        let summary = serde_json::to_string(&kept.call.summary).unwrap();
        prop_assert_eq!(serde_json::from_str::<call_session::call::CallSummary>(&summary).unwrap(), kept.call.summary);
    }
}
