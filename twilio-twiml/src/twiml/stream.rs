//! `<Stream>` and the name–value pairs that nouns carry.

use super::{error::BuildError, macros::element, value::Url, writer::Writer};
use crate::words::{Method, Track};

/// The longest name and value of a stream parameter together, in characters (Twilio: TwiML, `<Parameter>`: under 500).
const PARAMETER_LIMIT: usize = 500;

element! {
    /// A name and a value, given to whatever the noun around it starts: `<Parameter name="token" value="k3J9"/>`.
    Parameter "Parameter";
    required {
        /// The name.
        name: String = "name",
        /// The value.
        value: String = "value",
    }
}

impl Parameter {
    /// This value under that name.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::bare(name.into(), value.into())
    }
}

element! {
    /// A name and a value that set something up: `<Config name="language" value="en"/>`.
    Config "Config";
    required {
        /// The name.
        name: String = "name",
        /// The value.
        value: String = "value",
    }
}

impl Config {
    /// This value under that name.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::bare(name.into(), value.into())
    }
}

element! {
    /// A call's audio over a WebSocket (Twilio: TwiML, `<Stream>`).
    ///
    /// Under `<Connect>` it goes both ways and the document waits; under `<Start>` it is a copy and the document goes
    /// on; under `<Stop>` it names a stream to end.
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Stream};
    ///
    /// let stream = Stream::new("wss://bridge.example.com/media").parameter("token", "k3J9");
    /// let xml = Response::new().connect(stream).redirect("https://bridge.example.com/after-stream").to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Connect><Stream url="wss://bridge.example.com/media">"#,
    ///     r#"<Parameter name="token" value="k3J9"/></Stream></Connect>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// The document is refused if the URL is missing, is not `wss`, or has a query string (Twilio does not deliver it:
    /// use parameters or the path), if a parameter is longer than 500 characters with its name, and under `<Connect>` if
    /// the track is not the inbound one.
    Stream "Stream";
    attributes {
        /// Where the WebSocket server is: `wss`, absolute or relative, without a query string.
        url: Url = "url",
        /// A name to stop the stream by, unique in the call.
        name: String = "name",
        /// Which audio is sent; `inbound_track` if not set. Only that one under `<Connect>`.
        track: Track = "track",
        /// An absolute URL to be told that the stream started, stopped or failed.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// The name of a stream connector from the marketplace.
        connector_name: String = "connectorName",
    }
    body {
        /// What the server is given in the `start` message.
        parameters: Vec<Parameter>
    }
}

impl Stream {
    /// A stream to this server.
    #[must_use]
    pub fn new(url: impl Into<Url>) -> Self {
        Self::bare(Vec::new()).url(url)
    }

    /// A running stream by its name, to stop it.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self::bare(Vec::new()).name(name)
    }

    /// Gives the server a value in the `start` message.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push(Parameter::new(name, value));
        self
    }

    pub(crate) fn check_connected(&self, writer: &mut Writer) {
        self.check_started(writer);
        if !matches!(self.track, None | Some(Track::Inbound)) {
            writer.fail(BuildError::Attribute {
                element: "Stream".into(),
                attribute: "track".into(),
                reason: "under <Connect> only inbound_track",
            });
        }
    }

    pub(crate) fn check_started(&self, writer: &mut Writer) {
        let Some(url) = &self.url else {
            // A marketplace connector knows its own server.
            if self.connector_name.is_none() {
                writer.fail(BuildError::Missing { element: "Stream", attribute: "url" });
            }
            return;
        };
        let reason = if url.scheme().is_some_and(|scheme| !scheme.eq_ignore_ascii_case("wss")) {
            "the scheme is wss"
        } else if url.query().is_some() {
            "Twilio does not deliver the query string of a stream's URL"
        } else if url.as_str().is_empty() {
            "it is empty"
        } else {
            return self.check_parameters(writer);
        };
        writer.fail(BuildError::Attribute { element: "Stream".into(), attribute: "url".into(), reason });
    }

    fn check_parameters(&self, writer: &mut Writer) {
        for Parameter { name, value, .. } in &self.parameters {
            // A character is at least one byte: only what may be too long is counted.
            if name.len() + value.len() >= PARAMETER_LIMIT
                && name.chars().count() + value.chars().count() >= PARAMETER_LIMIT
            {
                writer.fail(BuildError::Attribute {
                    element: "Parameter".into(),
                    attribute: "value".into(),
                    reason: "a stream's parameter has under 500 characters, name and value together",
                });
            }
        }
    }
}
