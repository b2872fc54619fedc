//! What Twilio writes into an account's debugger: errors and warnings by number.

use std::fmt;

/// An entry of the debugger's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// Twilio's number for it.
    pub code: AlertCode,
    /// What exactly was wrong.
    pub detail: String,
}

impl Alert {
    pub(super) fn new(code: AlertCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.code.is_warning() { "warning" } else { "error" };
        write!(f, "{level} {}: {} ({})", self.code.number(), self.code.meaning(), self.detail)
    }
}

macro_rules! alert_codes {
    ($($(#[$doc:meta])* $level:ident $name:ident = $number:literal, $meaning:literal;)*) => {
        /// The numbers of the debugger that a simulated call can earn (Twilio: Errors and warnings).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AlertCode {
            $($(#[$doc])* #[doc = concat!("`", $number, "`: ", $meaning, ".")] $name,)*
        }

        impl AlertCode {
            /// Twilio's number.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// What the number means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }

            /// Whether Twilio goes on as if nothing were.
            #[must_use]
            pub const fn is_warning(self) -> bool {
                match self {
                    $(Self::$name => alert_codes!(@$level),)*
                }
            }
        }
    };
    (@error) => { false };
    (@warning) => { true };
}

alert_codes! {
    error InvalidUrl = 11_100, "invalid URL format";
    error HttpRetrieval = 11_200, "HTTP retrieval failure";
    error ConnectTimeout = 11_201, "TCP connect timed out";
    error ConnectRefused = 11_202, "TCP connection refused";
    error TotalTimeout = 11_203, "total time exceeded";
    error HttpConnection = 11_205, "HTTP connection failure";
    error HttpProtocol = 11_206, "HTTP protocol violation";
    error BadHostName = 11_210, "bad host name";
    error TooManyRedirects = 11_215, "too many redirects";
    error InvalidRedirect = 11_216, "invalid redirect";
    error TlsHandshake = 11_220, "TLS handshake error";
    error BadRetryPolicy = 11_241, "bad retry policy in a connection override";
    error BodyTooLarge = 11_750, "TwiML body over 64 kB";
    error EmptyBody = 11_770, "empty response body";
    error DocumentParse = 12_100, "XML cannot be parsed";
    error DocumentRoot = 12_102, "the root is not Response";
    warning Schema = 12_200, "schema warning";
    error ContentType = 12_300, "invalid content type";
    error ConferenceVerb = 13_238, "verb not allowed where somebody waits";
    error CoachMissing = 13_240, "the leg to be coached is not in the room";
    error PlayContent = 13_420, "invalid content of a file to be played";
    error ConferenceFull = 16_020, "the room is full";
    error LabelTaken = 16_025, "the label is in use";
    warning DetectionUntold = 21_262, "asynchronous detection without a callback";
    error StreamConnectTimeout = 31_901, "no answer to the WebSocket connect";
    error StreamConnectRefused = 31_902, "WebSocket connection refused";
    error StreamTls = 31_910, "TLS error on the WebSocket";
    error StreamHandshake = 31_920, "the WebSocket upgrade was answered with something other than 101";
    error StreamClosed = 31_921, "the WebSocket was closed abnormally";
    error StreamScheme = 31_922, "the scheme of the stream's URL is not wss";
    error StreamUrl = 31_923, "malformed stream URL";
    error StreamProtocol = 31_924, "WebSocket protocol error";
    error StreamTrack = 31_941, "illegal track";
    warning StreamUndecodable = 31_950, "message cannot be decoded";
    warning StreamMessage = 31_951, "message breaks the protocol";
}
