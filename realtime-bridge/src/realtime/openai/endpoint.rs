//! Where a configuration leads, checked.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use super::{ConfigError, OpenAiConfig, sip::SipCallId};

/// Where a configuration leads: everything about a connection that is the same for each of them.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// `None` for a connection in the clear.
    pub(super) tls: Option<Tls>,
    place: Place,
    headers: HeaderMap,
}

/// A checked URL in its parts.
#[derive(Debug, Clone)]
struct Place {
    secure: bool,
    /// From the authority to `/realtime`.
    root: String,
    /// The query of the base URL, with `&` behind it.
    query: String,
    /// For a new session.
    uri: Uri,
}

/// Shared by all connections, which also lets them resume each other's TLS sessions.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Endpoint {
    /// Checks everything, so that all problems are told at once.
    pub(super) fn new(config: &OpenAiConfig) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        check_numbers(config, &mut problems);
        let headers = headers(config, &mut problems);
        let place = place(config, &mut problems);
        match place {
            Some(place) if problems.is_empty() => Self::resolve(place, headers, config),
            _ => Err(ConfigError { problems }),
        }
    }

    fn resolve(place: Place, headers: HeaderMap, config: &OpenAiConfig) -> Result<Self, ConfigError> {
        let Place { uri, secure, .. } = &place;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if *secure { 443 } else { 80 });
        let tls = if *secure { Some(tls(&host, config)?) } else { None };
        Ok(Self { host, port, tls, place, headers })
    }

    /// The upgrade request for a new session, with a fresh key.
    pub(super) fn request(&self) -> Request<()> {
        self.upgrade(self.place.uri.clone())
    }

    /// The upgrade request for the control socket of a call, with a fresh key.
    pub(super) fn control(&self, call: &SipCallId) -> Request<()> {
        let Place { secure, root, query, .. } = &self.place;
        let uri = format!("{}://{root}?{query}call_id={call}", if *secure { "wss" } else { "ws" });
        self.upgrade(uri.parse().expect("the root was parsed, and a call's name needs no escape"))
    }

    /// A request about a call, whose body is JSON or empty.
    pub(super) fn about(&self, call: &SipCallId, action: &str, body: String) -> Request<String> {
        let Place { root, query, .. } = &self.place;
        let path = root.find('/').map_or("", |slash| &root[slash..]);
        let query = query.strip_suffix('&').map_or_else(String::new, |query| format!("?{query}"));
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{path}/calls/{call}/{action}{query}")
            .parse()
            .expect("the root was parsed, and a call's name needs no escape");
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_VERSION] {
            headers.remove(name);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if !request.body().is_empty() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        request
    }

    fn upgrade(&self, uri: Uri) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        let key = HeaderValue::from_str(&generate_key()).expect("base64 is a header value");
        request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, key);
        request
    }
}

fn check_numbers(config: &OpenAiConfig, problems: &mut Vec<String>) {
    let mut positive = |name: &str, value: Duration| {
        if value.is_zero() {
            problems.push(format!("{name} is zero"));
        }
    };
    positive("connect_timeout", config.connect_timeout);
    positive("ping_interval", config.ping_interval);
    positive("silence_limit", config.silence_limit);
    if config.silence_limit <= config.ping_interval {
        problems.push("silence_limit must be longer than ping_interval, or a ping has no time to be answered".into());
    }
    if config.max_message_size < 1 << 16 {
        problems.push("max_message_size is under 65536 bytes, which session.created alone may take".into());
    }
    if config.read_buffer_size < 512 {
        problems.push("read_buffer_size is under 512 bytes".into());
    }
    if config.model.is_empty() {
        problems.push("model is empty".into());
    }
}

/// The URL to ask for, in its parts.
fn place(config: &OpenAiConfig, problems: &mut Vec<String>) -> Option<Place> {
    let (scheme, rest) = match config.base_url.split_once("://") {
        Some((scheme @ ("http" | "https" | "ws" | "wss"), rest)) => (scheme, rest),
        _ => {
            problems.push("base_url does not begin with http://, https://, ws:// or wss://".into());
            return None;
        }
    };
    let secure = matches!(scheme, "https" | "wss");
    let (root, query) = rest.split_once('?').map_or((rest, ""), |(root, query)| (root, query));
    let root = root.trim_end_matches('/');
    let path = if root.ends_with("/realtime") { "" } else { "/realtime" };
    let root = format!("{root}{path}");
    let mut query = if query.is_empty() { String::new() } else { format!("{query}&") };
    for (name, value) in &config.query {
        query.push_str(&format!("{}={}&", percent_encoded(name), percent_encoded(value)));
    }
    let model = config.dialect.model_parameter.as_ref();
    let model = model.map(|name| format!("{}={}", percent_encoded(name), percent_encoded(&config.model)));
    let whole = format!("?{query}{}", model.as_deref().unwrap_or_default());
    let text = format!("{}://{root}{}", if secure { "wss" } else { "ws" }, whole.trim_end_matches(['?', '&']));
    match text.parse::<Uri>() {
        Ok(uri) if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            problems.push("base_url has a user name in it".into());
            None
        }
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Some(Place { secure, root, query, uri }),
        Ok(_) => {
            problems.push("base_url has no host".into());
            None
        }
        Err(error) => {
            problems.push(format!("base_url is not a URL: {error}"));
            None
        }
    }
}

