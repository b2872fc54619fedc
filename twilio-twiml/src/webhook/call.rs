//! What becomes of a call, and who answered it.

use super::{form::webhook, voice::CallContext};
use crate::{
    Millis, Rfc2822, Seconds,
    sid::{AccountSid, CallSid, RecordingSid},
    words::AnsweredBy,
};

webhook! {
    /// The status callback of a call: of create-call, of a noun in `<Dial>`, of a participant, or of a number (Twilio:
    /// Calls, `StatusCallback`).
    ///
    /// Callbacks are requests of their own and may arrive in another order than they were sent: the sequence number
    /// tells. `completed` comes for every ending; the call's status says which.
    CallProgress;
    part {
        /// Which call, and what has become of it.
        call: CallContext
    }
    optional {
        /// The place of this callback among those of the call, from 0.
        sequence_number: u32 = "SequenceNumber",
        /// When it happened.
        timestamp: Rfc2822 = "Timestamp",
        /// What sends the callback: `call-progress-events`.
        source: String = "CallbackSource",
        /// How long the call was, in seconds, when it has ended.
        call_duration: Seconds = "CallDuration",
        /// What is billed: **minutes**, rounded up.
        billed_minutes: u32 = "Duration",
        /// How SIP says it ended, such as 404, or 487 for a ring that was given up.
        sip_response_code: u16 = "SipResponseCode",
        /// Where the recording is, without extension, if the call was made with one.
        recording_url: String = "RecordingUrl",
        /// The recording.
        recording_sid: RecordingSid = "RecordingSid",
        /// How long the recording is.
        recording_duration: Seconds = "RecordingDuration",
        /// Who answered, if detection ran.
        answered_by: AnsweredBy = "AnsweredBy",
        /// How the carrier vouches for our number: `A`, `B` or `C`.
        stir_status: String = "StirStatus",
        /// Why it failed.
        error_code: u32 = "ErrorCode",
        /// Why it failed, in words.
        error_message: String = "ErrorMessage",
    }
}

webhook! {
    /// Who answered, told by asynchronous detection (Twilio: Answering machine detection, `AsyncAmdStatusCallback`).
    AnsweringMachine;
    required {
        /// The leg.
        call_sid: CallSid = "CallSid",
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// Who answered.
        answered_by: AnsweredBy = "AnsweredBy",
    }
    optional {
        /// How long it took to tell, in milliseconds.
        detection_duration: Millis = "MachineDetectionDuration",
    }
}
