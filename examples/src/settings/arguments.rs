//! What can be set, by flags and by the environment. The names are the same in every example.

#![allow(
    rustdoc::bare_urls,
    reason = "--help shows these comments as they are, where brackets around a URL are only noise"
)]

use secrecy::SecretString;

/// What can be set, as it was given. [`Settings::check`](super::Settings::check) makes sense of it.
///
/// Values are text here, so that all that is wrong with them can be told at once.
#[derive(Debug, Clone, Default, clap::Args)]
#[non_exhaustive]
pub struct Arguments {
    /// The voice model.
    #[command(flatten)]
    pub openai: OpenAiArguments,
    /// What there is without it.
    #[command(flatten)]
    pub second: SecondModelArguments,
    /// The telephone.
    #[command(flatten)]
    pub twilio: TwilioArguments,
    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,
    /// Calls of ours.
    #[command(flatten)]
    pub outbound: OutboundArguments,
    /// Handing callers to people.
    #[command(flatten)]
    pub handoff: HandoffArguments,
    /// What the agent talks about.
    #[command(flatten)]
    pub conversation: ConversationArguments,
}

/// The voice model.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Voice model")]
#[non_exhaustive]
pub struct OpenAiArguments {
    /// The key of the OpenAI account. For a model on loopback, any text.
    #[arg(long, env = "OPENAI_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub openai_api_key: Option<SecretString>,
    /// The service that has the model: `openai`; `azure`, with the resource as OPENAI_BASE_URL and the deployment as
    /// OPENAI_MODEL; or anything that is `compatible`, or `compatible-flat` if voice and turn detection stand at the top of
    /// its sessions. [default: openai]
    #[arg(long, env = "OPENAI_SERVICE", value_name = "NAME")]
    pub openai_service: Option<String>,
    /// The root of OpenAI's API, or of anything that speaks its protocol. [default: https://api.openai.com/v1]
    #[arg(long, env = "OPENAI_BASE_URL", value_name = "URL")]
    pub openai_base_url: Option<String>,
    /// The model that talks. [default: gpt-realtime-2.1]
    #[arg(long, env = "OPENAI_MODEL", value_name = "NAME")]
    pub openai_model: Option<String>,
    /// The voice it talks with. [default: marin]
    #[arg(long, env = "OPENAI_VOICE", value_name = "NAME")]
    pub openai_voice: Option<String>,
}

/// Another voice model, for when the first fails.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Without the voice model")]
#[non_exhaustive]
pub struct SecondModelArguments {
    /// A key for another model, which takes over when the first fails. Without it there is none.
    #[arg(long, env = "OPENAI_SECOND_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub openai_second_api_key: Option<SecretString>,
    /// As OPENAI_SERVICE, of the other model.
    #[arg(long, env = "OPENAI_SECOND_SERVICE", value_name = "NAME")]
    pub openai_second_service: Option<String>,
    /// As OPENAI_BASE_URL, of the other model.
    #[arg(long, env = "OPENAI_SECOND_BASE_URL", value_name = "URL")]
    pub openai_second_base_url: Option<String>,
    /// The other model.
    #[arg(long, env = "OPENAI_SECOND_MODEL", value_name = "NAME")]
    pub openai_second_model: Option<String>,
    /// What callers get when no model can be had, the first choice first: `person`, who is called while the caller waits with
    /// music, and `apology`, which is below everything. [default: person,apology with TWILIO_ACCOUNT_SID, else apology]
    #[arg(long, env = "OUTAGE", value_name = "LIST")]
    pub outage: Option<String>,
    /// Seconds that a model which is known to be down is left alone before a call tries it again; twice as long each time it
    /// is still down, up to two minutes. [default: 10]
    #[arg(long, env = "OUTAGE_PAUSE", value_name = "SECONDS")]
    pub outage_pause: Option<String>,
}

