//! Twilio's own description of its operations, as a server that checks what it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::Value;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    method: String,
    path: String,
    segments: BTreeMap<String, Schema>,
    pub(crate) query: BTreeMap<String, Schema>,
    required: Vec<String>,
    pub(crate) form: BTreeMap<String, Schema>,
    status: u16,
    pub(crate) examples: Vec<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Schema {
    r#type: String,
    #[serde(default)]
    r#enum: Vec<Value>,
    pattern: Option<String>,
    format: Option<String>,
    items: Option<Box<Schema>>,
}

/// A parameter that the documentation has and the description does not.
const DOCUMENTED: &str = "RecordingConfigurationId";

pub(crate) fn operations() -> Vec<Operation> {
    serde_json::from_str(include_str!("../../data/rest-operations.json")).unwrap()
}

impl Operation {
    fn fits(&self, method: &str, path: &str) -> bool {
        let (wanted, given) = (self.path.split('/'), path.split('/'));
        let same = |(wanted, given): (&str, &str)| match wanted.strip_prefix('{') {
            Some(name) => {
                let suffix = if name.ends_with(".json") { ".json" } else { "" };
                given.strip_suffix(suffix).is_some_and(|segment| self.takes_segment(name, segment))
            }
            None => wanted == given,
        };
        self.method == method && wanted.clone().count() == given.clone().count() && wanted.zip(given).all(same)
    }

    fn takes_segment(&self, name: &str, segment: &str) -> bool {
        let name = name.trim_end_matches(".json").trim_end_matches('}');
        // A conference can be named and a leg labelled, though the description asks for a SID.
        let named = matches!(name, "ConferenceSid" | "CallSid") && self.path.contains("/Participants");
        named || self.segments[name].takes(segment)
    }

    /// The names of query and form, after they were found to be right.
    fn check(&self, query: &[(String, String)], form: &[(String, String)]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (pairs, known) in [(query, &self.query), (form, &self.form)] {
            for (name, value) in pairs {
                let seen = names.contains(name);
                if name == DOCUMENTED {
                    names.insert(name.clone());
                    continue;
                }
                let schema = known.get(name).unwrap_or_else(|| panic!("{} has no parameter {name}", self.id));
                assert!(schema.takes(value), "{}: {name}={value}", self.id);
                assert!(!seen || schema.items.is_some(), "{}: {name} is there twice", self.id);
                names.insert(name.clone());
            }
        }
        let missing: Vec<_> = self.required.iter().filter(|name| !names.contains(*name)).collect();
        assert!(missing.is_empty(), "{} needs {missing:?}", self.id);
        names
    }
}

impl Schema {
    fn takes(&self, value: &str) -> bool {
        if let Some(items) = &self.items {
            return items.takes(value);
        }
        if !self.r#enum.is_empty() {
            return self.r#enum.iter().any(|word| word == value);
        }
        if let Some(pattern) = &self.pattern {
            let (prefixes, rest) = pattern.strip_prefix('^').and_then(|rest| rest.split_once('[')).unwrap();
            assert_eq!(rest, "0-9a-fA-F]{32}$");
            let mut prefixes = prefixes.trim_matches(['(', ')']).split('|');
            return value.len() == 34 && prefixes.any(|prefix| value.starts_with(prefix));
        }
        match (self.r#type.as_str(), self.format.as_deref()) {
            ("integer", _) => value.parse::<u64>().is_ok(),
            ("number", _) => value.parse::<f64>().is_ok(),
            ("boolean", _) => matches!(value, "true" | "false"),
            (_, Some("uri")) => value.contains("://"),
            (_, Some("date")) => value.len() == 10,
            // The documentation takes a day in place of a moment.
            (_, Some("date-time")) => value.ends_with('Z') || value.len() == 10,
            _ => true,
        }
    }
}

/// Answers each operation with its first example.
struct Examples(Arc<Vec<Operation>>);

impl Respond for Examples {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let Some(operation) = self.0.iter().find(|one| one.fits(request.method.as_str(), request.url.path())) else {
            return ResponseTemplate::new(404);
        };
        let answer = ResponseTemplate::new(operation.status);
        match operation.examples.first() {
            Some(example) => {
                // One page is enough: the pages of examples lead to one another.
                let mut example = example.clone();
                if let Some(next) = example.get_mut("next_page_uri") {
                    *next = Value::Null;
                }
                answer.set_body_json(example)
            }
            None => answer,
        }
    }
}

/// A server that plays Twilio's REST API by its description.
pub(crate) struct Described {
    pub(crate) server: MockServer,
    operations: Arc<Vec<Operation>>,
}

impl Described {
    pub(crate) async fn start() -> Self {
        let operations = Arc::new(operations());
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(Examples(operations.clone())).mount(&server).await;
        Self { server, operations }
    }

    /// Checks every request that came, and gives for each operation the names of the parameters it was asked with.
    pub(crate) async fn check(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for request in self.server.received_requests().await.unwrap() {
            let (method, path) = (request.method.as_str(), request.url.path());
            let operation = self.operations.iter().find(|operation| operation.fits(method, path));
            let operation = operation.unwrap_or_else(|| panic!("there is no {method} {path}"));
            let query: Vec<_> = request.url.query_pairs().into_owned().collect();
            let form: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
            if method == "POST" {
                assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
            }
            asked.entry(operation.id.clone()).or_default().extend(operation.check(&query, &form));
        }
        asked
    }
}
