//! TwiML: the documents that tell Twilio what to do with a call.
//!
//! A [`Response`] is a list of verbs. Verbs and nouns are structs with public fields and one method per attribute, named
//! like it; what may stand in what is in the types.
//!
//! ```
//! use twilio_twiml::twiml::{Language, Response, Say, Stream, Voice};
//!
//! let stream = Stream::new("wss://bridge.example.com/media").parameter("token", "k3J9");
//! let apology = Say::new("申し訳ございません。").language(Language::JaJp).voice(Voice::polly("Mizuki"));
//! let document = Response::new().connect(stream).say(apology).hangup();
//!
//! assert_eq!(
//!     document.to_pretty_xml()?,
//!     r#"<?xml version="1.0" encoding="UTF-8"?>
//! <Response>
//!   <Connect>
//!     <Stream url="wss://bridge.example.com/media">
//!       <Parameter name="token" value="k3J9"/>
//!     </Stream>
//!   </Connect>
//!   <Say voice="Polly.Mizuki" language="ja-JP">申し訳ございません。</Say>
//!   <Hangup/>
//! </Response>
//! "#,
//! );
//! # Ok::<(), twilio_twiml::twiml::BuildError>(())
//! ```
//!
//! [`Response::to_xml`] checks what the types cannot: required attributes, limits, characters. What Twilio adds tomorrow
//! has a door in each place: `attribute` on every element, [`Raw`] for verbs and nouns, `Other` in the sets of words that
//! grow.

mod body;
mod conference;
mod connect;
mod dial;
mod error;
mod flow;
mod gather;
mod language;
mod macros;
mod party;
mod pay;
mod play;
mod products;
mod queue;
mod raw;
#[cfg(feature = "parse")]
mod reader;
mod record;
mod relay;
mod response;
mod say;
mod sip;
mod sms;
pub mod ssml;
mod start;
mod stream;
mod value;
mod voice;
mod writer;

pub use conference::{Conference, ConferenceRecord};
pub use connect::{Connect, ConnectNoun};
pub use dial::{Dial, DialEvent, DialRecord, Parties, Party, RingTone, Target};
pub use error::BuildError;
pub use flow::{Echo, Hangup, Leave, Pause, Redirect, Reject, RejectReason};
pub use gather::{Gather, Input, Prompting, SpeechModel};
pub use language::Language;
pub use party::{Application, Callee, Client, Identity, Number, Sim, WhatsApp};
pub use pay::{
    BankAccountType, CardType, Pay, PayChild, PayInput, PaymentError, PaymentMethod, PaymentStep, Prompt, TokenType,
};
pub use play::Play;
pub use products::{
    AiSession, Autopilot, Conversation, ConversationEvent, ConversationRelaySession, Room, VirtualAgent,
    VirtualAgentChild,
};
pub use queue::{Enqueue, Place, Queue, Task};
pub use raw::{Raw, RawContent};
#[cfg(feature = "parse")]
pub use reader::{ReadError, ReadProblem, Unknown};
pub use record::Record;
pub use relay::{
    Assistant, ConversationRelay, EndOfSpeech, Interruptible, Normalization, RelayChild, RelayEvent, RelayLanguage,
    Sensitivity, TranscriptionProvider, TtsProvider,
};
pub use response::{CONTENT_TYPE, InlineTwiml, Response, Verb};
#[cfg(feature = "parse")]
pub use response::{Parsed, parse};
pub use say::Say;
pub use sip::{Header, Refer, ReferSip, Sip, SipTarget, SipUri};
pub use sms::Sms;
pub use start::{
    Recording, Siprec, Start, StartNoun, Stop, StopNoun, Transcription, TranscriptionChild, TranscriptionEngine,
};
pub use stream::{Config, Parameter, Stream};
pub use value::{BreakTime, Digits, Key, Keys, Phrases, Repeat, SpeechTimeout, Url};
pub use voice::{GoogleFamily, PollyEngine, Voice};

/// Whether this crate has a type for a tag. Such an element in the wrong place is an error, not something new.
#[cfg(feature = "parse")]
fn is_known(tag: &str) -> bool {
    matches!(
        tag,
        "AiSession"
            | "Application"
            | "ApplicationSid"
            | "Assistant"
            | "Autopilot"
            | "Client"
            | "Conference"
            | "Config"
            | "Connect"
            | "Conversation"
            | "ConversationRelay"
            | "ConversationRelaySession"
            | "Dial"
            | "Echo"
            | "Enqueue"
            | "Gather"
            | "Hangup"
            | "Header"
            | "Headers"
            | "Identity"
            | "Language"
            | "Leave"
            | "Number"
            | "Parameter"
            | "Pause"
            | "Pay"
            | "Play"
            | "Prompt"
            | "Queue"
            | "Record"
            | "Recording"
            | "Redirect"
            | "Refer"
            | "Reject"
            | "Response"
            | "Room"
            | "Say"
            | "Sim"
            | "Sip"
            | "Siprec"
            | "Sms"
            | "Start"
            | "Stop"
            | "Stream"
            | "Task"
            | "Transcription"
            | "Uri"
            | "VirtualAgent"
            | "WhatsApp"
            | "break"
            | "emphasis"
            | "lang"
            | "p"
            | "phoneme"
            | "prosody"
            | "s"
            | "say-as"
            | "sub"
            | "w"
    )
}
