//! The document itself.

use super::{
    body::write_body,
    connect::Connect,
    dial::Dial,
    error::BuildError,
    flow::{Echo, Hangup, Leave, Pause, Redirect, Reject},
    gather::Gather,
    macros::children,
    pay::{Pay, Prompt},
    play::Play,
    queue::{Enqueue, Queue},
    record::Record,
    say::Say,
    sip::Refer,
    sms::Sms,
    start::{Start, Stop},
    writer::Writer,
};
use crate::value::Place;

/// The longest document that Twilio reads, in bytes (Twilio: error 11750, 64 kB).
const DOCUMENT_LIMIT: usize = 64 * 1024;
/// The longest `Twiml` parameter of a REST request, in characters (Twilio: Calls, `Twiml`).
const INLINE_LIMIT: usize = 4000;

/// The `Content-Type` to answer a webhook with.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

children! {
    /// What a document can tell Twilio to do.
    Verb open Raw {
        /// Connect the call to something that listens and speaks.
        Connect(Connect) = "Connect",
        /// Put the caller through.
        Dial(Dial) = "Dial",
        /// Play back what the caller says.
        Echo(Echo) = "Echo",
        /// Put the caller into a queue.
        Enqueue(Enqueue) = "Enqueue",
        /// Ask for keys or words.
        Gather(Gather) = "Gather",
        /// End the call.
        Hangup(Hangup) = "Hangup",
        /// Leave a queue.
        Leave(Leave) = "Leave",
        /// Be silent.
        Pause(Pause) = "Pause",
        /// Take a payment.
        Pay(Pay) = "Pay",
        /// Play a recording.
        Play(Play) = "Play",
        /// Twilio's model lets a payment's prompt stand here; it belongs into [`Pay`].
        Prompt(Prompt) = "Prompt",
        /// Twilio's model lets a queue stand here; it belongs into [`Dial`].
        Queue(Queue) = "Queue",
        /// Record the caller.
        Record(Record) = "Record",
        /// Go on with another document.
        Redirect(Redirect) = "Redirect",
        /// Transfer a SIP caller away.
        Refer(Refer) = "Refer",
        /// Decline the call.
        Reject(Reject) = "Reject",
        /// Speak.
        Say(Say) = "Say",
        /// Send a text message.
        Sms(Sms) = "Sms",
        /// Start something beside the document.
        Start(Start) = "Start",
        /// Stop what was started.
        Stop(Stop) = "Stop",
    }
}

/// A TwiML document: verbs that run one after the other (Twilio: TwiML for Programmable Voice).
///
/// After the last verb the call is hung up. An empty document (`<Response/>`) is the answer to a callback that asks for
/// no instructions.
///
/// ```
/// use twilio_twiml::twiml::Response;
///
/// let xml = Response::new().say("Hello.").pause(1).hangup().to_xml()?;
/// assert_eq!(
///     xml,
///     concat!(
///         r#"<?xml version="1.0" encoding="UTF-8"?>"#,
///         r#"<Response><Say>Hello.</Say><Pause length="1"/><Hangup/></Response>"#,
///     ),
/// );
/// # Ok::<(), twilio_twiml::twiml::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Response {
    /// The verbs, in the order they run.
    pub verbs: Vec<Verb>,
}

/// One method per verb: each adds it to the end of the document.
macro_rules! verbs {
    ($($(#[$doc:meta])* $method:ident: $verb:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $method(self, verb: impl Into<$verb>) -> Self {
            self.verb(verb.into())
        }
    )*};
}

impl Response {
    /// A document without verbs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds any verb.
    #[must_use]
    pub fn verb(mut self, verb: impl Into<Verb>) -> Self {
        self.verbs.push(verb.into());
        self
    }

    verbs! {
        /// Connects the call to a noun such as [`Stream`](super::Stream), and waits until that ends.
        connect: Connect,
        /// Puts the caller through to a number, a room, a queue or another [`Target`](super::Target).
        dial: Dial,
        /// Puts the caller into a queue.
        enqueue: Enqueue,
        /// Asks the caller for keys or words.
        gather: Gather,
        /// Is silent, for some seconds or a [`Duration`](std::time::Duration).
        pause: Pause,
        /// Takes a payment by keys.
        pay: Pay,
        /// Plays a recording, or presses keys.
        play: Play,
        /// Records the caller.
        record: Record,
        /// Goes on with the document at a URL.
        redirect: Redirect,
        /// Transfers a SIP caller away.
        refer: Refer,
        /// Declines the call.
        reject: Reject,
        /// Speaks a text.
        say: Say,
        /// Sends a text message.
        sms: Sms,
        /// Starts something that runs beside the document.
        start: Start,
        /// Stops what was started.
        stop: Stop,
    }

