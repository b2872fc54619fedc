//! `<Gather>`: keys and words from the caller.

use super::{
    error::BuildError,
    flow::Pause,
    language::Language,
    macros::{children, element},
    play::Play,
    say::Say,
    value::{Keys, Phrases, SpeechTimeout, Url},
    writer::Writer,
};
use crate::{Count, Seconds, value::words, words::Method};

words! {
    /// What a caller can answer with.
    closed Input {
        /// Keys.
        Dtmf = "dtmf",
        /// Words.
        Speech = "speech",
    }

    /// The model that understands the words.
    open SpeechModel {
        /// The default one.
        Default = "default",
        /// For numbers and short commands.
        NumbersAndCommands = "numbers_and_commands",
        /// For telephone calls.
        PhoneCall = "phone_call",
        /// For conversations, on trial.
        ExperimentalConversations = "experimental_conversations",
        /// For short utterances, on trial.
        ExperimentalUtterances = "experimental_utterances",
        /// Google's second version, for long speech.
        GoogleV2Long = "googlev2_long",
        /// Google's second version, for short speech.
        GoogleV2Short = "googlev2_short",
        /// Google's second version, for telephone calls.
        GoogleV2Telephony = "googlev2_telephony",
        /// Google's second version, for short speech on the telephone.
        GoogleV2TelephonyShort = "googlev2_telephony_short",
    }
}

children! {
    /// What a caller may hear while they are asked.
    Prompting {
        /// Speech.
        Say(Say) = "Say",
        /// A recording.
        Play(Play) = "Play",
        /// Silence.
        Pause(Pause) = "Pause",
    }
}

element! {
    /// Asks the caller for keys or words (Twilio: TwiML, `<Gather>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Gather, Input, Language, Response, Say};
    ///
    /// let gather = Gather::new()
    ///     .input([Input::Speech, Input::Dtmf])
    ///     .action("/answer")
    ///     .num_digits(1)
    ///     .language(Language::JaJp)
    ///     .say(Say::new("ご用件をお話しください。").language(Language::JaJp));
    /// let xml = Response::new().gather(gather).redirect("/voice").to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Gather input="speech dtmf" action="/answer" numDigits="1" language="ja-JP">"#,
    ///     r#"<Say language="ja-JP">ご用件をお話しください。</Say></Gather>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// Without `action` the current document is requested again with the answer, which is easily a loop. If nothing is
    /// heard the next verb runs.
    Gather "Gather";
    check = check;
    attributes {
        /// What the caller can answer with; keys if not set.
        input: Vec<Input> = "input",
        /// Where the answer goes; the current document if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// Whether `action` is requested even if nothing was heard; no if not set.
        action_on_empty_result: bool = "actionOnEmptyResult",
        /// How long to wait for the next key or for speech to begin; 5 s if not set.
        timeout: Seconds = "timeout",
        /// The one key that ends the input, or none; `#` if not set.
        finish_on_key: Keys = "finishOnKey",
        /// How many keys end the input.
        num_digits: Count = "numDigits",
        /// How long a silence ends the words; as long as `timeout` if not set. [`SpeechTimeout::Auto`] needs a model.
        speech_timeout: SpeechTimeout = "speechTimeout",
        /// How long the caller may speak.
        max_speech_time: Seconds = "maxSpeechTime",
        /// The model that understands the words.
        speech_model: SpeechModel = "speechModel",
        /// The language of the words; `en-US` if not set.
        language: Language = "language",
        /// Phrases to expect.
        hints: Phrases = "hints",
        /// Whether a better, dearer model is used; only with `phone_call`.
        enhanced: bool = "enhanced",
        /// Whether swearing is made unreadable; yes if not set.
        profanity_filter: bool = "profanityFilter",
        /// A URL that gets the words before they are certain.
        partial_result_callback: Url = "partialResultCallback",
        /// How that callback is requested; `POST` if not set.
        partial_result_callback_method: Method = "partialResultCallbackMethod",
        /// Whether the caller can interrupt what is played.
        barge_in: bool = "bargeIn",
        /// Whether Twilio says more about errors.
        debug: bool = "debug",
    }
    body {
        /// What the caller hears meanwhile.
        content: Vec<Prompting>
    }
}

fn check(gather: &Gather, writer: &mut Writer) {
    let mut bad = |attribute: &'static str, reason| {
        writer.fail(BuildError::Attribute { element: "Gather".into(), attribute: attribute.into(), reason });
    };
    if gather.finish_on_key.as_ref().is_some_and(|keys| keys.len() > 1) {
        bad("finishOnKey", "one key or none");
    }
    if gather.speech_timeout == Some(SpeechTimeout::Auto)
        && matches!(gather.speech_model, None | Some(SpeechModel::Default))
    {
        bad("speechTimeout", "auto needs another speech model than the default one");
    }
}

impl Gather {
    /// Asks for keys.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }
}

impl Default for Gather {
    fn default() -> Self {
        Self::new()
    }
}

/// `say`, `play` and `pause` for what can prompt a caller.
macro_rules! prompting {
    ($($name:ident),*) => {$(
        impl $name {
            /// Speaks this meanwhile.
            #[must_use]
            pub fn say(mut self, say: impl Into<Say>) -> Self {
                self.content.push(say.into().into());
                self
            }

            /// Plays this meanwhile.
            #[must_use]
            pub fn play(mut self, play: impl Into<Play>) -> Self {
                self.content.push(play.into().into());
                self
            }

            /// Is silent meanwhile.
            #[must_use]
            pub fn pause(mut self, pause: impl Into<Pause>) -> Self {
                self.content.push(pause.into().into());
                self
            }
        }
    )*};
}

pub(crate) use prompting;

prompting!(Gather);
