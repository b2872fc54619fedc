//! A stay in a room, as the ear of the one who came has it.

use std::time::Duration;

/// A stay in a room, or with whom a `<Dial>` put the leg through to, as the leg heard it. All times are since the call was
/// placed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStay {
    /// The room's name; empty for the other end of a `<Dial>`.
    pub room: String,
    /// When the leg came in.
    pub joined: Duration,
    /// The end of the last sound before: of the agent's last word, as a rule.
    pub last_before: Option<Duration>,
    /// The first sound of the room: a voice, music, whatever it is given to hear.
    pub first_sound: Option<Duration>,
    /// The first sound of somebody else in the room.
    pub first_voice: Option<Duration>,
    /// When the leg was out again.
    pub left: Duration,
}

impl RoomStay {
    pub(super) const fn new(room: String, joined: Duration, last_before: Option<Duration>) -> Self {
        Self { room, joined, last_before, first_sound: None, first_voice: None, left: joined }
    }

    /// From the last sound before the room to the first one in it; `None` if there was none on one of the sides.
    #[must_use]
    pub fn gap(&self) -> Option<Duration> {
        Some(self.first_sound?.saturating_sub(self.last_before?))
    }

    /// Takes a frame with a sound in it, which begins now.
    pub(super) fn hear(&mut self, now: Duration, is_together: bool) {
        self.first_sound = self.first_sound.or(Some(now));
        if is_together {
            self.first_voice = self.first_voice.or(Some(now));
        }
    }
}
