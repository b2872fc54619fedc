//! Who a `<Dial>` can ring: numbers, clients, WhatsApp users, applications, SIM cards. SIP addresses have their own file.

use super::{
    body::{Body, Element},
    macros::element,
    stream::Parameter,
    value::{Digits, Url, noun_text},
    writer::Writer,
};
use crate::{
    Millis, Seconds,
    phone::Address,
    sid::{ApplicationSid, ByocTrunkSid},
    words::{CallEvent, MachineDetection, Method},
};

element! {
    /// A telephone number, in `<Dial>` (Twilio: TwiML, `<Number>`).
    ///
    /// ```
    /// use twilio_twiml::{phone::E164, twiml::{Number, Response}, words::{CallEvent, MachineDetection}};
    ///
    /// let number = Number::new("+14155550100".parse::<E164>()?)
    ///     .url("https://bridge.example.com/whisper")
    ///     .status_callback_event([CallEvent::Answered, CallEvent::Completed])
    ///     .machine_detection(MachineDetection::Enable);
    /// let xml = Response::new().dial(number).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Number url="https://bridge.example.com/whisper" statusCallbackEvent="answered completed" "#,
    ///     r#"machineDetection="Enable">+14155550100</Number>"#,
    /// )));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Number "Number";
    attributes {
        /// A document for the one who answers, before they are put through. It cannot hold a `<Dial>`.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// Keys to press after the answer.
        send_digits: Digits = "sendDigits",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        status_callback_event: Vec<CallEvent> = "statusCallbackEvent",
        /// A trunk of our own carrier to dial over.
        byoc: ByocTrunkSid = "byoc",
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
    text {
        /// The number.
        number: Address
    }
}

impl Number {
    /// This number: an [`E164`](crate::phone::E164), or an [`Address`] for anything Twilio may be able to dial.
    #[must_use]
    pub fn new(number: impl Into<Address>) -> Self {
        Self::bare(number.into())
    }
}

element! {
    /// A Twilio client, in `<Dial>` (Twilio: TwiML, `<Client>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Client, Response};
    ///
    /// let xml = Response::new().dial(Client::new("joey").parameter("team", "claims")).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Client><Identity>joey</Identity><Parameter name="team" value="claims"/></Client>"#
    /// ));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Client "Client";
    attributes {
        /// A document for the one who answers, before they are put through. It cannot hold a `<Dial>`.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        status_callback_event: Vec<CallEvent> = "statusCallbackEvent",
        /// A URL to be told that the client is called.
        client_notification_url: Url = "clientNotificationUrl",
    }
    body {
        /// Who it is, and what they are given.
        callee: Callee<Identity>
    }
}

impl Client {
    /// The client of this identity.
    #[must_use]
    pub fn new(identity: impl Into<String>) -> Self {
        Self::bare(Callee::new(Identity(noun_text(identity))))
    }

    /// Gives the client a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.callee.parameters.push(Parameter::new(name, value));
        self
    }
}

element! {
    /// A TwiML application, in `<Dial>` (Twilio: TwiML, `<Application>`).
    ///
    /// ```
    /// use twilio_twiml::{sid::ApplicationSid, twiml::{Application, Response}};
    ///
    /// let application: ApplicationSid = "AP0123456789abcdef0123456789abcdef".parse()?;
    /// let xml = Response::new().dial(Application::new(application).copy_parent_to(true)).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Application copyParentTo="true">AP0123456789abcdef0123456789abcdef</Application>"#
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Application "Application";
    attributes {
        /// A document for the one who answers, before they are put through. It cannot hold a `<Dial>`.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        status_callback_event: Vec<CallEvent> = "statusCallbackEvent",
        /// The customer on whose behalf the application is called.
        customer_id: String = "customerId",
        /// Whether the application sees the `To` of this call.
        copy_parent_to: bool = "copyParentTo",
    }
    body {
        /// Which it is, and what it is given.
        callee: Callee<ApplicationSid>
    }
}

impl Application {
    /// This application.
    #[must_use]
    pub fn new(application: ApplicationSid) -> Self {
        Self::bare(Callee::new(application))
    }

