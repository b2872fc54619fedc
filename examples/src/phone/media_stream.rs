//! The media stream: from the upgrade to the end of the conversation.

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use call_session::{
    attach::carry,
    call::{CallSession, CallSummary, HANDED_OVER, Handoff, HandoffEnd, HandoffEvent, NO_MODEL, SessionEvent},
    id::{SessionId, StreamId},
    live::{AcquireError, Command, Held, Reply, Served, serve},
    recorder::{RecordError, Recorder, RecorderConfig},
};
use futures_util::SinkExt;
use jiff::Timestamp;
use realtime_bridge::{
    bridge::{Bridge, CallHandle, CallReport},
    media::{
        MediaError, MediaTransport,
        twilio::{
            Config, MediaStream,
            upgrade::{Socket, Upgrade},
        },
    },
    realtime::{RealtimeSession, openai::OpenAiSession},
    relay::{CallEvent, EndReason, Idle, MemoryLimits, TurnLatency},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::Instrument;
use twilio_twiml::sid::{CallSid, StreamSid};

use super::{
    Phone,
    after_stream::is_planned,
    streams::{KEEP_LIMIT, LocalStream},
};
use crate::{
    chain::Chain,
    conversation::{Beginning, WhyNot},
    model::PreparedSession,
    stream_token::PARAMETER,
    web,
};

/// The pause before a call is taken again that could not be taken, at first and at most.
const SEIZE_AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// What a stream has of the longest call at least, so that the agent can say goodbye.
const LEAST: Duration = Duration::from_secs(30);

/// One stream of a call that is over, for whoever wants to know how it went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamRecord {
    /// The call, as it is kept.
    pub call: SessionId,
    /// The call, as Twilio names it.
    pub call_sid: CallSid,
    /// The stream, as Twilio names it.
    pub stream_sid: StreamSid,
    /// Where its conversation began.
    pub beginning: Beginning,
    /// What the bridge tells.
    pub report: CallReport,
    /// How fast each turn was.
    pub latencies: Vec<TurnLatency>,
}

