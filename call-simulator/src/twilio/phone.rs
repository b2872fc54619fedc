//! Telephones that the account can call.

use std::time::Duration;

use bytes::Bytes;
use realtime_bridge::audio::AudioFormat;
use twilio_twiml::words::AnsweredBy;

use super::script::CallerScript;
use crate::audio::{
    codec,
    fixtures::{Speech, en, ja},
};

/// How long the beep of an answering machine is.
const BEEP: Duration = Duration::from_millis(600);

/// A telephone somewhere: what it does when the account calls it.
///
/// ```
/// use std::time::Duration;
/// use call_simulator::{audio::fixtures::en, twilio::{CallerScript, PhoneScript}};
///
/// let answers = PhoneScript::answers(CallerScript::new().say(en::CALLER_UH_HUH).until_agent_finishes().hang_up());
/// let late = answers.clone().after(Duration::from_secs(8));
/// let machine = PhoneScript::machine(en::AGENT_APOLOGY);
/// let busy = PhoneScript::busy();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PhoneScript {
    pub(super) outcome: Outcome,
    /// From the first ring.
    pub(super) after: Duration,
    pub(super) detected: Option<(AnsweredBy, Duration)>,
}

/// What comes of ringing.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answers(CallerScript),
    Busy,
    NoAnswer,
    /// The carrier's answer, as SIP has it.
    Fails(u16),
}

impl PhoneScript {
    /// Somebody who answers after a second of ringing, and what they do from then on.
    pub const fn answers(person: CallerScript) -> Self {
        Self::new(Outcome::Answers(person))
    }

    /// A telephone that is busy.
    pub const fn busy() -> Self {
        Self::new(Outcome::Busy)
    }

    /// A telephone that rings until the caller gives up.
    pub const fn no_answer() -> Self {
        Self::new(Outcome::NoAnswer)
    }

    /// A number that the carrier cannot reach, with its SIP status, such as 404.
    pub const fn fails(sip_status: u16) -> Self {
        Self::new(Outcome::Fails(sip_status))
    }

    /// An answering machine: the greeting, a beep, and two minutes for a message before it hangs up.
    pub fn machine(greeting: Speech) -> Self {
        let greeting = if greeting.transcript.is_empty() {
            (greeting.name, greeting.mulaw)
        } else {
            (greeting.transcript, greeting.mulaw)
        };
        Self::machine_audio(greeting.0, Bytes::from_static(greeting.1), true)
    }

    /// An answering machine with a greeting of its own, μ-law, 8,000 Hz, and with or without a beep.
    pub fn machine_audio(words: impl Into<String>, mulaw: impl Into<Bytes>, beeps: bool) -> Self {
        let mut machine = CallerScript::new().patience(Duration::from_secs(600)).say_audio(words, mulaw);
        if beeps {
            machine = machine.pause(Duration::from_millis(400)).say_audio("beep", beep(BEEP));
        }
        Self::answers(machine.hang_up_in(Duration::from_secs(120)))
    }

    /// A machine that hangs up right after its greeting: a full mailbox.
    pub fn full_mailbox(greeting: Speech) -> Self {
        Self::answers(CallerScript::new().say(greeting).hang_up())
    }

    /// A telephone by name: `busy`, `no-answer`, `unreachable`, `machine-en`, `machine-ja`, or one that is answered by the
    /// [caller of that name](CallerScript::named).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "busy" => Self::busy(),
            "no-answer" => Self::no_answer(),
            "unreachable" => Self::fails(404),
            "machine-en" => Self::machine(en::AGENT_APOLOGY),
            "machine-ja" => Self::machine(ja::AGENT_APOLOGY),
            person => Self::answers(CallerScript::named(person)?),
        })
    }

    /// Sets how long it rings before this comes of it. 1 s by default.
    pub const fn after(mut self, ringing: Duration) -> Self {
        self.after = ringing;
        self
    }

    /// Lets detection come to this result so long after the answer, whatever is heard: real detection errs.
    pub fn detected_as(mut self, answered_by: AnsweredBy, after: Duration) -> Self {
        self.detected = Some((answered_by, after));
        self
    }

    const fn new(outcome: Outcome) -> Self {
        Self { outcome, after: Duration::from_secs(1), detected: None }
    }
}

/// A sine of 1,000 Hz, as machines beep.
pub(super) fn beep(length: Duration) -> Vec<u8> {
    // One wave of 8 samples: the sine in steps of 45°.
    const WAVE: [i16; 8] = [0, 5_657, 8_000, 5_657, 0, -5_657, -8_000, -5_657];
    let samples: Vec<i16> = WAVE.iter().copied().cycle().take(super::frame::bytes_in(length)).collect();
    codec::encode(AudioFormat::MuLaw, &samples)
}
