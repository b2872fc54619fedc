//! `<Start>` and `<Stop>`: what runs beside the document.

use super::{
    error::BuildError,
    macros::{children, element},
    stream::{Config, Parameter, Stream},
    value::{Phrases, Url},
    writer::Writer,
};
use crate::{
    value::words,
    words::{Method, RecordingChannels, RecordingEvent, RecordingTrack, Track, Trim},
};

children! {
    /// What can run beside a document.
    StartNoun open Raw {
        /// A copy of the call's audio over a WebSocket.
        Stream(Stream) = "Stream",
        /// A copy of the call for a SIPREC server.
        Siprec(Siprec) = "Siprec",
        /// The call's words, by HTTP.
        Transcription(Transcription) = "Transcription",
        /// A recording.
        Recording(Recording) = "Recording",
    }
}

children! {
    /// What can be stopped. A recording is stopped by REST.
    StopNoun open Raw {
        /// A stream, by its name.
        Stream(Stream) = "Stream",
        /// A SIPREC session, by its name.
        Siprec(Siprec) = "Siprec",
        /// A transcription, by its name.
        Transcription(Transcription) = "Transcription",
    }
}

element! {
    /// Starts something that runs beside the document; the next verb runs at once (Twilio: TwiML, `<Start>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Recording, Response, Start, Stream};
    ///
    /// let start = Start::new(Stream::new("wss://listen.example.com/").name("copy")).and(Recording::new());
    /// let xml = Response::new().start(start).say("This call is recorded.").to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Start><Stream url="wss://listen.example.com/" name="copy"/><Recording/></Start>"#
    /// ));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Start "Start";
    check = check_start;
    attributes {
        /// A URL to be requested; of no use for the nouns of today.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
    }
    body {
        /// What is started.
        nouns: Vec<StartNoun>
    }
}

fn check_start(start: &Start, writer: &mut Writer) {
    if start.nouns.is_empty() {
        writer.fail(BuildError::Content { element: "Start".into(), reason: "it starts nothing" });
    }
    for noun in &start.nouns {
        if let StartNoun::Stream(stream) = noun {
            stream.check_started(writer);
        }
    }
}

impl Start {
    /// Starts this.
    #[must_use]
    pub fn new(noun: impl Into<StartNoun>) -> Self {
        Self::bare(vec![noun.into()])
    }

    /// And this as well.
    #[must_use]
    pub fn and(mut self, noun: impl Into<StartNoun>) -> Self {
        self.nouns.push(noun.into());
        self
    }
}

impl<T: Into<StartNoun>> From<T> for Start {
    fn from(noun: T) -> Self {
        Self::new(noun)
    }
}

element! {
    /// Stops what a `<Start>` started, by its name (Twilio: TwiML, `<Stop>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Stream};
    ///
    /// let xml = Response::new().stop(Stream::named("copy")).to_xml()?;
    /// assert!(xml.contains(r#"<Stop><Stream name="copy"/></Stop>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Stop "Stop";
    check = check_stop;
    body {
        /// What is stopped.
        nouns: Vec<StopNoun>
    }
}

fn check_stop(stop: &Stop, writer: &mut Writer) {
    if stop.nouns.is_empty() {
        writer.fail(BuildError::Content { element: "Stop".into(), reason: "it stops nothing" });
    }
    for noun in &stop.nouns {
        let (element, name) = match noun {
            StopNoun::Stream(stream) => ("Stream", &stream.name),
            StopNoun::Siprec(siprec) => ("Siprec", &siprec.name),
            StopNoun::Transcription(transcription) => ("Transcription", &transcription.name),
            StopNoun::Raw(_) => continue,
        };
        if name.is_none() {
            writer.fail(BuildError::Missing { element, attribute: "name" });
        }
    }
}

impl Stop {
    /// Stops this.
    #[must_use]
    pub fn new(noun: impl Into<StopNoun>) -> Self {
        Self::bare(vec![noun.into()])
    }

    /// And this as well.
    #[must_use]
    pub fn and(mut self, noun: impl Into<StopNoun>) -> Self {
        self.nouns.push(noun.into());
        self
    }
}

impl<T: Into<StopNoun>> From<T> for Stop {
    fn from(noun: T) -> Self {
        Self::new(noun)
    }
}

element! {
    /// A copy of the call for a SIPREC server, under `<Start>` (Twilio: TwiML, `<Siprec>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Siprec};
    ///
    /// let siprec = Siprec::new().name("archive").connector_name("Archive_1").parameter("team", "claims");
    /// let xml = Response::new().start(siprec).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Start><Siprec name="archive" connectorName="Archive_1">"#,
    ///     r#"<Parameter name="team" value="claims"/></Siprec></Start>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Siprec "Siprec";
    attributes {
        /// A name to stop the session by.
        name: String = "name",
        /// The unique name of the connector add-on.
        connector_name: String = "connectorName",
        /// Which audio is sent.
        track: Track = "track",
        /// A URL to be told what becomes of the session.
        status_callback: Url = "statusCallback",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
    }
    body {
        /// What the server is given.
        parameters: Vec<Parameter>
    }
}

