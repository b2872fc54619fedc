//! How the simulated provider behaves towards everybody.

use std::time::Duration;

use super::Profile;

/// Settings of every session of a server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// What is left to chance (ids, sizes of audio deltas) follows from this number. Default 1.
    pub seed: u64,
    /// How fast the model is. Default [`Timing::realistic`].
    pub timing: Timing,
    /// How long a session may last. Default 60 minutes, as documented.
    pub session_limit: Duration,
    /// Whether `conversation.created` follows `session.created`. Default true, as specified; clients must not wait for
    /// it.
    pub conversation_created: bool,
    /// Whether events and audio are kept for [`Recording`](super::Recording). Default true. A session takes about
    /// 10 kB for each second of speech.
    pub record: bool,
    /// Which of the services that speak the protocol is played. Default [`Profile::OpenAi`].
    pub profile: Profile,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            timing: Timing::realistic(),
            session_limit: Duration::from_secs(60 * 60),
            conversation_created: true,
            record: true,
            profile: Profile::OpenAi,
        }
    }
}

impl Settings {
    /// Sets the number that chance follows from.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how fast the model is.
    #[must_use]
    pub const fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets how long a session may last.
    #[must_use]
    pub const fn with_session_limit(mut self, limit: Duration) -> Self {
        self.session_limit = limit;
        self
    }

    /// Sets whether `conversation.created` is sent.
    #[must_use]
    pub const fn with_conversation_created(mut self, sent: bool) -> Self {
        self.conversation_created = sent;
        self
    }

    /// Sets whether events and audio are kept.
    #[must_use]
    pub const fn with_record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Sets which of the services that speak the protocol is played.
    #[must_use]
    pub const fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }
}

/// How fast the model is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Timing {
    /// From the silence that ends a turn to `speech_stopped`.
    pub turn_end: Duration,
    /// From `response.created` to the first audio delta.
    pub first_audio: Duration,
    /// From the end of a turn to its transcript.
    pub transcription: Duration,
    /// Seconds of audio sent in one second.
    pub audio_speed: f64,
    /// Shortest audio in one delta.
    pub delta_min: Duration,
    /// Longest audio in one delta.
    pub delta_max: Duration,
}

impl Timing {
    /// As seen in the field in 2026: 350 ms to notice the end of a turn, 700 ms to the first sound, audio four times
    /// faster than it plays, in pieces of 100 to 400 ms.
    #[must_use]
    pub const fn realistic() -> Self {
        Self {
            turn_end: Duration::from_millis(350),
            first_audio: Duration::from_millis(700),
            transcription: Duration::from_millis(600),
            audio_speed: 4.0,
            delta_min: Duration::from_millis(100),
            delta_max: Duration::from_millis(400),
        }
    }

    /// For tests: no thinking, audio twenty times faster than it plays.
    #[must_use]
    pub const fn brisk() -> Self {
        Self {
            turn_end: Duration::ZERO,
            first_audio: Duration::from_millis(20),
            transcription: Duration::from_millis(50),
            audio_speed: 20.0,
            delta_min: Duration::from_millis(100),
            delta_max: Duration::from_millis(400),
        }
    }

    /// Sets the time from the silence that ends a turn to `speech_stopped`.
    #[must_use]
    pub const fn with_turn_end(mut self, turn_end: Duration) -> Self {
        self.turn_end = turn_end;
        self
    }

    /// Sets the time from `response.created` to the first audio delta.
    #[must_use]
    pub const fn with_first_audio(mut self, first_audio: Duration) -> Self {
        self.first_audio = first_audio;
        self
    }

    /// Sets the time from the end of a turn to its transcript.
    #[must_use]
    pub const fn with_transcription(mut self, transcription: Duration) -> Self {
        self.transcription = transcription;
        self
    }

    /// Sets how many seconds of audio are sent in one second.
    #[must_use]
    pub const fn with_audio_speed(mut self, audio_speed: f64) -> Self {
        self.audio_speed = audio_speed;
        self
    }

    /// Sets the shortest and longest audio in one delta.
    #[must_use]
    pub const fn with_deltas(mut self, min: Duration, max: Duration) -> Self {
        self.delta_min = min;
        self.delta_max = max;
        self
    }
}

/// What is known about a model before anybody talks to it.
///
/// OpenAI: models, Realtime guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) reasoning: bool,
}

/// The models that serve conversations; the `gpt-4o-realtime-preview` family is retired.
pub(super) const MODELS: &[Model] = &[
    Model { name: "gpt-realtime-2.1", reasoning: true },
    Model { name: "gpt-realtime-2", reasoning: true },
    Model { name: "gpt-realtime-2.1-mini", reasoning: true },
    Model { name: "gpt-realtime-1.5", reasoning: false },
    Model { name: "gpt-realtime", reasoning: false },
    Model { name: "gpt-realtime-2025-08-28", reasoning: false },
    Model { name: "gpt-realtime-mini", reasoning: false },
    Model { name: "gpt-realtime-mini-2025-12-15", reasoning: false },
];

impl Model {
    pub(super) fn named(name: &str) -> Option<Self> {
        MODELS.iter().copied().find(|model| model.name == name)
    }
}
