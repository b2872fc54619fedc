//! Limits of a media stream.

use std::time::Duration;

use crate::websocket::Limits;

/// Limits of a media stream.
///
/// ```
/// use std::time::Duration;
/// use realtime_bridge::media::twilio::Config;
///
/// let config = Config::default().with_silence_limit(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long Twilio may take from the upgrade to `start`. Default: 5 s; it comes at once, and until then anybody may
    /// be on the other side.
    pub start_limit: Duration,
    /// How long nothing at all may come before the peer counts as dead. Default: 10 s. Twilio sends 50 messages a second,
    /// also while the caller is silent, so this is 500 missing ones; shorter would end calls that a slow network path
    /// still recovers, longer would keep a dead call's model session open.
    pub silence_limit: Duration,
    /// How long closing may take until the peer has answered. Default: 1 s. Without that answer the system may reset the
    /// connection, and what was sent last may be lost.
    pub close_limit: Duration,
    /// The longest silence that is put in the place of lost audio. Default: 10 s, as OpenAI's own adapter for Twilio has
    /// it: more would only make the model wait.
    pub gap_limit: Duration,
    /// The largest message taken, in bytes. Default: 64 KiB. Audio messages have 400 bytes; the largest is `start`, whose
    /// custom parameters have under 500 characters each.
    pub max_message_size: usize,
    /// Size of the read buffer in bytes, held for as long as the call. Default: 4 KiB: 10 audio messages; a larger message
    /// takes more while it comes.
    pub read_buffer_size: usize,
    /// Bytes that are collected before they are written without a flush. Default: 8 KiB: 700 ms of audio.
    pub write_buffer_size: usize,
    /// The largest message sent, in bytes. Default: 1 MiB: 98 s of audio in one frame, more than a model sends at once.
    pub max_outgoing_size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            start_limit: Duration::from_secs(5),
            silence_limit: Duration::from_secs(10),
            close_limit: Duration::from_secs(1),
            gap_limit: Duration::from_secs(10),
            max_message_size: 64 * 1024,
            read_buffer_size: 4 * 1024,
            write_buffer_size: 8 * 1024,
            max_outgoing_size: 1024 * 1024,
        }
    }
}

impl Config {
    /// Sets how long Twilio may take from the upgrade to `start`.
    #[must_use]
    pub const fn with_start_limit(mut self, limit: Duration) -> Self {
        self.start_limit = limit;
        self
    }

    /// Sets how long nothing at all may come before the peer counts as dead.
    #[must_use]
    pub const fn with_silence_limit(mut self, limit: Duration) -> Self {
        self.silence_limit = limit;
        self
    }

    /// Sets how long closing may take until the peer has answered.
    #[must_use]
    pub const fn with_close_limit(mut self, limit: Duration) -> Self {
        self.close_limit = limit;
        self
    }

    /// Sets the longest silence that is put in the place of lost audio.
    #[must_use]
    pub const fn with_gap_limit(mut self, limit: Duration) -> Self {
        self.gap_limit = limit;
        self
    }

    /// Sets the largest message taken, in bytes.
    #[must_use]
    pub const fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the size of the read buffer and the bytes collected before they are written without a flush.
    #[must_use]
    pub const fn with_buffer_sizes(mut self, read: usize, write: usize) -> Self {
        self.read_buffer_size = read;
        self.write_buffer_size = write;
        self
    }

    /// Sets the largest message sent, in bytes.
    #[must_use]
    pub const fn with_max_outgoing_size(mut self, bytes: usize) -> Self {
        self.max_outgoing_size = bytes;
        self
    }

    pub(super) const fn web_socket(&self) -> Limits {
        Limits {
            read_buffer: self.read_buffer_size,
            write_buffer: self.write_buffer_size,
            max_message: self.max_message_size,
        }
    }
}
