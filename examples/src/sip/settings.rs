//! Configuration of the SIP server: flags and environment in, checked settings or all problems out.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use realtime_bridge::realtime::openai::{OpenAiConfig, webhook::WebhookSecret};
use secrecy::{ExposeSecret, SecretString};
use twilio_twiml::{
    phone::E164,
    rest::{Client, Config, Credentials},
    sid::AccountSid,
};

use super::{handoff::People, instructions::instructions, sms::Sms};
use crate::{
    database::Database,
    phone::api::ApiToken,
    settings::{OpenAiArguments, Problems, is_local, model},
};

/// What can be set, as it was given. [`SipSettings::check`] makes sense of it.
#[derive(Debug, Clone, Default, clap::Args)]
#[non_exhaustive]
pub struct SipArguments {
    /// The voice model.
    #[command(flatten)]
    pub openai: OpenAiArguments,
    /// The secret of the webhook endpoint, as OpenAI's console shows it once. During a rotation both, with a comma between.
    #[arg(long, env = "OPENAI_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub openai_webhook_secret: Option<SecretString>,
    /// The Twilio account that text messages are sent with. Without it they are only logged, without words and numbers. It is
    /// also asked to move callers whom OpenAI does not, where it carries the call.
    #[arg(long, env = "TWILIO_ACCOUNT_SID", value_name = "AC…")]
    pub twilio_account_sid: Option<String>,
    /// The token of that account.
    #[arg(long, env = "TWILIO_AUTH_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub twilio_auth_token: Option<SecretString>,
    /// The number that text messages come from, such as +815012345678.
    #[arg(long, env = "SMS_FROM", value_name = "NUMBER")]
    pub sms_from: Option<String>,
    /// Who callers can be handed to, the first choice first, such as sato=+81312345678,desk=sip:desk@example.com. The
    /// trunk has to allow call transfer, to the telephone network, too. Without it nobody is handed over by name.
    #[arg(long, env = "HANDOFF_PEOPLE", value_name = "NAME=NUMBER,…")]
    pub handoff_people: Option<String>,
    /// Seconds that a person has to take a call, as nobody tells that they do not. [default: 40]
    #[arg(long, env = "HANDOFF_RING", value_name = "SECONDS")]
    pub handoff_ring: Option<String>,
    /// What requests to the API have to carry: `Authorization: Bearer TOKEN`. May be left out only where both BIND and
    /// OPENAI_BASE_URL are on this machine: what leads OpenAI's webhooks here lets others in, too.
    #[arg(long, env = "API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<SecretString>,
    /// The address to listen on; port 0 takes a free one. [default: 127.0.0.1:3000]
    #[arg(long, env = "BIND", value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// The folder of the database files: attendance, and calls unless DATABASE_URL says otherwise. [default: sip-data]
    #[arg(long, env = "DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Where calls are kept: `memory`, `sqlite:FILE` for one server at a time, or `postgres://…` for several of this kind, of
    /// which each takes a webhook once for all and leads on the calls of one that died. The attendance table is a stand-in
    /// for yours and stays in a file of each server. [default: sqlite:DATA_DIR/calls.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// A file with what the model is told, instead of the words that are built in. {company}, {event} and {representative}
    /// are filled in.
    #[arg(long, env = "SIP_INSTRUCTIONS", value_name = "FILE")]
    pub instructions: Option<PathBuf>,
    /// The company that is called. [default: さくら商事]
    #[arg(long, env = "CONVERSATION_COMPANY", value_name = "NAME")]
    pub company: Option<String>,
    /// The event that people are invited to. [default: 秋の会社説明会]
    #[arg(long, env = "SIP_EVENT", value_name = "NAME")]
    pub event: Option<String>,
}

/// What the server runs with. No secret shows in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SipSettings {
    /// How the provider is reached.
    pub openai: OpenAiConfig,
    /// The model's voice.
    pub voice: String,
    /// The secrets of the webhook endpoint that are right.
    pub secrets: Vec<WebhookSecret>,
    /// How messages are sent.
    pub sms: Sms,
    /// Who callers can be handed to.
    pub people: People,
    /// What requests to the API have to carry; `None` only where nobody but this machine can make them.
    pub api_token: Option<ApiToken>,
    /// Where the server listens.
    pub bind: SocketAddr,
    /// Where the database files are.
    pub data_dir: PathBuf,
    /// Where calls are kept.
    pub database: Database,
    /// What the model is told, with holes for what is set.
    pub instructions: String,
    /// The company that is called.
    pub company: String,
    /// The event that people are invited to.
    pub event: String,
    /// The longest call. 20 minutes.
    pub max_call: Duration,
    /// How long running calls may go on when the server is stopped. 60 s.
    pub drain: Duration,
}

impl SipArguments {
    /// Whether nothing was said about an account, so that only a simulation can be meant.
    #[must_use]
    pub fn names_no_account(&self) -> bool {
        exposed(&self.openai.openai_api_key).is_none()
            && exposed(&self.openai_webhook_secret).is_none()
            && given(&self.openai.openai_base_url).is_none()
            && given(&self.bind).is_none()
    }
}