fn headers(config: &OpenAiConfig, problems: &mut Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Some((_, rest)) = config.base_url.split_once("://") {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        // A host that no header takes is no host for a URL either, and told there.
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(header::HOST, host);
        }
    }
    let mut add = |name: &str, text: &str| match (HeaderName::try_from(name), HeaderValue::from_str(text)) {
        // Bytes above ASCII are legal and mean nothing: a key with a typographic dash was pasted from a document.
        (Ok(name), Ok(mut value)) if text.is_ascii() => {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        (Err(_), _) => problems.push(format!("{name:?} is not the name of a header")),
        (Ok(name), _) => problems.push(format!("the value of header {name} has a character that no header takes")),
    };
    let optional = [
        ("openai-organization", &config.organization),
        ("openai-project", &config.project),
        ("openai-safety-identifier", &config.safety_identifier),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if !config.api_key.is_empty() {
        add("authorization", &config.api_key.bearer());
    }
    for (name, value) in &config.headers {
        add(name, value);
    }
    if !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key("api-key") {
        let told = problems.iter().any(|problem| problem.contains("authorization"));
        if !told {
            problems.push("api_key is empty, and no header authenticates".into());
        }
    }
    headers
}

fn tls(host: &str, config: &OpenAiConfig) -> Result<Tls, ConfigError> {
    let mut problems = Vec::new();
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for der in &config.root_certificates {
        if let Err(error) = roots.add(der.clone().into()) {
            problems.push(format!("a root certificate cannot be used: {error}"));
        }
    }
    let name = ServerName::try_from(host.to_owned());
    if name.is_err() {
        problems.push("base_url has a host that no certificate can name".into());
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers for the default versions");
    match name {
        Ok(name) if problems.is_empty() => {
            Ok(Tls { config: Arc::new(versions.with_root_certificates(roots).with_no_client_auth()), name })
        }
        _ => Err(ConfigError { problems }),
    }
}

/// Everything but unreserved characters (RFC 3986, section 2.3) as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::openai::Dialect;

    fn check(base_url: &str, expected: &str) {
        let config = OpenAiConfig::new("key").with_base_url(base_url).with_model("a model");
        let endpoint = Endpoint::new(&config).unwrap();
        let request = endpoint.request();
        let host = request.headers()[header::HOST].to_str().unwrap();
        let tls = if endpoint.tls.is_some() { "tls" } else { "clear" };
        assert_eq!(format!("{tls} {}:{} {host} {}", endpoint.host, endpoint.port, request.uri()), expected);
    }

    #[test]
    fn base_urls_lead_to_the_realtime_path() {
        check(
            "https://api.openai.com/v1",
            "tls api.openai.com:443 api.openai.com wss://api.openai.com/v1/realtime?model=a%20model",
        );
        check(
            "http://127.0.0.1:8080/v1/",
            "clear 127.0.0.1:8080 127.0.0.1:8080 ws://127.0.0.1:8080/v1/realtime?model=a%20model",
        );
        check("ws://[::1]:9", "clear ::1:9 [::1]:9 ws://[::1]:9/realtime?model=a%20model");
        check("wss://h/x/realtime?a=b", "tls h:443 h wss://h/x/realtime?a=b&model=a%20model");
    }

    #[test]
    fn the_query_is_what_the_service_wants() {
        let config = OpenAiConfig::compatible("https://h/v1", "m").with_header("authorization", "Basic x");
        let uri = |config: OpenAiConfig| Endpoint::new(&config).unwrap().request().uri().to_string();
        assert_eq!(uri(config.clone().with_query("a b", "c&d")), "wss://h/v1/realtime?a%20b=c%26d&model=m");
        let dialect = Dialect::compatible().with_model_parameter(Some("deployment"));
        assert_eq!(uri(config.clone().with_dialect(dialect)), "wss://h/v1/realtime?deployment=m");
        let dialect = Dialect::compatible().with_model_parameter(None);
        assert_eq!(uri(config.with_dialect(dialect)), "wss://h/v1/realtime");
        let azure = OpenAiConfig::azure("https://r.openai.azure.com/", "voice", "key");
        assert_eq!(uri(azure), "wss://r.openai.azure.com/openai/v1/realtime?model=voice");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = OpenAiConfig { model: String::new(), ..OpenAiConfig::default() }
            .with_base_url("api.openai.com")
            .with_header("bad name", "value")
            .with_keep_alive(Duration::ZERO, Duration::ZERO)
            .with_max_message_size(1);
        let problems = Endpoint::new(&config).unwrap_err().problems;
        for word in ["ping_interval", "silence_limit", "max_message_size", "model", "bad name", "api_key", "base_url"] {
            assert!(problems.iter().any(|problem| problem.contains(word)), "{word} in {problems:?}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        let config = OpenAiConfig::new("sk-secret").with_header("api-key", "hidden").with_safety_identifier("someone");
        let endpoint = Endpoint::new(&config).unwrap();
        let shown = format!("{config:?} {:?} {:?}", endpoint.headers, endpoint.request());
        for secret in ["sk-secret", "hidden", "someone"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}