/// Lets a stream in that is expected; everything else is settled when it has shown its token.
pub(super) async fn media_stream(
    State(phone): State<Phone>,
    Path((call, stream)): Path<(SessionId, StreamId)>,
    request: Request,
) -> Response {
    if phone.0.leave.is_cancelled() {
        // Taken, it would be left at once and come again; refused, it is asked for elsewhere.
        tracing::info!("a media stream was refused: the server stops");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !phone.expects(call, stream).await {
        tracing::warn!("a media stream was refused that nobody expects");
        return StatusCode::NOT_FOUND.into_response();
    }
    match web::upgrade(request, &phone.0.verifier, phone.0.settings.twilio.require_stream_signature) {
        Ok((response, socket)) => {
            let tasks = phone.0.tasks.clone();
            tasks.spawn(Box::pin(phone.admit_stream(call, stream, socket)));
            response
        }
        Err(refused) => *refused,
    }
}

/// Why a media stream did not begin.
#[derive(Debug, thiserror::Error)]
enum NoStart {
    #[error("the connection ended with its upgrade")]
    Upgrade(#[source] io::Error),
    #[error("it did not introduce itself")]
    Start(#[source] MediaError),
}

async fn introduce(socket: Upgrade) -> Result<MediaStream<Socket>, NoStart> {
    let socket = socket.await.map_err(NoStart::Upgrade)?;
    MediaStream::accept(socket, Config::default()).await.map_err(NoStart::Start)
}

impl Phone {
    /// Whether the line was told to open this stream, and has not.
    async fn expects(&self, call: SessionId, stream: StreamId) -> bool {
        let age = stream.0.get_timestamp().map(|born| born.to_unix()).and_then(|(seconds, nanoseconds)| {
            let born = Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()?;
            Timestamp::now().duration_since(born).try_into().ok()
        });
        if age.is_some_and(|age: Duration| age > self.0.settings.limits.stream_wait) {
            return false;
        }
        match self.0.store.summary(call).await {
            Ok(summary) => summary.is_some_and(|call| {
                !call.status.is_terminal() && super::connect::expected(&call).is_some_and(|expected| expected == stream)
            }),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a media stream was refused, as its call cannot be looked up");
                false
            }
        }
    }

    /// Who is there? Nothing is opened or kept for a stream that has not shown the token of its call.
    async fn admit_stream(self, call: SessionId, stream: StreamId, socket: Upgrade) {
        let line = match introduce(socket).await {
            Ok(line) => line,
            Err(error) => return tracing::warn!(error = %Chain(&error), "a media stream did not begin"),
        };
        let start = line.start();
        let span = tracing::info_span!("call", call_sid = %start.call_sid, stream_sid = %start.stream_sid);
        let token = start.parameters.get(PARAMETER).map_or("", String::as_str);
        match self.0.tokens.check(Timestamp::now(), stream, token, &start.call_sid, &start.account_sid) {
            Ok(()) => Box::pin(self.converse(call, stream, line)).instrument(span).await,
            Err(error) => span.in_scope(|| tracing::warn!(%error, "a media stream was refused")),
        }
    }

    /// The caller is on the line: joins it with the session that was opened for it, here or now.
    async fn converse(self, call: SessionId, stream: StreamId, line: MediaStream<Socket>) {
        let state = &*self.0;
        let kept = match state.store.load(call).await {
            Ok(Some(kept)) => kept,
            Ok(None) => return tracing::warn!("the media stream is of a call that is not kept"),
            Err(error) => return tracing::error!(error = %Chain(&error), "the call cannot be looked up"),
        };
        let local = state.streams.find(stream).unwrap_or_else(|| {
            // Another server answered the webhook.
            state.streams.expect(stream, call, self.open_session(&kept.summary))
        });
        let Some(session) = local.begin() else { return tracing::warn!("the media stream comes a second time") };
        let (recorder, writing) = Recorder::new(Arc::clone(&state.store), call, RecorderConfig::default());
        state.tasks.spawn(
            async move {
                if let Err(error) = writing.run().await {
                    tracing::error!(%error, "what happened to a call is not complete");
                }
            }
            .in_current_span(),
        );
        let asks = match self.attach(&recorder, &local, &kept, session, line).await {
            Ok(asks) => asks,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the media stream is not taken");
                true
            }
        };
        // Whoever asks what comes next gets the answer from what is kept.
        if let Err(error) = recorder.kept().await {
            tracing::error!(%error, "how a stream ended is not kept");
        }
        state.streams.ended(&local, asks);
        if !asks {
            self.settle(call, stream).await;
        }
    }

    /// True unless the line is gone, and the caller with it.
    async fn attach(
        &self,
        recorder: &Recorder,
        local: &LocalStream,
        kept: &CallSession,
        session: PreparedSession<OpenAiSession>,
        mut line: MediaStream<Socket>,
    ) -> Result<bool, RecordError> {
        let (state, stream) = (&*self.0, local.id);
        let (sid, call_sid) = (line.start().stream_sid.clone(), line.start().call_sid.clone());
        let attached = SessionEvent::StreamAttached { stream, sid: Some(sid.clone()), node: state.live.node().clone() };
        // Each stream comes up once: whoever shows the token again is refused here.
        match timeout(state.settings.limits.model_wait, recorder.decide(attached.at(Timestamp::now()))).await {
            Ok(decided) => _ = decided?,
            Err(_) => {
                tracing::error!("the media stream is not taken: the store does not answer");
                return without_store(recorder, local).await;
            }
        }
        let (session, endpoints) = match session.adopt(state.settings.limits.model_wait).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "there is no model for the caller, who hears an apology");
                let asks = without_model(recorder, local).await;
                // The line's end is what makes Twilio ask; how it went is no news.
                let _ = line.close().await;
                return asks;
            }
        };
        let info = session.info();
        let model = SessionEvent::ModelAttached { stream, session: info.id.clone(), model: info.model.clone() };
        recorder.propose(model.at(Timestamp::now())).await?;

        let before = kept.summary.attachments.iter().rev().find(|known| known.node.is_some());
        let handed_over = after_handoff(&kept.summary);
        let beginning = match before.map(|known| known.detached.as_ref().map(|end| end.cause.as_str())) {
            None => handed_over.unwrap_or(Beginning::Fresh),
            Some(Some(HANDED_OVER)) => handed_over.unwrap_or(Beginning::Back),
            Some(Some(cause)) if is_planned(cause) => Beginning::Back,
            Some(_) => Beginning::CutOff,
        };
        if matches!(beginning, Beginning::NotTaken(_)) {
            // The agent's first words say so.
            recorder.propose(SessionEvent::from(HandoffEvent::Told).at(Timestamp::now())).await?;
        }
        let left = time_left(state.settings.limits.max_call, &kept.summary, Timestamp::now());
        let config = state.settings.conversation.of(&kept.summary).call(left, beginning);
        let config = config.with_idle(Some(Idle::new(state.settings.limits.idle, Idle::default().nudges)));
        let bridge = match Bridge::with_config(line, session, config) {
            Ok(bridge) => bridge
                .with_endpoints(endpoints)
                .with_tools(self.tools(local.call))
                .with_memory(kept.memory(MemoryLimits::default())),
            Err(error) => {
                tracing::error!(%error, "the call cannot be bridged");
                return without_model(recorder, local).await;
            }
        };
        let handle = bridge.handle();
        local.runs(handle.clone());
        if kept.summary.handoff.as_ref().is_some_and(Handoff::under_way) {
            // Whoever waits for a person goes on waiting.
            let _ = handle.accompany(true).await;
        }
        let carrying = watch(recorder, local, bridge);
        let (report, latencies, left) = tokio::select! {
            carried = carrying => carried,
            never = self.obey(local, &handle) => match never {},
        };
        let reason = &report.reason;
        let (cause, orderly) = match (reason, left) {
            (EndReason::HungUp, Some(cause)) => (cause, false),
            _ => (reason.name(), reason.is_orderly()),
        };
        local.ends(SessionEvent::StreamDetached { stream, cause: cause.to_owned(), orderly });
        let cause = self.cause_of_end(recorder, stream, &report).await;
        // One that was lost was detached then.
        if let Some(last) = &report.session {
            let session = last.id.clone();
            recorder.propose(SessionEvent::ModelDetached { session, cause }.at(Timestamp::now())).await?;
        }
        let asks = !matches!(report.reason, EndReason::CallerHungUp);
        if let Some(records) = &state.records {
            let record = StreamRecord { call: local.call, call_sid, stream_sid: sid, beginning, report, latencies };
            if records.try_send(record).is_err() {
                tracing::debug!("nobody takes the stream's record");
            }
        }
        Ok(asks)
    }

    /// Why a stream ended, as it is kept: the line alone cannot tell a caller who is moved from one who hangs up.
    async fn cause_of_end(&self, recorder: &Recorder, stream: StreamId, report: &CallReport) -> String {
        let kept = match recorder.kept().await {
            Ok(()) => self.0.store.summary(recorder.call()).await.ok().flatten(),
            Err(_) => None,
        };
        let known = kept.as_ref().and_then(|call| call.attachments.iter().find(|known| known.stream == stream));
        let cause = known.and_then(|known| known.detached.as_ref()).map(|end| end.cause.clone());
        cause.unwrap_or_else(|| report.reason.name().to_owned())
    }

    /// Other servers may tell the call what to do. That they cannot reach it does not keep it from talking; it is tried again
    /// until they can.
    async fn obey(&self, local: &LocalStream, handle: &CallHandle) -> Infallible {
        let call = local.call;
        let own = |command: Command| async move {
            match command {
                Command::PauseRecording => self.obey_record(call, false).await,
                Command::ResumeRecording => self.obey_record(call, true).await,
                Command::Custom { name, value } => self.obey_handoff(call, handle, &name, &value).await,
                _ => Reply::refused("unknown"),
            }
        };
        let mut held = self.seize(call, local.id).await;
        loop {
            match serve(&mut held, handle, own).await {
                Served::CallOver => return pending().await,
                served => tracing::debug!(?served, "the call takes no more commands"),
            }
            drop(held);
            held = self.regain(call).await;
        }
    }

    /// The audio is here, so whoever had the call before has it no more.
    pub(super) async fn seize(&self, call: SessionId, stream: StreamId) -> Held {
        let (mut pause, mut newest) = (SEIZE_AGAIN.0, true);
        loop {
            if newest {
                match self.0.live.seize(call).await {
                    Ok(held) => return held,
                    Err(error) => tracing::warn!(error = %Chain(&error), "other servers cannot reach the call yet"),
                }
            }
            sleep(pause).await;
            pause = SEIZE_AGAIN.1.min(pause * 2);
            // Another server may have the caller by now, which is not to lose the call to a stream that is over.
            newest = match self.0.store.summary(call).await {
                Ok(Some(kept)) if kept.attachments.last().is_some_and(|last| last.stream == stream) => true,
                Ok(_) => return self.regain(call).await,
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "nobody knows whether there is a newer stream");
                    false
                }
            };
        }
    }

    /// The lease was lost: to the server that has a newer stream of the call, or because this one could not say that it
    /// lives. Only a call that nobody has is taken again.
    async fn regain(&self, call: SessionId) -> Held {
        loop {
            sleep(SEIZE_AGAIN.1).await;
            if self.0.stop.is_cancelled() {
                // This server has said that it has no calls any more.
                return pending().await;
            }
            match self.0.live.acquire(call).await {
                Ok(held) => return held,
                Err(AcquireError::Held(_)) => {}
                Err(error) => tracing::debug!(error = %Chain(&error), "other servers cannot reach the call yet"),
            }
        }
    }
}

