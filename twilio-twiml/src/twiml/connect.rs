//! `<Connect>`: hands the call to something that listens and speaks.

use super::{
    macros::{children, element},
    products::{AiSession, Autopilot, Conversation, ConversationRelaySession, Room, VirtualAgent},
    relay::{Assistant, ConversationRelay},
    stream::Stream,
    value::Url,
    writer::Writer,
};
use crate::words::Method;

children! {
    /// What a call can be connected to.
    ConnectNoun open Raw {
        /// A WebSocket that hears the caller and speaks to them.
        Stream(Stream) = "Stream",
        /// A WebSocket that exchanges words, while Twilio listens and speaks.
        ConversationRelay(ConversationRelay) = "ConversationRelay",
        /// A virtual agent of another company.
        VirtualAgent(VirtualAgent) = "VirtualAgent",
        /// A video room.
        Room(Room) = "Room",
        /// A conversation of Flex.
        Conversation(Conversation) = "Conversation",
        /// A session with a model.
        AiSession(AiSession) = "AiSession",
        /// Twilio's own assistant.
        Assistant(Assistant) = "Assistant",
        /// A retired product.
        Autopilot(Autopilot) = "Autopilot",
        /// A relay that is set up elsewhere.
        ConversationRelaySession(ConversationRelaySession) = "ConversationRelaySession",
    }
}

element! {
    /// Hands the call to a noun and waits until that ends (Twilio: TwiML, `<Connect>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Connect, Response, Stream};
    ///
    /// let connect = Connect::new(Stream::new("wss://bridge.example.com/media")).action("/after-stream");
    /// let xml = Response::new().connect(connect).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Connect action="/after-stream">"#,
    ///     r#"<Stream url="wss://bridge.example.com/media"/></Connect>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// When the noun ends, Twilio goes on with the next verb, or with the document at `action`. With neither the call
    /// is hung up: always put something deliberate after it.
    Connect "Connect";
    check = check;
    attributes {
        /// Where to go on when the noun ends; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
    }
    body {
        /// What the call is connected to.
        noun: ConnectNoun
    }
}

fn check(connect: &Connect, writer: &mut Writer) {
    if let ConnectNoun::Stream(stream) = &connect.noun {
        stream.check_connected(writer);
    }
}

impl Connect {
    /// Connects the call to this.
    #[must_use]
    pub fn new(noun: impl Into<ConnectNoun>) -> Self {
        Self::bare(noun.into())
    }
}

impl<T: Into<ConnectNoun>> From<T> for Connect {
    fn from(noun: T) -> Self {
        Self::new(noun)
    }
}
