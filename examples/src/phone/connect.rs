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
use crate::{model::PreparedSession, stream_token::PARAMETER, web::Document};

/// A call as the line knows it.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub(super) call: CallSummary,
    pub(super) sid: CallSid,
    pub(super) account: AccountSid,
}

impl Phone {
    /// Has Twilio open this stream, which was written down to be expected. A model session is being opened for it from now
    /// on.
    pub(super) fn connect(&self, leg: &Leg, stream: StreamId) -> Document {
        let State { tokens, streams, .. } = &*self.0;
        streams.expect(stream, leg.call.id, self.open_session(&leg.call));
        self.stream_document(leg, stream, tokens.mint(Timestamp::now(), stream, &leg.sid, &leg.account).expose())
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

    fn stream_document(&self, leg: &Leg, stream: StreamId, token: &str) -> Document {
        let url = &self.0.settings.public_url;
        let path = |door: &str| format!("/api/twilio/{door}/{}/{stream}", leg.call.id);
        let noun = Stream::new(url.stream(&path("media-stream")))
            .status_callback(url.to(&path("stream-status")))
            .parameter(PARAMETER, token);
        Document(Response::new().connect(noun).redirect(url.to(&path("after-stream"))))
    }

    /// The same document once more, for a request that Twilio repeats: the stream is expected already.
    pub(super) fn connect_again(&self, leg: &Leg, stream: StreamId) -> Document {
        if self.0.streams.find(stream).is_none() {
            return self.connect(leg, stream);
        }
        let token = self.0.tokens.mint(Timestamp::now(), stream, &leg.sid, &leg.account);
        self.stream_document(leg, stream, token.expose())
    }
}

/// The stream that a call's line was told to open and has not yet opened.
pub(super) fn expected(call: &CallSummary) -> Option<StreamId> {
    call.attachment().filter(|attachment| attachment.node.is_none()).map(|attachment| attachment.stream)
}
