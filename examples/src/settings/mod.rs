//! Configuration: flags and environment in, checked settings or all problems out.
//!
//! - [`Arguments`]: what can be set, with the words of `--help`.
//! - [`Settings`]: what was set, checked.

mod arguments;
mod check;
mod handoff;
mod model;
mod outage;
mod public_url;

use std::{fmt, net::SocketAddr, num::NonZeroU32, str::FromStr, time::Duration};

pub use arguments::{
    Arguments, ConversationArguments, HandoffArguments, OpenAiArguments, OutboundArguments, SecondModelArguments,
    ServerArguments, TwilioArguments,
};
use realtime_bridge::{
    realtime::{BreakerConfig, openai::OpenAiConfig},
    relay::Idle,
};
use twilio_twiml::{rest, sid::AccountSid, webhook::signature::AuthToken};

pub(crate) use self::{check::is_local, model::model};
pub use self::{
    handoff::HandoffRules,
    outage::{Ladder, NoLadder, Rung},
    public_url::{PublicUrl, PublicUrlError},
};
use crate::{conversation::Conversation, database::Database, phone::api::ApiToken};

/// What a server runs with. No secret shows in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How the voice model is reached.
    pub openai: OpenAiConfig,
    /// How the model is reached that takes over when that one fails.
    pub second_model: Option<OpenAiConfig>,
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
    /// What happens when a machine picks up a call of ours.
    pub machine: Machine,
    /// Whether Twilio records calls, each from its beginning to its end.
    pub record: bool,
    /// How callers are handed to people.
    pub handoff: HandoffRules,
    /// What callers get while there is no model.
    pub outage: Ladder,
    /// What requests to the API have to carry; `None` only where nobody but this machine can make them.
    pub api_token: Option<ApiToken>,
    /// Where calls are kept.
    pub database: Database,
}

/// What happens when a machine picks up a call of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Machine {
    /// It gets a message after its beep.
    #[default]
    Message,
    /// The call is ended.
    HangUp,
    /// Nobody asks who picked up.
    Ignore,
}

impl FromStr for Machine {
    type Err = UnknownMachine;

    fn from_str(text: &str) -> Result<Self, UnknownMachine> {
        match text {
            "message" => Ok(Self::Message),
            "hang-up" => Ok(Self::HangUp),
            "ignore" => Ok(Self::Ignore),
            _ => Err(UnknownMachine),
        }
    }
}

/// Not something to do with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a machine gets a `message`, or the call is ended (`hang-up`), or nobody asks (`ignore`)")]
pub struct UnknownMachine;

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
    /// The root of Twilio's API, if it is another one.
    pub api_base_url: Option<String>,
    /// How many calls a second the account may make.
    pub calls_per_second: NonZeroU32,
}

impl TwilioSettings {
    /// How Twilio's API is asked; `None` without an account.
    #[must_use]
    pub fn rest(&self) -> Option<rest::Config> {
        let credentials = rest::Credentials::auth_token(self.auth_token.clone());
        let config =
            rest::Config::new(self.account_sid.clone()?, credentials).with_creates_per_second(self.calls_per_second);
        Some(match &self.api_base_url {
            Some(url) => config.with_base_url(url),
            None => config,
        })
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// From the webhook to the media stream. Default: 10 s; it mostly comes within one.
    pub stream_wait: Duration,
    /// From the media stream to a model session that is ready. Default: 4 s: the caller hears nothing meanwhile.
    pub model_wait: Duration,
    /// How long a caller may have the agent, from when the call was answered; what they have with persons is not counted.
    /// One who comes back later has 30 s for a goodbye. Default: 30 minutes.
    pub max_call: Duration,
    /// How long nobody says anything before the agent asks whether the caller is still there. Default: 10 s.
    pub idle: Duration,
    /// How long a telephone rings. Default: 30 s, less than most machines take to pick up.
    pub ring: Duration,
    /// How long a model that is known to be down is left alone, at first. Default: 10 s.
    pub outage: Duration,
    /// How long running calls may go on when the server is stopped. Default: 60 s.
    pub drain: Duration,
    /// How long load balancers may take to notice that the server stops. Default: 5 s. Calls that are left to other
    /// servers earlier would come back.
    pub drain_notice: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_wait: Duration::from_secs(10),
            model_wait: Duration::from_secs(4),
            max_call: Duration::from_secs(30 * 60),
            idle: Idle::default().after,
            ring: Duration::from_secs(30),
            outage: BreakerConfig::default().pause,
            drain: Duration::from_secs(60),
            drain_notice: Duration::from_secs(5),
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
