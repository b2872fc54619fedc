//! From what was given to what a server runs with.

mod handoff;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use realtime_bridge::realtime::openai::OpenAiConfig;
use secrecy::{ExposeSecret, SecretString};
use twilio_twiml::{twiml::Voice, webhook::signature::AuthToken};
use url::Url;

use super::{
    Arguments, Ladder, Limits, OpenAiArguments, Problems, PublicUrl, SecondModelArguments, ServerArguments, Settings,
    TwilioSettings, model,
};
use crate::{
    conversation::{Conversation, Language, Offer},
    database::Database,
    model::LONGEST_KEEP,
    phone::api::ApiToken,
};

/// Twilio's limit.
const MOST_RINGING: Duration = Duration::from_secs(600);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Arguments {
    /// Whether nothing was said about an account or a server, so that only a simulation can be meant.
    #[must_use]
    pub fn names_no_account(&self) -> bool {
        let Self { openai, twilio, server, .. } = self;
        let secrets = [&openai.openai_api_key, &twilio.twilio_auth_token];
        let texts = [
            &openai.openai_base_url,
            &twilio.twilio_account_sid,
            &twilio.twilio_api_base_url,
            &server.public_url,
            &server.bind,
        ];
        secrets.into_iter().all(|secret| exposed(secret).is_none())
            && texts.into_iter().all(|text| given(text).is_none())
    }
}

impl Settings {
    /// Makes sense of what was given, for a server that only Twilio talks to.
    ///
    /// # Errors
    ///
    /// [`Problems`], with all of them.
    pub fn check(arguments: &Arguments) -> Result<Self, Problems> {
        Self::check_for(arguments, false)
    }

    /// As [`Settings::check`], for a server that has the doors for [people and programs](crate::phone::api), too: whoever
    /// finds its public URL finds them.
    ///
    /// # Errors
    ///
    /// [`Problems`], with all of them.
    pub fn check_with_api(arguments: &Arguments) -> Result<Self, Problems> {
        Self::check_for(arguments, true)
    }

    fn check_for(arguments: &Arguments, api: bool) -> Result<Self, Problems> {
        let Arguments { openai, second, twilio, server, outbound, handoff, conversation } = arguments;
        let mut check = Check::default();
        let local_twilio = check.is_local("TWILIO_API_BASE_URL", &twilio.twilio_api_base_url);
        let openai_config = check.openai(openai);
        let auth_token = check.auth_token(&twilio.twilio_auth_token, local_twilio);
        let account_sid =
            check.parsed("TWILIO_ACCOUNT_SID", &twilio.twilio_account_sid, "AC and 32 hexadecimal digits");
        let signed =
            check.parsed("TWILIO_REQUIRE_STREAM_SIGNATURE", &twilio.twilio_require_stream_signature, "true or false");
        let bind = check.parsed("BIND", &server.bind, "an address and a port such as 127.0.0.1:3000");
        let bind = bind.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)));
        let public_url = check.public_url(&server.public_url, local_twilio, bind);
        let defaults = Limits::default();
        let limits = Limits {
            stream_wait: check.seconds("STREAM_WAIT", &server.stream_wait, defaults.stream_wait, LONGEST_KEEP),
            model_wait: check.seconds("MODEL_WAIT", &server.model_wait, defaults.model_wait, LONGEST_KEEP),
            max_call: check.seconds("MAX_CALL", &server.max_call, defaults.max_call, DAY),
            idle: check.seconds("IDLE_LIMIT", &server.idle_limit, defaults.idle, DAY),
            ring: check.seconds("RING_LIMIT", &outbound.ring_limit, defaults.ring, MOST_RINGING),
            outage: check.seconds("OUTAGE_PAUSE", &second.outage_pause, defaults.outage, DAY),
            drain: check.seconds("DRAIN_LIMIT", &server.drain_limit, defaults.drain, DAY),
            drain_notice: check.seconds("DRAIN_NOTICE", &server.drain_notice, defaults.drain_notice, DAY),
        };
        let language = check.parsed("CONVERSATION_LANGUAGE", &conversation.language, "ja-JP or en-US");
        let mut talk = Conversation::new(language.unwrap_or(Language::Japanese));
        talk.company = given(&conversation.company).map_or(talk.company, str::to_owned);
        talk.offer = given(&handoff.handoff_offer).map_or(talk.offer, Offer::from);
        talk.representative = given(&conversation.representative).map_or(talk.representative, str::to_owned);
        talk.say_voice = given(&twilio.twilio_say_voice).map_or(talk.say_voice, Voice::from);

        let calls_per_second =
            check.parsed("TWILIO_CALLS_PER_SECOND", &twilio.twilio_calls_per_second, "a whole number from 1 on");
        let machine = check.parsed("MACHINE", &outbound.machine, "message, hang-up or ignore").unwrap_or_default();
        let record = check.parsed("RECORD", &outbound.record, "true or false").unwrap_or(false);
        let handoff = check.handoff(handoff);
        let second_model = check.second_model(second);
        let outage = check.outage(&second.outage, given(&twilio.twilio_account_sid).is_some());
        let api_token = exposed(&server.api_token).map(ApiToken::new);
        if api_token.is_none() && !bind.ip().is_loopback() {
            check.problem(
                "API_TOKEN is not set, but BIND lets others than this machine in: anybody could make calls and read them",
            );
        } else if api && api_token.is_none() && public_url.as_ref().is_some_and(|url| !is_local(url.as_str())) {
            check.problem(
                "API_TOKEN is not set, but PUBLIC_URL leads others than this machine here: anybody could make calls and read them",
            );
        }
        let database = check.database(server);

        let complete = (auth_token, public_url);
        let (Some(auth_token), Some(public_url)) = complete else { return Err(check.problems()) };
        if !check.problems.is_empty() {
            return Err(check.problems());
        }
        Ok(Self {
            openai: openai_config,
            second_model,
            voice: given(&openai.openai_voice).unwrap_or("marin").to_owned(),
            twilio: TwilioSettings {
                account_sid,
                auth_token,
                require_stream_signature: signed.unwrap_or(false),
                calls_per_second: calls_per_second.unwrap_or(NonZeroU32::MIN),
                api_base_url: given(&twilio.twilio_api_base_url).map(str::to_owned),
            },
            public_url,
            bind,
            limits,
            conversation: talk,
            machine,
            record,
            handoff,
            outage,
            api_token,
            database,
        })
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
struct Check {
    problems: Vec<String>,
}

