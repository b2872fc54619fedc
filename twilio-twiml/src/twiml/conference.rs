//! `<Conference>`: the room that a `<Dial>` can lead to.

use super::{
    error::BuildError,
    macros::element,
    value::{Url, noun_text},
    writer::Writer,
};
use crate::{
    Count,
    sid::CallSid,
    value::words,
    words::{Beep, ConferenceEvent, JitterBuffer, Method, RecordingEvent, Region, Trim},
};

words! {
    /// Whether a conference is recorded.
    closed ConferenceRecord {
        /// It is not.
        DoNotRecord = "do-not-record",
        /// From the moment two legs hear each other.
        FromStart = "record-from-start",
    }
}

/// The longest name and label, in characters (Twilio: TwiML, `<Conference>`).
const NAME_LIMIT: usize = 128;
/// The most legs in one room (Twilio: TwiML, `<Conference>`).
const LEG_LIMIT: Count = Count(250);

element! {
    /// A room, in `<Dial>` (Twilio: TwiML, `<Conference>`).
    ///
    /// The first leg that names it opens it; a name is one room in the whole account.
    ///
    /// ```
    /// use twilio_twiml::{twiml::{Conference, Dial, Response}, words::{Beep, ConferenceEvent}};
    ///
    /// let room = Conference::new("room-CAfedc")
    ///     .start_conference_on_enter(true)
    ///     .end_conference_on_exit(false)
    ///     .beep(Beep::Never)
    ///     .participant_label("caller")
    ///     .status_callback("https://bridge.example.com/conference")
    ///     .status_callback_event([ConferenceEvent::Join, ConferenceEvent::Leave]);
    /// let xml = Response::new().dial(Dial::to(room).action("/after-room")).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Dial action="/after-room"><Conference startConferenceOnEnter="true" endConferenceOnExit="false" "#,
    ///     r#"beep="false" participantLabel="caller" statusCallback="https://bridge.example.com/conference" "#,
    ///     r#"statusCallbackEvent="join leave">room-CAfedc</Conference></Dial>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// The status callback with its events and the region are taken from the first leg that joins; later legs cannot
    /// change them. The other attributes belong to each leg.
    Conference "Conference";
    check = check;
    attributes {
        /// Whether the room starts when this leg comes in; yes if not set. Until a leg starts it, everybody waits and
        /// hears the wait music.
        start_conference_on_enter: bool = "startConferenceOnEnter",
        /// Whether the room closes for all when this leg goes; no if not set.
        end_conference_on_exit: bool = "endConferenceOnExit",
        /// Whether the others cannot hear this leg; no if not set.
        muted: bool = "muted",
        /// When a beep is played; always if not set.
        beep: Beep = "beep",
        /// The leg in the room that alone hears this one.
        coach: CallSid = "coach",
        /// A name for this leg, unique in the room: at most 128 characters, no `/`, not shaped like a SID.
        participant_label: String = "participantLabel",
        /// The most legs in the room, at most 250.
        max_participants: Count = "maxParticipants",
        /// What a waiting leg hears: an MP3 or WAV file, or a document of `Play`, `Say`, `Pause` and `Redirect`. Empty:
        /// silence. Twilio's own music if not set.
        wait_url: Url = "waitUrl",
        /// How `wait_url` is requested; `POST` if not set. With `GET` a file is cached.
        wait_method: Method = "waitMethod",
        /// How much is buffered against jitter; the most if not set.
        jitter_buffer_size: JitterBuffer = "jitterBufferSize",
        /// Where the room is mixed; Twilio chooses if not set.
        region: Region = "region",
        /// Whether the room is recorded; no if not set.
        record: ConferenceRecord = "record",
        /// Whether silence at the ends of the recording is cut off; yes if not set.
        trim: Trim = "trim",
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "recordingStatusCallback",
        /// How that callback is requested; `POST` if not set.
        recording_status_callback_method: Method = "recordingStatusCallbackMethod",
        /// What that callback is told; `completed` if not set.
        recording_status_callback_event: Vec<RecordingEvent> = "recordingStatusCallbackEvent",
        /// A recording configuration of the account.
        recording_configuration_id: String = "recordingConfigurationId",
        /// A URL to be told what happens in the room.
        status_callback: Url = "statusCallback",
        /// How that callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
        /// What that callback is told; nothing if not set.
        status_callback_event: Vec<ConferenceEvent> = "statusCallbackEvent",
        /// An old way to be told; use `status_callback`.
        event_callback_url: Url = "eventCallbackUrl",
    }
    text {
        /// The room's name, at most 128 characters.
        name: String
    }
}

impl Conference {
    /// The room of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::bare(noun_text(name))
    }
}

fn check(room: &Conference, writer: &mut Writer) {
    if room.name.is_empty() || room.name.chars().count() > NAME_LIMIT {
        writer.fail(BuildError::Content {
            element: "Conference".into(),
            reason: "a room's name has 1 to 128 characters",
        });
    }
    let mut bad = |attribute: &'static str, reason| {
        writer.fail(BuildError::Attribute { element: "Conference".into(), attribute: attribute.into(), reason });
    };
    if room.max_participants.is_some_and(|legs| legs > LEG_LIMIT) {
        bad("maxParticipants", "a room has at most 250 legs");
    }
    if let Some(label) = &room.participant_label
        && (label.chars().count() > NAME_LIMIT || label.contains('/') || label.parse::<CallSid>().is_ok())
    {
        bad("participantLabel", "a label has at most 128 characters, no slash, and is no CallSid");
    }
}
