//! What becomes of a text message.

use super::form::webhook;
use crate::{
    phone::Address,
    sid::{AccountSid, MessageSid},
    value::words,
};

words! {
    /// What has become of a message (Twilio: Messages, `status`).
    open MessageStatus {
        /// Twilio has it, and chooses a sender.
        Accepted = "accepted",
        /// It waits for its time.
        Scheduled = "scheduled",
        /// It waits to be sent.
        Queued = "queued",
        /// It is being sent.
        Sending = "sending",
        /// The carrier has it.
        Sent = "sent",
        /// It arrived.
        Delivered = "delivered",
        /// It did not arrive.
        Undelivered = "undelivered",
        /// It could not be sent.
        Failed = "failed",
        /// It is coming in.
        Receiving = "receiving",
        /// It came in.
        Received = "received",
        /// Somebody read it.
        Read = "read",
        /// Some of several parts arrived.
        PartiallyDelivered = "partially_delivered",
        /// It was canceled before its time.
        Canceled = "canceled",
    }
}

webhook! {
    /// The status callback of a message (Twilio: Messages, `StatusCallback`).
    MessageProgress;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The message.
        message_sid: MessageSid = "MessageSid",
        /// What has become of it.
        status: MessageStatus = "MessageStatus",
    }
    optional {
        /// Who it is for.
        to: Address = "To",
        /// Who it is from.
        from: Address = "From",
        /// Why it failed.
        error_code: u32 = "ErrorCode",
    }
}
