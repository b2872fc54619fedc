//! A call on the bridge does as it is told.

use std::future::Future;

use futures_util::{StreamExt, stream::FuturesUnordered};
use realtime_bridge::bridge::{CallEnded, CallHandle};

use super::{Command, Delivery, Held, Reply};

/// How many commands of your own are under way at once.
const MOST: usize = 8;

/// Why a call is served no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Served {
    /// The call is with another server, or this server stops.
    LeaseLost,
    /// The conversation on the bridge is over.
    CallOver,
}

/// Carries out commands on a call of the bridge, in their order, until the call is lost or over. What the bridge does not
/// know (recordings, commands of your own) is yours: those run beside the others, so that a slow one does not hold up a
/// hang-up, at most eight at once.
///
/// The bridge's part of a call is told and not waited for: the reply to `Say` comes before the words.
///
/// # Cancel safety
///
/// Commands of your own that are under way are dropped with the future, and their senders told that the call is over and
/// they may have been carried out. Drop it when the bridge ends, and then the lease.
pub async fn serve<F, R>(held: &mut Held, call: &CallHandle, own: F) -> Served
where
    F: Fn(Command) -> R,
    R: Future<Output = Reply>,
{
    let mut under_way = FuturesUnordered::new();
    loop {
        let delivery = tokio::select! {
            delivery = held.next() => delivery,
            Some(()) = under_way.next(), if !under_way.is_empty() => continue,
        };
        let Some(delivery) = delivery else { return Served::LeaseLost };
        match tell(call, delivery.command()).await {
            Some(Ok(())) => delivery.reply(Reply::Ok),
            Some(Err(CallEnded)) => {
                delivery.call_over();
                return Served::CallOver;
            }
            None if under_way.len() >= MOST => delivery.reply(Reply::refused("busy")),
            None => {
                let reply = own(delivery.command().clone());
                under_way.push(answer(delivery, reply));
            }
        }
    }
}

async fn answer(delivery: Delivery, reply: impl Future<Output = Reply>) {
    delivery.reply(reply.await);
}

/// Tells the bridge what it knows how to do.
async fn tell(call: &CallHandle, command: &Command) -> Option<Result<(), CallEnded>> {
    Some(match command.clone() {
        Command::Say { line } => call.say(line).await,
        Command::Instruct { text, respond } => call.instruct(text, respond).await,
        Command::Interrupt => call.interrupt().await,
        Command::End { line } => call.end(line).await,
        Command::Detach { line } => call.detach(line).await,
        Command::HangUp => call.hang_up().await,
        Command::PauseRecording | Command::ResumeRecording | Command::Custom { .. } | Command::Unknown => return None,
    })
}