impl Check {
    fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn problems(self) -> Problems {
        Problems { problems: self.problems }
    }

    fn openai(&mut self, given: &OpenAiArguments) -> OpenAiConfig {
        model(given, |word| format!("OPENAI_{word}"), &mut self.problems)
    }

    /// Another model, if anything is said about one.
    fn second_model(&mut self, given_second: &SecondModelArguments) -> Option<OpenAiConfig> {
        let SecondModelArguments {
            openai_second_api_key: key,
            openai_second_service: service,
            openai_second_base_url: url,
            openai_second_model: name,
            ..
        } = given_second;
        if exposed(key).is_none() && [service, url, name].into_iter().all(|text| given(text).is_none()) {
            return None;
        }
        let arguments = OpenAiArguments {
            openai_api_key: key.clone(),
            openai_service: service.clone(),
            openai_base_url: url.clone(),
            openai_model: name.clone(),
            openai_voice: None,
        };
        Some(model(&arguments, |word| format!("OPENAI_SECOND_{word}"), &mut self.problems))
    }

    /// What callers get without a model. A person has to be called by somebody.
    fn outage(&mut self, text: &Option<String>, account: bool) -> Ladder {
        let wanted = self.parsed("OUTAGE", text, "a list of person and apology, the apology last");
        if !account && wanted.as_ref().is_some_and(|ladder| *ladder != Ladder::default()) {
            self.problem("OUTAGE names a person, but TWILIO_ACCOUNT_SID is not set: nobody could be called");
        }
        wanted.unwrap_or_else(|| if account { Ladder::person() } else { Ladder::default() })
    }

    fn database(&mut self, server: &ServerArguments) -> Database {
        let database = match exposed(&server.database_url).map(str::parse) {
            None => Database::default(),
            Some(Ok(database)) => database,
            Some(Err(error)) => {
                self.problem(format!("DATABASE_URL is not one: {error}"));
                return Database::default();
            }
        };
        let pooler = self.parsed("DATABASE_POOLER", &server.database_pooler, "true or false").unwrap_or(false);
        let direct = exposed(&server.database_direct_url).map(SecretString::from);
        let Database::Postgres(mut postgres) = database else {
            if pooler || direct.is_some() {
                self.problem("DATABASE_POOLER and DATABASE_DIRECT_URL are for Postgres, which DATABASE_URL is not");
            }
            return database;
        };
        if direct.is_some() && !pooler {
            self.problem("DATABASE_DIRECT_URL goes past a pooler, but DATABASE_POOLER does not say that there is one");
        }
        (postgres.pooler, postgres.direct) = (pooler, direct);
        // What the error says may hold the address, and with it the password.
        if postgres.config().is_err() {
            self.problem("DATABASE_URL or DATABASE_DIRECT_URL is no address of a Postgres database");
        }
        Database::Postgres(postgres)
    }

