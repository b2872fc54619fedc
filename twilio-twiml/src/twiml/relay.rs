//! `<ConversationRelay>` and `<Assistant>`: Twilio listens and speaks, and exchanges words with a server.

use std::borrow::Cow;

use super::{
    error::BuildError,
    language::Language,
    macros::{children, element},
    stream::Parameter,
    value::{Phrases, Url},
    writer::Writer,
};
use crate::{
    Millis,
    value::{Value, words},
};

words! {
    /// What can interrupt the one who speaks.
    open Interruptible {
        /// Nothing.
        None = "none",
        /// Keys.
        Dtmf = "dtmf",
        /// Speech.
        Speech = "speech",
        /// Both.
        Any = "any",
    }

    /// How easily speech interrupts.
    open Sensitivity {
        /// Hardly.
        Low = "low",
        /// Moderately.
        Medium = "medium",
        /// At once.
        High = "high",
    }

    /// Who speaks.
    open TtsProvider {
        /// Google.
        Google = "Google",
        /// Amazon.
        Amazon = "Amazon",
        /// ElevenLabs.
        ElevenLabs = "ElevenLabs",
    }

    /// Who understands.
    open TranscriptionProvider {
        /// Google.
        Google = "Google",
        /// Deepgram.
        Deepgram = "Deepgram",
    }

    /// Whether text is written out before it is spoken.
    open Normalization {
        /// Always.
        On = "on",
        /// If the voice needs it.
        Auto = "auto",
        /// Never.
        Off = "off",
    }

    /// What a relay reports besides words.
    open RelayEvent {
        /// Who speaks when.
        Speaker = "speaker-events",
        /// What was played.
        TokensPlayed = "tokens-played",
    }
}

/// How long a silence ends what the caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfSpeech {
    /// The provider decides by what it hears.
    Auto,
    /// So long, 600–5000 ms.
    After(Millis),
}

impl<T: Into<Millis>> From<T> for EndOfSpeech {
    fn from(silence: T) -> Self {
        Self::After(silence.into())
    }
}

impl Value for EndOfSpeech {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Auto => Cow::Borrowed("auto"),
            Self::After(silence) => Cow::Owned(silence.to_string()),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            Millis::read(text).map(Self::After).map_err(|_| "auto or milliseconds")
        }
    }
}

children! {
    /// What may stand in a relay or an assistant.
    RelayChild {
        /// What differs when a language is spoken.
        Language(RelayLanguage) = "Language",
        /// A value for the server.
        Parameter(Parameter) = "Parameter",
    }
}

element! {
    /// What differs when a language is spoken: `<Language code="ja-JP" voice="ja-JP-Neural2-B"/>`.
    RelayLanguage "Language";
    required {
        /// The language.
        code: Language = "code",
    }
    attributes {
        /// Who speaks it.
        tts_provider: TtsProvider = "ttsProvider",
        /// A voice of that provider.
        voice: String = "voice",
        /// Who understands it.
        transcription_provider: TranscriptionProvider = "transcriptionProvider",
        /// A model of that provider.
        speech_model: String = "speechModel",
    }
}

impl RelayLanguage {
    /// For this language.
    #[must_use]
    pub fn new(code: impl Into<Language>) -> Self {
        Self::bare(code.into())
    }
}

element! {
    /// Twilio understands and speaks, and exchanges text with a WebSocket server, under `<Connect>` (Twilio: TwiML,
    /// `<ConversationRelay>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{ConversationRelay, Language, RelayLanguage, Response};
    ///
    /// let relay = ConversationRelay::new("wss://words.example.com/relay")
    ///     .welcome_greeting("お電話ありがとうございます。")
    ///     .language(Language::JaJp)
    ///     .and_language(RelayLanguage::new(Language::EnUs).voice("Joanna"))
    ///     .parameter("token", "k3J9");
    /// let xml = Response::new().connect(relay).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<ConversationRelay url="wss://words.example.com/relay" "#,
    ///     r#"welcomeGreeting="お電話ありがとうございます。" language="ja-JP">"#,
    ///     r#"<Language code="en-US" voice="Joanna"/><Parameter name="token" value="k3J9"/></ConversationRelay>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ConversationRelay "ConversationRelay";
    check = check;
    required {
        /// Where the server is: `wss`.
        url: Url = "url",
    }
    attributes {
        /// What is said first.
        welcome_greeting: String = "welcomeGreeting",
        /// What can interrupt the greeting; anything if not set.
        welcome_greeting_interruptible: Interruptible = "welcomeGreetingInterruptible",
        /// What can interrupt all else; anything if not set.
        interruptible: Interruptible = "interruptible",
        /// How easily speech interrupts.
        interrupt_sensitivity: Sensitivity = "interruptSensitivity",
        /// What the caller does is reported while Twilio speaks; nothing if not set.
        report_input_during_agent_speech: Interruptible = "reportInputDuringAgentSpeech",
        /// Whether what is said can be cut off by the next words; no if not set.
        preemptible: bool = "preemptible",
        /// Whether keys are reported; no if not set.
        dtmf_detection: bool = "dtmfDetection",
        /// The language of both sides; `en-US` if not set.
        language: Language = "language",
        /// The language that is spoken to the caller; `language` if not set.
        tts_language: Language = "ttsLanguage",
        /// The language that is understood; `language` if not set.
        transcription_language: Language = "transcriptionLanguage",
        /// Who speaks.
        tts_provider: TtsProvider = "ttsProvider",
        /// A voice of that provider.
        voice: String = "voice",
        /// Whether ElevenLabs writes numbers and the like out before speaking.
        elevenlabs_text_normalization: Normalization = "elevenlabsTextNormalization",
        /// Who understands.
        transcription_provider: TranscriptionProvider = "transcriptionProvider",
        /// A model of that provider.
        speech_model: String = "speechModel",
        /// Whether words are sent before they are certain.
        partial_prompts: bool = "partialPrompts",
        /// Whether swearing is made unreadable.
        profanity_filter: bool = "profanityFilter",
        /// Phrases to expect.
        hints: Phrases = "hints",
        /// What is reported for debugging, such as `debugging`.
        debug: String = "debug",
        /// An intelligence service, by SID or unique name.
        intelligence_service: String = "intelligenceService",
        /// How long a silence ends what the caller says; the provider decides if not set.
        speech_timeout: EndOfSpeech = "speechTimeout",
        /// How certain the end of the caller's turn has to be, `0.5`–`0.9` (Deepgram's flux models).
        eot_threshold: String = "eotThreshold",
        /// Whether Deepgram writes numbers and the like as such; yes if not set.
        deepgram_smart_format: bool = "deepgramSmartFormat",
        /// Whether an "uh-huh" of the caller does not interrupt; no if not set.
        ignore_backchannel: bool = "ignoreBackchannel",
        /// How noise behind the caller is reduced. Twilio's own model spells the attribute in lower case.
        background_noise_reduction: String = "backgroundnoisereduction",
        /// What is reported besides words.
        events: Vec<RelayEvent> = "events",
        /// A conversation configuration of the account.
        conversation_configuration: String = "conversationConfiguration",
        /// The conversation that the words belong to.
        conversation_id: String = "conversationId",
    }
    body {
        /// Languages and values.
        children: Vec<RelayChild>
    }
}

