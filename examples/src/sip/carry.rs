//! The life of a call, from the webhook on: written down, accepted, carried, left.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, OnceLock},
};

use call_session::{
    attach::carry,
    call::{CallSession, DRAINED, Ending, Mode, NewCall, SessionEvent, Status},
    id::{SessionId, StreamId},
    live::{Held, Served, serve},
    recorder::{Recorder, RecorderConfig},
    store::{self, CommitError},
};
use jiff::{SignedDuration, Timestamp};
use realtime_bridge::{
    bridge::{Bridge, CallHandle},
    media::elsewhere::ElsewhereLine,
    realtime::{
        SessionConfig,
        openai::{
            sip::{RejectStatus, SipCallId, SipError, SipSession},
            webhook::IncomingCall,
        },
    },
    relay::{CallConfig, EndReason, MemoryLimits},
    tool::ToolSet,
};
use tokio::time::sleep;
use tracing::Instrument;
use twilio_twiml::{phone::E164, sid::CallSid};

use super::{
    SipServer,
    handoff::HandOver,
    lines::{Led, Line},
    tools::{Desk, tools},
};
use crate::{
    chain::Chain,
    conversation::Beginning,
    phone::{after_stream::is_planned, command::ANSWER, media_stream::time_left},
};

/// Longer than a session can last.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// Why a call did not come to a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Broken {
    /// The caller hung up while it rang.
    CallerGone,
    Accept,
    Socket,
    Bridge,
    /// The server that led it died, and it was over when another came.
    Lost,
    /// Somebody asked for the end when nobody led it.
    Unwanted,
}

impl Broken {
    const fn ending(self) -> (Status, &'static str) {
        match self {
            Self::CallerGone => (Status::Canceled, "caller-hung-up"),
            Self::Accept => (Status::Failed, "accept-failed"),
            Self::Socket => (Status::Failed, "control-socket-failed"),
            Self::Bridge => (Status::Failed, "bridge-failed"),
            Self::Lost => (Status::Failed, "lost"),
            Self::Unwanted => (Status::Completed, "hung-up"),
        }
    }
}

/// A call that this server sees to.
pub(super) struct Ours {
    /// The provider's name for it.
    pub(super) call: SipCallId,
    pub(super) session: SessionId,
    /// The stretch of the call that begins.
    pub(super) stream: StreamId,
    pub(super) caller: Option<E164>,
    pub(super) led: Led,
    /// Whoever asks where the call is finds this server.
    pub(super) held: Held,
    /// What is kept of a call that another server has led.
    pub(super) kept: Option<Box<CallSession>>,
}

/// Why this server leaves a call that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// It stops, and nobody else is there.
    Stops,
    /// It stops, and another server takes the call on.
    HandsOn,
    /// Another server has taken it.
    Taken,
}

impl Leaves {
    const fn cause(self) -> &'static str {
        match self {
            Self::Stops | Self::HandsOn => DRAINED,
            Self::Taken => "taken",
        }
    }
}

