//! Who is in a conference (Twilio: API, Participants).

use futures_util::Stream;

use super::{
    client::{Client, Twice},
    conferences::ConferenceHandle,
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Count, Millis, Private, Rfc2822, Seconds,
    phone::Address,
    sid::{AccountSid, ByocTrunkSid, CallSid, ConferenceSid},
    twiml::Url,
    value::words,
    webhook::Form,
    words::{
        Beep, CallEvent, ConferenceEvent, JitterBuffer, MachineDetection, Method, RecordingChannels, RecordingEvent,
        RecordingTrack, Region, Trim,
    },
};

words! {
    /// What has become of a leg that is dialled into a conference.
    open ParticipantStatus {
        /// It waits to be dialled.
        Queued = "queued",
        /// It is being dialled.
        Connecting = "connecting",
        /// It rings.
        Ringing = "ringing",
        /// It is in the conference.
        Connected = "connected",
        /// It has left.
        Complete = "complete",
        /// It could not be reached.
        Failed = "failed",
    }
}

parameters! {
    /// Somebody to be dialled into a conference (Twilio: Participants, create).
    NewParticipant;
    required {
        /// Who calls: a number of ours.
        from: Address = "From",
        /// Who is called: a number, `sip:`, `client:`, or `app:` with an application.
        to: Address = "To",
    }
    optional {
        /// A name for the leg, unique in the conference.
        label: String = "Label",
        /// The caller that is shown.
        caller_id: String = "CallerId",
        /// The caller's name that is shown, on SIP legs.
        caller_display_name: String = "CallerDisplayName",
        /// Why the call is made, for branded calling.
        call_reason: String = "CallReason",
        /// The token of an incoming call, to show its caller.
        call_token: Private = "CallToken",
        /// A trunk of our own carrier.
        byoc: ByocTrunkSid = "Byoc",
        /// How long it rings, 5–600 s; 60 s if not set. Twilio adds 5 s.
        timeout: Seconds = "Timeout",
        /// How long the leg can be; as the account allows if not set.
        time_limit: Seconds = "TimeLimit",
        /// Whether the others hear it ring; yes if not set.
        early_media: bool = "EarlyMedia",
        /// Whether the conference starts when the leg comes in; yes if not set.
        start_conference_on_enter: bool = "StartConferenceOnEnter",
        /// Whether the conference ends when the leg leaves; no if not set.
        end_conference_on_exit: bool = "EndConferenceOnExit",
        /// When a beep is played; always if not set.
        beep: Beep = "Beep",
        /// Whether the others cannot hear the leg; no if not set.
        muted: bool = "Muted",
        /// Whether the leg coaches another.
        coaching: bool = "Coaching",
        /// The leg that alone hears this one; says that it coaches.
        call_sid_to_coach: CallSid = "CallSidToCoach",
        /// What the leg hears while it waits. Empty: silence. Twilio's own music if not set.
        wait_url: Url = "WaitUrl",
        /// How that one is requested; `POST` if not set.
        wait_method: Method = "WaitMethod",
        /// The most legs in the conference, 2–250.
        max_participants: Count = "MaxParticipants",
        /// How much is buffered against jitter; the most if not set.
        jitter_buffer_size: JitterBuffer = "JitterBufferSize",
        /// Where the conference is mixed; Twilio chooses if not set.
        region: Region = "Region",
        /// A URL to be told what becomes of the leg.
        status_callback: Url = "StatusCallback",
        /// How that one is requested; `POST` if not set.
        status_callback_method: Method = "StatusCallbackMethod",
        /// A URL to be told what happens in the conference. Only that of the first leg counts.
        conference_status_callback: Url = "ConferenceStatusCallback",
        /// How that one is requested; `POST` if not set.
        conference_status_callback_method: Method = "ConferenceStatusCallbackMethod",
        /// Whether the leg is recorded, also between conferences; no if not set.
        record: bool = "Record",
        /// One channel or two; one if not set.
        recording_channels: RecordingChannels = "RecordingChannels",
        /// Which side of the leg is recorded; both if not set.
        recording_track: RecordingTrack = "RecordingTrack",
        /// A URL to be told what becomes of the leg's recording.
        recording_status_callback: Url = "RecordingStatusCallback",
        /// How that one is requested; `POST` if not set.
        recording_status_callback_method: Method = "RecordingStatusCallbackMethod",
        /// A recording configuration of the account.
        recording_configuration_id: String = "RecordingConfigurationId",
        /// Whether silence at the ends of the leg's recording is cut off.
        trim: Trim = "Trim",
        /// Whether the conference is recorded; no if not set.
        conference_record: ConferenceRecord = "ConferenceRecord",
        /// Whether silence at the ends of the conference's recording is cut off; yes if not set.
        conference_trim: Trim = "ConferenceTrim",
        /// A URL to be told what becomes of the conference's recording.
        conference_recording_status_callback: Url = "ConferenceRecordingStatusCallback",
        /// How that one is requested; `POST` if not set.
        conference_recording_status_callback_method: Method = "ConferenceRecordingStatusCallbackMethod",
        /// Whether to find out if a machine answers; no if not set.
        machine_detection: MachineDetection = "MachineDetection",
        /// How long to try, 3–60 s; 30 s if not set.
        machine_detection_timeout: Seconds = "MachineDetectionTimeout",
        /// Speech longer than this is a machine's, 1000–6000 ms; 2400 ms if not set.
        machine_detection_speech_threshold: Millis = "MachineDetectionSpeechThreshold",
        /// Silence after speech that ends it, 500–5000 ms; 1200 ms if not set.
        machine_detection_speech_end_threshold: Millis = "MachineDetectionSpeechEndThreshold",
        /// Silence at the start that ends the attempt, 2000–10000 ms; 5000 ms if not set.
        machine_detection_silence_timeout: Millis = "MachineDetectionSilenceTimeout",
        /// A URL to be told who answered.
        amd_status_callback: Url = "AmdStatusCallback",
        /// How that one is requested; `POST` if not set.
        amd_status_callback_method: Method = "AmdStatusCallbackMethod",
        /// The user name, if a SIP address asks for one.
        sip_auth_username: String = "SipAuthUsername",
        /// The password, if a SIP address asks for one.
        sip_auth_password: Private = "SipAuthPassword",
        /// A URL to be told that a client is called.
        client_notification_url: Url = "ClientNotificationUrl",
    }
    lists {
        /// What the leg's callback is told; `completed` if not set.
        status_callback_event: CallEvent = "StatusCallbackEvent",
        /// What the conference's callback is told; `start` and `end` if not set.
        conference_status_callback_event: ConferenceEvent = "ConferenceStatusCallbackEvent",
        /// What the recording's callback is told; `completed` if not set.
        recording_status_callback_event: RecordingEvent = "RecordingStatusCallbackEvent",
        /// What the conference recording's callback is told; `completed` if not set.
        conference_recording_status_callback_event: RecordingEvent = "ConferenceRecordingStatusCallbackEvent",
    }
}

