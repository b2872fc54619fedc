//! Calls through the bridge, between the line in memory and the model in memory, on a paused clock.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod barge_in;
mod elsewhere;
mod endings;
mod failures;
mod formats;
mod live;
mod long_call;
mod memory;
mod queues;
mod recovery;
mod relay;
mod sockets;
mod tools;
mod turns;
mod wakeups;

use std::time::Duration;

use realtime_bridge::{
    audio::AudioFormat,
    bridge::{Bridge, CallHandle, CallReport, Updates},
    media::{
        MediaCommand,
        memory::{Caller, line},
    },
    realtime::{
        Capabilities, NewItem, RealtimeCommand, RequestId, SessionConfig, TurnDetection, TurnOwner,
        memory::{MemoryModel, pair_with},
    },
    relay::{CallConfig, CallEvent},
    tool::ToolSet,
};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// A call under way, and both of its far ends.
struct Call {
    caller: Caller,
    model: MemoryModel,
    handle: CallHandle,
    updates: Updates,
    run: JoinSet<CallReport>,
}

/// Nobody speaks unless the test has them speak, and a silent line is no dead line.
fn quiet() -> CallConfig {
    CallConfig::default().with_greeting(None).with_idle(None).with_no_media(3_600 * S)
}

/// The turns are ours.
fn our_turns() -> SessionConfig {
    SessionConfig::default().with_turn_detection(TurnDetection::server_vad().with_owner(TurnOwner::Bridge))
}

fn call(config: CallConfig) -> Call {
    call_with(config, &SessionConfig::default(), Capabilities::client_driven(), ToolSet::new())
}

fn call_with(config: CallConfig, session: &SessionConfig, capabilities: Capabilities, tools: ToolSet) -> Call {
    call_on(AudioFormat::MuLaw, config, session, capabilities, tools)
}

fn call_on(
    format: AudioFormat,
    config: CallConfig,
    session: &SessionConfig,
    capabilities: Capabilities,
    tools: ToolSet,
) -> Call {
    let (line, caller) = line(format);
    let (session, model) = pair_with(session, capabilities);
    let bridge = Bridge::with_config(line, session, config).unwrap().with_tools(tools);
    let (handle, mut run) = (bridge.handle(), JoinSet::new());
    let updates = handle.watch();
    run.spawn(bridge.run());
    Call { caller, model, handle, updates, run }
}

impl Call {
    /// The next update with this name; others are passed over.
    async fn until(&mut self, name: &str) -> CallEvent {
        let found = async {
            loop {
                let update = self.updates.next().await.unwrap_or_else(|| panic!("the call ended without {name}"));
                if update.event.name() == name {
                    return update.event;
                }
            }
        };
        timeout(120 * S, found).await.unwrap_or_else(|_| panic!("there is no {name}"))
    }

    /// What the model is told next, but for audio.
    async fn told(&mut self) -> RealtimeCommand {
        let told = timeout(120 * S, self.model.recv_control()).await;
        told.expect("the model is told something").expect("the session is open")
    }

    /// The next request for an answer, with the entries told before it.
    async fn asked(&mut self) -> (RequestId, Vec<NewItem>) {
        let mut items = Vec::new();
        loop {
            match self.told().await {
                RealtimeCommand::AddItem { item, .. } => items.push(item),
                RealtimeCommand::Respond { request, .. } => return (request, items),
                other => panic!("an answer was to be asked for, not {other:?}"),
            }
        }
    }

    /// Whether the model is told nothing but audio for this long.
    async fn told_nothing(&mut self, time: Duration) -> bool {
        timeout(time, self.model.recv_control()).await.is_err()
    }

    /// Ends the call by command.
    async fn hang_up(self) -> CallReport {
        self.handle.hang_up().await.unwrap();
        self.over("hung-up").await
    }

    /// The call ends for this reason; both sides are closed, no task is left and nobody is told more.
    async fn over(self, reason: &str) -> CallReport {
        let Self { caller, model, handle, updates, run } = self;
        over(reason, run, &handle, updates, Some(&caller), Some(&model)).await
    }

    fn cleared(&self) -> usize {
        self.caller.commands().iter().filter(|received| received.command == MediaCommand::Clear).count()
    }
}

async fn over(
    reason: &str,
    mut run: JoinSet<CallReport>,
    handle: &CallHandle,
    mut updates: Updates,
    caller: Option<&Caller>,
    model: Option<&MemoryModel>,
) -> CallReport {
    let report = timeout(600 * S, run.join_next()).await.expect("the call ends").expect("it runs").unwrap();
    assert_eq!(report.reason.name(), reason);
    let mut last = None;
    while let Some(update) = updates.next().await {
        assert!(last.is_none_or(|(sequence, _)| update.sequence > sequence), "updates come in order");
        last = Some((update.sequence, update.event.name()));
    }
    if let Some((_, name)) = last {
        assert_eq!(name, "ended", "the end comes last");
    }
    assert!(caller.is_none_or(Caller::is_closed), "the line is open");
    assert!(model.is_none_or(MemoryModel::is_closed), "the session is open");
    assert!(handle.say("Anybody there?").await.is_err(), "a call that is over takes a command");
    assert!(handle.watch().next().await.is_none());
    drop(run);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0, "a task is left");
    report
}

/// Lets everything that is due now be done.
async fn settle() {
    sleep(MS).await;
}

fn greeting() -> realtime_bridge::relay::Greeting {
    realtime_bridge::relay::Greeting::Line("Hello.".into())
}
