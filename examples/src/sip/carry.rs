//! The life of a call, from the webhook on: written down, accepted, carried, left.

use std::sync::Arc;

use call_session::{
    attach::carry,
    call::{Ending, Mode, NewCall, SessionEvent, Status},
    id::{SessionId, StreamId},
    recorder::{Recorder, RecorderConfig},
    store::{self, CommitError},
};
use jiff::{SignedDuration, Timestamp};
use realtime_bridge::{
    bridge::Bridge,
    media::elsewhere::ElsewhereLine,
    realtime::{
        RealtimeSession, SessionConfig,
        openai::{
            sip::{RejectStatus, SipError, SipSession},
            webhook::IncomingCall,
        },
    },
    relay::EndReason,
    tool::ToolSet,
};
use tracing::Instrument;
use twilio_twiml::{phone::E164, sid::CallSid};

use super::{
    SipServer,
    handoff::HandOver,
    lines::Line,
    tools::{Desk, tools},
};
use crate::chain::Chain;

/// Longer than a session can last.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// Why a call did not come to a conversation.
#[derive(Debug, Clone, Copy)]
enum Broken {
    /// The caller hung up while it rang.
    CallerGone,
    Accept,
    Socket,
    Bridge,
}

impl Broken {
    const fn ending(self) -> (Status, &'static str) {
        match self {
            Self::CallerGone => (Status::Canceled, "caller-hung-up"),
            Self::Accept => (Status::Failed, "accept-failed"),
            Self::Socket => (Status::Failed, "control-socket-failed"),
            Self::Bridge => (Status::Failed, "bridge-failed"),
        }
    }
}

impl SipServer {
    /// Takes a call that rings.
    pub(super) async fn take_call(self, call: IncomingCall) {
        if self.0.draining.is_cancelled() {
            return self.reject(&call, RejectStatus::Unavailable).await;
        }
        if !self.claim(&call).await {
            return;
        }
        let Some(session) = self.write_down(&call).await else {
            // What nobody can write down must not be done.
            return self.reject(&call, RejectStatus::Unavailable).await;
        };
        let caller = call.caller().and_then(|number| number.parse::<E164>().ok());
        let desk = Desk {
            attendance: self.0.attendance.clone(),
            sms: self.0.settings.sms.clone(),
            event: self.0.settings.event.as_str().into(),
            call: session,
            caller,
        };
        let mut tools = tools(&desk);
        if !self.0.settings.people.is_empty() {
            tools = tools.with(HandOver::new(self.clone(), session));
        }
        let config = self.session(&tools);
        match self.connect(&call, &config).await {
            Ok((line, control)) => self.lead(&call, session, (line, control), tools).await,
            Err(broken) => self.give_up(session, broken).await,
        }
    }