    fn auth_token(&mut self, token: &Option<SecretString>, local_twilio: bool) -> Option<AuthToken> {
        let token = exposed(token).map(AuthToken::new);
        if token.is_none() {
            self.problem(if local_twilio {
                "TWILIO_AUTH_TOKEN is not set. It is what the simulated Twilio signs its requests with"
            } else {
                "TWILIO_AUTH_TOKEN is not set. Without it nobody could tell Twilio's requests from anybody else's, so the \
                 server does not start. It stands in Twilio's console, under the account's keys"
            });
        }
        token
    }

    fn public_url(&mut self, text: &Option<String>, local_twilio: bool, bind: SocketAddr) -> Option<PublicUrl> {
        let Some(text) = given(text) else {
            if local_twilio && bind.port() != 0 {
                let host = if bind.ip().is_unspecified() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { bind.ip() };
                return format!("http://{}", SocketAddr::new(host, bind.port())).parse().ok();
            }
            self.problem(
                "PUBLIC_URL is not set. It is where Twilio reaches this server, such as https://bridge.example.com; a \
                 tunnel to this machine has one",
            );
            return None;
        };
        match text.parse::<PublicUrl>() {
            Ok(url) if url.is_secure() || local_twilio => Some(url),
            Ok(_) => {
                self.problem("PUBLIC_URL begins with http://, but Twilio opens media streams only over TLS: https://");
                None
            }
            Err(error) => {
                self.problem(format!("PUBLIC_URL is {text:?}: {error}"));
                None
            }
        }
    }

    /// Whether this leads to this machine; unset, it leads to the provider.
    fn is_local(&mut self, name: &str, text: &Option<String>) -> bool {
        let Some(text) = given(text) else { return false };
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => leads_here(&url),
            _ => {
                self.problem(format!("{name} is {text:?}, but should be a URL that begins with https:// or http://"));
                false
            }
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, text: &Option<String>, expected: &str) -> Option<T> {
        let text = given(text)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(format!("{name} is {text:?}, but should be {expected}"));
        }
        parsed
    }

    fn seconds(&mut self, name: &str, text: &Option<String>, default: Duration, most: Duration) -> Duration {
        let Some(text) = given(text) else { return default };
        let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.filter(|duration| *duration <= most).unwrap_or_else(|| {
            self.problem(format!("{name} is {text:?}, but should be seconds: more than 0, at most {}", most.as_secs()));
            default
        })
    }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_local(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| leads_here(&url))
}