/// How much of the longest call is left; what the caller had with persons is not counted. Whoever comes back late has the
/// time for a goodbye.
pub(crate) fn time_left(longest: Duration, call: &CallSummary, now: Timestamp) -> Duration {
    let since = call.times.answered.map_or(Duration::ZERO, |answered| now.duration_since(answered).unsigned_abs());
    let with_persons = call.handoff.as_ref().map_or(Duration::ZERO, |handoff| handoff.with_persons(now));
    longest.saturating_sub(since.saturating_sub(with_persons)).max(LEAST.min(longest))
}

/// The stream ends, as nobody knows whether it was up before: it is written down later.
async fn without_store(recorder: &Recorder, local: &LocalStream) -> Result<bool, RecordError> {
    let detached = SessionEvent::StreamDetached { stream: local.id, cause: "no-store".into(), orderly: false };
    recorder.propose(detached.clone().at(Timestamp::now())).await?;
    local.ends(detached);
    Ok(true)
}

/// The stream ends, as there is no model for it.
async fn without_model(recorder: &Recorder, local: &LocalStream) -> Result<bool, RecordError> {
    let detached = SessionEvent::StreamDetached { stream: local.id, cause: NO_MODEL.into(), orderly: false };
    recorder.propose(detached.clone().at(Timestamp::now())).await?;
    local.ends(detached);
    // Another server may be asked what comes next; but the caller hears nothing meanwhile.
    let _ = timeout(KEEP_LIMIT, recorder.kept()).await;
    Ok(true)
}

