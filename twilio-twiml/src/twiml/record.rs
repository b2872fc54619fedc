//! `<Record>`: the caller leaves a message.

use super::{
    macros::element,
    value::{Keys, Url},
};
use crate::{
    Seconds,
    words::{Method, RecordingEvent, Trim},
};

element! {
    /// Records the caller until they are silent, press a key, or hang up (Twilio: TwiML, `<Record>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Key, Record, Response};
    ///
    /// let record = Record::new().action("/message").max_length(120).finish_on_key(Key::HASH).play_beep(true);
    /// let xml = Response::new().say("Please leave a message.").record(record).to_xml()?;
    /// assert!(xml.contains(
    ///     r##"<Record action="/message" finishOnKey="#" maxLength="120" playBeep="true"/>"##
    /// ));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// Without `action` the current document is requested again, which is easily a loop; with a live call that was
    /// redirected here Twilio refuses it (error 11100).
    Record "Record";
    attributes {
        /// Where to go on with the recording; the current document if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// How long a silence ends it, 0 for never; 5 s if not set.
        timeout: Seconds = "timeout",
        /// The keys that end it; any if not set.
        finish_on_key: Keys = "finishOnKey",
        /// How long it can be; an hour if not set.
        max_length: Seconds = "maxLength",
        /// Whether a beep is heard first; yes if not set.
        play_beep: bool = "playBeep",
        /// Whether silence at the ends is cut off; yes if not set.
        trim: Trim = "trim",
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "recordingStatusCallback",
        /// How that callback is requested; `POST` if not set.
        recording_status_callback_method: Method = "recordingStatusCallbackMethod",
        /// What that callback is told; `completed` if not set.
        recording_status_callback_event: Vec<RecordingEvent> = "recordingStatusCallbackEvent",
        /// A recording configuration of the account.
        recording_configuration_id: String = "recordingConfigurationId",
        /// Whether it is transcribed: US English, 2–120 s.
        transcribe: bool = "transcribe",
        /// A URL that gets the transcript.
        transcribe_callback: Url = "transcribeCallback",
    }
}

impl Record {
    /// A recording.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}
