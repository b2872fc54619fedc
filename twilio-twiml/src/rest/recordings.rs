//! Recordings: started, paused, stopped, listed, fetched (Twilio: API, Recordings).

use std::fmt;

use bytes::Bytes;
use futures_util::Stream;
use jiff::civil::Date;

use super::{
    calls::CallHandle,
    client::{Client, Request, Twice},
    conferences::ConferenceHandle,
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Rfc2822, Seconds,
    sid::{AccountSid, CallSid, ConferenceSid, RecordingSid},
    twiml::Url,
    value::words,
    webhook::{Form, RecordingSource, RecordingStatus},
    words::{Method, RecordingChannels, RecordingEvent, RecordingTrack, Trim},
};

words! {
    /// What a recording holds of a pause.
    closed PauseBehavior {
        /// Silence, as long as the pause.
        Silence = "silence",
        /// Nothing.
        Skip = "skip",
    }

    /// The format of a file.
    closed AudioFile {
        /// Uncompressed.
        Wav = "wav",
        /// Compressed. Not for encrypted recordings.
        Mp3 = "mp3",
    }
}

/// The file of a recording, as it is downloaded (Twilio: Recordings, media file).
///
/// ```
/// use twilio_twiml::{rest::{AudioFile, Download}, words::RecordingChannels};
///
/// let as_it_is = Download::from(AudioFile::Wav);
/// let both_sides = Download::new(AudioFile::Wav).requested_channels(RecordingChannels::Dual);
/// assert_ne!(as_it_is, both_sides);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download {
    /// The format.
    pub format: AudioFile,
    /// One channel or two; as it was recorded if `None`. What was recorded in one cannot be had in two.
    pub requested_channels: Option<RecordingChannels>,
}

impl Download {
    /// A file with as many channels as were recorded.
    #[must_use]
    pub fn new(format: AudioFile) -> Self {
        Self { format, requested_channels: None }
    }

    /// One channel or two. What was recorded in one cannot be had in two.
    #[must_use]
    pub fn requested_channels(mut self, channels: RecordingChannels) -> Self {
        self.requested_channels = Some(channels);
        self
    }

    fn query(self) -> Form {
        let count = match self.requested_channels {
            None => return Form::new(),
            Some(RecordingChannels::Mono) => "1",
            Some(RecordingChannels::Dual) => "2",
        };
        Form::new().with("RequestedChannels", count)
    }
}

impl From<AudioFile> for Download {
    fn from(format: AudioFile) -> Self {
        Self::new(format)
    }
}

parameters! {
    /// A recording of a call in progress (Twilio: Recordings, create).
    NewRecording;
    optional {
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "RecordingStatusCallback",
        /// How that one is requested; `POST` if not set.
        recording_status_callback_method: Method = "RecordingStatusCallbackMethod",
        /// Whether silence at the ends is cut off; no if not set.
        trim: Trim = "Trim",
        /// One channel or two; one if not set.
        recording_channels: RecordingChannels = "RecordingChannels",
        /// Which side is recorded; both if not set.
        recording_track: RecordingTrack = "RecordingTrack",
        /// A recording configuration of the account.
        recording_configuration_id: String = "RecordingConfigurationId",
    }
    lists {
        /// What the callback is told; `completed` if not set.
        recording_status_callback_event: RecordingEvent = "RecordingStatusCallbackEvent",
    }
}

impl NewRecording {
    /// A recording as Twilio makes it if nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for NewRecording {
    fn default() -> Self {
        Self::new()
    }
}

parameters! {
    /// Which recordings are listed; all if nothing is set.
    RecordingFilter;
    optional {
        /// Of this call. Only when listing those of the account.
        call_sid: CallSid = "CallSid",
        /// Of this conference. Only when listing those of the account.
        conference_sid: ConferenceSid = "ConferenceSid",
        /// Created on this day.
        created_on: Date = "DateCreated",
        /// Created before this day.
        created_before: Date = "DateCreated<",
        /// Created after this day.
        created_after: Date = "DateCreated>",
        /// Also those that were deleted in the last 40 days. Only when listing those of the account.
        include_soft_deleted: bool = "IncludeSoftDeleted",
    }
}