fn check(relay: &ConversationRelay, writer: &mut Writer) {
    if relay.url.scheme().is_some_and(|scheme| !scheme.eq_ignore_ascii_case("wss")) {
        writer.fail(BuildError::Attribute {
            element: "ConversationRelay".into(),
            attribute: "url".into(),
            reason: "the scheme is wss",
        });
    }
}

impl ConversationRelay {
    /// With this server.
    #[must_use]
    pub fn new(url: impl Into<Url>) -> Self {
        Self::bare(url.into(), Vec::new())
    }
}

element! {
    /// Twilio's own assistant listens and answers, under `<Connect>` (Twilio: TwiML, `<Assistant>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Assistant, Response};
    ///
    /// let xml = Response::new().connect(Assistant::new("aia_asst_1").welcome_greeting("Hello.")).to_xml()?;
    /// assert!(xml.contains(r#"<Assistant id="aia_asst_1" welcomeGreeting="Hello."/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Assistant "Assistant";
    attributes {
        /// Which assistant.
        id: String = "id",
        /// What is said first.
        welcome_greeting: String = "welcomeGreeting",
        /// What can interrupt the greeting; anything if not set.
        welcome_greeting_interruptible: Interruptible = "welcomeGreetingInterruptible",
        /// What can interrupt all else; anything if not set.
        interruptible: Interruptible = "interruptible",
        /// How easily speech interrupts.
        interrupt_sensitivity: Sensitivity = "interruptSensitivity",
        /// Whether what the caller does is reported while the assistant speaks.
        report_input_during_agent_speech: bool = "reportInputDuringAgentSpeech",
        /// Whether what is said can be cut off by the next words; no if not set.
        preemptible: bool = "preemptible",
        /// Whether keys are reported; no if not set.
        dtmf_detection: bool = "dtmfDetection",
        /// The language of both sides; `en-US` if not set.
        language: Language = "language",
        /// The language that is spoken to the caller; `language` if not set.
        tts_language: Language = "ttsLanguage",
        /// The language that is understood; `language` if not set.
        transcription_language: Language = "transcriptionLanguage",
        /// Who speaks.
        tts_provider: TtsProvider = "ttsProvider",
        /// A voice of that provider.
        voice: String = "voice",
        /// Whether ElevenLabs writes numbers and the like out before speaking.
        elevenlabs_text_normalization: Normalization = "elevenlabsTextNormalization",
        /// Who understands.
        transcription_provider: TranscriptionProvider = "transcriptionProvider",
        /// A model of that provider.
        speech_model: String = "speechModel",
        /// Whether words are sent before they are certain.
        partial_prompts: bool = "partialPrompts",
        /// Whether swearing is made unreadable.
        profanity_filter: bool = "profanityFilter",
        /// Phrases to expect.
        hints: Phrases = "hints",
        /// What is reported for debugging, such as `debugging`.
        debug: String = "debug",
        /// An intelligence service, by SID or unique name.
        intelligence_service: String = "intelligenceService",
    }
    body {
        /// Languages and values.
        children: Vec<RelayChild>
    }
}

impl Assistant {
    /// The assistant of this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self::bare(Vec::new()).id(id)
    }
}

/// What a relay and an assistant have in common.
macro_rules! with_children {
    ($($name:ident),*) => {$(
        impl $name {
            /// Says what differs when a language is spoken.
            #[must_use]
            pub fn and_language(mut self, language: RelayLanguage) -> Self {
                self.children.push(language.into());
                self
            }

            /// Gives the other side a value.
            #[must_use]
            pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.children.push(Parameter::new(name, value).into());
                self
            }
        }
    )*};
}

with_children!(ConversationRelay, Assistant);
