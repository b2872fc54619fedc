//! The relay in random circumstances: any order of what the line, the model, commands, tools and the clock bring.

mod peers;
mod world;

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use realtime_bridge::relay::{CallCommand, ToolOutcome};

use self::world::{Setting, Step, TOOLS, World};

fn ms(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn setting() -> impl Strategy<Value = Setting> {
    any::<[bool; 7]>().prop_map(|[confirmed, provider, prompt, impatient, greets, names_requests, dawdles]| Setting {
        confirmed,
        // Only whoever owns the turns can wait for a confirmation.
        provider_owns_turns: provider && !confirmed,
        prompt,
        impatient,
        greets,
        names_requests,
        dawdles,
    })
}

fn command() -> impl Strategy<Value = CallCommand> {
    let line = || prop_oneof![Just(None), Just(Some("Goodbye.".to_owned()))];
    prop_oneof![
        4 => Just(CallCommand::Say("Listen.".into())),
        4 => any::<bool>().prop_map(|respond| CallCommand::Instruct { text: "Know this.".into(), respond }),
        4 => Just(CallCommand::Interrupt),
        1 => line().prop_map(|line| CallCommand::End { line }),
        1 => line().prop_map(|line| CallCommand::Detach { line }),
    ]
}

fn outcome() -> impl Strategy<Value = ToolOutcome> {
    prop_oneof![Just(ToolOutcome::Done), Just(ToolOutcome::Failed)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => ms(1..700).prop_map(Step::Pass),
        2 => ms(2_000..12_000).prop_map(Step::Pass),
        4 => Just(Step::Frame),
        2 => prop::sample::select(vec!['1', '#']).prop_map(Step::Key),
        8 => Just(Step::CallerBegins),
        8 => Just(Step::CallerEnds),
        20 => ms(1..900).prop_map(Step::Speak),
        3 => Just(Step::NextItem),
        8 => vec(0..TOOLS.len(), 0..3).prop_map(Step::Finish),
        1 => Just(Step::Fail),
        30 => (1..8_usize).prop_map(Step::Deliver),
        20 => (1..8_usize).prop_map(Step::Serve),
        8 => (any::<usize>(), outcome()).prop_map(|(index, outcome)| Step::Tool(index, outcome)),
        6 => command().prop_map(Step::Command),
        2 => any::<bool>().prop_map(Step::LineStalls),
        2 => any::<bool>().prop_map(Step::ModelStalls),
        8 => (1..5_usize).prop_map(Step::Marks),
        1 => Just(Step::Refuse),
    ]
}

/// Mostly long calls, and now and then one that ends early.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![Just(Step::HangUp), Just(Step::ModelCloses)];
    (vec(step(), 1..120), prop::option::weighted(0.1, end), vec(step(), 0..20)).prop_map(|(mut steps, end, more)| {
        steps.extend(end);
        steps.extend(more);
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_holds_whatever_happens(setting in setting(), steps in steps()) {
        let mut world = World::new(setting);
        for step in steps {
            world.apply(step);
        }
        world.settle();
        world.end();
    }
}
