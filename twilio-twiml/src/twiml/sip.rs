//! SIP addresses, in `<Dial>` and in `<Refer>`.

use super::{
    body::{Body, Element, write_body},
    macros::element,
    value::{Url, noun_text},
    writer::Writer,
};
use crate::{
    Count, Millis, Private, Seconds,
    words::{CallEvent, MachineDetection, Method},
};

element! {
    /// A SIP address, in `<Dial>` (Twilio: TwiML, `<Sip>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Sip, SipUri};
    ///
    /// let short = Sip::new("sip:joey@example.com?X-Claim=7").username("joey").password("secret");
    /// let xml = Response::new().dial(short).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Sip username="joey" password="secret">sip:joey@example.com?X-Claim=7</Sip>"#
    /// ));
    ///
    /// let several = Sip::new(SipUri::new("sip:a@example.com").priority(1)).uri("sip:b@example.com").header("X-Claim", "7");
    /// let xml = Response::new().dial(several).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Sip><Uri priority="1">sip:a@example.com</Uri><Uri>sip:b@example.com</Uri>"#,
    ///     r#"<Headers><Header name="X-Claim" value="7"/></Headers></Sip>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Sip "Sip";
    attributes {
        /// A document for the one who answers, before they are put through. It cannot hold a `<Dial>`.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// The user name, if the address asks for one.
        username: String = "username",
        /// The password, if the address asks for one.
        password: Private = "password",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        status_callback_event: Vec<CallEvent> = "statusCallbackEvent",
        /// Whether to find out if a machine answers.
        machine_detection: MachineDetection = "machineDetection",
        /// How long to try, 3–60 s; 30 s if not set.
        machine_detection_timeout: Seconds = "machineDetectionTimeout",
        /// Speech longer than this is a machine's, 1000–6000 ms; 2400 ms if not set.
        machine_detection_speech_threshold: Millis = "machineDetectionSpeechThreshold",
        /// Silence after speech that ends it, 500–5000 ms; 1200 ms if not set.
        machine_detection_speech_end_threshold: Millis = "machineDetectionSpeechEndThreshold",
        /// Silence at the start that ends the attempt, 2000–10000 ms; 5000 ms if not set.
        machine_detection_silence_timeout: Millis = "machineDetectionSilenceTimeout",
        /// A URL to be told who answered.
        amd_status_callback: Url = "amdStatusCallback",
        /// How that callback is requested; `POST` if not set.
        amd_status_callback_method: Method = "amdStatusCallbackMethod",
    }
    body {
        /// Where it is, and with which headers.
        target: SipTarget
    }
}

impl Sip {
    /// This address, as a URI or as a [`SipUri`] with more about it.
    #[must_use]
    pub fn new(uri: impl Into<SipUri>) -> Self {
        Self::bare(SipTarget { uris: vec![uri.into()], headers: Vec::new() })
    }

    /// Another address of the same callee.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<SipUri>) -> Self {
        self.target.uris.push(uri.into());
        self
    }

    /// Sends a header with the call.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.target.headers.push(Header::new(name, value));
        self
    }
}

element! {
    /// A header of a SIP call: `<Header name="X-Claim" value="7"/>`.
    Header "Header";
    required {
        /// The name.
        name: String = "name",
        /// The value.
        value: String = "value",
    }
}

impl Header {
    /// This value under that name.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::bare(name.into(), value.into())
    }
}

element! {
    /// One of several addresses in `<Sip>`: `<Uri priority="1">sip:a@example.com</Uri>`.
    SipUri "Uri";
    attributes {
        /// Lower ones are tried first.
        priority: Count = "priority",
        /// How often it is chosen among those of the same priority.
        weight: Count = "weight",
        /// The user name, if the address asks for one.
        username: String = "username",
        /// The password, if the address asks for one.
        password: Private = "password",
    }
    text {
        /// The URI.
        uri: String
    }
}

impl SipUri {
    /// This URI.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self::bare(noun_text(uri))
    }
}

impl<T: Into<String>> From<T> for SipUri {
    fn from(uri: T) -> Self {
        Self::new(uri)
    }
}

/// Where a SIP call goes, and with which headers. A single plain URI is written in the short form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SipTarget {
    /// The addresses.
    pub uris: Vec<SipUri>,
    /// The headers.
    pub headers: Vec<Header>,
}

impl SipTarget {
    fn short_form(&self) -> Option<&str> {
        match &self.uris[..] {
            [one] if self.headers.is_empty() && *one == SipUri::new(one.uri.as_str()) => Some(&one.uri),
            _ => None,
        }
    }
}

impl Body for SipTarget {
    fn is_empty(&self) -> bool {
        self.short_form() == Some("") || (self.uris.is_empty() && self.headers.is_empty())
    }

    fn is_mixed(&self) -> bool {
        self.short_form().is_some()
    }

    fn write(&self, parent: &'static str, writer: &mut Writer) {
        if let Some(uri) = self.short_form() {
            return writer.text(parent, uri);
        }
        self.uris.iter().for_each(|uri| Element::write(uri, writer));
        if !self.headers.is_empty() {
            writer.open("Headers");
            write_body(&self.headers, "Headers", writer);
        }
    }

    #[cfg(feature = "parse")]
    fn read(
        tag: &super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        use super::reader::Item;
        let (mut text, mut uris, mut headers) = (String::new(), Vec::new(), Vec::new());
        while let Some((_, item)) = reader.next(tag)? {
            match item {
                Item::Text(more) => text.push_str(&more),
                Item::End => break,
                Item::Start(child) => match child.name {
                    "Uri" => uris.push(<SipUri as Element>::read(child, reader)?),
                    "Headers" => headers.extend(reader.children::<Header>(&child)?),
                    _ => return Err(reader.misplaced(&child)),
                },
            }
        }
        match (uris.is_empty(), text.trim()) {
            (_, "") => {}
            (true, uri) => uris.push(SipUri::new(uri)),
            (false, _) => return Err(reader.content(tag, "either a URI as text, or <Uri> elements")),
        }
        Ok(Self { uris, headers })
    }
}

element! {
    /// Transfers a SIP caller away: Twilio sends a `REFER` (Twilio: TwiML, `<Refer>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::Response;
    ///
    /// let xml = Response::new().refer("sip:joey@example.com").to_xml()?;
    /// assert!(xml.contains("<Refer><Sip>sip:joey@example.com</Sip></Refer>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// Only on the leg of a SIP caller (Twilio: error 13801).
    Refer "Refer";
    attributes {
        /// Where to go on when the transfer has succeeded or failed; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
    }
    body {
        /// Where the caller goes.
        sip: ReferSip
    }
}

impl Refer {
    /// To this SIP URI.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self::bare(ReferSip::bare(noun_text(uri)))
    }
}

impl<T: Into<String>> From<T> for Refer {
    fn from(uri: T) -> Self {
        Self::new(uri)
    }
}

element! {
    /// Where a `<Refer>` leads: a plain SIP URI.
    ReferSip "Sip";
    text {
        /// The URI.
        uri: String
    }
}
