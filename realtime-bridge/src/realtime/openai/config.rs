//! How to reach the provider.

use std::{fmt, time::Duration};

use super::{ApiKey, Dialect};

/// How to reach OpenAI Realtime, or a service that speaks its protocol.
///
/// ```
/// use realtime_bridge::realtime::openai::{OpenAiClient, OpenAiConfig};
///
/// let config = OpenAiConfig::new("sk-…").with_model("gpt-realtime-2.1-mini").with_project("proj_1");
/// assert!(!format!("{config:?}").contains("sk-"));
/// let error = OpenAiClient::new(config.with_base_url("ftp://example.com")).unwrap_err();
/// assert_eq!(error.problems.len(), 2, "the key has a character that no header takes, and the URL a wrong scheme");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct OpenAiConfig {
    /// The API's root, as `http(s)://` or `ws(s)://`. Default: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key, sent as a bearer token. Default: none, which is a problem unless `headers` authenticate.
    pub api_key: ApiKey,
    /// The model. Default: `gpt-realtime-2.1`, the current full model.
    pub model: String,
    /// The organization to bill, where the key belongs to several. Default: none.
    pub organization: Option<String>,
    /// The project to bill, where the key belongs to several. Default: none.
    pub project: Option<String>,
    /// A stable name for the caller that does not tell who it is, such as a salted hash of the number, so that the
    /// provider can act on one abuser alone (OpenAI: safety identifiers). Default: none.
    pub safety_identifier: Option<String>,
    /// More headers for the upgrade request, such as `api-key` for Azure. Default: none.
    pub headers: Vec<(String, String)>,
    /// More members for the URL's query, such as `deployment`. Default: none.
    pub query: Vec<(String, String)>,
    /// What the service does differently. Default: nothing, as OpenAI does it.
    pub dialect: Dialect,
    /// Certificates (DER) to trust besides the public ones, for a proxy of your own. Default: none.
    pub root_certificates: Vec<Vec<u8>>,
    /// From the first packet to a session that is set up. Default: 5 s, what a caller bears to hear ringing.
    pub connect_timeout: Duration,
    /// How often a connection on which nothing came is pinged. Default: 10 s; the provider's own pings come every 20 s.
    pub ping_interval: Duration,
    /// After this long without a word, the provider is dead; noticed up to one `ping_interval` later. Default: 20 s.
    pub silence_limit: Duration,
    /// How long the provider may take to answer our goodbye. Default: 1 s.
    pub close_timeout: Duration,
    /// The largest message in bytes. Default: 16 MiB, as one may carry an entry with all its audio.
    pub max_message_size: usize,
    /// The read buffer in bytes, held for as long as the call. Default: 4 KiB, three deltas of 100 ms; a larger message
    /// takes more while it comes.
    pub read_buffer_size: usize,
}

impl Default for OpenAiConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".into(),
            api_key: ApiKey::default(),
            model: "gpt-realtime-2.1".into(),
            organization: None,
            project: None,
            safety_identifier: None,
            headers: Vec::new(),
            query: Vec::new(),
            dialect: Dialect::openai(),
            root_certificates: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
            silence_limit: Duration::from_secs(20),
            close_timeout: Duration::from_secs(1),
            max_message_size: 16 << 20,
            read_buffer_size: 4 << 10,
        }
    }
}

impl OpenAiConfig {
    /// OpenAI with this key.
    #[must_use]
    pub fn new(api_key: impl Into<ApiKey>) -> Self {
        Self { api_key: api_key.into(), ..Self::default() }
    }

    /// Azure OpenAI: `endpoint` is the resource, such as `https://RESOURCE.openai.azure.com`, `deployment` the model's name
    /// there. The key goes into the `api-key` header. No `api-version`: with one the current interface answers 401. The
    /// model that writes down what the caller says has to be a deployment as well. Its 2.x models take a cut and do
    /// nothing about it.
    ///
    /// ```
    /// use realtime_bridge::realtime::openai::{OpenAiClient, OpenAiConfig};
    ///
    /// let config = OpenAiConfig::azure("https://sakura.openai.azure.com", "voice", "key");
    /// assert_eq!(config.base_url, "https://sakura.openai.azure.com/openai/v1");
    /// assert!(OpenAiClient::new(config).is_ok());
    /// ```
    #[must_use]
    pub fn azure(endpoint: impl AsRef<str>, deployment: impl Into<String>, api_key: impl Into<String>) -> Self {
        let base_url = format!("{}/openai/v1", endpoint.as_ref().trim_end_matches('/'));
        let config = Self { base_url, model: deployment.into(), ..Self::default() };
        config.with_header("api-key", api_key)
    }

    /// A service that speaks OpenAI's protocol, of which nothing more is known. Add how it wants to be authenticated, and
    /// to its [`Dialect`] what is known.
    #[must_use]
    pub fn compatible(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let dialect = Dialect::compatible();
        Self { base_url: base_url.into(), model: model.into(), dialect, ..Self::default() }
    }

    /// Sets what the service does differently.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Adds a member to the URL's query.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the API's root.
    #[must_use]
    pub fn with_base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets the model.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Sets the organization to bill.
    #[must_use]
    pub fn with_organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// Sets the project to bill.
    #[must_use]
    pub fn with_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Sets the name for the caller.
    #[must_use]
    pub fn with_safety_identifier(mut self, identifier: impl Into<String>) -> Self {
        self.safety_identifier = Some(identifier.into());
        self
    }

    /// Adds a header to the upgrade request.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a certificate (DER) to trust.
    #[must_use]
    pub fn with_root_certificate(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(der.into());
        self
    }

    /// Sets how long it may take to connect and set up.
    #[must_use]
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets how often a quiet connection is pinged, and when it is dead.
    #[must_use]
    pub fn with_keep_alive(mut self, ping_interval: Duration, silence_limit: Duration) -> Self {
        self.ping_interval = ping_interval;
        self.silence_limit = silence_limit;
        self
    }

    /// Sets how long the provider may take to answer our goodbye.
    #[must_use]
    pub fn with_close_timeout(mut self, limit: Duration) -> Self {
        self.close_timeout = limit;
        self
    }

    /// Sets the largest message in bytes.
    #[must_use]
    pub fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the read buffer in bytes.
    #[must_use]
    pub fn with_read_buffer_size(mut self, bytes: usize) -> Self {
        self.read_buffer_size = bytes;
        self
    }
}

impl fmt::Debug for OpenAiConfig {
    /// Without the key, the caller's name and the values of headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OpenAiConfig")
            .field("base_url", &self.base_url)
            .field("model", &self.model)
            .field("organization", &self.organization)
            .field("project", &self.project)
            .field("headers", &names)
            .field("query", &self.query.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("dialect", &self.dialect)
            .field("connect_timeout", &self.connect_timeout)
            .field("ping_interval", &self.ping_interval)
            .field("silence_limit", &self.silence_limit)
            .field("max_message_size", &self.max_message_size)
            .field("read_buffer_size", &self.read_buffer_size)
            .finish_non_exhaustive()
    }
}

/// Why no client can be made of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the OpenAI configuration cannot work: {}", .problems.join("; "))]
#[non_exhaustive]
pub struct ConfigError {
    /// One sentence each.
    pub problems: Vec<String>,
}