impl Siprec {
    /// A session.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }

    /// Gives the server a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push(Parameter::new(name, value));
        self
    }
}

impl Default for Siprec {
    fn default() -> Self {
        Self::new()
    }
}

element! {
    /// A recording of the call from now on, under `<Start>` (Twilio: TwiML, `<Recording>`).
    ///
    /// There is nothing to stop it in TwiML: use REST.
    ///
    /// ```
    /// use twilio_twiml::{twiml::{Recording, Response}, words::RecordingChannels};
    ///
    /// let recording = Recording::new()
    ///     .channels(RecordingChannels::Dual)
    ///     .recording_status_callback("https://bridge.example.com/recording");
    /// let xml = Response::new().start(recording).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Start><Recording recordingStatusCallback="https://bridge.example.com/recording" "#,
    ///     r#"channels="dual"/></Start>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Recording "Recording";
    attributes {
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "recordingStatusCallback",
        /// How the callback is requested; `POST` if not set.
        recording_status_callback_method: Method = "recordingStatusCallbackMethod",
        /// What the callback is told; `completed` if not set.
        recording_status_callback_event: Vec<RecordingEvent> = "recordingStatusCallbackEvent",
        /// Whether silence at the ends is cut off.
        trim: Trim = "trim",
        /// One channel or two. The default is not documented, so set it.
        channels: RecordingChannels = "channels",
        /// Which audio is recorded; both sides if not set.
        track: RecordingTrack = "track",
        /// A recording configuration of the account.
        recording_configuration_id: String = "recordingConfigurationId",
    }
}

impl Recording {
    /// A recording.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

words! {
    /// Who turns speech into text.
    open TranscriptionEngine {
        /// Google, the default.
        Google = "google",
        /// Deepgram.
        Deepgram = "deepgram",
    }
}

children! {
    /// What may stand in a transcription.
    TranscriptionChild {
        /// A setting of the engine.
        Config(Config) = "Config",
        /// A value for the callback.
        Parameter(Parameter) = "Parameter",
    }
}

element! {
    /// The call's words, posted to a URL while they are spoken, under `<Start>` (Twilio: TwiML, `<Transcription>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Language, Response, Transcription};
    ///
    /// let transcription = Transcription::new()
    ///     .status_callback_url("https://bridge.example.com/words")
    ///     .language_code(Language::JaJp)
    ///     .hints(["予約", "担当者"]);
    /// let xml = Response::new().start(transcription).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Start><Transcription statusCallbackUrl="https://bridge.example.com/words" "#,
    ///     r#"languageCode="ja-JP" hints="予約,担当者"/></Start>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Transcription "Transcription";
    attributes {
        /// A name to stop the transcription by.
        name: String = "name",
        /// Which audio is transcribed; both sides if not set.
        track: Track = "track",
        /// The absolute URL that gets the words. Without it they go nowhere.
        status_callback_url: Url = "statusCallbackUrl",
        /// How the callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What the caller is called in the transcript.
        inbound_track_label: String = "inboundTrackLabel",
        /// What the other side is called in the transcript.
        outbound_track_label: String = "outboundTrackLabel",
        /// The language, or `multi` with some of Deepgram's models; `en-US` if not set.
        language_code: super::Language = "languageCode",
        /// Who turns speech into text; `google` if not set.
        transcription_engine: TranscriptionEngine = "transcriptionEngine",
        /// A model of the engine, such as `telephony` or `nova-3`.
        speech_model: String = "speechModel",
        /// Whether words are sent before they are certain; no if not set.
        partial_results: bool = "partialResults",
        /// Whether swearing is made unreadable; yes if not set.
        profanity_filter: bool = "profanityFilter",
        /// Whether sentences get punctuation; yes if not set.
        enable_automatic_punctuation: bool = "enableAutomaticPunctuation",
        /// Phrases to expect.
        hints: Phrases = "hints",
        /// An intelligence service, by SID or unique name.
        intelligence_service: String = "intelligenceService",
        /// Whether the engine's own data is sent too; no if not set.
        enable_provider_data: bool = "enableProviderData",
        /// A conversation configuration of the account.
        conversation_configuration: String = "conversationConfiguration",
        /// The conversation that the words belong to.
        conversation_id: String = "conversationId",
    }
    body {
        /// Settings and values.
        children: Vec<TranscriptionChild>
    }
}

impl Transcription {
    /// A transcription.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }

    /// Sets something of the engine.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.children.push(Config::new(name, value).into());
        self
    }

    /// Gives the callback a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.children.push(Parameter::new(name, value).into());
        self
    }
}

impl Default for Transcription {
    fn default() -> Self {
        Self::new()
    }
}