impl RecordingFilter {
    /// All recordings.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for RecordingFilter {
    fn default() -> Self {
        Self::new()
    }
}

resource! {
    /// A recording, as the API knows it (Twilio: Recordings, resource).
    Recording;
    required {
        /// The recording.
        sid: RecordingSid,
        /// What has become of it.
        status: RecordingStatus,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// The call; of two legs the parent.
        call_sid: CallSid,
        /// The conference.
        conference_sid: ConferenceSid,
        /// How long it is.
        duration: Seconds,
        /// One channel or two.
        channels: u8,
        /// What started it.
        source: RecordingSource,
        /// Which side is recorded.
        track: RecordingTrack,
        /// When it began.
        start_time: Rfc2822,
        /// Why there is no file.
        error_code: u32,
        /// What it costs.
        price: String,
        /// The currency of the price.
        price_unit: String,
        /// Where the file is, without extension.
        media_url: String,
        /// The version of the API.
        api_version: String,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// The recordings of the account.
#[derive(Debug, Clone, Copy)]
pub struct Recordings<'a> {
    client: &'a Client,
}

/// One recording.
#[derive(Debug, Clone, Copy)]
pub struct RecordingHandle<'a> {
    client: &'a Client,
    sid: &'a RecordingSid,
}

/// A recording that runs, of a call or a conference.
#[derive(Clone, Copy)]
pub struct RunningRecording<'a> {
    client: &'a Client,
    /// `Calls` or `Conferences`.
    kind: &'static str,
    owner: &'a str,
    /// The one that runs, if it is the only one.
    sid: Option<&'a RecordingSid>,
}

impl fmt::Debug for RunningRecording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningRecording({}/{}, {:?})", self.kind, self.owner, self.sid)
    }
}

impl Client {
    /// The recordings of the account.
    #[must_use]
    pub fn recordings(&self) -> Recordings<'_> {
        Recordings { client: self }
    }

    /// One recording.
    #[must_use]
    pub fn recording<'a>(&'a self, sid: &'a RecordingSid) -> RecordingHandle<'a> {
        RecordingHandle { client: self, sid }
    }
}

impl Recordings<'_> {
    /// The recordings that fit, newest first.
    pub fn list(&self, filter: &RecordingFilter) -> impl Stream<Item = Result<Recording, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["Recordings.json"], &query), "recordings")
    }
}

impl RecordingHandle<'_> {
    /// What has become of the recording.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<Recording, Error> {
        self.client.json(self.client.get(&["Recordings", &format!("{}.json", self.sid)], &Form::new())).await
    }

    /// What is known about the recording, also if it was deleted in the last 40 days.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_even_deleted(&self) -> Result<Recording, Error> {
        let query = Form::new().with("IncludeSoftDeleted", "true");
        self.client.json(self.client.get(&["Recordings", &format!("{}.json", self.sid)], &query)).await
    }

    /// The file, piece by piece as it arrives. It is there once the recording is completed.
    ///
    /// # Errors
    /// [`Problem::NotFound`](super::Problem::NotFound) while there is no file, and
    /// [`Problem::BadRequest`](super::Problem::BadRequest) for two channels of a recording that has one. A stream that breaks ends with an error
    /// and is not taken up again.
    pub async fn download<D: Into<Download>>(
        &self,
        file: D,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<D>, Error> {
        let download = file.into();
        let file = format!("{}.{}", self.sid, download.format);
        self.client.download(self.client.get(&["Recordings", &file], &download.query())).await
    }

    /// Deletes the file. What is known about it stays for 40 days.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.done(self.client.delete(&["Recordings", &format!("{}.json", self.sid)])).await
    }
}

