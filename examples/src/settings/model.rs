//! Which service the voice model is of, and how it is reached.

use std::str::FromStr;

use realtime_bridge::realtime::openai::{Dialect, OpenAiClient, OpenAiConfig};
use secrecy::ExposeSecret;

use super::OpenAiArguments;

/// A service that speaks OpenAI's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    OpenAi,
    Azure,
    /// One of which nothing more is known.
    Compatible,
    /// As before, with the voice and the turns at the top of a session.
    CompatibleFlat,
}

struct UnknownService;

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        match text {
            "openai" => Ok(Self::OpenAi),
            "azure" => Ok(Self::Azure),
            "compatible" => Ok(Self::Compatible),
            "compatible-flat" => Ok(Self::CompatibleFlat),
            _ => Err(UnknownService),
        }
    }
}

/// How the model is reached. `name` makes the setting's name of its last word, such as `OPENAI_MODEL` of `MODEL`; what is
/// wrong is added to `problems`.
pub(crate) fn model(
    arguments: &OpenAiArguments,
    name: impl Fn(&str) -> String,
    problems: &mut Vec<String>,
) -> OpenAiConfig {
    let text =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let key = arguments.openai_api_key.as_ref().map(|key| key.expose_secret().trim().to_owned());
    let key = key.filter(|key| !key.is_empty());
    let (url, wanted) = (text(&arguments.openai_base_url), text(&arguments.openai_model));
    let service = match text(&arguments.openai_service).as_deref().map(str::parse) {
        None => Service::OpenAi,
        Some(Ok(service)) => service,
        Some(Err(UnknownService)) => {
            problems.push(format!("{} is not openai, azure, compatible or compatible-flat", name("SERVICE")));
            Service::OpenAi
        }
    };
    if key.is_none() {
        problems.push(format!(
            "{} is not set. It is a key of the account that the model belongs to, such as one from platform.openai.com; with \
             {} on this machine, any text will do",
            name("API_KEY"),
            name("BASE_URL")
        ));
    }
    if service != Service::OpenAi {
        let what = [(&url, "BASE_URL"), (&wanted, "MODEL")];
        let missing = what.into_iter().filter(|(given, _)| given.is_none());
        problems
            .extend(missing.map(|(_, word)| format!("{} is not set, and only OpenAI has one by default", name(word))));
    }
    // Words of our own let the rest be checked all the same; they never get out of here.
    let key = key.unwrap_or_else(|| "unset".into());
    let or = |given: &Option<String>, other: &str| given.clone().unwrap_or_else(|| other.into());
    let (bare, model) = (or(&url, "https://localhost"), or(&wanted, "unset"));
    let config = match service {
        Service::OpenAi => {
            let mut config = OpenAiConfig::new(key);
            if let Some(url) = url {
                config = config.with_base_url(url);
            }
            if let Some(model) = wanted {
                config = config.with_model(model);
            }
            config
        }
        Service::Azure => OpenAiConfig::azure(bare, model, key),
        Service::Compatible | Service::CompatibleFlat => {
            let dialect = Dialect::compatible().with_flat_session(service == Service::CompatibleFlat);
            let config = OpenAiConfig::compatible(bare, model).with_dialect(dialect);
            config.with_header("authorization", format!("Bearer {key}"))
        }
    };
    if let Err(error) = OpenAiClient::new(config.clone()) {
        let told = |problem: &String| {
            let problem = problem.replace("base_url", &name("BASE_URL"));
            problem
                .replace("the value of header authorization", &name("API_KEY"))
                .replace("the value of header api-key", &name("API_KEY"))
        };
        problems.extend(error.problems.iter().map(told));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service: &str, url: Option<&str>, wanted: Option<&str>) -> (OpenAiConfig, Vec<String>) {
        let arguments = OpenAiArguments {
            openai_api_key: Some("right".into()),
            openai_service: Some(service.into()),
            openai_base_url: url.map(Into::into),
            openai_model: wanted.map(Into::into),
            ..OpenAiArguments::default()
        };
        let mut problems = Vec::new();
        let config = model(&arguments, |word| format!("OPENAI_{word}"), &mut problems);
        (config, problems)
    }

    #[test]
    fn each_service_is_reached_in_its_way() {
        let (azure, problems) = check("azure", Some("https://sakura.openai.azure.com"), Some("voice"));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(azure.base_url, "https://sakura.openai.azure.com/openai/v1");
        assert_eq!(azure.headers, [("api-key".to_owned(), "right".to_owned())]);
        let (other, problems) = check("compatible-flat", Some("https://voice.example.com/v1"), Some("grok"));
        assert!(problems.is_empty() && other.dialect.flat_session && !other.dialect.echoes_session, "{problems:?}");
        assert_eq!(check("openai", None, None).0.base_url, "https://api.openai.com/v1");
    }

    #[test]
    fn what_a_service_needs_is_asked_for() {
        let (_, problems) = check("azure", None, None);
        assert!(problems.iter().any(|p| p.contains("OPENAI_BASE_URL")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("OPENAI_MODEL")), "{problems:?}");
        assert!(check("bedrock", None, None).1[0].contains("OPENAI_SERVICE"));
    }
}
