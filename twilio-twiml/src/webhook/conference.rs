//! What happens in a conference.

use super::form::webhook;
use crate::{
    Rfc2822,
    sid::{AccountSid, CallSid, ConferenceSid},
    value::words,
    words::CallStatus,
};

words! {
    /// What happened in a conference.
    open ConferenceHappening {
        /// Two legs are in it, and one of them starts it.
        Start = "conference-start",
        /// It is over.
        End = "conference-end",
        /// A leg came in.
        Join = "participant-join",
        /// A leg went out.
        Leave = "participant-leave",
        /// A leg was muted.
        Mute = "participant-mute",
        /// A leg was unmuted.
        Unmute = "participant-unmute",
        /// A leg was put on hold.
        Hold = "participant-hold",
        /// A leg was taken off hold.
        Unhold = "participant-unhold",
        /// A leg's flags or wait URL changed.
        Modify = "participant-modify",
        /// A leg began to speak.
        SpeechStart = "participant-speech-start",
        /// A leg stopped speaking.
        SpeechStop = "participant-speech-stop",
        /// An announcement is over.
        AnnouncementEnd = "announcement-end",
        /// An announcement failed.
        AnnouncementFail = "announcement-fail",
    }

    /// Why a conference ended. Written with hyphens.
    open WhyEnded {
        /// By a REST request.
        ByApi = "conference-ended-via-api",
        /// The last leg was removed.
        LastKicked = "last-participant-kicked",
        /// The last leg left.
        LastLeft = "last-participant-left",
        /// A leg that ends it was removed.
        EnderKicked = "participant-with-end-conference-on-exit-kicked",
        /// A leg that ends it left.
        EnderLeft = "participant-with-end-conference-on-exit-left",
    }

    /// Why a leg left. Written with underscores.
    open WhyLeft {
        /// The conference was ended by a REST request.
        ByApi = "conference_ended_via_api",
        /// A leg that ends the conference left.
        ModeratorEnded = "moderator_ended_conference",
        /// The leg was redirected: it is not lost, its call goes on.
        Redirected = "participant_updated_via_api",
        /// The leg hung up.
        HungUp = "participant_hung_up",
        /// The leg was dialled and never came in.
        AddFailed = "participant_add_failed",
    }
}

webhook! {
    /// The conference status callback (Twilio: TwiML, `<Conference>`, `statusCallback`).
    ConferenceProgress;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The conference.
        conference_sid: ConferenceSid = "ConferenceSid",
        /// The room's name.
        friendly_name: String = "FriendlyName",
        /// What happened.
        event: ConferenceHappening = "StatusCallbackEvent",
    }
    optional {
        /// The place of this callback among those of the conference, from 1.
        sequence_number: u32 = "SequenceNumber",
        /// When it happened.
        timestamp: Rfc2822 = "Timestamp",
        /// The leg it is about.
        call_sid: CallSid = "CallSid",
        /// The leg's label.
        participant_label: String = "ParticipantLabel",
        /// Whether the leg is muted.
        muted: bool = "Muted",
        /// Whether the leg is on hold.
        hold: bool = "Hold",
        /// Whether the leg coaches another.
        coaching: bool = "Coaching",
        /// Whether the conference ends when the leg leaves.
        end_conference_on_exit: bool = "EndConferenceOnExit",
        /// Whether the conference starts when the leg comes in.
        start_conference_on_enter: bool = "StartConferenceOnEnter",
        /// What has become of the leg's call, when it left.
        participant_call_status: CallStatus = "ParticipantCallStatus",
        /// Why the leg left.
        why_left: WhyLeft = "ReasonParticipantLeft",
        /// Why the conference ended.
        why_ended: WhyEnded = "ReasonConferenceEnded",
        /// Why the conference ended, in words.
        reason: String = "Reason",
        /// The leg that ended it.
        call_sid_ending_conference: CallSid = "CallSidEndingConference",
        /// The label of the leg that ended it.
        participant_label_ending_conference: String = "ParticipantLabelEndingConference",
        /// What was announced.
        announce_url: String = "AnnounceUrl",
        /// Why the announcement failed.
        reason_announcement_failed: String = "ReasonAnnouncementFailed",
    }
}
