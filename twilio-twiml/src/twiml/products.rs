//! Other products of Twilio that a call can be connected to.

use super::{
    dial::DialRecord,
    language::Language,
    macros::{children, element},
    stream::{Config, Parameter},
    value::{Url, noun_text},
};
use crate::{
    Seconds,
    value::words,
    words::{Method, RecordingEvent, Trim},
};

children! {
    /// What may stand in `<VirtualAgent>`.
    VirtualAgentChild {
        /// A setting of the agent.
        Config(Config) = "Config",
        /// A value for the agent.
        Parameter(Parameter) = "Parameter",
    }
}

element! {
    /// A virtual agent of another company, under `<Connect>` (Twilio: TwiML, `<VirtualAgent>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, VirtualAgent};
    ///
    /// let agent = VirtualAgent::new("dialogflow").config("language", "ja").parameter("customer", "7");
    /// let xml = Response::new().connect(agent).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<VirtualAgent connectorName="dialogflow"><Config name="language" value="ja"/>"#,
    ///     r#"<Parameter name="customer" value="7"/></VirtualAgent>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    VirtualAgent "VirtualAgent";
    attributes {
        /// The unique name of the connector.
        connector_name: String = "connectorName",
        /// The language.
        language: Language = "language",
        /// Whether the caller's mood is told.
        sentiment_analysis: bool = "sentimentAnalysis",
        /// A URL to be told what happens.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
    }
    body {
        /// Settings and values.
        children: Vec<VirtualAgentChild>
    }
}

impl VirtualAgent {
    /// The agent behind this connector.
    #[must_use]
    pub fn new(connector_name: impl Into<String>) -> Self {
        Self::bare(Vec::new()).connector_name(connector_name)
    }

    /// Sets something of the agent.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.children.push(Config::new(name, value).into());
        self
    }

    /// Gives the agent a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.children.push(Parameter::new(name, value).into());
        self
    }
}

element! {
    /// A room of Twilio Video, under `<Connect>` (Twilio: TwiML, `<Room>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Room};
    ///
    /// let xml = Response::new().connect(Room::new("standup").participant_identity("caller")).to_xml()?;
    /// assert!(xml.contains(r#"<Room participantIdentity="caller">standup</Room>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Room "Room";
    attributes {
        /// Who the caller is in the room.
        participant_identity: String = "participantIdentity",
    }
    text {
        /// The room's name.
        name: String
    }
}

impl Room {
    /// The room of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::bare(noun_text(name))
    }
}

words! {
    /// What a conversation reports of the call.
    closed ConversationEvent {
        /// Dialling has begun.
        Initiated = "call-initiated",
        /// It rings.
        Ringing = "call-ringing",
        /// Somebody answered.
        Answered = "call-answered",
        /// The call is over.
        Completed = "call-completed",
    }
}

element! {
    /// A conversation of Twilio Flex, under `<Connect>` (Twilio: TwiML, `<Conversation>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Conversation, Response};
    ///
    /// let xml = Response::new().connect(Conversation::new("IS0123").inbound_autocreation(true)).to_xml()?;
    /// assert!(xml.contains(r#"<Conversation serviceInstanceSid="IS0123" inboundAutocreation="true"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Conversation "Conversation";
    attributes {
        /// The service.
        service_instance_sid: String = "serviceInstanceSid",
        /// Whether a conversation is made if there is none.
        inbound_autocreation: bool = "inboundAutocreation",
        /// How long to wait for the conversation, in seconds.
        inbound_timeout: Seconds = "inboundTimeout",
        /// How long the routing may take, in seconds.
        routing_assignment_timeout: Seconds = "routingAssignmentTimeout",
        /// A document to go on with.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// Whether it is recorded; no if not set.
        record: DialRecord = "record",
        /// Whether silence at the ends of the recording is cut off.
        trim: Trim = "trim",
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "recordingStatusCallback",
        /// How that callback is requested; `POST` if not set.
        recording_status_callback_method: Method = "recordingStatusCallbackMethod",
        /// What that callback is told; `completed` if not set.
        recording_status_callback_event: Vec<RecordingEvent> = "recordingStatusCallbackEvent",
        /// A URL to be told what happens.
        status_callback: Url = "statusCallback",
        /// How that callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What that callback is told.
        status_callback_event: Vec<ConversationEvent> = "statusCallbackEvent",
    }
}

impl Conversation {
    /// A conversation of this service.
    #[must_use]
    pub fn new(service_instance_sid: impl Into<String>) -> Self {
        Self::bare().service_instance_sid(service_instance_sid)
    }
}

element! {
    /// A session with a model that Twilio connects to, under `<Connect>` (Twilio: TwiML, `<AiSession>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{AiSession, Response};
    ///
    /// let session = AiSession::new("my-connector").ai_session_configuration("support");
    /// let xml = Response::new().connect(session).to_xml()?;
    /// assert!(xml.contains(r#"<AiSession aiConnector="my-connector" aiSessionConfiguration="support"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    AiSession "AiSession";
    attributes {
        /// The connector.
        ai_connector: String = "aiConnector",
        /// The configuration.
        ai_session_configuration: String = "aiSessionConfiguration",
    }
}

impl AiSession {
    /// A session over this connector.
    #[must_use]
    pub fn new(ai_connector: impl Into<String>) -> Self {
        Self::bare().ai_connector(ai_connector)
    }
}

element! {
    /// A session of the conversation relay that is set up elsewhere, under `<Connect>` (Twilio: TwiML,
    /// `<ConversationRelaySession>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{ConversationRelaySession, Response};
    ///
    /// let session = ConversationRelaySession::new("my-connector").session_configuration("support");
    /// let xml = Response::new().connect(session).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<ConversationRelaySession connector="my-connector" sessionConfiguration="support"/>"#
    /// ));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ConversationRelaySession "ConversationRelaySession";
    attributes {
        /// The connector.
        connector: String = "connector",
        /// The configuration.
        session_configuration: String = "sessionConfiguration",
    }
}

impl ConversationRelaySession {
    /// A session over this connector.
    #[must_use]
    pub fn new(connector: impl Into<String>) -> Self {
        Self::bare().connector(connector)
    }
}

element! {
    /// An assistant of Autopilot, a product that Twilio has given up, under `<Connect>`.
    ///
    /// ```
    /// use twilio_twiml::twiml::{Autopilot, Response};
    ///
    /// let xml = Response::new().connect(Autopilot::new("UA0123")).to_xml()?;
    /// assert!(xml.contains("<Autopilot>UA0123</Autopilot>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Autopilot "Autopilot";
    text {
        /// The assistant's name.
        name: String
    }
}

impl Autopilot {
    /// The assistant of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::bare(noun_text(name))
    }
}
