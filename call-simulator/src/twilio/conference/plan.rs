//! A `<Dial><Conference>` whose URLs are resolved.

use std::time::Duration;

use twilio_twiml::{
    twiml::{Conference, ConferenceRecord, Dial, Target},
    words::{Beep, RecordingEvent},
};
use url::Url;

use super::{RecordingTold, Told, Traits, wait_at};
use crate::twilio::{
    debugger::Alert,
    interpreter::{Fetch, action},
};

/// The most legs in a room (Twilio: TwiML, `<Conference>`).
pub(in crate::twilio) const MOST: usize = 250;

/// How a leg joins a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::twilio) struct ConferencePlan {
    pub(in crate::twilio) name: String,
    pub(in crate::twilio) traits: Traits,
    pub(in crate::twilio) most: usize,
    pub(in crate::twilio) told: Option<Told>,
    pub(in crate::twilio) record: Option<RecordingTold>,
    /// Where the leg goes on; with the next verb if `None`.
    pub(in crate::twilio) action: Option<Fetch>,
    pub(in crate::twilio) leaves_on_star: bool,
    pub(in crate::twilio) time_limit: Option<Duration>,
}

impl ConferencePlan {
    /// The plan of a `<Dial>`; `None` if it leads to no room.
    pub(in crate::twilio) fn new(base: &Url, dial: Dial) -> Result<Option<Self>, Alert> {
        let Target::Conference(room) = dial.target else { return Ok(None) };
        let plan = Self::of_room(base, *room)?;
        Ok(Some(Self {
            action: action(base, "dial action", dial.action.as_ref(), dial.method)?,
            leaves_on_star: dial.hangup_on_star.unwrap_or(false),
            time_limit: dial.time_limit.map(Duration::from),
            ..plan
        }))
    }

    fn of_room(base: &Url, room: Conference) -> Result<Self, Alert> {
        let is_silent = room.wait_url.as_ref().is_some_and(|url| url.as_str().is_empty());
        let wait_url = room.wait_url.as_ref().filter(|url| !url.as_str().is_empty());
        let wait = action(base, "wait", wait_url, room.wait_method)?;
        let told = action(base, "conference", room.status_callback.as_ref(), room.status_callback_method)?;
        let recording = action(
            base,
            "recording status",
            room.recording_status_callback.as_ref(),
            room.recording_status_callback_method,
        )?;
        Ok(Self {
            name: room.name,
            traits: Traits {
                label: room.participant_label,
                muted: room.muted.unwrap_or(false),
                starts: room.start_conference_on_enter.unwrap_or(true),
                ends: room.end_conference_on_exit.unwrap_or(false),
                beep: room.beep.unwrap_or(Beep::Always),
                coaches: room.coach,
                wait: wait_at(wait, is_silent),
            },
            most: room.max_participants.and_then(|count| usize::try_from(count.0).ok()).unwrap_or(MOST).min(MOST),
            told: told.map(|fetch| Told { fetch, events: room.status_callback_event.unwrap_or_default() }),
            record: (room.record == Some(ConferenceRecord::FromStart)).then(|| RecordingTold {
                callback: recording,
                events: room.recording_status_callback_event.unwrap_or_else(|| vec![RecordingEvent::Completed]),
            }),
            action: None,
            leaves_on_star: false,
            time_limit: None,
        })
    }
}
