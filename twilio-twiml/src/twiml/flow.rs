//! The verbs that lead the call on or end it: pause, redirect, hang up, reject, leave, echo.

use std::time::Duration;

use super::{macros::element, stream::Parameter, value::Url};
use crate::{Seconds, value::words, words::Method};

element! {
    /// Silence (Twilio: TwiML, `<Pause>`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().pause(Duration::from_secs(2)).to_xml()?;
    /// assert!(xml.contains(r#"<Pause length="2"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Pause "Pause";
    attributes {
        /// How long, in seconds; 1 if not set.
        length: Seconds = "length",
    }
}

impl Pause {
    /// A pause of this length, in seconds or as a [`Duration`].
    #[must_use]
    pub fn new(length: impl Into<Seconds>) -> Self {
        Self::bare().length(length)
    }
}

impl From<u32> for Pause {
    fn from(seconds: u32) -> Self {
        Self::new(seconds)
    }
}

impl From<Duration> for Pause {
    fn from(length: Duration) -> Self {
        Self::new(length)
    }
}

element! {
    /// Goes on with the document at a URL. Nothing after it runs (Twilio: TwiML, `<Redirect>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().redirect("https://bridge.example.com/voice/after-stream").to_xml()?;
    /// assert!(xml.contains("<Redirect>https://bridge.example.com/voice/after-stream</Redirect>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Redirect "Redirect";
    attributes {
        /// How the document is requested; `POST` if not set.
        method: Method = "method",
    }
    text {
        /// Where the document is. Empty: the current document again.
        url: Url
    }
}

impl Redirect {
    /// On to this document; an empty URL is the current one.
    #[must_use]
    pub fn new(url: impl Into<Url>) -> Self {
        Self::bare(url.into())
    }
}

impl<T: Into<Url>> From<T> for Redirect {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

element! {
    /// Ends the call (Twilio: TwiML, `<Hangup>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().say("Goodbye.").hangup().to_xml()?;
    /// assert!(xml.contains("<Say>Goodbye.</Say><Hangup/>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Hangup "Hangup";
    body {
        /// What a SIP leg is told with the end of the call.
        parameters: Vec<Parameter>
    }
}

impl Hangup {
    /// The end of the call.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }

    /// Tells a SIP leg something more.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push(Parameter::new(name, value));
        self
    }
}

impl Default for Hangup {
    fn default() -> Self {
        Self::new()
    }
}

words! {
    /// What a caller who is rejected hears.
    closed RejectReason {
        /// That the number is not in service.
        Rejected = "rejected",
        /// A busy signal.
        Busy = "busy",
    }
}

element! {
    /// Declines the call, which is then not billed. Only useful as the first verb (Twilio: TwiML, `<Reject>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Reject, RejectReason, Response};
    ///
    /// let xml = Response::new().reject(Reject::new().reason(RejectReason::Busy)).to_xml()?;
    /// assert!(xml.contains(r#"<Reject reason="busy"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Reject "Reject";
    attributes {
        /// What the caller hears; `rejected` if not set.
        reason: RejectReason = "reason",
    }
    body {
        /// What a SIP leg is told.
        parameters: Vec<Parameter>
    }
}

impl Reject {
    /// The call is declined.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }

    /// Tells a SIP leg something more.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push(Parameter::new(name, value));
        self
    }
}

impl Default for Reject {
    fn default() -> Self {
        Self::new()
    }
}

impl From<RejectReason> for Reject {
    fn from(reason: RejectReason) -> Self {
        Self::new().reason(reason)
    }
}

element! {
    /// Leaves the queue that the call waits in; the verb after `<Enqueue>` runs next (Twilio: TwiML, `<Leave>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().leave().to_xml()?;
    /// assert!(xml.contains("<Leave/>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Leave "Leave";
}

impl Leave {
    /// Out of the queue.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for Leave {
    fn default() -> Self {
        Self::new()
    }
}

element! {
    /// Plays back to callers what they say, to measure the round trip (Twilio: TwiML, `<Echo>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().echo().to_xml()?;
    /// assert!(xml.contains("<Echo/>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Echo "Echo";
}

impl Echo {
    /// Back to the caller.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for Echo {
    fn default() -> Self {
        Self::new()
    }
}