/// The telephone.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Telephone")]
#[non_exhaustive]
pub struct TwilioArguments {
    /// The Twilio account. If it is set, calls of other accounts are refused. Needed to make calls.
    #[arg(long, env = "TWILIO_ACCOUNT_SID", value_name = "AC…")]
    pub twilio_account_sid: Option<String>,
    /// The token that Twilio signs its requests with. Requests with another signature, or none, are refused.
    #[arg(long, env = "TWILIO_AUTH_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub twilio_auth_token: Option<SecretString>,
    /// The root of Twilio's API, or of anything that speaks its protocol. If it is on this machine, PUBLIC_URL may be
    /// plain http, or left out. [default: https://api.twilio.com]
    #[arg(long, env = "TWILIO_API_BASE_URL", value_name = "URL")]
    pub twilio_api_base_url: Option<String>,
    /// How many calls a second Twilio lets the account make; more wait for their turn. [default: 1]
    #[arg(long, env = "TWILIO_CALLS_PER_SECOND", value_name = "NUMBER")]
    pub twilio_calls_per_second: Option<String>,
    /// The voice of Twilio that apologises when the model cannot speak. [default: Polly.Mizuki, for English
    /// Polly.Joanna]
    #[arg(long, env = "TWILIO_SAY_VOICE", value_name = "NAME")]
    pub twilio_say_voice: Option<String>,
    /// Refuses media streams whose upgrade is not signed. Without it, only a wrong signature is refused: Twilio is said
    /// to leave some upgrades unsigned. A single-use token is demanded in any case. [default: false]
    #[arg(
        long,
        env = "TWILIO_REQUIRE_STREAM_SIGNATURE",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub twilio_require_stream_signature: Option<String>,
}

/// The server.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server")]
#[non_exhaustive]
pub struct ServerArguments {
    /// Where Twilio reaches this server, such as https://bridge.example.com: scheme, host, and the path in front of ours
    /// if a proxy takes one off.
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// The address to listen on; port 0 takes a free one. [default: 127.0.0.1:3000]
    #[arg(long, env = "BIND", value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// Seconds, at most 19, that a media stream may take to come after the webhook; then its model session is closed and
    /// its token void. [default: 10]
    #[arg(long, env = "STREAM_WAIT", value_name = "SECONDS")]
    pub stream_wait: Option<String>,
    /// Seconds, at most 19, that a caller on the line waits for a model session that is not ready, before the apology.
    /// [default: 4]
    #[arg(long, env = "MODEL_WAIT", value_name = "SECONDS")]
    pub model_wait: Option<String>,
    /// Seconds after which the agent brings a call to its end, those with a person not counted. [default: 1800]
    #[arg(long, env = "MAX_CALL", value_name = "SECONDS")]
    pub max_call: Option<String>,
    /// Seconds that nobody says anything before the agent asks whether the caller is still there. [default: 10]
    #[arg(long, env = "IDLE_LIMIT", value_name = "SECONDS")]
    pub idle_limit: Option<String>,
    /// Seconds that running calls have to end when the server is stopped and no other takes them. [default: 60]
    #[arg(long, env = "DRAIN_LIMIT", value_name = "SECONDS")]
    pub drain_limit: Option<String>,
    /// Seconds that a load balancer may take to see in /readyz that the server stops. Then running calls go to the other
    /// servers. [default: 5]
    #[arg(long, env = "DRAIN_NOTICE", value_name = "SECONDS")]
    pub drain_notice: Option<String>,
    /// Where calls are kept: `memory`, `sqlite:FILE`, or `postgres://…` for several servers. [default: sqlite:calls.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// Whether DATABASE_URL is that of a pooler in transaction mode, such as PgBouncer. [default: false]
    #[arg(long, env = "DATABASE_POOLER", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub database_pooler: Option<String>,
    /// The address past the pooler, on which servers tell each other of news. Without it they look for news four times a
    /// second.
    #[arg(long, env = "DATABASE_DIRECT_URL", value_name = "URL", hide_env_values = true)]
    pub database_direct_url: Option<SecretString>,
    /// What requests to the API have to carry: `Authorization: Bearer TOKEN`. May be left out only where both BIND and
    /// PUBLIC_URL are on this machine: a tunnel lets others in.
    #[arg(long, env = "API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<SecretString>,
}