    /// Gives the application a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.callee.parameters.push(Parameter::new(name, value));
        self
    }
}

element! {
    /// A WhatsApp user, in `<Dial>` (Twilio: TwiML, `<WhatsApp>`).
    ///
    /// ```
    /// use twilio_twiml::{phone::E164, twiml::{Response, WhatsApp}};
    ///
    /// let xml = Response::new().dial(WhatsApp::new("+14155550100".parse::<E164>()?)).to_xml()?;
    /// assert!(xml.contains("<Dial><WhatsApp>+14155550100</WhatsApp></Dial>"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    WhatsApp "WhatsApp";
    attributes {
        /// A document for the one who answers, before they are put through. It cannot hold a `<Dial>`.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        status_callback_event: Vec<CallEvent> = "statusCallbackEvent",
    }
    text {
        /// The user's number.
        number: Address
    }
}

impl WhatsApp {
    /// The user with this number.
    #[must_use]
    pub fn new(number: impl Into<Address>) -> Self {
        Self::bare(number.into())
    }
}

element! {
    /// A SIM card, in `<Dial>` (Twilio: TwiML, `<Sim>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Sim};
    ///
    /// let xml = Response::new().dial(Sim::new("DE0123456789abcdef0123456789abcdef")).to_xml()?;
    /// assert!(xml.contains("<Dial><Sim>DE0123456789abcdef0123456789abcdef</Sim></Dial>"));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Sim "Sim";
    text {
        /// The card's SID.
        sim: String
    }
}

impl Sim {
    /// The card with this SID.
    #[must_use]
    pub fn new(sim: impl Into<String>) -> Self {
        Self::bare(noun_text(sim))
    }
}

/// Who is called, and what they are given. Without values Twilio takes the short form, which is what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Callee<T> {
    /// Who is called.
    pub who: T,
    /// What they are given.
    pub parameters: Vec<Parameter>,
}

impl<T> Callee<T> {
    fn new(who: T) -> Self {
        Self { who, parameters: Vec::new() }
    }
}

/// The identity of a Twilio client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub(crate) String);

impl Identity {
    /// The identity, without `client:`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl crate::value::Value for Identity {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        std::borrow::Cow::Borrowed(&self.0)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(Self(text.to_owned()))
    }
}

/// The element that names the one who is called, when parameters stand beside it.
pub(crate) trait Named: crate::value::Value {
    const TAG: &'static str;
}

impl Named for Identity {
    const TAG: &'static str = "Identity";
}

impl Named for ApplicationSid {
    const TAG: &'static str = "ApplicationSid";
}

impl<T: Named> Body for Callee<T> {
    fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.who.text().is_empty()
    }

    fn is_mixed(&self) -> bool {
        self.parameters.is_empty()
    }

    fn write(&self, parent: &'static str, writer: &mut Writer) {
        if self.parameters.is_empty() {
            return writer.value(parent, &self.who);
        }
        writer.open(T::TAG);
        writer.begin_content(true);
        writer.value(T::TAG, &self.who);
        writer.close(T::TAG);
        self.parameters.iter().for_each(|parameter| Element::write(parameter, writer));
    }

    #[cfg(feature = "parse")]
    fn read(
        tag: &super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        use super::reader::Item;
        let (mut text, mut named, mut parameters) = (String::new(), None, Vec::new());
        while let Some((_, item)) = reader.next(tag)? {
            match item {
                Item::Text(more) => text.push_str(&more),
                Item::End => break,
                Item::Start(child) if child.name == T::TAG && named.is_none() => {
                    named = Some(reader.text_body::<T>(&child)?);
                }
                Item::Start(child) if child.name == Parameter::TAG => {
                    parameters.push(<Parameter as Element>::read(child, reader)?);
                }
                Item::Start(child) => return Err(reader.misplaced(&child)),
            }
        }
        let who = match (named, text.trim()) {
            (Some(who), "") => who,
            (None, text) => T::read(text).map_err(|_| reader.content(tag, "the one who is called"))?,
            (Some(_), _) => return Err(reader.content(tag, "the one who is called")),
        };
        Ok(Self { who, parameters })
    }
}
