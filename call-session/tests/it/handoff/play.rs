//! One seeded handoff: the call, the operators, and the servers that perform it and die.

use std::{future::pending, sync::Arc, time::Duration};

use call_session::{
    call::{Ending, HandoffMode, Mode, NewCall, SessionEvent, Status, SupervisorRole},
    handoff::{
        AfterPerson, Ask, Clock, Company, ConferenceRedirect, DirectDial, HandoffPlan, HandoffRunner, HandoffSettings,
        HandoffStrategy, Person, Wanted, WarmTransfer, request, supervise, take_back,
    },
    id::{LegId, NodeId, SessionId, StreamId},
    store::{self, SessionStore, UpdateError},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use twilio_twiml::{phone::Address, sid::CallSid};

use super::world::World;
use crate::hardship::HardStore;

/// The longest a handoff and its call may last in the model.
const END: Duration = Duration::from_secs(1200);

/// Plays one handoff. Gives its timeline, and what was wrong with it.
pub(super) async fn play(seed: u64) -> (String, Vec<String>) {
    let caller: CallSid = "CAfedcba9876543210fedcba9876543210".parse().unwrap();
    let world = Arc::new(World::new(seed, SessionId::new(), caller.clone()));
    begin(&world, caller).await;
    tokio::select! {
        biased;
        () = world.run() => {}
        () = operators(&world) => {}
        () = supervisors(&world) => {}
        () = serve(&world) => {}
    }
    world.check_end().await;
    (world.timeline().await, world.wrongs())
}

async fn begin(world: &World, caller: CallSid) {
    let now = world.now();
    let (inbound, turns) = world.with(|chance| (chance.percent(40), chance.percent(20)));
    let (ours, theirs) = ("+81312345678", "+819012345678");
    let call = if inbound { NewCall::inbound(theirs, ours) } else { NewCall::outbound(ours, theirs) };
    let call = if turns { call.with_mode(Mode::Conference) } else { call };
    let mut events = vec![SessionEvent::Bound { call: caller }, SessionEvent::Answered];
    if !turns {
        let stream = StreamId::new();
        let up = SessionEvent::StreamAttached { stream, sid: None, node: "node-stream".parse().unwrap() };
        events.extend([SessionEvent::StreamExpected { stream }, up]);
        world.has_stream(stream);
    }
    world.say(format!("{:?} {:?}", call.direction, call.mode));
    let events = events.into_iter().map(|event| event.at(now)).collect();
    world.store.inner().create(world.session, now, call, events).await.unwrap();
    ask(world).await;
    let (leaves, breaks) = world.with(|chance| {
        let soon = chance.percent(35);
        let leaves = if soon { chance.millis(100, 60_000) } else { chance.millis(150_000, 400_000) };
        let breaks = if chance.percent(20) { 1 + chance.below(3) } else { 0 };
        (leaves, (0..breaks).map(|_| chance.millis(50, 90_000)).collect::<Vec<_>>())
    });
    world.caller_hangs_up_in(leaves);
    breaks.into_iter().for_each(|breaks| world.stream_breaks_in(breaks));
}

/// Somebody wants the caller handed over, in whichever way.
async fn ask(world: &World) {
    let call = world.store.inner().load(world.session).await.unwrap().unwrap();
    let kind = world.with(|chance| chance.below(5));
    let (asked, music, goodbye, farewell) =
        world.with(|chance| (1 + chance.below(3), chance.percent(30), chance.percent(40), chance.percent(80)));
    let people: Vec<_> = (0..asked)
        .map(|n| Person::new(format!("person-{n}").parse().unwrap(), format!("+8131111000{n}").as_str()))
        .collect();
    let mut settings = HandoffSettings::default();
    if music {
        settings = settings.with_company(Company::Music { url: None });
    }
    if goodbye {
        settings = settings.with_after(AfterPerson::Goodbye);
    }
    if farewell {
        settings = settings.with_farewell("One moment, please.");
    }
    let ask = Ask::new(&call, &people, &Wanted::Anyone, &settings);
    let plan = match kind {
        0 | 1 => WarmTransfer.plan(&ask),
        2 => ConferenceRedirect.plan(&ask),
        3 => DirectDial { mode: HandoffMode::Cold }.plan(&ask),
        _ => DirectDial { mode: HandoffMode::Warm }.plan(&ask),
    }
    .unwrap();
    let words = format!("{:?} {:?} {:?} {:?}, {asked} candidates", plan.mode, plan.route, plan.company, plan.after);
    let answer = if press(world, plan).await { "an operator has begun a handoff" } else { "an operator was refused" };
    world.say(format!("{answer}: {words}"));
}

/// Whether the handoff has begun: one at a time.
async fn press(world: &World, plan: HandoffPlan) -> bool {
    let now = world.now();
    match store::update(world.store.inner(), world.session, |_| vec![request(plan.clone(), "operator", "").at(now)])
        .await
    {
        Ok(_) => true,
        Err(UpdateError::Refused(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Ask,
    TakeBack,
    Supervise,
}

/// Somebody wants to be with caller and person, or to do something else there.
async fn supervisor(world: &World) {
    let (who, role) = world.with(|chance| {
        let role = chance.one(&[SupervisorRole::Listen, SupervisorRole::Whisper, SupervisorRole::Join]);
        (chance.below(2), role)
    });
    let (to, leg, now) = (Address::from(format!("+8131111100{who}").as_str()), LegId::new(), world.now());
    let asked = |call: &_| supervise(call, leg, None, &to, role, "operator").into_iter().map(|it| it.at(now)).collect();
    match store::update(world.store.inner(), world.session, asked).await {
        Ok(_) => world.say(format!("supervisor {who} is to {role:?}")),
        Err(UpdateError::Refused(refused)) => world.say(format!("no supervisor: {refused}")),
        Err(error) => panic!("{error}"),
    }
}

/// Some who want to be there as soon as caller and person are in a room, and to do this and that.
async fn supervisors(world: &World) {
    let acts = world.with(|chance| if chance.percent(50) { 1 + chance.below(5) } else { 0 });
    for _ in 0..acts {
        while !world.store.inner().summary(world.session).await.unwrap().is_some_and(|call| call.is_in_room()) {
            sleep(Duration::from_millis(700)).await;
        }
        sleep(world.with(|chance| chance.millis(10, 9000))).await;
        supervisor(world).await;
    }
    pending().await
}

/// Operators who press buttons at any time, in an order that the seed gives.
async fn operators(world: &World) {
    let mut acts: Vec<_> = world.with(|chance| {
        let mut acts = Vec::new();
        let mut maybe = |percent, until, act| {
            if chance.percent(percent) {
                acts.push((chance.millis(1, until), act));
            }
        };
        maybe(40, 120_000, Act::Ask);
        maybe(20, 200_000, Act::Ask);
        maybe(25, 90_000, Act::TakeBack);
        maybe(10, 90_000, Act::TakeBack);
        maybe(10, 60_000, Act::Supervise);
        acts
    });
    acts.sort_by_key(|(at, _)| *at);
    let began = Instant::now();
    for (at, act) in acts {
        tokio::time::sleep_until(began + at).await;
        if world.caller_gone() {
            break;
        }
        let now = world.now();
        match act {
            Act::Ask => ask(world).await,
            Act::TakeBack => {
                world.say("an operator takes the caller back");
                let stamped = |call: &_| take_back(call).into_iter().map(|event| event.at(now)).collect();
                store::update(world.store.inner(), world.session, stamped).await.unwrap();
            }
            Act::Supervise => supervisor(world).await,
        }
    }
    pending().await
}

fn runner(world: &Arc<World>, number: u32) -> HandoffRunner<HardStore> {
    let node: NodeId = format!("node-{number}").parse().unwrap();
    let (telephone, agent, clock) =
        (Arc::<World>::clone(world), Arc::<World>::clone(world), Arc::<World>::clone(world));
    HandoffRunner::new(Arc::clone(&world.store), telephone, agent, clock, node)
        .with_roster(Arc::<World>::clone(world))
        .with_documents(Arc::<World>::clone(world))
}

/// Servers that perform what there is to perform, one after the other as they die; some are only thought dead.
async fn serve(world: &Arc<World>) {
    let began = Instant::now();
    let mut zombies = JoinSet::new();
    let mut deaths = 0;
    for number in 0_u32.. {
        if !wait_for_work(world, began).await {
            break;
        }
        let (dies, early, at, zombie) = world.with(|chance| {
            let dies = chance.percent(50).then(|| u32::try_from(chance.below(14)).unwrap());
            (dies, chance.percent(10), chance.millis(1, 40_000), chance.percent(25))
        });
        let mortal = deaths < 5;
        world.crash_after(dies.filter(|_| mortal));
        let early = if early && mortal { at } else { END };
        let here = runner(world, number);
        let session = world.session;
        let mut run = Box::pin(async move { here.run(session).await });
        let end = tokio::select! {
            biased;
            end = &mut run => Some(end.unwrap()),
            () = world.crash.notified() => None,
            () = sleep(early) => None,
        };
        if let Some(end) = end {
            world.say(format!("the server is through: {end:?}"));
            continue;
        }
        deaths += 1;
        world.crash_after(None);
        if zombie {
            world.say("the server is thought dead, and is not");
            zombies.spawn(run);
        } else {
            world.say("the server dies");
        }
        let away = world.with(|chance| chance.millis(100, 3000));
        sleep(away).await;
        if began.elapsed() > END {
            return;
        }
    }
    // The callback was lost: what a watchdog of calls does, which is not the handoff's business.
    let ended = SessionEvent::Ended(Ending::new(Status::Completed, "reconciled")).at(world.now());
    store::update(world.store.inner(), world.session, |_| vec![ended.clone()]).await.unwrap();
}

/// Waits until somebody has to perform something: doors look at each call they are asked about. `false` if the caller has
/// gone and nothing is to be done any more.
async fn wait_for_work(world: &World, began: Instant) -> bool {
    let mut quiet = Instant::now();
    loop {
        let call = world.store.inner().summary(world.session).await.unwrap().unwrap();
        if call.needs_runner() {
            return true;
        }
        if !world.caller_gone() {
            quiet = Instant::now();
        }
        if quiet.elapsed() > Duration::from_secs(30) || began.elapsed() > END {
            return false;
        }
        sleep(Duration::from_millis(300)).await;
    }
}
