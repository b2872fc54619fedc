//! The closed sets of words that TwiML, webhooks and REST share.

use crate::value::words;

words! {
    /// How Twilio makes a request to you. `POST` unless said otherwise.
    closed Method {
        /// The parameters stand in the query string; answers may be cached.
        Get = "GET",
        /// The parameters are a form.
        Post = "POST",
    }

    /// Progress of an outgoing leg that a status callback can be asked for. `completed` alone is the default.
    closed CallEvent {
        /// Dialling has begun.
        Initiated = "initiated",
        /// The other side rings.
        Ringing = "ringing",
        /// Somebody, or something, picked up.
        Answered = "answered",
        /// The leg is over, whatever the reason.
        Completed = "completed",
    }

    /// Progress of a recording that a callback can be asked for. `completed` alone is the default.
    closed RecordingEvent {
        /// Recording has begun.
        InProgress = "in-progress",
        /// The file can be fetched.
        Completed = "completed",
        /// There is no file: the recording was too short or silent.
        Absent = "absent",
    }

    /// Progress of a conference that a callback can be asked for.
    closed ConferenceEvent {
        /// Two legs are in it, and one of them starts it.
        Start = "start",
        /// It is over.
        End = "end",
        /// A leg came in.
        Join = "join",
        /// A leg went out.
        Leave = "leave",
        /// A leg was muted or unmuted.
        Mute = "mute",
        /// A leg was put on hold or taken off it.
        Hold = "hold",
        /// A leg's flags or wait URL changed.
        Modify = "modify",
        /// A leg began or stopped speaking.
        Speaker = "speaker",
        /// An announcement ended or failed.
        Announcement = "announcement",
    }

    /// Whether silence at both ends of a recording is cut off.
    closed Trim {
        /// Cut it off.
        TrimSilence = "trim-silence",
        /// Keep it.
        DoNotTrim = "do-not-trim",
    }

    /// Which audio of a leg is recorded.
    closed RecordingTrack {
        /// What Twilio hears from the leg.
        Inbound = "inbound",
        /// What Twilio plays to the leg.
        Outbound = "outbound",
        /// Both.
        Both = "both",
    }

    /// How many channels a recording has.
    closed RecordingChannels {
        /// Both sides mixed into one.
        Mono = "mono",
        /// One for each side.
        Dual = "dual",
    }

    /// Which audio of a leg a stream, transcription or SIPREC session gets.
    closed Track {
        /// What Twilio hears from the leg.
        Inbound = "inbound_track",
        /// What Twilio plays to the leg.
        Outbound = "outbound_track",
        /// Both. Not under `<Connect>` (Twilio: error 31941).
        Both = "both_tracks",
    }

    /// Answering machine detection.
    closed MachineDetection {
        /// Tell as soon as it is known who answered.
        Enable = "Enable",
        /// With a machine, wait until its greeting is over.
        DetectMessageEnd = "DetectMessageEnd",
    }

    /// When a conference plays its beep.
    closed Beep {
        /// When a leg comes in and when it goes out.
        Always = "true",
        /// Not at all.
        Never = "false",
        /// When a leg comes in.
        OnEnter = "onEnter",
        /// When a leg goes out.
        OnExit = "onExit",
    }

    /// How much a conference buffers against jitter.
    closed JitterBuffer {
        /// 60 ms.
        Large = "large",
        /// 40 ms.
        Medium = "medium",
        /// 20 ms.
        Small = "small",
        /// No delay; late packets are dropped.
        Off = "off",
    }

    /// Where a conference is mixed.
    open Region {
        /// United States, east.
        Us1 = "us1",
        /// United States, west.
        Us2 = "us2",
        /// Ireland.
        Ie1 = "ie1",
        /// Germany.
        De1 = "de1",
        /// Singapore.
        Sg1 = "sg1",
        /// Brazil.
        Br1 = "br1",
        /// Australia.
        Au1 = "au1",
        /// Japan.
        Jp1 = "jp1",
    }

    /// What has become of a call (Twilio: Calls, `CallStatus`).
    open CallStatus {
        /// Waits to be dialled.
        Queued = "queued",
        /// Dialling has begun. Only in callbacks, never in the REST resource.
        Initiated = "initiated",
        /// Rings; also the value of the first webhook of an incoming call.
        Ringing = "ringing",
        /// Answered; also while it is in a stream or a conference.
        InProgress = "in-progress",
        /// Was answered and has ended normally.
        Completed = "completed",
        /// Was busy.
        Busy = "busy",
        /// Could not be completed.
        Failed = "failed",
        /// Was not answered in time.
        NoAnswer = "no-answer",
        /// Was canceled before it was answered.
        Canceled = "canceled",
    }

    /// Who began a call.
    open Direction {
        /// Somebody called us.
        Inbound = "inbound",
        /// A REST request.
        OutboundApi = "outbound-api",
        /// A `<Dial>`.
        OutboundDial = "outbound-dial",
        /// A `<Dial>` over a SIP trunk.
        TrunkingOriginating = "trunking-originating",
        /// A call that a SIP trunk terminates.
        TrunkingTerminating = "trunking-terminating",
    }

    /// Who picked up, as answering machine detection sees it.
    open AnsweredBy {
        /// A person.
        Human = "human",
        /// A machine, known from the start of its greeting.
        MachineStart = "machine_start",
        /// A machine whose greeting ended with a beep.
        MachineEndBeep = "machine_end_beep",
        /// A machine whose greeting ended in silence.
        MachineEndSilence = "machine_end_silence",
        /// A machine whose greeting ended in another way.
        MachineEndOther = "machine_end_other",
        /// A fax.
        Fax = "fax",
        /// Could not be told.
        Unknown = "unknown",
    }
}

impl CallStatus {
    /// Whether nothing can follow: the call has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled)
    }
}

impl AnsweredBy {
    /// Whether an answering machine picked up.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        matches!(self, Self::MachineStart | Self::MachineEndBeep | Self::MachineEndSilence | Self::MachineEndOther)
    }
}
