//! Where the model sessions of calls come from, and how each of these services is.

use realtime_bridge::{
    bridge::Endpoints,
    realtime::{
        BreakerConfig, EndpointHealth, SessionConfig,
        openai::{ConfigError, OpenAiClient, OpenAiSession},
    },
};

use crate::settings::Settings;

/// Where sessions come from: the services in the order they are tried, each with what all calls know of it.
#[derive(Debug, Clone)]
pub(super) struct Models {
    first: (OpenAiClient, EndpointHealth),
    second: Option<(OpenAiClient, EndpointHealth)>,
}

impl Models {
    /// Services that count as working.
    pub(super) fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let (first, second) = (settings.openai.clone(), settings.second_model.clone());
        let defaults = BreakerConfig::default();
        let breaker = defaults.with_pause(settings.limits.outage, defaults.pause_limit.max(settings.limits.outage));
        let service = |config| Ok::<_, ConfigError>((OpenAiClient::new(config)?, EndpointHealth::new(breaker)));
        Ok(Self { first: service(first)?, second: second.map(service).transpose()? })
    }

    /// Sessions of this configuration.
    pub(super) fn endpoints(&self, session: &SessionConfig) -> Endpoints<OpenAiSession> {
        let (client, health) = self.first.clone();
        let first = Endpoints::new(client, session.clone()).with_health(health);
        match self.second.clone() {
            Some((client, health)) => first.or(client, session.clone()).with_health(health),
            None => first,
        }
    }

    /// Sessions of this configuration for whoever only listens. What becomes of these is no reason to send a caller elsewhere,
    /// so that it counts for nobody else.
    pub(super) fn endpoints_beside(&self, session: &SessionConfig) -> Endpoints<OpenAiSession> {
        let first = Endpoints::new(self.first.0.clone(), session.clone());
        match self.second.clone() {
            Some((client, _)) => first.or(client, session.clone()),
            None => first,
        }
    }

    /// Whether all of them are known to be down. Never waits.
    pub(super) fn are_down(&self) -> bool {
        self.first.1.is_open() && self.second.as_ref().is_none_or(|(_, health)| health.is_open())
    }
}