words! {
    /// Whether a conference that a participant opens is recorded.
    closed ConferenceRecord {
        /// It is not.
        DoNotRecord = "do-not-record",
        /// From its start.
        FromStart = "record-from-start",
        /// An old word for from its start.
        True = "true",
        /// An old word for not.
        False = "false",
    }
}

impl NewParticipant {
    /// Somebody, called from one of our numbers.
    #[must_use]
    pub fn new(from: impl Into<Address>, to: impl Into<Address>) -> Self {
        Self::bare(from.into(), to.into())
    }
}

parameters! {
    /// A change to a leg in a conference (Twilio: Participants, update).
    ParticipantUpdate;
    optional {
        /// Whether the others cannot hear the leg.
        muted: bool = "Muted",
        /// Whether the leg is on hold.
        hold: bool = "Hold",
        /// What the leg hears on hold.
        hold_url: Url = "HoldUrl",
        /// How that one is requested; `GET` if not set.
        hold_method: Method = "HoldMethod",
        /// What the leg alone hears now.
        announce_url: Url = "AnnounceUrl",
        /// How that one is requested; `POST` if not set.
        announce_method: Method = "AnnounceMethod",
        /// What the leg hears while it waits.
        wait_url: Url = "WaitUrl",
        /// How that one is requested; `POST` if not set.
        wait_method: Method = "WaitMethod",
        /// Whether a beep is played when the leg leaves.
        beep_on_exit: bool = "BeepOnExit",
        /// Whether the conference ends when the leg leaves.
        end_conference_on_exit: bool = "EndConferenceOnExit",
        /// Whether the leg coaches another.
        coaching: bool = "Coaching",
        /// The leg that alone hears this one.
        call_sid_to_coach: CallSid = "CallSidToCoach",
    }
}

