//! A call on its bridge.

use realtime_bridge::{
    bridge::{Bridge, CallReport},
    media::MediaTransport,
    realtime::RealtimeSession,
    relay::{CallEvent, EndReason, TurnLatency},
};
use twilio_twiml::sid::{CallSid, StreamSid};

use super::{CallStream, Calls, Outcome};

/// One stream of a call that is over, for whoever keeps records.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallRecord {
    /// The call.
    pub call_sid: CallSid,
    /// The stream.
    pub stream_sid: StreamSid,
    /// An earlier stream of the call was cut off.
    pub resumed: bool,
    /// What the bridge tells.
    pub report: CallReport,
    /// How fast each turn was.
    pub latencies: Vec<TurnLatency>,
}

/// Carries a call to the end of its stream, and remembers what the call goes on with should the stream be cut off.
///
/// # Cancel safety
///
/// Dropping the future ends the stream; the call counts as lost.
pub async fn carry<M, S>(
    calls: &Calls<S>,
    stream: &CallStream<S>,
    stream_sid: StreamSid,
    bridge: Bridge<M, S>,
) -> CallRecord
where
    M: MediaTransport,
    S: RealtimeSession + 'static,
{
    let handle = bridge.handle();
    let mut updates = handle.watch();
    let mut latencies = Vec::new();
    let watching = async {
        let mut told = false;
        loop {
            let update = tokio::select! {
                update = updates.next() => update,
                () = stream.stopped(), if !told => {
                    told = true;
                    // If the call is over by itself, all the better.
                    let _ = handle.hang_up().await;
                    continue;
                }
            };
            match update.map(|update| update.event) {
                Some(CallEvent::Transcript(entry)) => stream.note(entry),
                Some(CallEvent::Latency(latency)) => latencies.push(latency),
                // Not left to the report, which waits for tools: Twilio asks what comes next once the line is closed.
                Some(CallEvent::Ended(EndReason::HungUp)) => calls.ended(stream, stream.hung_up()),
                Some(CallEvent::Ended(reason)) => calls.ended(stream, Outcome::Ended(reason)),
                Some(_) => {}
                None => break,
            }
        }
    };
    let (report, ()) = tokio::join!(Box::pin(bridge.run()), watching);
    CallRecord { call_sid: stream.call.clone(), stream_sid, resumed: stream.resumed, report, latencies }
}
