//! What a caller is going to do.

use std::{fmt, time::Duration};

use bytes::Bytes;
use realtime_bridge::media::DtmfDigit;

use super::{cue::Cue, ear::Phrase};
use crate::audio::fixtures::Speech;

/// Where a call stands, as a caller could tell if they knew how telephones work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// It rings: the voice webhook has not been answered.
    Ringing,
    /// The call was answered and the document before the stream is carried out.
    Answered,
    /// The media stream is being opened.
    Connecting,
    /// The media stream is up.
    Streaming,
    /// A media stream has ended and the document goes on.
    AfterStream,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ringing => "while it rang",
            Self::Answered => "before a media stream",
            Self::Connecting => "while the media stream was opened",
            Self::Streaming => "on the media stream",
            Self::AfterStream => "after the media stream",
        })
    }
}

/// Where a leg stands with the others of a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RoomPhase {
    /// In no room.
    #[default]
    Outside,
    /// In a room, and hears none of the others: it waits, is on hold, or there is nobody else.
    Waiting,
    /// In a room with somebody else.
    Together,
}

/// A caller: steps carried out one after the other from the moment the call is placed.
///
/// A caller whose steps are done stays on the line and says nothing until the call ends. A caller who waits for
/// something that does not happen gives up after their [patience](CallerScript::patience), 30 s by default, and hangs
/// up: no call lasts for ever.
///
/// ```
/// use std::time::Duration;
/// use call_simulator::{audio::fixtures::en, twilio::CallerScript};
///
/// let caller = CallerScript::new()
///     .until_agent_finishes()
///     .say(en::CALLER_HOURS)
///     .until_agent_spoke_for(Duration::from_secs(2))
///     .say(en::CALLER_INTERRUPTS)
///     .until_agent_finishes()
///     .press("42#")
///     .hang_up();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct CallerScript {
    pub(super) steps: Vec<Step>,
    pub(super) patience: Duration,
    pub(super) turn_gap: Duration,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Phase(Phase),
    InRoom,
    Together,
    Alone,
    AwaitCue(Cue),
    GiveCue(Cue),
    AgentSpeaks,
    AgentSpokeFor(Duration),
    /// Silent for this long after having been heard; the script's turn gap if `None`.
    AgentFinishes(Option<Duration>),
    /// Has been heard to say this and then was silent for the script's turn gap, or anything and then for this long.
    Hears(Phrase, Option<Duration>),
    Pause(Duration),
    Say {
        text: String,
        audio: Bytes,
    },
    Press(DtmfDigit),
    LoseAudio(Duration),
    HangUpIn(Duration),
    DropSocket,
}

impl Default for CallerScript {
    fn default() -> Self {
        Self { steps: Vec::new(), patience: Duration::from_secs(30), turn_gap: Duration::from_millis(700) }
    }
}

impl CallerScript {
    /// A caller who stays on the line and says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long each step waits for the other side before the caller gives up and hangs up. 30 s by default.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The silence after which the agent counts as having finished. 700 ms by default, longer than the pauses inside a
    /// sentence.
    pub const fn turn_gap(mut self, gap: Duration) -> Self {
        self.turn_gap = gap;
        self
    }

    /// Waits until the call has come this far.
    pub fn until_phase(self, phase: Phase) -> Self {
        self.step(Step::Phase(phase))
    }

    /// Waits until the leg is in a room, with somebody else or not.
    pub fn until_in_room(self) -> Self {
        self.step(Step::InRoom)
    }

    /// Waits until there is somebody else in the room, and both hear each other. Whatever was heard before does not count
    /// for the next wait, which is for the other's words.
    pub fn until_together(self) -> Self {
        self.step(Step::Together)
    }

    /// Waits until nobody else is in the room any more, or the leg is out of it. As with
    /// [`until_together`](CallerScript::until_together), the next wait is for new words.
    pub fn until_alone(self) -> Self {
        self.step(Step::Alone)
    }

    /// Waits until a cue was given, by whomever.
    pub fn until_cue(self, cue: &Cue) -> Self {
        self.step(Step::AwaitCue(cue.clone()))
    }

