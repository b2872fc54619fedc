//! This workspace's bridge with everything on: greeting, tools, transcripts, marks, timers, and somebody who watches.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use realtime_bridge::{
    bridge::{Bridge, CallReport},
    media::twilio::{Config, MediaStream},
    realtime::{RealtimeClient, SessionConfig, openai::OpenAiClient},
    relay::{CallConfig, CallStats},
    tool::{EndCall, Tool, ToolContext, ToolError, ToolSet, WaitForCaller},
};
use serde::Deserialize;
use tokio::{net::TcpStream, task::JoinSet};

use super::{Failure, web::upgraded};

/// How the calls went, as the bridge sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Endings {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    reasons: BTreeMap<&'static str, u64>,
    entries: usize,
    updates: u64,
    tools: usize,
    stats: CallStats,
}

pub(super) async fn bridge_call(caller: TcpStream, client: OpenAiClient, endings: Endings) -> Result<(), Failure> {
    let line = MediaStream::accept(upgraded(caller).await?, Config::default()).await?;
    let tools = ToolSet::new().with(LookupOrder).with(EndCall).with(WaitForCaller);
    let session = {
        let config = SessionConfig::default()
            .with_instructions("You answer the telephone of a shop. Speak in one or two short sentences.")
            .with_tools(tools.specs());
        client.connect(&config).await?
    };
    let bridge = Bridge::with_config(line, session, CallConfig::default())?.with_tools(tools);
    // A task of its own, so that it wakes for updates and not for each frame.
    let mut updates = bridge.handle().watch();
    let mut watching = JoinSet::new();
    watching.spawn(async move {
        let mut seen = 0;
        while updates.next().await.is_some() {
            seen += 1;
        }
        seen
    });
    let report = bridge.run().await;
    endings.add(&report, watching.join_next().await.ok_or("somebody watches")??);
    Ok(())
}

impl Endings {
    fn add(&self, report: &CallReport, updates: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.reasons.entry(report.reason.name()).or_default() += 1;
        seen.entries += report.transcript.len();
        seen.updates += updates;
        seen.tools += report.tools.len();
        let (sum, more) = (&mut seen.stats, &report.stats);
        sum.frames_from_line += more.frames_from_line;
        sum.frames_to_line += more.frames_to_line;
        sum.gaps += more.gaps;
        sum.caller_dropped += more.caller_dropped;
        sum.agent_dropped += more.agent_dropped;
        sum.late_frames += more.late_frames;
        sum.interruptions += more.interruptions;
        sum.void_marks += more.void_marks;
    }
}

impl fmt::Display for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = &seen.stats;
        write!(
            f,
            "ended: {:?}; {} frames from the line, {} to it, {} gaps; dropped {:?} of callers, {:?} of agents; \
             {} late frames; {} interruptions; {} void marks; {} transcript entries; {} tool runs; {} updates watched",
            seen.reasons,
            stats.frames_from_line,
            stats.frames_to_line,
            stats.gaps,
            stats.caller_dropped,
            stats.agent_dropped,
            stats.late_frames,
            stats.interruptions,
            stats.void_marks,
            seen.entries,
            seen.tools,
            seen.updates,
        )
    }
}

/// A tool that answers at once.
struct LookupOrder;

#[derive(Deserialize, schemars::JsonSchema)]
struct Order {
    /// Digits only.
    order_number: String,
}

#[async_trait]
impl Tool for LookupOrder {
    type Arguments = Order;
    type Output = String;

    fn name(&self) -> &'static str {
        "lookup_order"
    }

    fn description(&self) -> &'static str {
        "Finds an order by its number. Say a short holding sentence first."
    }

    async fn call(&self, _context: &ToolContext, order: Order) -> Result<String, ToolError> {
        Ok(format!("order {} is on its way", order.order_number))
    }
}
