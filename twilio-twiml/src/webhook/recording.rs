//! What becomes of a recording.

use super::form::webhook;
use crate::{
    Private, Rfc2822, Seconds,
    sid::{AccountSid, CallSid, ConferenceSid, RecordingSid, TranscriptionSid},
    value::words,
    words::RecordingTrack,
};

words! {
    /// What has become of a recording.
    open RecordingStatus {
        /// It runs.
        InProgress = "in-progress",
        /// It pauses.
        Paused = "paused",
        /// It was stopped.
        Stopped = "stopped",
        /// The file is being made.
        Processing = "processing",
        /// The file can be fetched.
        Completed = "completed",
        /// There is no file: it was too short or silent.
        Absent = "absent",
        /// It failed.
        Failed = "failed",
        /// The file was deleted.
        Deleted = "deleted",
    }

    /// What started a recording.
    open RecordingSource {
        /// `<Dial record>`.
        DialVerb = "DialVerb",
        /// `<Conference record>`.
        Conference = "Conference",
        /// `Record` of create-call.
        OutboundApi = "OutboundAPI",
        /// A SIP trunk.
        Trunking = "Trunking",
        /// `<Record>`.
        RecordVerb = "RecordVerb",
        /// A REST request for a call.
        StartCallRecordingApi = "StartCallRecordingAPI",
        /// A REST request for a conference.
        StartConferenceRecordingApi = "StartConferenceRecordingAPI",
    }

    /// How a transcription of a recording ended.
    open RecordTranscriptionStatus {
        /// With a text.
        Completed = "completed",
        /// Without.
        Failed = "failed",
    }
}

webhook! {
    /// The recording status callback (Twilio: Recordings, `RecordingStatusCallback`).
    ///
    /// The file can be fetched from `completed` on.
    RecordingProgress;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The recording.
        recording_sid: RecordingSid = "RecordingSid",
        /// What has become of it.
        status: RecordingStatus = "RecordingStatus",
    }
    optional {
        /// The call; of two legs the parent. Missing for the recording of a whole conference.
        call_sid: CallSid = "CallSid",
        /// The conference.
        conference_sid: ConferenceSid = "ConferenceSid",
        /// Where the file is, without extension.
        url: String = "RecordingUrl",
        /// How long it is; final when completed.
        duration: Seconds = "RecordingDuration",
        /// One channel or two.
        channels: u8 = "RecordingChannels",
        /// Which audio it holds.
        track: RecordingTrack = "RecordingTrack",
        /// When it began.
        start_time: Rfc2822 = "RecordingStartTime",
        /// What started it.
        source: RecordingSource = "RecordingSource",
        /// Why there is no file: 16101 too short, 16102 silent.
        error_code: u32 = "ErrorCode",
    }
}

webhook! {
    /// The text of a recorded message, for `<Record transcribe="true">`.
    RecordTranscription;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The leg that left the message.
        call_sid: CallSid = "CallSid",
        /// The recording.
        recording_sid: RecordingSid = "RecordingSid",
        /// How it ended.
        status: RecordTranscriptionStatus = "TranscriptionStatus",
    }
    optional {
        /// The transcription.
        transcription_sid: String = "TranscriptionSid",
        /// The text.
        text: Private = "TranscriptionText",
        /// Where the transcription is.
        transcription_url: String = "TranscriptionUrl",
        /// Where the recording is.
        recording_url: String = "RecordingUrl",
    }
}

words! {
    /// What a real-time transcription tells.
    open TranscriptionEvent {
        /// It began.
        Started = "transcription-started",
        /// Words.
        Content = "transcription-content",
        /// It ended.
        Stopped = "transcription-stopped",
        /// It failed.
        Error = "transcription-error",
    }
}

webhook! {
    /// The callback of `<Transcription>`: the call's words while they are spoken (Twilio: TwiML, `<Transcription>`).
    ///
    /// Callbacks may arrive in another order than they were sent: the sequence id tells.
    Transcript;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The leg.
        call_sid: CallSid = "CallSid",
        /// The transcription.
        transcription_sid: TranscriptionSid = "TranscriptionSid",
        /// What it tells.
        event: TranscriptionEvent = "TranscriptionEvent",
    }
    optional {
        /// The place of this callback among those of the transcription.
        sequence_id: u64 = "SequenceId",
        /// When.
        timestamp: jiff::Timestamp = "Timestamp",
        /// Who speaks.
        track: crate::words::Track = "Track",
        /// In which language.
        language_code: crate::twiml::Language = "LanguageCode",
        /// Whether the words are certain.
        is_final: bool = "Final",
        /// The words.
        words: Words = "TranscriptionData",
        /// How certain words are that are not final, 0.0–1.0, from some engines.
        stability: f64 = "Stability",
        /// What the engine was set up with, as JSON.
        provider_configuration: String = "ProviderConfiguration",
    }
}

/// Words that were understood.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Words {
    /// What was said.
    pub transcript: Private,
    /// How certain that is, 0.0–1.0, when it is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl crate::value::Value for Words {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        serde_json::json!(self).to_string().into()
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        /// The number stays text: the JSON reader would round it in its own way.
        #[derive(serde::Deserialize)]
        struct Raw {
            transcript: String,
            confidence: Option<Box<serde_json::value::RawValue>>,
        }

        let raw: Raw = serde_json::from_str(text).map_err(|_| "a JSON object with a transcript")?;
        let confidence = raw.confidence.map(|number| f64::read(number.get())).transpose()?;
        Ok(Self { transcript: raw.transcript.into(), confidence })
    }
}
