//! Configuration: flags and environment in, checked settings or all problems out.
//!
//! - [`Arguments`]: what can be set, with the words of `--help`.
//! - [`Settings`]: what was set, checked.

mod arguments;
mod check;
mod public_url;

use std::{fmt, net::SocketAddr, time::Duration};

pub use arguments::{Arguments, ConversationArguments, OpenAiArguments, ServerArguments, TwilioArguments};
use realtime_bridge::realtime::openai::OpenAiConfig;
use twilio_twiml::{sid::AccountSid, webhook::signature::AuthToken};

pub use self::public_url::{PublicUrl, PublicUrlError};
use crate::conversation::Conversation;

/// What a server runs with. No secret shows in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How the voice model is reached.
    pub openai: OpenAiConfig,
    /// The model's voice.
    pub voice: String,
    /// The telephone.
    pub twilio: TwilioSettings,
    /// Where Twilio reaches this server.
    pub public_url: PublicUrl,
    /// Where it listens.
    pub bind: SocketAddr,
    /// How long things may take.
    pub limits: Limits,
    /// What the agent talks about.
    pub conversation: Conversation,
}

/// The telephone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TwilioSettings {
    /// The account; `None` takes calls of any whose requests are signed with the token.
    pub account_sid: Option<AccountSid>,
    /// What requests are signed with.
    pub auth_token: AuthToken,
    /// The upgrade to a media stream has to be signed, too.
    pub require_stream_signature: bool,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// From the webhook to the media stream. Default: 10 s; it mostly comes within one.
    pub stream_wait: Duration,
    /// From the media stream to a model session that is ready. Default: 4 s: the caller hears nothing meanwhile.
    pub model_wait: Duration,
    /// The longest call. Default: 30 minutes.
    pub max_call: Duration,
    /// How long running calls may go on when the server is stopped. Default: 60 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_wait: Duration::from_secs(10),
            model_wait: Duration::from_secs(4),
            max_call: Duration::from_secs(30 * 60),
            drain: Duration::from_secs(60),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Problems {
    /// One sentence each, beginning with the name of the setting.
    pub problems: Vec<String>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot work:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}
