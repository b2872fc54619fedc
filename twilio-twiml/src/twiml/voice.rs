//! The voices of `<Say>`.

use std::{borrow::Cow, fmt};

use super::language::Language;
use crate::value::{Value, words};

/// Who speaks (Twilio: TwiML, `<Say>`, voices).
///
/// There are about nine hundred, and more every month, so a voice is said by its parts:
///
/// ```
/// use twilio_twiml::twiml::{GoogleFamily, Language, Voice};
///
/// assert_eq!(Voice::polly("Mizuki").to_string(), "Polly.Mizuki");
/// assert_eq!(Voice::polly_neural("Kazuha").to_string(), "Polly.Kazuha-Neural");
/// assert_eq!(Voice::google(Language::JaJp, GoogleFamily::Neural2, "B").to_string(), "Google.ja-JP-Neural2-B");
/// assert_eq!(Voice::from("Polly.Mizuki"), Voice::polly("Mizuki"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voice {
    /// The basic male voice, the default.
    Man,
    /// The basic female voice.
    Woman,
    /// An old female voice, kept for old documents.
    Alice,
    /// A voice of Amazon Polly.
    Polly {
        /// Its name, such as `Mizuki`. Some have letters beyond ASCII (`Mía`).
        name: String,
        /// How it is made.
        engine: PollyEngine,
    },
    /// A voice of Google.
    Google {
        /// The language it speaks.
        language: Language,
        /// How it is made.
        family: GoogleFamily,
        /// Its name or letter.
        name: String,
    },
    /// Another voice, by the name Twilio gives it. `From` never puts one of the above here.
    Other(String),
}

words! {
    /// How a voice of Amazon Polly is made.
    closed PollyEngine {
        /// The first generation; its voices have no suffix.
        Standard = "",
        /// Neural.
        Neural = "-Neural",
        /// Generative.
        Generative = "-Generative",
    }

    /// How a voice of Google is made.
    open GoogleFamily {
        /// The first generation.
        Standard = "Standard",
        /// WaveNet.
        Wavenet = "Wavenet",
        /// Neural2.
        Neural2 = "Neural2",
        /// Chirp 3 HD.
        Chirp3Hd = "Chirp3-HD",
    }
}

impl Voice {
    /// A standard voice of Amazon Polly.
    #[must_use]
    pub fn polly(name: impl Into<String>) -> Self {
        Self::Polly { name: name.into(), engine: PollyEngine::Standard }
    }

    /// A neural voice of Amazon Polly.
    #[must_use]
    pub fn polly_neural(name: impl Into<String>) -> Self {
        Self::Polly { name: name.into(), engine: PollyEngine::Neural }
    }

    /// A generative voice of Amazon Polly.
    #[must_use]
    pub fn polly_generative(name: impl Into<String>) -> Self {
        Self::Polly { name: name.into(), engine: PollyEngine::Generative }
    }

    /// A voice of Google.
    #[must_use]
    pub fn google(language: impl Into<Language>, family: impl Into<GoogleFamily>, name: impl Into<String>) -> Self {
        Self::Google { language: language.into(), family: family.into(), name: name.into() }
    }
}

impl From<&str> for Voice {
    fn from(text: &str) -> Self {
        match text {
            "man" => return Self::Man,
            "woman" => return Self::Woman,
            "alice" => return Self::Alice,
            _ => {}
        }
        if let Some(voice) = text.strip_prefix("Polly.") {
            let (name, engine) = if let Some(name) = voice.strip_suffix("-Neural") {
                (name, PollyEngine::Neural)
            } else if let Some(name) = voice.strip_suffix("-Generative") {
                (name, PollyEngine::Generative)
            } else {
                (voice, PollyEngine::Standard)
            };
            return Self::Polly { name: name.into(), engine };
        }
        text.strip_prefix("Google.").and_then(google_voice).unwrap_or_else(|| Self::Other(text.into()))
    }
}

impl From<String> for Voice {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// Reads `ja-JP-Chirp3-HD-Kore`: two parts of locale, the family, one part of name.
fn google_voice(text: &str) -> Option<Voice> {
    let (locale_end, _) = text.match_indices('-').nth(1)?;
    let (locale, rest) = text.split_at(locale_end);
    let (family, name) = rest[1..].rsplit_once('-')?;
    Some(Voice::google(locale, family, name))
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Man => f.write_str("man"),
            Self::Woman => f.write_str("woman"),
            Self::Alice => f.write_str("alice"),
            Self::Polly { name, engine } => write!(f, "Polly.{name}{engine}"),
            Self::Google { language, family, name } => write!(f, "Google.{language}-{family}-{name}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

impl Value for Voice {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Man => "man".into(),
            Self::Woman => "woman".into(),
            Self::Alice => "alice".into(),
            Self::Other(name) => name.into(),
            Self::Polly { .. } | Self::Google { .. } => self.to_string().into(),
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.into())
    }
}