impl ParticipantUpdate {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for ParticipantUpdate {
    fn default() -> Self {
        Self::new()
    }
}

parameters! {
    /// Which legs of a conference are listed; all if nothing is set.
    ParticipantFilter;
    optional {
        /// Muted or not.
        muted: bool = "Muted",
        /// On hold or not.
        hold: bool = "Hold",
        /// Coaching or not.
        coaching: bool = "Coaching",
    }
}

impl ParticipantFilter {
    /// All legs.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for ParticipantFilter {
    fn default() -> Self {
        Self::new()
    }
}

resource! {
    /// A leg in a conference, as the API knows it (Twilio: Participants, resource).
    Participant;
    required {
        /// The leg.
        call_sid: CallSid,
        /// The conference.
        conference_sid: ConferenceSid,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// Its name in the conference.
        label: String,
        /// What has become of it.
        status: ParticipantStatus,
        /// Whether the others cannot hear it.
        muted: bool,
        /// Whether it is on hold.
        hold: bool,
        /// Whether it coaches another.
        coaching: bool,
        /// The leg it coaches.
        call_sid_to_coach: CallSid,
        /// Whether the conference starts when it comes in.
        start_conference_on_enter: bool,
        /// Whether the conference ends when it leaves.
        end_conference_on_exit: bool,
        /// How long it waited to be dialled.
        queue_time: Millis,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// One leg in a conference.
#[derive(Debug, Clone, Copy)]
pub struct ParticipantHandle<'a> {
    client: &'a Client,
    conference: &'a str,
    leg: &'a str,
}

impl Client {
    /// Dials somebody into the conference of this name, which is opened if there is none. Waits for its turn like
    /// [`Calls::create`](super::Calls::create), and is repeated as rarely.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dial_into(&self, room: &str, participant: &NewParticipant) -> Result<Participant, Error> {
        ConferenceHandle { client: self, sid: room }.dial(participant).await
    }
}

impl<'a> ConferenceHandle<'a> {
    /// Dials somebody into the conference. Waits for its turn like [`Calls::create`](super::Calls::create), and is
    /// repeated as rarely.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dial(&self, participant: &NewParticipant) -> Result<Participant, Error> {
        let path = ["Conferences", self.sid, "Participants.json"];
        self.client.json(self.client.post(&path, &participant.form(), Twice::Different).paced()).await
    }

    /// The legs that fit.
    pub fn participants(
        &self,
        filter: &ParticipantFilter,
    ) -> impl Stream<Item = Result<Participant, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["Conferences", self.sid, "Participants.json"], &query), "participants")
    }

    /// One leg, by its call.
    #[must_use]
    pub fn participant(&self, call: &'a CallSid) -> ParticipantHandle<'a> {
        self.labelled(call.as_str())
    }

    /// One leg, by its label.
    #[must_use]
    pub fn labelled(&self, label: &'a str) -> ParticipantHandle<'a> {
        ParticipantHandle { client: self.client, conference: self.sid, leg: label }
    }
}

impl ParticipantHandle<'_> {
    /// How the leg is.
    ///
    /// # Errors
    /// [`Problem::NotFound`](super::Problem::NotFound) if it has left.
    pub async fn fetch(&self) -> Result<Participant, Error> {
        self.client.json(self.client.get(&self.path(&self.file()), &Form::new())).await
    }

    /// Changes the leg.
    ///
    /// # Errors
    /// [`Problem::NotFound`](super::Problem::NotFound) if it has left.
    pub async fn update(&self, update: &ParticipantUpdate) -> Result<Participant, Error> {
        // An announcement would be heard twice; all else is a state.
        let twice = if update.announce_url.is_some() { Twice::Different } else { Twice::Same };
        self.client.json(self.client.post(&self.path(&self.file()), &update.form(), twice)).await
    }

    /// The others no longer hear the leg, or hear it again.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn mute(&self, muted: bool) -> Result<Participant, Error> {
        self.update(&ParticipantUpdate::new().muted(muted)).await
    }

    /// Puts the leg on hold; it hears what is at the URL.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn hold(&self, url: impl Into<Url>) -> Result<Participant, Error> {
        self.update(&ParticipantUpdate::new().hold(true).hold_url(url)).await
    }

    /// Takes the leg off hold.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn unhold(&self) -> Result<Participant, Error> {
        self.update(&ParticipantUpdate::new().hold(false)).await
    }

    /// Only this other leg hears the leg from now on; everybody with `None`.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn coach(&self, call: Option<CallSid>) -> Result<Participant, Error> {
        let update = ParticipantUpdate::new().coaching(call.is_some());
        self.update(&call.into_iter().fold(update, ParticipantUpdate::call_sid_to_coach)).await
    }

    /// Plays something to this leg alone.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn announce(&self, url: impl Into<Url>) -> Result<Participant, Error> {
        self.update(&ParticipantUpdate::new().announce_url(url)).await
    }

    /// Removes the leg from the conference. Its own document goes on after the `<Dial>`.
    ///
    /// # Errors
    /// [`Problem::NotFound`](super::Problem::NotFound) if it has left.
    pub async fn remove(&self) -> Result<(), Error> {
        self.client.done(self.client.delete(&self.path(&self.file()))).await
    }

    fn path<'p>(&'p self, file: &'p str) -> [&'p str; 4] {
        ["Conferences", self.conference, "Participants", file]
    }

    fn file(&self) -> String {
        format!("{}.json", self.leg)
    }
}