    /// A call may be told of under several names, and is taken once by all servers on the same store.
    async fn claim(&self, call: &IncomingCall) -> bool {
        let (key, now) = (format!("openai-call:{}", call.call_id), Timestamp::now());
        let until = now.saturating_add(CLAIMED_FOR).unwrap_or(now);
        match self.0.store.claim(&key, now, until).await {
            Ok(first) => first,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be claimed");
                self.reject(call, RejectStatus::Unavailable).await;
                false
            }
        }
    }

    /// The call begins to exist in the store.
    async fn write_down(&self, call: &IncomingCall) -> Option<SessionId> {
        let (id, now) = (SessionId::new(), Timestamp::now());
        let address = |number: Option<&str>| number.unwrap_or("anonymous").to_owned();
        let new = NewCall::inbound(address(call.caller()).as_str(), address(call.dialled()).as_str());
        let bound = call.twilio_call_sid().and_then(|sid| sid.parse::<CallSid>().ok());
        let new = new.with_mode(Mode::Sip);
        let rings = vec![SessionEvent::Ringing.at(now)];
        let named = bound.map(|call| SessionEvent::Bound { call }.at(now));
        let named: Vec<_> = rings.iter().cloned().chain(named).collect();
        let created = match self.0.store.create(id, now, new.clone(), named).await {
            // The header is the caller's word: a name that another call has is none.
            Err(CommitError::CallSidTaken { .. }) => self.0.store.create(id, now, new, rings).await,
            created => created,
        };
        match created {
            Ok(_) => Some(id),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be written down");
                None
            }
        }
    }

    /// Accepts the call and opens its control socket. Whatever fails is repeated where that is safe; a call that was
    /// accepted, or may have been, and cannot be led is hung up.
    async fn connect(
        &self,
        call: &IncomingCall,
        config: &SessionConfig,
    ) -> Result<(ElsewhereLine, SipSession), Broken> {
        let calls = &self.0.calls;
        if let Err(error) = calls.accept(&call.call_id, config).await {
            if error.is_gone() {
                return Err(Broken::CallerGone);
            }
            tracing::error!(error = %Chain(&error), "the call cannot be accepted");
            if error.may_have_happened() {
                self.hang_up(call).await;
            } else {
                self.reject(call, RejectStatus::Unavailable).await;
            }
            return Err(Broken::Accept);
        }
        match calls.attach(&call.call_id, config).await {
            Ok(attached) => Ok(attached),
            Err(SipError::Gone) => Err(Broken::CallerGone),
            Err(error) => {
                // Nobody must be left to a model that nobody leads.
                tracing::error!(error = %Chain(&error), "the control socket cannot be opened");
                self.hang_up(call).await;
                Err(Broken::Socket)
            }
        }
    }

    /// Carries the conversation, and does about the call what its end asks for.
    async fn lead(
        &self,
        call: &IncomingCall,
        session: SessionId,
        (line, control): (ElsewhereLine, SipSession),
        tools: ToolSet,
    ) {
        let (stream, now) = (StreamId::new(), Timestamp::now());
        let (recorder, writing) = Recorder::new(Arc::clone(&self.0.store), session, RecorderConfig::default());
        let writing = async move {
            if let Err(error) = writing.run().await {
                tracing::error!(error = %Chain(&error), "what happened on the call is not all written down");
            }
        };
        self.0.tasks.spawn(writing.in_current_span());
        let info = control.info();
        let attached = [
            SessionEvent::Answered,
            SessionEvent::StreamExpected { stream },
            SessionEvent::StreamAttached { stream, sid: None, node: self.0.node.clone() },
            SessionEvent::ModelAttached { stream, session: info.id.clone(), model: info.model.clone() },
        ];
        let model = info.id.clone();
        for event in attached {
            propose(&recorder, event.at(now)).await;
        }
        let bridge = match Bridge::with_config(line, control, self.call()) {
            Ok(bridge) => bridge.with_tools(tools),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be led");
                self.hang_up(call).await;
                let (status, reason) = Broken::Bridge.ending();
                return propose(&recorder, SessionEvent::Ended(Ending::new(status, reason)).at(Timestamp::now())).await;
            }
        };
        let led = self.0.lines.lead(session, Line { call: call.call_id.clone(), handle: bridge.handle() });
        let stop = self.0.stop.clone();
        let leave = async move {
            stop.cancelled().await;
            "drained"
        };
        let report = carry(&recorder, stream, bridge, leave).await;
        drop(led);
        let gone = matches!(report.reason, EndReason::CallerHungUp);
        let reason = if gone && self.was_moved(&recorder).await { "referred" } else { report.reason.name() };
        if let Err(error) = self.0.calls.leave(&call.call_id, &report.reason, None).await {
            tracing::error!(error = %Chain(&error), "the call could not be ended: a model that nobody leads may go on");
            let problem = SessionEvent::Problem { what: "hangup-failed".into(), code: None };
            propose(&recorder, problem.at(Timestamp::now())).await;
        }
        let status = if report.reason.is_orderly() { Status::Completed } else { Status::Failed };
        let over = [
            SessionEvent::ModelDetached { session: model, cause: reason.into() },
            SessionEvent::Ended(Ending::new(status, reason)),
        ];
        for event in over {
            propose(&recorder, event.at(Timestamp::now())).await;
        }
        tracing::info!(reason, "the call is over");
    }

    /// The call is over before it began; its session says why.
    async fn give_up(&self, session: SessionId, broken: Broken) {
        let (status, reason) = broken.ending();
        let now = Timestamp::now();
        let ended = store::update(self.0.store.as_ref(), session, |_| {
            vec![SessionEvent::Ended(Ending::new(status, reason)).at(now)]
        });
        if let Err(error) = ended.await {
            tracing::error!(error = %Chain(&error), "the end of the call cannot be written down");
        }
    }

    async fn reject(&self, call: &IncomingCall, status: RejectStatus) {
        match self.0.calls.reject(&call.call_id, status).await {
            Ok(()) | Err(SipError::Gone) => tracing::info!(code = status.code(), "the call was rejected"),
            Err(error) => tracing::warn!(error = %Chain(&error), "the call cannot be rejected: it rings on"),
        }
    }

    async fn hang_up(&self, call: &IncomingCall) {
        match self.0.calls.hang_up(&call.call_id).await {
            Ok(()) | Err(SipError::Gone) => {}
            Err(error) => tracing::error!(error = %Chain(&error), "the call cannot be hung up"),
        }
    }
}

async fn propose(recorder: &Recorder, event: call_session::call::Stamped) {
    if recorder.propose(event).await.is_err() {
        tracing::warn!("nobody writes for the call any more");
    }
}