impl<'a> CallHandle<'a> {
    /// Starts to record the call, which must be in progress.
    ///
    /// # Errors
    /// [`Problem::CallNotInProgress`](super::Problem::CallNotInProgress).
    pub async fn start_recording(&self, recording: &NewRecording) -> Result<Recording, Error> {
        let path = ["Calls", self.sid.as_str(), "Recordings.json"];
        self.client.json(self.client.post(&path, &recording.form(), Twice::Different)).await
    }

    /// The one recording of the call that runs. With several, take [`recording`](Self::recording).
    #[must_use]
    pub fn current_recording(&self) -> RunningRecording<'a> {
        RunningRecording { client: self.client, kind: "Calls", owner: self.sid.as_str(), sid: None }
    }

    /// One recording of the call.
    #[must_use]
    pub fn recording(&self, sid: &'a RecordingSid) -> RunningRecording<'a> {
        RunningRecording { sid: Some(sid), ..self.current_recording() }
    }

    /// The recordings of the call that fit.
    pub fn recordings(&self, filter: &RecordingFilter) -> impl Stream<Item = Result<Recording, Error>> + Send + use<> {
        list(self.client, &["Calls", self.sid.as_str(), "Recordings.json"], filter)
    }
}

impl<'a> ConferenceHandle<'a> {
    /// The one recording of the conference that runs.
    #[must_use]
    pub fn current_recording(&self) -> RunningRecording<'a> {
        RunningRecording { client: self.client, kind: "Conferences", owner: self.sid, sid: None }
    }

    /// One recording of the conference.
    #[must_use]
    pub fn recording(&self, sid: &'a RecordingSid) -> RunningRecording<'a> {
        RunningRecording { sid: Some(sid), ..self.current_recording() }
    }

    /// The recordings of the conference that fit.
    pub fn recordings(&self, filter: &RecordingFilter) -> impl Stream<Item = Result<Recording, Error>> + Send + use<> {
        list(self.client, &["Conferences", self.sid, "Recordings.json"], filter)
    }
}

fn list(
    client: &Client,
    path: &[&str],
    filter: &RecordingFilter,
) -> impl Stream<Item = Result<Recording, Error>> + Send + use<> {
    client.list(client.get(path, &filter.form().with("PageSize", PAGE_SIZE)), "recordings")
}

impl RunningRecording<'_> {
    /// Pauses it, for card numbers and the like.
    ///
    /// # Errors
    /// [`Problem::RecordingConflict`](super::Problem::RecordingConflict) if several run and none is named.
    pub async fn pause(&self, behavior: PauseBehavior) -> Result<Recording, Error> {
        self.change(&Form::new().with("Status", "paused").with("PauseBehavior", behavior.as_str())).await
    }

    /// Goes on after a pause.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<Recording, Error> {
        self.change(&Form::new().with("Status", "in-progress")).await
    }

    /// Ends it, for good.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn stop(&self) -> Result<Recording, Error> {
        self.change(&Form::new().with("Status", "stopped")).await
    }

    /// What has become of it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<Recording, Error> {
        let file = self.file();
        self.client.json(self.client.get(&self.path(&file), &Form::new())).await
    }

    /// Deletes the file.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self) -> Result<(), Error> {
        let file = self.file();
        self.client.done(self.client.delete(&self.path(&file))).await
    }

    async fn change(&self, form: &Form) -> Result<Recording, Error> {
        let file = self.file();
        let request: Request = self.client.post(&self.path(&file), form, Twice::Same);
        self.client.json(request).await
    }

    fn path<'p>(&'p self, file: &'p str) -> [&'p str; 4] {
        [self.kind, self.owner, "Recordings", file]
    }

    fn file(&self) -> String {
        format!("{}.json", self.sid.map_or("Twilio.CURRENT", RecordingSid::as_str))
    }
}
