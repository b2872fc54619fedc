//! Streams that are started beside a call (Twilio: API, Streams).

use super::{calls::CallHandle, client::Twice, error::Error, parameters::parameters, resource::resource};
use crate::{
    Rfc2822,
    sid::{AccountSid, CallSid, StreamSid},
    twiml::{Parameter, Url},
    value::words,
    webhook::Form,
    words::{Method, Track},
};

words! {
    /// What has become of a stream.
    open StreamStatus {
        /// It runs.
        InProgress = "in-progress",
        /// It has ended.
        Stopped = "stopped",
    }
}

/// What a stream's server is given in the `start` message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Vec<Parameter>);

impl Parameters {
    fn fill(&self, form: &mut Form) {
        for (index, parameter) in self.0.iter().enumerate() {
            form.push(format!("Parameter{}.Name", index + 1), parameter.name.as_str());
            form.push(format!("Parameter{}.Value", index + 1), parameter.value.as_str());
        }
    }
}

parameters! {
    /// A copy of a call's audio, to a WebSocket server (Twilio: Streams, create).
    NewStream;
    required {
        /// Where the server is: `wss`.
        url: Url = "Url",
    }
    with {
        /// What the server is given in the `start` message, at most 99.
        parameters: Parameters,
    }
    optional {
        /// A name to stop the stream by.
        name: String = "Name",
        /// Which audio is sent; the inbound one if not set.
        track: Track = "Track",
        /// A URL to be told what becomes of the stream.
        status_callback: Url = "StatusCallback",
        /// How that one is requested; `POST` if not set.
        status_callback_method: Method = "StatusCallbackMethod",
    }
}

impl NewStream {
    /// A stream to this server.
    #[must_use]
    pub fn new(url: impl Into<Url>) -> Self {
        Self::bare(url.into(), Parameters::default())
    }

    /// Gives the server a value in the `start` message.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.0.push(Parameter::new(name, value));
        self
    }
}

resource! {
    /// A stream, as the API knows it (Twilio: Streams, resource).
    CallStream;
    required {
        /// The stream.
        sid: StreamSid,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// The leg.
        call_sid: CallSid,
        /// Its name.
        name: String,
        /// What has become of it.
        status: StreamStatus,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

impl CallHandle<'_> {
    /// Starts a stream beside what the call does. Only one way: a stream that speaks to the caller is started by
    /// `<Connect>`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start_stream(&self, stream: &NewStream) -> Result<CallStream, Error> {
        let path = ["Calls", self.sid.as_str(), "Streams.json"];
        self.client.json(self.client.post(&path, &stream.form(), Twice::Different)).await
    }

    /// Stops a stream, by its SID or its name.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stop_stream(&self, sid_or_name: &str) -> Result<CallStream, Error> {
        let path = ["Calls", self.sid.as_str(), "Streams", &format!("{sid_or_name}.json")];
        let form = Form::new().with("Status", "stopped");
        self.client.json(self.client.post(&path, &form, Twice::Same)).await
    }
}
