//! A model that is lost is a pause, not the end.

mod change;
mod chaos;
mod endpoints;
mod phases;
mod rotation;
mod story;
mod summary;
mod talk;
mod voice;
mod wire;

use proptest::{collection::vec, prelude::*};
use tokio::runtime::Builder;

use self::story::{World, bare, tell};
use super::{MS, S};

#[tokio::test(start_paused = true)]
async fn a_story_is_told_once_though_its_teller_dies_twenty_times() {
    let lives = (0..20).map(|index| (1_700 + 137 * (index % 7)) * MS).collect();
    let world = World { sentences: 24, lives, connect: S, haste: 2 };
    let told = tell(&world, bare()).await;
    assert_eq!(told.report.reason.name(), "caller-hung-up");
    assert_eq!((told.sessions, told.report.stats.sessions_lost), (21, 20));
    assert!(told.silence < 2_500 * MS, "the longest silence was {:?}", told.silence);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_story_is_told_once_whenever_its_teller_dies(
        lives in vec((1_u32..6_000).prop_map(|ms| ms * MS), 0..12),
        connect in (0_u32..1_500).prop_map(|ms| ms * MS),
        haste in 1_u32..6,
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = World { sentences: 7, lives, connect, haste };
        let told = runtime.block_on(tell(&world, bare()));
        prop_assert_eq!(told.report.reason.name(), "caller-hung-up");
    }
}
