//! How a voice model is to listen, think and speak on a call.

use std::time::Duration;

use serde_json::Value;

use crate::audio::AudioFormat;

/// How a voice model is to listen, think and speak on a call.
///
/// ```
/// use realtime_bridge::realtime::{SessionConfig, TurnDetection};
///
/// let config = SessionConfig::default()
///     .with_instructions("You answer the telephone of a dentist. Be brief.")
///     .with_voice("marin")
///     .with_turn_detection(TurnDetection::server_vad());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Who the model is and what it does. Default: empty.
    pub instructions: String,
    /// The voice. Default: `marin`.
    pub voice: String,
    /// Speed of speech, 0.25 to 1.5; `None` leaves it to the provider. Default: `None`.
    pub speed: Option<f32>,
    /// Format of the caller's audio. Default: μ-law, so that a telephone needs no conversion.
    pub input_format: AudioFormat,
    /// Format of the model's audio. Default: μ-law, so that a telephone needs no conversion.
    pub output_format: AudioFormat,
    /// The model that writes down what the caller says; `None` for no transcript. Default: `gpt-transcribe`.
    pub transcription: Option<Transcription>,
    /// Who decides when the caller has finished. Default: [`TurnDetection::server_vad`].
    pub turn_detection: TurnDetection,
    /// Noise reduction before the model listens. Default: off, as telephones do their own.
    pub noise_reduction: Option<NoiseReduction>,
    /// What the model may call. Default: nothing.
    pub tools: Vec<ToolSpec>,
    /// Longest answer in tokens, 1 to 4096; `None` for no limit. Default: `None`.
    pub max_output_tokens: Option<u32>,
    /// How hard a reasoning model thinks, such as `low`; `None` leaves it to the provider. Default: `None`.
    pub reasoning_effort: Option<String>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            instructions: String::new(),
            voice: "marin".into(),
            speed: None,
            input_format: AudioFormat::MuLaw,
            output_format: AudioFormat::MuLaw,
            transcription: Some(Transcription::default()),
            turn_detection: TurnDetection::server_vad(),
            noise_reduction: None,
            tools: Vec::new(),
            max_output_tokens: None,
            reasoning_effort: None,
        }
    }
}

impl SessionConfig {
    /// Sets who the model is and what it does.
    #[must_use]
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = instructions.into();
        self
    }

    /// Sets the voice.
    #[must_use]
    pub fn with_voice(mut self, voice: impl Into<String>) -> Self {
        self.voice = voice.into();
        self
    }

    /// Sets the formats of the caller's and the model's audio.
    #[must_use]
    pub fn with_formats(mut self, input: AudioFormat, output: AudioFormat) -> Self {
        self.input_format = input;
        self.output_format = output;
        self
    }

    /// Sets who decides when the caller has finished.
    #[must_use]
    pub fn with_turn_detection(mut self, turn_detection: TurnDetection) -> Self {
        self.turn_detection = turn_detection;
        self
    }

    /// Sets the model that writes down what the caller says.
    #[must_use]
    pub fn with_transcription(mut self, transcription: Option<Transcription>) -> Self {
        self.transcription = transcription;
        self
    }

    /// Sets noise reduction.
    #[must_use]
    pub fn with_noise_reduction(mut self, noise_reduction: Option<NoiseReduction>) -> Self {
        self.noise_reduction = noise_reduction;
        self
    }

    /// Sets what the model may call.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<ToolSpec>) -> Self {
        self.tools = tools;
        self
    }

    /// Sets the longest answer in tokens.
    #[must_use]
    pub fn with_max_output_tokens(mut self, tokens: Option<u32>) -> Self {
        self.max_output_tokens = tokens;
        self
    }

    /// Sets how hard a reasoning model thinks.
    #[must_use]
    pub fn with_reasoning_effort(mut self, effort: Option<String>) -> Self {
        self.reasoning_effort = effort;
        self
    }

    /// Sets the speed of speech, 0.25 to 1.5.
    #[must_use]
    pub fn with_speed(mut self, speed: Option<f32>) -> Self {
        self.speed = speed;
        self
    }
}

/// Who writes down what the caller says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcription {
    /// The model. Default: `gpt-transcribe`.
    pub model: String,
    /// The languages to expect, as ISO 639-1 codes. Default: none, so that the model guesses.
    pub languages: Vec<String>,
    /// Words to expect, such as names. Default: none.
    pub keywords: Vec<String>,
}

impl Default for Transcription {
    fn default() -> Self {
        Self { model: "gpt-transcribe".into(), languages: Vec::new(), keywords: Vec::new() }
    }
}

impl Transcription {
    /// Sets the model.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Sets the languages to expect, as ISO 639-1 codes.
    #[must_use]
    pub fn with_languages(mut self, languages: Vec<String>) -> Self {
        self.languages = languages;
        self
    }

    /// Sets the words to expect.
    #[must_use]
    pub fn with_keywords(mut self, keywords: Vec<String>) -> Self {
        self.keywords = keywords;
        self
    }
}

/// Who decides when the caller has begun and finished.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TurnDetection {
    /// The provider, by the loudness of the audio.
    ServerVad {
        /// 0.0 to 1.0; higher needs louder speech. Default: 0.5.
        threshold: f32,
        /// Audio kept from before the detected start. Default: 300 ms.
        prefix_padding: Duration,
        /// Silence that ends a turn. Default: 500 ms, which does not cut people off between words.
        silence: Duration,
        /// Who begins and stops answers. Default: [`TurnOwner::Provider`].
        owner: TurnOwner,
    },
    /// The provider, by whether the thought is finished.
    SemanticVad {
        /// How soon: `low`, `medium`, `high` or `auto`. Default: `auto`.
        eagerness: String,
        /// Who begins and stops answers. Default: [`TurnOwner::Provider`].
        owner: TurnOwner,
    },
    /// Nobody: we commit and ask for answers.
    Off,
}

impl TurnDetection {
    /// Detection by loudness with the defaults for a telephone.
    #[must_use]
    pub const fn server_vad() -> Self {
        Self::ServerVad {
            threshold: 0.5,
            prefix_padding: Duration::from_millis(300),
            silence: Duration::from_millis(500),
            owner: TurnOwner::Provider,
        }
    }

    /// Detection by meaning.
    #[must_use]
    pub fn semantic_vad() -> Self {
        Self::SemanticVad { eagerness: "auto".into(), owner: TurnOwner::Provider }
    }

    /// Sets who begins and stops answers.
    #[must_use]
    pub fn with_owner(mut self, new: TurnOwner) -> Self {
        match &mut self {
            Self::ServerVad { owner, .. } | Self::SemanticVad { owner, .. } => *owner = new,
            Self::Off => {}
        }
        self
    }

    /// Who begins and stops answers.
    #[must_use]
    pub const fn owner(&self) -> TurnOwner {
        match self {
            Self::ServerVad { owner, .. } | Self::SemanticVad { owner, .. } => *owner,
            Self::Off => TurnOwner::Bridge,
        }
    }
}

/// Who begins an answer when the caller has finished, and stops it when the caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TurnOwner {
    /// The provider, at once. (OpenAI: `create_response` and `interrupt_response` on.)
    Provider,
    /// We, so that an "uh-huh" need not stop the agent. (OpenAI: both off.)
    Bridge,
}

/// Where the microphone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoiseReduction {
    /// At the mouth: a handset or headset.
    NearField,
    /// In the room: a speakerphone, a car.
    FarField,
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// When to call it, and what to say before.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub parameters: Value,
}

impl ToolSpec {
    /// A tool with these arguments.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: description.into(), parameters }
    }
}