/// Where a conversation goes on that a person has had, or was to have.
fn after_handoff(call: &CallSummary) -> Option<Beginning> {
    let handoff = call.handoff.as_ref()?;
    match handoff.ended.as_ref().map(|(_, end)| end)? {
        HandoffEnd::Failed(cause) if !handoff.told => Some(Beginning::NotTaken(WhyNot::of(cause))),
        HandoffEnd::Returned => Some(Beginning::Returned),
        _ => None,
    }
}

/// Carries the stream, and notes how fast each turn was, and why this server left the stream, if it did.
async fn watch<M: MediaTransport, S: RealtimeSession + 'static>(
    recorder: &Recorder,
    local: &LocalStream,
    bridge: Bridge<M, S>,
) -> (CallReport, Vec<TurnLatency>, Option<&'static str>) {
    let mut updates = bridge.handle().watch();
    let mut latencies = Vec::new();
    let speaking = watch::Sender::new(false);
    let watching = async {
        while let Some(update) = updates.next().await {
            match update.event {
                CallEvent::Latency(latency) => latencies.push(latency),
                CallEvent::AgentSpeaking => _ = speaking.send_replace(true),
                CallEvent::AgentSilent => _ = speaking.send_replace(false),
                _ => {}
            }
        }
    };
    let left = OnceLock::new();
    let leave = async {
        let cause = local.left(&speaking).await;
        *left.get_or_init(|| cause)
    };
    let carrying = Box::pin(carry(recorder, local.id, bridge, leave));
    let (report, ()) = tokio::join!(carrying, watching);
    (report, latencies, left.get().copied())
}