    /// Plays back what the caller says.
    #[must_use]
    pub fn echo(self) -> Self {
        self.verb(Echo::new())
    }

    /// Ends the call.
    #[must_use]
    pub fn hangup(self) -> Self {
        self.verb(Hangup::new())
    }

    /// Leaves the queue that the call waits in.
    #[must_use]
    pub fn leave(self) -> Self {
        self.verb(Leave::new())
    }

    /// The document as Twilio reads it, on one line.
    ///
    /// # Errors
    /// If Twilio would refuse the document: see [`BuildError`].
    pub fn to_xml(&self) -> Result<String, BuildError> {
        let xml = self.write(Place::Answer, false)?;
        within(xml.len(), DOCUMENT_LIMIT, "bytes").map(|()| xml)
    }

    /// The document for people, with a line for each element.
    ///
    /// # Errors
    /// As [`to_xml`](Self::to_xml).
    pub fn to_pretty_xml(&self) -> Result<String, BuildError> {
        let xml = self.write(Place::Answer, true)?;
        within(xml.len(), DOCUMENT_LIMIT, "bytes").map(|()| xml)
    }

    /// The document for the `Twiml` parameter of a REST request.
    ///
    /// # Errors
    /// As [`to_xml`](Self::to_xml); also if it has more than 4000 characters or a relative URL, which has nothing to be
    /// relative to (Twilio: error 15004).
    pub fn to_inline(&self) -> Result<InlineTwiml, BuildError> {
        let xml = self.write(Place::Parameter, false)?;
        within(xml.chars().count(), INLINE_LIMIT, "characters").map(|()| InlineTwiml(xml))
    }

    fn write(&self, place: Place, pretty: bool) -> Result<String, BuildError> {
        let mut writer = Writer::new(place, pretty);
        writer.open("Response");
        write_body(&self.verbs, "Response", &mut writer);
        writer.finish()
    }
}

fn within(length: usize, limit: usize, unit: &'static str) -> Result<(), BuildError> {
    if length > limit { Err(BuildError::TooLong { length, limit, unit }) } else { Ok(()) }
}

/// A document that fits into the `Twiml` parameter of a REST request; made by [`Response::to_inline`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineTwiml(String);

impl InlineTwiml {
    /// The document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A document that was read, and what in it this crate does not know.
#[cfg(feature = "parse")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed {
    /// The document.
    pub response: Response,
    /// Attributes and elements without a type, in the order they stand (Twilio: warning 12200).
    pub unknown: Vec<super::Unknown>,
}

/// Reads a document.
///
/// Unknown attributes, verbs and nouns are kept, so that writing the document gives them back. The limits that
/// [`Response::to_xml`] checks are not checked here: write the document to know.
///
/// ```
/// use twilio_twiml::twiml::{self, Verb};
///
/// let parsed = twiml::parse(r#"<Response><Say loud="very">Hello.</Say><Hangup/></Response>"#)?;
/// assert!(matches!(&parsed.response.verbs[..], [Verb::Say(say), Verb::Hangup(_)] if say.plain_text() == "Hello."));
/// assert_eq!(parsed.unknown[0].attribute.as_deref(), Some("loud"));
///
/// let error = twiml::parse("<Response>\n  <Pause length=\"long\"/>\n</Response>").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 18: length of <Pause> should be a whole number of seconds");
/// # Ok::<(), twilio_twiml::twiml::ReadError>(())
/// ```
///
/// # Errors
/// If the text is not well-formed XML, is longer than 64 kB, or holds a known element or value in a place where it
/// cannot be. The error says the line and the column.
#[cfg(feature = "parse")]
pub fn parse(text: &str) -> Result<Parsed, super::ReadError> {
    let (mut reader, root) = super::reader::Reader::begin(text, DOCUMENT_LIMIT)?;
    if root.name != "Response" {
        return Err(reader.wrong_root(&root));
    }
    let verbs = <Vec<Verb> as super::body::Body>::read(&root, &mut reader)?;
    reader.finish()?;
    Ok(Parsed { response: Response { verbs }, unknown: reader.unknown })
}

#[cfg(feature = "parse")]
impl std::str::FromStr for Response {
    type Err = super::ReadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(|parsed| parsed.response)
    }
}