fn leads_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A variable that is empty counts as not set, as many a container has it.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn exposed(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(|secret| secret.expose_secret().trim()).filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Arguments {
        let mut arguments = Arguments::default();
        arguments.openai.openai_api_key = Some("sk-private".into());
        arguments.twilio.twilio_auth_token = Some("token-private".into());
        arguments.server.public_url = Some("https://bridge.example.com/".into());
        arguments
    }

    fn problems(arguments: &Arguments) -> Vec<String> {
        Settings::check(arguments).unwrap_err().problems
    }

    #[test]
    fn two_keys_and_a_url_are_enough() {
        let settings = Settings::check(&accounts()).unwrap();
        assert_eq!(settings.public_url.to("/x"), "https://bridge.example.com/x");
        assert_eq!(settings.conversation.language, Language::Japanese);
        assert_eq!(settings.bind.to_string(), "127.0.0.1:3000");
        assert_eq!(settings.limits, Limits::default());
        assert!(!settings.twilio.require_stream_signature);
    }

    #[test]
    fn all_problems_are_told_at_once_and_each_names_its_setting() {
        let mut arguments = Arguments::default();
        arguments.openai.openai_base_url = Some("ftp://example.com".into());
        arguments.twilio.twilio_account_sid = Some("AC1".into());
        arguments.server.public_url = Some("bridge".into());
        arguments.server.bind = Some("3000".into());
        arguments.server.drain_limit = Some("-1".into());
        arguments.server.max_call = Some("1e300".into());
        arguments.conversation.language = Some("de-DE".into());
        let problems = problems(&arguments);
        for name in [
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_ACCOUNT_SID",
            "PUBLIC_URL",
            "BIND",
            "DRAIN_LIMIT",
            "MAX_CALL",
            "CONVERSATION_LANGUAGE",
        ] {
            assert_eq!(problems.iter().filter(|told| told.starts_with(name)).count(), 1, "{name} in {problems:#?}");
        }
        assert_eq!(problems.len(), 9);
    }

    #[test]
    fn all_that_is_wrong_with_handoffs_is_told() {
        let mut arguments = accounts();
        arguments.handoff.handoff_mode = Some("hot".into());
        arguments.handoff.handoff_company = Some("nobody".into());
        arguments.handoff.handoff_music = Some("hold.mp3".into());
        arguments.handoff.handoff_after = Some("hang-up".into());
        arguments.handoff.handoff_ring = Some("0".into());
        arguments.handoff.handoff_from = Some("here".into());
        arguments.handoff.handoff_notes = Some("perhaps".into());
        let told = problems(&arguments);
        for name in ["MODE", "COMPANY", "MUSIC", "AFTER", "RING", "FROM", "NOTES"] {
            let name = format!("HANDOFF_{name} is");
            assert_eq!(told.iter().filter(|told| told.starts_with(&name)).count(), 1, "{name} in {told:#?}");
        }
        assert_eq!(told.len(), 7);
    }

    #[test]
    fn real_twilio_needs_a_token_and_tls() {
        let mut arguments = accounts();
        arguments.twilio.twilio_auth_token = Some(" ".into());
        arguments.server.public_url = Some("http://bridge.example.com".into());
        let told = problems(&arguments);
        assert!(told[0].starts_with("TWILIO_AUTH_TOKEN is not set. Without it nobody could tell"), "{told:?}");
        assert!(told[1].starts_with("PUBLIC_URL begins with http://"), "{told:?}");
    }

    #[test]
    fn twilio_on_this_machine_needs_neither_tls_nor_a_public_url() {
        let mut arguments = accounts();
        arguments.twilio.twilio_api_base_url = Some("http://localhost:4010".into());
        arguments.server.public_url = None;
        arguments.server.bind = Some("127.0.0.1:3001".into());
        assert_eq!(Settings::check(&arguments).unwrap().public_url.as_str(), "http://127.0.0.1:3001");
    }

    #[test]
    fn whoever_finds_the_api_needs_a_token() {
        let told = |arguments: &Arguments| {
            let problems = Settings::check_with_api(arguments).err().map(|problems| problems.problems);
            problems.unwrap_or_default().iter().filter(|told| told.starts_with("API_TOKEN is not set")).count()
        };
        let mut arguments = accounts();
        assert_eq!(told(&arguments), 1, "a tunnel leads to loopback");
        assert!(Settings::check(&arguments).is_ok(), "only Twilio has a door, which asks for its signature");
        arguments.server.bind = Some("0.0.0.0:3000".into());
        assert_eq!(told(&arguments), 1);
        arguments.server.api_token = Some("token-private".into());
        assert_eq!(told(&arguments), 0);

        arguments = accounts();
        arguments.twilio.twilio_api_base_url = Some("http://localhost:4010".into());
        arguments.server.public_url = None;
        assert_eq!(told(&arguments), 0, "nobody but this machine comes here");
    }

    #[test]
    fn only_a_whole_absence_of_accounts_means_a_simulation() {
        let mut arguments = Arguments::default();
        arguments.conversation.language = Some("ja-JP".into());
        arguments.openai.openai_api_key = Some("".into());
        assert!(arguments.names_no_account());
        arguments.openai.openai_api_key = Some("sk-private".into());
        assert!(!arguments.names_no_account());
    }

    #[test]
    fn a_pooler_is_one_of_postgres() {
        let mut arguments = accounts();
        arguments.server.database_pooler = Some("true".into());
        assert!(problems(&arguments)[0].starts_with("DATABASE_POOLER and"));
        arguments.server.database_url = Some("postgres://me:private@pooler.internal/calls".into());
        arguments.server.database_direct_url = Some("postgres://me:private@db.internal/calls".into());
        let settings = Settings::check(&arguments).unwrap();
        let Database::Postgres(database) = &settings.database else { panic!("{:?}", settings.database) };
        let config = format!("{:?}", database.config().unwrap());
        assert!(config.contains("pooler: true, listens: true"), "{config}");
        assert!(!format!("{settings:?} {config}").contains("private"));
        arguments.server.database_pooler = None;
        assert!(problems(&arguments)[0].starts_with("DATABASE_DIRECT_URL goes past"));
    }

    #[test]
    fn no_secret_is_shown() {
        let arguments = accounts();
        let shown = format!("{arguments:?} {:?}", Settings::check(&arguments).unwrap());
        assert!(!shown.contains("private"), "{shown}");
    }
}
