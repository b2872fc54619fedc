//! How a verb ended: the requests to its `action`. The answer is a document that takes the place of the old one.

use super::{form::webhook, voice::CallContext};
use crate::{
    Private, Seconds,
    sid::{CallSid, QueueSid},
    value::words,
};

webhook! {
    /// What a caller answered to a `<Gather>` (Twilio: TwiML, `<Gather>`, `action`).
    Gathered;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// The keys.
        digits: Private = "Digits",
        /// The key that ended the input.
        finished_on_key: String = "FinishedOnKey",
        /// The words.
        speech: Private = "SpeechResult",
        /// How certain the words are, 0.0–1.0.
        confidence: f64 = "Confidence",
        /// In which language the words are.
        language: crate::twiml::Language = "Language",
    }
}

webhook! {
    /// Words before they are certain, for the `partialResultCallback` of a `<Gather>`.
    PartialSpeech;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// Words that may still change.
        unstable: Private = "UnstableSpeechResult",
        /// Words that will stay.
        stable: Private = "StableSpeechResult",
        /// The place of this callback among those of the input.
        sequence_number: u32 = "SequenceNumber",
    }
}

words! {
    /// How a `<Dial>` ended.
    open DialStatus {
        /// Somebody answered, and they talked.
        Completed = "completed",
        /// After a conference.
        Answered = "answered",
        /// The other side was busy.
        Busy = "busy",
        /// Nobody answered.
        NoAnswer = "no-answer",
        /// The call could not be made.
        Failed = "failed",
        /// The caller gave up.
        Canceled = "canceled",
    }
}

webhook! {
    /// How a `<Dial>` ended (Twilio: TwiML, `<Dial>`, `action`).
    Dialed;
    part {
        /// Which call: the leg that ran the `<Dial>`.
        call: CallContext
    }
    required {
        /// How it ended.
        status: DialStatus = "DialCallStatus",
    }
    optional {
        /// The leg that was dialled; missing after a conference.
        dialed_call_sid: CallSid = "DialCallSid",
        /// How long that leg lasted; missing after a conference.
        duration: Seconds = "DialCallDuration",
        /// Whether the two sides heard each other.
        bridged: bool = "DialBridged",
        /// Where the recording is, if the `<Dial>` has one. The file may not be there yet.
        recording_url: String = "RecordingUrl",
        /// How SIP says it ended.
        sip_response_code: u16 = "DialSipResponseCode",
        /// The `Call-ID` of a SIP leg.
        sip_call_id: String = "DialSipCallId",
        /// The queue somebody was taken from.
        queue_sid: QueueSid = "QueueSid",
        /// How taking somebody from a queue ended.
        dequeue_result: String = "DequeueResult",
        /// Who was taken from the queue.
        dequeued_call_sid: CallSid = "DequeuedCallSid",
        /// How long they had waited.
        dequeued_call_queue_time: Seconds = "DequeuedCallQueueTime",
        /// How long they talked.
        dequeued_call_duration: Seconds = "DequeuedCallDuration",
    }
}

webhook! {
    /// A message that a caller left (Twilio: TwiML, `<Record>`, `action`).
    Recorded;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// Where the recording is, without extension.
        url: String = "RecordingUrl",
        /// The recording.
        recording_sid: crate::sid::RecordingSid = "RecordingSid",
        /// How long it is.
        duration: Seconds = "RecordingDuration",
        /// The key that ended it, or `hangup`.
        digits: Private = "Digits",
    }
}

words! {
    /// How a caller got out of a queue.
    open QueueResult {
        /// Somebody took the call.
        Bridged = "bridged",
        /// Somebody is taking the call.
        BridgingInProcess = "bridging-in-process",
        /// Twilio failed.
        Error = "error",
        /// The caller hung up.
        Hangup = "hangup",
        /// The caller left with `<Leave>`.
        Leave = "leave",
        /// The call was redirected while it waited.
        Redirected = "redirected",
        /// The call was redirected after somebody took it.
        RedirectedFromBridged = "redirected-from-bridged",
        /// The queue was full.
        QueueFull = "queue-full",
        /// Twilio failed.
        SystemError = "system-error",
    }
}

webhook! {
    /// How a caller got out of a queue (Twilio: TwiML, `<Enqueue>`, `action`).
    Dequeued;
    part {
        /// Which call.
        call: CallContext
    }
    required {
        /// How.
        result: QueueResult = "QueueResult",
    }
    optional {
        /// The queue.
        queue_sid: QueueSid = "QueueSid",
        /// How long they waited.
        queue_time: Seconds = "QueueTime",
    }
}

webhook! {
    /// A caller waits in a queue and wants something to hear (Twilio: TwiML, `<Enqueue>`, `waitUrl`).
    Waiting;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// The queue.
        queue_sid: QueueSid = "QueueSid",
        /// The caller's place, from 1.
        queue_position: u32 = "QueuePosition",
        /// How long they have waited.
        queue_time: Seconds = "QueueTime",
        /// How long others wait on average.
        avg_queue_time: Seconds = "AvgQueueTime",
        /// How many wait.
        current_queue_size: u32 = "CurrentQueueSize",
        /// How many may wait.
        max_queue_size: u32 = "MaxQueueSize",
    }
}

webhook! {
    /// How a SIP transfer ended (Twilio: TwiML, `<Refer>`, `action`).
    Referred;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// What has become of the transferred call; missing if the transfer failed.
        status: String = "ReferCallStatus",
        /// How the other side answered the `REFER`.
        sip_response_code: u16 = "ReferSipResponseCode",
        /// What the other side said of the new call; missing if it said nothing.
        notify_sip_response_code: u16 = "NotifySipResponseCode",
    }
}

webhook! {
    /// A `<Connect>` ended (Twilio: TwiML, `<Connect>`, `action`).
    Disconnected;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// The session of a `<ConversationRelay>`.
        session_id: String = "SessionId",
        /// How that session ended.
        session_status: String = "SessionStatus",
        /// How long it was.
        session_duration: Seconds = "SessionDuration",
        /// What the server gave on when it ended the session.
        handoff_data: Private = "HandoffData",
    }
}
