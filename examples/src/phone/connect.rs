//! The document that connects a call to a media stream.

use call_session::{call::CallSummary, id::StreamId};
use jiff::Timestamp;
use realtime_bridge::{
    bridge::Endpoints,
    realtime::{SessionConfig, openai::OpenAiSession},
};
use twilio_twiml::{
    sid::{AccountSid, CallSid},
    twiml::{Response, Stream},
};

use super::{Phone, State};
use crate::{chain::Chain, model::PreparedSession, stream_token::PARAMETER, web::Document};

/// A call as the line knows it.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) call: CallSummary,
    pub(super) sid: CallSid,
    pub(super) account: AccountSid,
}

/// Where a stream goes that Twilio opens now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Here, as a rule.
    Ours,
    /// To other servers: this one stops. Should it come here all the same, it is taken.
    Others,
    /// This server stops, and there are no others.
    Nobodys,
}

impl Phone {
    /// Has Twilio open this stream, which was written down to be expected. If it comes to this server, a model session is
    /// being opened for it from now on; of a request that Twilio repeats, once.
    pub(super) fn connect(&self, leg: &Leg, stream: StreamId, whose: Whose) -> Document {
        let State { settings, tokens, streams, .. } = &*self.0;
        if whose != Whose::Others && streams.find(stream).is_none() {
            streams.expect(stream, leg.call.id, self.open_session(&leg.call));
        }
        let token = tokens.mint(Timestamp::now(), stream, &leg.sid, &leg.account);
        let path = |door: &str| format!("/api/twilio/{door}/{}/{stream}", leg.call.id);
        let noun = Stream::new(settings.public_url.stream(&path("media-stream")))
            .status_callback(settings.public_url.webhook(&path("stream-status")))
            .parameter(PARAMETER, token.expose());
        Document(Response::new().connect(noun).redirect(settings.public_url.webhook(&path("after-stream"))))
    }

    /// Where a stream goes that Twilio opens now.
    pub(super) async fn whose(&self) -> Whose {
        if !self.0.draining.is_cancelled() {
            return Whose::Ours;
        }
        match self.0.live.others().await {
            Ok(1..) => Whose::Others,
            Ok(0) => Whose::Nobodys,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "nobody knows whether other servers can take calls on");
                Whose::Nobodys
            }
        }
    }

    /// Begins to open a model session for a call.
    pub(super) fn open_session(&self, call: &CallSummary) -> PreparedSession<OpenAiSession> {
        let State { settings, tasks, .. } = &*self.0;
        PreparedSession::open(tasks, self.endpoints(call), settings.limits.stream_wait)
    }

    /// Where the sessions of a call come from. All calls know how the services are.
    pub(super) fn endpoints(&self, call: &CallSummary) -> Endpoints<OpenAiSession> {
        self.0.models.endpoints(&self.session_config(call))
    }

    fn session_config(&self, call: &CallSummary) -> SessionConfig {
        let settings = &self.0.settings;
        settings.conversation.of(call).session(&settings.voice, &self.tools(call.id))
    }
}

/// The stream that a call's line was told to open and has not yet opened.
pub(super) fn expected(call: &CallSummary) -> Option<StreamId> {
    call.attachment().filter(|attachment| attachment.node.is_none()).map(|attachment| attachment.stream)
}