impl SipServer {
    /// Takes a call that rings.
    pub(super) async fn take_call(self, call: IncomingCall) {
        if self.0.draining.is_cancelled() {
            return self.reject(&call.call_id, RejectStatus::Unavailable).await;
        }
        if !self.claim(&call).await {
            return;
        }
        let (session, stream) = (SessionId::new(), StreamId::new());
        let led = self.0.lines.begin(session).expect("the name is a new one");
        // Before anybody can find the call: what nobody has is taken on by whoever looks.
        let held = match self.0.live.seize(session).await {
            Ok(held) => held,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be held");
                return self.reject(&call.call_id, RejectStatus::Unavailable).await;
            }
        };
        if !self.write_down(&call, session, stream).await {
            // What nobody can write down must not be done.
            return self.reject(&call.call_id, RejectStatus::Unavailable).await;
        }
        let caller = call.caller().and_then(|number| number.parse::<E164>().ok());
        let ours = Ours { call: call.call_id, session, stream, caller, led, held, kept: None };
        let (tools, config) = self.equip(&ours);
        match self.connect(&ours.call, &config).await {
            Ok(attached) => Box::pin(self.lead(ours, attached, tools)).await,
            Err(broken) => self.give_up(session, broken).await,
        }
    }

    /// What the model can do on a call, and what it is told.
    pub(super) fn equip(&self, ours: &Ours) -> (ToolSet, SessionConfig) {
        let desk = Desk {
            attendance: self.0.attendance.clone(),
            sms: self.0.settings.sms.clone(),
            event: self.0.settings.event.as_str().into(),
            call: ours.session,
            caller: ours.caller.clone(),
        };
        let mut tools = tools(&desk);
        if !self.0.settings.people.is_empty() {
            tools = tools.with(HandOver::new(self.clone(), ours.session));
        }
        let config = self.session(&tools);
        (tools, config)
    }

    /// A call may be told of under several names, and is taken once by all servers on the same store.
    async fn claim(&self, call: &IncomingCall) -> bool {
        let (key, now) = (format!("openai-call:{}", call.call_id), Timestamp::now());
        let until = now.saturating_add(CLAIMED_FOR).unwrap_or(now);
        match self.0.store.claim(&key, now, until).await {
            Ok(first) => first,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be claimed");
                self.reject(&call.call_id, RejectStatus::Unavailable).await;
                false
            }
        }
    }

    /// The call begins to exist in the store, with all that another server needs to lead it. Whether it does.
    async fn write_down(&self, call: &IncomingCall, id: SessionId, stream: StreamId) -> bool {
        let now = Timestamp::now();
        let address = |number: Option<&str>| number.unwrap_or("anonymous").to_owned();
        let new = NewCall::inbound(address(call.caller()).as_str(), address(call.dialled()).as_str());
        let bound = call.twilio_call_sid().and_then(|sid| sid.parse::<CallSid>().ok());
        let new = new.with_mode(Mode::Sip);
        let rings = [vec![SessionEvent::Ringing], self.attaches(&call.call_id, stream)].concat();
        let rings: Vec<_> = rings.into_iter().map(|event| event.at(now)).collect();
        let named = bound.map(|call| SessionEvent::Bound { call }.at(now));
        let named: Vec<_> = rings.iter().cloned().chain(named).collect();
        let created = match self.0.store.create(id, now, new.clone(), named).await {
            // The header is the caller's word: a name that another call has is none.
            Err(CommitError::CallSidTaken { .. }) => self.0.store.create(id, now, new, rings).await,
            created => created,
        };
        created.inspect_err(|error| tracing::error!(error = %Chain(error), "the call cannot be written down")).is_ok()
    }

    /// A stretch of a call whose session the provider knows by the name of the call.
    pub(super) fn attaches(&self, call: &SipCallId, stream: StreamId) -> Vec<SessionEvent> {
        let (session, model) = (call.to_string(), self.0.settings.openai.model.clone());
        vec![SessionEvent::StreamExpected { stream }, SessionEvent::ModelAttached { stream, session, model }]
    }

    /// Accepts the call and opens its control socket. Whatever fails is repeated where that is safe; a call that was
    /// accepted, or may have been, and cannot be led is hung up.
    pub(super) async fn connect(
        &self,
        call: &SipCallId,
        config: &SessionConfig,
    ) -> Result<(ElsewhereLine, SipSession), Broken> {
        let calls = &self.0.calls;
        let accepted = match calls.accept(call, config).await {
            Ok(()) => true,
            Err(SipError::Gone) => return Err(Broken::CallerGone),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be accepted");
                if !error.may_have_happened() {
                    self.reject(call, RejectStatus::Unavailable).await;
                    return Err(Broken::Accept);
                }
                // Only the control socket tells whether the call was accepted.
                false
            }
        };
        let error = match calls.attach(call, config).await {
            Ok(attached) => return Ok(attached),
            Err(error) => error,
        };
        // Nobody must be left to a model that nobody leads, and a call that is not known here may be known elsewhere.
        tracing::error!(error = %Chain(&error), "the control socket cannot be opened");
        let was_there = self.hang_up(call).await;
        if !accepted && !was_there {
            self.reject(call, RejectStatus::Unavailable).await;
            return Err(Broken::Accept);
        }
        Err(if error.is_gone() && !was_there { Broken::CallerGone } else { Broken::Socket })
    }

    /// Carries the conversation, and does about the call what its end asks for.
    pub(super) async fn lead(self, ours: Ours, (line, control): (ElsewhereLine, SipSession), tools: ToolSet) {
        let Ours { call, session, stream, led, mut held, kept, .. } = ours;
        let recorder = self.record(session);
        let attached = [
            SessionEvent::Answered,
            SessionEvent::StreamAttached { stream, sid: None, node: self.0.live.node().clone() },
        ];
        for event in attached {
            propose(&recorder, event.at(Timestamp::now())).await;
        }
        let bridge = match Bridge::with_config(line, control, self.leads(kept.as_deref())) {
            Ok(bridge) => bridge.with_tools(tools),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be led");
                self.hang_up(&call).await;
                let (status, reason) = Broken::Bridge.ending();
                return propose(&recorder, SessionEvent::Ended(Ending::new(status, reason)).at(Timestamp::now())).await;
            }
        };
        let bridge = match &kept {
            // The session goes on, and knows what was said.
            Some(kept) => bridge.with_known_memory(kept.memory(MemoryLimits::default())),
            None => bridge,
        };
        let handle = bridge.handle();
        led.at(Line { call: call.clone(), handle: handle.clone() });
        if kept.is_some_and(|kept| kept.summary.needs_runner()) {
            self.perform(session);
        }
        let left = OnceLock::new();
        let leave = async {
            let why = tokio::select! {
                () = self.0.stop.cancelled() => if self.others_take_calls().await { Leaves::HandsOn } else { Leaves::Stops },
                // Two would lead one model. A conversation that is over is left by itself.
                served = serve(&mut held, &handle, |command| self.obey(session, command)) => match served {
                    Served::LeaseLost => Leaves::Taken,
                    _ => pending().await,
                },
                never = self.end_as_asked(session, &handle) => match never {},
            };
            left.get_or_init(|| why).cause()
        };
        let report = Box::pin(carry(&recorder, stream, bridge, leave)).await;
        drop(led);
        let left = left.get().filter(|_| matches!(report.reason, EndReason::HungUp));
        if let Some(Leaves::HandsOn | Leaves::Taken) = left {
            if let Err(error) = recorder.kept().await {
                tracing::error!(error = %Chain(&error), "how far the call came is not kept");
            }
            return tracing::info!(?left, "another server has the call");
        }
        Box::pin(self.end(&call, &recorder, &report.reason)).await;
    }

    /// How a call is led, from its beginning or from where it was left.
    fn leads(&self, kept: Option<&CallSession>) -> CallConfig {
        let longest = self.0.settings.max_call;
        let Some(kept) = kept.map(|kept| &kept.summary) else { return self.call(longest, Beginning::Fresh) };
        let last = kept.attachments.iter().rev().find(|known| known.node.is_some());
        let planned = last.and_then(|known| known.detached.as_ref()).is_some_and(|end| is_planned(&end.cause));
        let beginning = if planned { Beginning::Back } else { Beginning::CutOff };
        self.call(time_left(longest, kept, Timestamp::now()), beginning)
    }

    /// Whoever asked for the end while it rang may have found nobody to tell.
    async fn end_as_asked(&self, session: SessionId, handle: &CallHandle) -> Infallible {
        // What was told while it rang may still come, with last words.
        sleep(ANSWER).await;
        match self.0.store.summary(session).await {
            Ok(Some(call)) if call.end_requested.is_some() => {
                // If the conversation is over by itself, all the better.
                let _ = handle.end(None).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %Chain(&error), "nobody knows whether the call is to end"),
        }
        pending().await
    }

    /// Does about a call what the end of its bridge asks for.
    async fn end(&self, call: &SipCallId, recorder: &Recorder, reason: &EndReason) {
        let gone = matches!(reason, EndReason::CallerHungUp);
        // A caller whose agent fails is not sent away without a word if a person may take the call.
        let moved = if gone {
            self.was_moved(recorder).await
        } else {
            is_outage(reason) && Box::pin(self.refer_to_anyone(call, recorder)).await
        };
        let name = if moved { "referred" } else { reason.name() };
        if moved {
            tracing::info!(cause = reason.name(), "the caller is with a person, or hung up on the way");
        } else if let Err(error) = self.0.calls.leave(call, reason, None).await {
            tracing::error!(error = %Chain(&error), "the call could not be ended: a model that nobody leads may go on");
            let problem = SessionEvent::Problem { what: "hangup-failed".into(), code: None };
            propose(recorder, problem.at(Timestamp::now())).await;
        }
        let status = if moved || reason.is_orderly() { Status::Completed } else { Status::Failed };
        let over = [
            SessionEvent::ModelDetached { session: call.to_string(), cause: name.into() },
            SessionEvent::Ended(Ending::new(status, name)),
        ];
        for event in over {
            propose(recorder, event.at(Timestamp::now())).await;
        }
        tracing::info!(reason = name, "the call is over");
    }

    /// What happens to a call is written down beside it.
    pub(super) fn record(&self, session: SessionId) -> Recorder {
        let (recorder, writing) = Recorder::new(Arc::clone(&self.0.store), session, RecorderConfig::default());
        let writing = async move {
            if let Err(error) = writing.run().await {
                tracing::error!(error = %Chain(&error), "what happened on the call is not all written down");
            }
        };
        self.0.tasks.spawn(writing.in_current_span());
        recorder
    }

    async fn others_take_calls(&self) -> bool {
        let others = self.0.live.others().await;
        others.inspect_err(|error| tracing::warn!(error = %Chain(error), "nobody knows of other servers")).unwrap_or(0)
            > 0
    }

    /// The call is over before it began; its session says why.
    pub(super) async fn give_up(&self, session: SessionId, broken: Broken) {
        let (status, reason) = broken.ending();
        let now = Timestamp::now();
        let ended = store::update(self.0.store.as_ref(), session, |_| {
            vec![SessionEvent::Ended(Ending::new(status, reason)).at(now)]
        });
        if let Err(error) = ended.await {
            tracing::error!(error = %Chain(&error), "the end of the call cannot be written down");
        }
    }

    pub(super) async fn reject(&self, call: &SipCallId, status: RejectStatus) {
        match self.0.calls.reject(call, status).await {
            Ok(()) | Err(SipError::Gone) => tracing::info!(code = status.code(), "the call was rejected"),
            Err(error) => tracing::warn!(error = %Chain(&error), "the call cannot be rejected: it rings on"),
        }
    }

    /// Whether there was something to hang up, as far as is known.
    async fn hang_up(&self, call: &SipCallId) -> bool {
        match self.0.calls.hang_up(call).await {
            Ok(()) => true,
            Err(SipError::Gone) => false,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call cannot be hung up");
                error.may_have_happened()
            }
        }
    }
}

/// Whether the agent has failed, and not the caller or anybody's wish ended the conversation.
const fn is_outage(reason: &EndReason) -> bool {
    matches!(
        reason,
        EndReason::ModelFailed(_)
            | EndReason::ModelClosed
            | EndReason::ModelRefused(_)
            | EndReason::ModelStalled
            | EndReason::ModelUnreachable { .. }
    )
}

pub(super) async fn propose(recorder: &Recorder, event: call_session::call::Stamped) {
    if recorder.propose(event).await.is_err() {
        tracing::warn!("nobody writes for the call any more");
    }
}