impl SipSettings {
    /// Makes sense of what was given.
    ///
    /// # Errors
    ///
    /// [`Problems`], with all of them.
    pub fn check(arguments: &SipArguments) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let openai = model(&arguments.openai, |word| format!("OPENAI_{word}"), &mut problems);
        let secrets = secrets(arguments, &mut problems);
        let sms = sms(arguments, &mut problems);
        let bind = given(&arguments.bind).map_or(Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 3000))), str::parse);
        if bind.is_err() {
            problems.push("BIND is not an address and a port such as 127.0.0.1:3000".into());
        }
        let people = people(arguments, &mut problems);
        let api_token = exposed(&arguments.api_token).map(ApiToken::new);
        // OpenAI's webhooks come from outside, through a tunnel or a proxy if not directly, and so does anybody else.
        let local = bind.as_ref().is_ok_and(|bind| bind.ip().is_loopback()) && is_local(&openai.base_url);
        if api_token.is_none() && !local {
            problems.push(
                "API_TOKEN is not set, but whatever leads OpenAI's webhooks here lets others in, too: anybody could read calls \
                 and hand them over"
                    .into(),
            );
        }
        let data_dir = arguments.data_dir.clone().unwrap_or_else(|| "sip-data".into());
        let database = database(arguments, &data_dir, &mut problems);
        let instructions = instructions(arguments.instructions.as_deref(), &mut problems);
        let (Ok(bind), Some(sms), true) = (bind, sms, problems.is_empty()) else { return Err(Problems { problems }) };
        let text = |text: &Option<String>, default: &str| given(text).unwrap_or(default).to_owned();
        Ok(Self {
            openai,
            voice: text(&arguments.openai.openai_voice, "marin"),
            secrets,
            sms,
            people,
            api_token,
            bind,
            data_dir,
            database,
            instructions,
            company: text(&arguments.company, "さくら商事"),
            event: text(&arguments.event, "秋の会社説明会"),
            max_call: Duration::from_secs(20 * 60),
            drain: Duration::from_secs(60),
        })
    }
}

fn secrets(arguments: &SipArguments, problems: &mut Vec<String>) -> Vec<WebhookSecret> {
    let Some(text) = exposed(&arguments.openai_webhook_secret) else {
        problems.push(
            "OPENAI_WEBHOOK_SECRET is not set. Without it nobody could tell OpenAI's webhooks from anybody else's, so the \
             server does not start. OpenAI's console shows it once, when the endpoint is made"
                .into(),
        );
        return Vec::new();
    };
    let (mut secrets, mut wrong) = (Vec::new(), None);
    for secret in text.split(',').map(str::trim) {
        match WebhookSecret::new(secret) {
            Ok(secret) => secrets.push(secret),
            Err(error) => wrong = Some(error),
        }
    }
    problems.extend(wrong.map(|error| format!("OPENAI_WEBHOOK_SECRET cannot be used: {error}")));
    secrets
}

fn database(arguments: &SipArguments, data_dir: &Path, problems: &mut Vec<String>) -> Database {
    let default = || Database::Sqlite(data_dir.join("calls.db"));
    exposed(&arguments.database_url).map_or_else(default, |url| {
        url.parse().unwrap_or_else(|error| {
            problems.push(format!("DATABASE_URL is not one: {error}"));
            default()
        })
    })
}

fn people(arguments: &SipArguments, problems: &mut Vec<String>) -> People {
    let ring = given(&arguments.handoff_ring).map_or(Ok(40), str::parse::<u64>);
    let ring = ring.ok().filter(|ring| (1..=600).contains(ring)).unwrap_or_else(|| {
        problems.push("HANDOFF_RING is not a number of seconds from 1 to 600".into());
        40
    });
    let people = given(&arguments.handoff_people).unwrap_or_default().parse::<People>();
    let people = people.unwrap_or_else(|error| {
        problems.push(format!("HANDOFF_PEOPLE is not a list such as sato=+81312345678: {error}"));
        People::default()
    });
    people.with_patience(Duration::from_secs(ring))
}

fn sms(arguments: &SipArguments, problems: &mut Vec<String>) -> Option<Sms> {
    let sid = given(&arguments.twilio_account_sid);
    let token = exposed(&arguments.twilio_auth_token);
    let from = given(&arguments.sms_from);
    let (sid, token, from) = match (sid, token, from) {
        (None, None, None) => return Some(Sms::Logged),
        (Some(sid), Some(token), Some(from)) => (sid, token, from),
        _ => {
            let names = "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and SMS_FROM belong together: all of them, or none";
            problems.push(names.into());
            return None;
        }
    };
    let (account, from) = match (sid.parse::<AccountSid>(), from.parse::<E164>()) {
        (Ok(account), Ok(from)) => (account, from),
        (account, from) => {
            if account.is_err() {
                problems.push("TWILIO_ACCOUNT_SID is not AC and 32 hexadecimal digits".into());
            }
            if from.is_err() {
                problems.push("SMS_FROM is not a number such as +815012345678".into());
            }
            return None;
        }
    };
    match Client::new(Config::new(account, Credentials::auth_token(token))) {
        Ok(client) => Some(Sms::Twilio { client, from }),
        Err(error) => {
            problems.push(format!("Twilio's REST client cannot be made: {error}"));
            None
        }
    }
}

/// What is set to nothing is not set, as orchestrators do.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn exposed(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(|secret| secret.expose_secret().trim()).filter(|secret| !secret.is_empty())
}
