//! What becomes of a media stream.

use jiff::Timestamp;

use super::form::webhook;
use crate::{
    sid::{AccountSid, CallSid, StreamSid},
    value::words,
};

words! {
    /// What happened to a stream.
    open StreamEvent {
        /// It began.
        Started = "stream-started",
        /// It ended.
        Stopped = "stream-stopped",
        /// It failed; the error says why.
        Error = "stream-error",
    }
}

webhook! {
    /// The status callback of `<Stream>` (Twilio: TwiML, `<Stream>`, `statusCallback`).
    ///
    /// It may come before or after the message that says the same on the socket.
    StreamProgress;
    required {
        /// The account.
        account_sid: AccountSid = "AccountSid",
        /// The leg that streams.
        call_sid: CallSid = "CallSid",
        /// The stream.
        stream_sid: StreamSid = "StreamSid",
        /// What happened.
        event: StreamEvent = "StreamEvent",
    }
    optional {
        /// The stream's name, its SID if it has none.
        name: String = "StreamName",
        /// What went wrong.
        error: String = "StreamError",
        /// When. The only callback that says it in ISO 8601.
        timestamp: Timestamp = "Timestamp",
    }
}