    /// Gives a cue, once everything before is done.
    pub fn cue(self, cue: &Cue) -> Self {
        self.step(Step::GiveCue(cue.clone()))
    }

    /// Waits until the agent is heard. Speech that began after the caller's last words counts.
    pub fn until_agent_speaks(self) -> Self {
        self.step(Step::AgentSpeaks)
    }

    /// Waits until the agent has been heard after the caller's last words and then was silent for the
    /// [turn gap](CallerScript::turn_gap).
    pub fn until_agent_finishes(self) -> Self {
        self.step(Step::AgentFinishes(None))
    }

    /// As [`until_agent_finishes`](CallerScript::until_agent_finishes) with a silence of its own, for an agent who is
    /// known to pause, such as to look something up.
    pub fn until_agent_is_silent_for(self, time: Duration) -> Self {
        self.step(Step::AgentFinishes(Some(time)))
    }

    /// Waits until the agent has been heard to say this to its end after the caller's last words, whatever else and
    /// however late, and then was silent for the [turn gap](CallerScript::turn_gap).
    ///
    /// This is how to wait for an answer that may be long in coming: a silence says nothing of how busy an agent is, or
    /// the machine that it runs on. The recording is known by how the level of its last three seconds rises and
    /// falls, so a caller who hears something else at the same time misses it, and one of less than a second is easily
    /// mistaken.
    pub fn until_hears(self, speech: Speech) -> Self {
        self.step(Step::Hears(Phrase::new(speech.mulaw), None))
    }

    /// As [`until_hears`](CallerScript::until_hears), but an agent who has said something else and then was silent for
    /// this long will do: for callers who may also meet an agent that has no script.
    pub fn until_hears_or_silence_of(self, speech: Speech, time: Duration) -> Self {
        self.step(Step::Hears(Phrase::new(speech.mulaw), Some(time)))
    }

    /// Waits until the agent has been speaking for this long, so that what follows interrupts.
    pub fn until_agent_spoke_for(self, time: Duration) -> Self {
        self.step(Step::AgentSpokeFor(time))
    }

    /// Says nothing for this long.
    pub fn pause(self, time: Duration) -> Self {
        self.step(Step::Pause(time))
    }

    /// Says what is recorded, in real time. Waits for the call to be answered.
    pub fn say(self, speech: Speech) -> Self {
        let text = if speech.transcript.is_empty() { speech.name } else { speech.transcript };
        self.say_audio(text, Bytes::from_static(speech.mulaw))
    }

    /// Says something else: μ-law, 8,000 Hz, in real time. The text is for the timeline. Waits for the call to be
    /// answered.
    pub fn say_audio(self, text: impl Into<String>, mulaw: impl Into<Bytes>) -> Self {
        self.step(Step::Say { text: text.into(), audio: mulaw.into() })
    }

    /// Presses keys, 200 ms apart. Waits for the call to be answered.
    ///
    /// # Panics
    ///
    /// When a character is not on a telephone: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn press(mut self, keys: &str) -> Self {
        self.steps.extend(
            keys.chars().map(|key| {
                Step::Press(DtmfDigit::new(key).unwrap_or_else(|| panic!("a telephone has no key {key:?}")))
            }),
        );
        self
    }

    /// From now on, and for this long, the network loses what the caller says: no media messages, and a jump in their
    /// timestamps. The next steps go on meanwhile.
    pub fn lose_audio(self, time: Duration) -> Self {
        self.step(Step::LoseAudio(time))
    }

    /// Hangs up.
    pub fn hang_up(self) -> Self {
        self.hang_up_in(Duration::ZERO)
    }

    /// Hangs up this much later, whatever the steps that follow are doing then.
    pub fn hang_up_in(self, time: Duration) -> Self {
        self.step(Step::HangUpIn(time))
    }

    /// Lets the network drop the media stream's socket: no `stop`, no closing handshake. The call itself goes on. Waits
    /// for the media stream.
    pub fn drop_socket(self) -> Self {
        self.step(Step::DropSocket)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