/// Calls of ours.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Calls of ours")]
#[non_exhaustive]
pub struct OutboundArguments {
    /// What happens when a machine picks up: `message` after its beep, `hang-up`, or `ignore`. [default: message]
    #[arg(long, env = "MACHINE", value_name = "WHAT")]
    pub machine: Option<String>,
    /// Seconds that a telephone rings before the call counts as not answered, 5 s more or less. [default: 30]
    #[arg(long, env = "RING_LIMIT", value_name = "SECONDS")]
    pub ring_limit: Option<String>,
    /// Whether Twilio records calls, those that come in as well, each side on a channel of its own; also while the caller is with
    /// a person. [default: false]
    #[arg(long, env = "RECORD", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub record: Option<String>,
}

/// Handing callers to people.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Handing callers to people")]
#[non_exhaustive]
pub struct HandoffArguments {
    /// Whether the person is briefed and accepts before the caller comes: `warm`; or whoever picks up has the caller:
    /// `cold`. [default: warm]
    #[arg(long, env = "HANDOFF_MODE", value_name = "MODE")]
    pub handoff_mode: Option<String>,
    /// Who keeps the caller company until a person has taken the call: `agent` or `music`. [default: agent]
    #[arg(long, env = "HANDOFF_COMPANY", value_name = "WHO")]
    pub handoff_company: Option<String>,
    /// What is played to the caller, an MP3 or WAV file. [default: Twilio's own music]
    #[arg(long, env = "HANDOFF_MUSIC", value_name = "URL")]
    pub handoff_music: Option<String>,
    /// What becomes of the caller when the person has left: `return` to the agent, or `goodbye`. [default: return]
    #[arg(long, env = "HANDOFF_AFTER", value_name = "WHAT")]
    pub handoff_after: Option<String>,
    /// What the agent says before the wait. [default: a line in the call's language]
    #[arg(long, env = "HANDOFF_FAREWELL", value_name = "LINE")]
    pub handoff_farewell: Option<String>,
    /// Seconds that a person's telephone rings. [default: 20]
    #[arg(long, env = "HANDOFF_RING", value_name = "SECONDS")]
    pub handoff_ring: Option<String>,
    /// The number that the persons see; it has to be one of the account's. [default: ours in the call]
    #[arg(long, env = "HANDOFF_FROM", value_name = "NUMBER")]
    pub handoff_from: Option<String>,
    /// What the agent offers a caller whom no person can have: `call-back`, `message`, or words that go on "offer …".
    /// [default: call-back]
    #[arg(long, env = "HANDOFF_OFFER", value_name = "WHAT")]
    pub handoff_offer: Option<String>,
    /// Whether a model listens silently to caller and person and writes down what they say. [default: false]
    #[arg(long, env = "HANDOFF_NOTES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub handoff_notes: Option<String>,
}

/// What the agent talks about.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Conversation")]
#[non_exhaustive]
pub struct ConversationArguments {
    /// The company that is called. [default: さくら歯科, in English Sakura Dental Clinic]
    #[arg(long, env = "CONVERSATION_COMPANY", value_name = "NAME")]
    pub company: Option<String>,
    /// The name that the agent answers with. [default: 佐藤, in English Sato]
    #[arg(long, env = "CONVERSATION_REPRESENTATIVE", value_name = "NAME")]
    pub representative: Option<String>,
    /// The language that is spoken: ja-JP or en-US. [default: ja-JP; for the call without accounts en-US]
    #[arg(long, env = "CONVERSATION_LANGUAGE", value_name = "TAG")]
    pub language: Option<String>,
}