#[cfg(test)]
mod tests {
    use call_session::{
        call::{HandoffMode, NewCall},
        handoff::HandoffPlan,
        id::LegId,
    };
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_call_is_as_long_however_many_streams_it_has() {
        let born: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let mut call = CallSummary::new(SessionId::new(), born, NewCall::inbound("+819012345678", "+81312345678"));
        let longest = Duration::from_secs(1800);
        assert_eq!(time_left(longest, &call, born + SignedDuration::from_secs(20)), longest, "it has rung so long");
        call.apply(&SessionEvent::Answered.at(born));
        for (seconds, left) in [(0, 1800), (600, 1200), (1790, 30), (4000, 30)] {
            let now = born + SignedDuration::from_secs(seconds);
            assert_eq!(time_left(longest, &call, now), Duration::from_secs(left), "after {seconds} s");
        }
        let short = Duration::from_secs(10);
        assert_eq!(time_left(short, &call, born + SignedDuration::from_secs(60)), short);
    }

    #[test]
    fn what_a_caller_had_with_persons_is_not_the_agents_time() {
        let born: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let at = |minutes: i64| born + SignedDuration::from_mins(minutes);
        let mut call = CallSummary::new(SessionId::new(), born, NewCall::inbound("+819012345678", "+81312345678"));
        call.apply(&SessionEvent::Answered.at(born));
        let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![]);
        let requested =
            || HandoffEvent::Requested { plan: Box::new(plan.clone()), by: "agent".into(), reason: "".into() };
        let connected = || HandoffEvent::Connected { leg: LegId::new() };
        let left = |call: &CallSummary, minutes| time_left(Duration::from_secs(1800), call, at(minutes)).as_secs() / 60;
        // With the agent for 5 minutes, with a person for 31, with the agent for 4, with a person for 10.
        let events = [(5, requested()), (5, connected()), (36, HandoffEvent::Returned)];
        events.into_iter().for_each(|(minutes, event)| call.apply(&SessionEvent::from(event).at(at(minutes))));
        assert_eq!(left(&call, 36), 25);
        let events = [(38, requested()), (40, connected()), (50, HandoffEvent::Returned)];
        events.into_iter().for_each(|(minutes, event)| call.apply(&SessionEvent::from(event).at(at(minutes))));
        assert_eq!(left(&call, 50), 21);
        // Nobody comes: the agent has the caller all the while.
        let events = [(51, requested()), (54, HandoffEvent::Failed { cause: "nobody".into() })];
        events.into_iter().for_each(|(minutes, event)| call.apply(&SessionEvent::from(event).at(at(minutes))));
        assert_eq!(left(&call, 54), 17);
    }
}
