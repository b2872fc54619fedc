//! Walks the table of Twilio's own model: every element, attribute and word can be read and written, and nothing can
//! stand where it must not.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use twilio_twiml::twiml;

#[derive(Deserialize)]
struct Table {
    documented_but_not_in_model: BTreeMap<String, Vec<String>>,
    verbs: BTreeMap<String, Element>,
}

#[derive(Deserialize)]
struct Element {
    element: String,
    attributes: BTreeMap<String, Attribute>,
    children: Vec<String>,
    parents: Vec<String>,
    text: bool,
}

#[derive(Deserialize)]
struct Attribute {
    r#type: String,
    #[serde(default)]
    r#enum: Vec<String>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("../data/twiml-voice.json")).unwrap()
}

/// What Twilio's model spells in another way than its documentation does, and this crate with it.
fn documented(attribute: &str) -> &str {
    match attribute {
        "deepgramsmartformat" => "deepgramSmartFormat",
        "ignorebackchannel" => "ignoreBackchannel",
        "speechtimeout" => "speechTimeout",
        same => same,
    }
}

/// Values to try for an attribute.
fn values(element: &str, name: &str, attribute: Option<&Attribute>) -> Vec<String> {
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match (element, name) {
        (_, "byoc") => return strings(&["BY0123456789abcdef0123456789abcdef"]),
        (_, "coach") => return strings(&["CA0123456789abcdef0123456789abcdef"]),
        (_, "machineDetection") => return strings(&["Enable", "DetectMessageEnd"]),
        (_, "finishOnKey") => return strings(&["#", "", "5"]),
        (_, "digits" | "sendDigits") => return strings(&["12w#"]),
        (_, "participantLabel") => return strings(&["a&b"]),
        (_, "time") => return strings(&["500ms"]),
        ("Gather", "speechTimeout") => return strings(&["3"]),
        ("ConversationRelay", "speechTimeout") => return strings(&["auto", "900"]),
        ("ConversationRelay", "events") => return strings(&["speaker-events tokens-played"]),
        ("ConversationRelay", "deepgramSmartFormat" | "ignoreBackchannel") => return strings(&["true", "false"]),
        (_, "enableProviderData") => return strings(&["true", "false"]),
        ("SipUri", "priority" | "weight") => return strings(&["10"]),
        ("Stream" | "ConversationRelay", "url") => return strings(&["wss://h.example/socket"]),
        _ => {}
    }
    if name == "method" || (name.ends_with("Method") && name != "paymentMethod") {
        return strings(&["GET", "POST"]);
    }
    match attribute {
        Some(Attribute { r#enum, r#type }) if !r#enum.is_empty() => {
            let mut values = r#enum.clone();
            if r#type == "list" {
                values.push(r#enum.join(" "));
            }
            values
        }
        Some(attribute) => match attribute.r#type.as_str() {
            "boolean" => strings(&["true", "false"]),
            "number" => strings(&["7"]),
            "list" => strings(&["1 2 3"]),
            _ => strings(&["https://h.example/a&b"]),
        },
        None => strings(&["some-text"]),
    }
}

/// The attributes without which an element is refused, and its text.
fn least(id: &str) -> (Vec<(&'static str, &'static str)>, &'static str) {
    match id {
        "Stream" => (vec![("url", "wss://h.example/socket"), ("name", "one")], ""),
        "Siprec" | "Transcription" => (vec![("name", "one")], ""),
        "ConversationRelay" => (vec![("url", "wss://h.example/socket")], ""),
        "Parameter" | "Config" | "Header" => (vec![("name", "n"), ("value", "v")], ""),
        "Language" => (vec![("code", "ja-JP")], ""),
        "Enqueue" => (vec![("workflowSid", "WW1")], "support"),
        "Application" | "ApplicationSid" => (vec![], "AP0123456789abcdef0123456789abcdef"),
        "Number" | "Dial" | "WhatsApp" => (vec![], "+14155550100"),
        "SsmlLang" => (vec![("xml:lang", "fr-FR")], "bonjour"),
        "SsmlPhoneme" => (vec![("alphabet", "ipa"), ("ph", "pəˈkɑːn")], "pecan"),
        "SsmlSayAs" => (vec![("interpret-as", "digits")], "42"),
        "SsmlSub" => (vec![("alias", "aluminium")], "Al"),
        "SsmlBreak" => (vec![], ""),
        _ => (vec![], "text"),
    }
}

/// What an element cannot be without, when something else stands in it.
fn beside(id: &str, child: &str) -> &'static str {
    match (id, child) {
        ("Application", "Parameter") => "<ApplicationSid>AP0123456789abcdef0123456789abcdef</ApplicationSid>",
        ("Client", "Parameter") => "<Identity>joey</Identity>",
        _ => "",
    }
}

fn tag(table: &Table, id: &str, attributes: &[(String, String)], content: &str) -> String {
    let name = &table.verbs[id].element;
    let attributes: String =
        attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", value.replace('&', "&amp;"))).collect();
    if content.is_empty() {
        format!("<{name}{attributes}/>")
    } else {
        format!("<{name}{attributes}>{content}</{name}>")
    }
}

fn least_attributes(id: &str) -> Vec<(String, String)> {
    least(id).0.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// An element with as little as it can have, besides these attributes.
fn element(table: &Table, id: &str, attributes: &[(String, String)]) -> String {
    let mut all = least_attributes(id);
    all.retain(|(name, _)| attributes.iter().all(|(given, _)| given != name));
    all.extend_from_slice(attributes);
    let content = match id {
        "Connect" => tag(table, "Stream", &least_attributes("Stream"), ""),
        "Start" | "Stop" => tag(table, "Stream", &least_attributes("Stream"), ""),
        "Refer" => "<Sip>sip:a@h.example</Sip>".to_owned(),
        // Keys and a file exclude each other.
        "Play" if attributes.iter().any(|(name, _)| name == "digits") => String::new(),
        _ if table.verbs[id].text => least(id).1.to_owned(),
        _ => String::new(),
    };
    tag(table, id, &all, &content)
}

/// A document in which `inner` stands in `parent`, and that in whatever it needs around it.
fn document(table: &Table, parent: &str, child: &str, inner: &str) -> String {
    if parent == "Response" {
        return format!("<Response>{inner}</Response>");
    }
    let mut content = beside(parent, child).to_owned();
    content.push_str(inner);
    let around = tag(table, parent, &least_attributes(parent), &content);
    let next = way_out(table, parent);
    document(table, &next, parent, &around)
}

/// The parent from which `Response` is nearest.
fn way_out(table: &Table, id: &str) -> String {
    let mut queue: VecDeque<(String, String)> =
        table.verbs[id].parents.iter().map(|parent| (parent.clone(), parent.clone())).collect();
    while let Some((first, here)) = queue.pop_front() {
        if here == "Response" {
            return first;
        }
        queue.extend(table.verbs[&here].parents.iter().map(|parent| (first.clone(), parent.clone())));
    }
    panic!("{id} is nowhere in a Response")
}

/// Reads the document, finds nothing unknown in it, writes it, and finds the same in what was written.
fn check(document: &str) -> String {
    let parsed = twiml::parse(document).unwrap_or_else(|error| panic!("{document}\n{error}"));
    assert_eq!(parsed.unknown, [], "{document}");
    let written = parsed.response.to_xml().unwrap_or_else(|error| panic!("{document}\n{error}"));
    assert_eq!(twiml::parse(&written).unwrap(), parsed, "{document}\n{written}");
    written
}

#[test]
fn every_element_stands_in_every_parent_it_can_have() {
    let table = table();
    let mut places = 0;
    for (id, row) in &table.verbs {
        for parent in &row.parents {
            check(&document(&table, parent, id, &element(&table, id, &[])));
            places += 1;
        }
    }
    assert!(places > 120, "only {places} places were tried");
}

#[test]
fn every_attribute_and_every_word_can_be_read_and_written() {
    let table = table();
    let mut tried = 0;
    for (id, row) in &table.verbs {
        let model = row.attributes.iter().map(|(name, attribute)| (documented(name), Some(attribute)));
        let more = table.documented_but_not_in_model.get(id).into_iter().flatten();
        let more = more.map(|name| (name.as_str(), row.attributes.get(name)));
        for (name, attribute) in model.chain(more) {
            // A stream under <Connect> has one track only, so streams are tried elsewhere.
            let parent = if id == "Stream" { "Start".to_owned() } else { way_out(&table, id) };
            for value in values(id, name, attribute) {
                let pair = [(name.to_owned(), value.clone())];
                let written = check(&document(&table, &parent, id, &element(&table, id, &pair)));
                let expected = format!(" {name}=\"{}\"", value.replace('&', "&amp;"));
                assert!(written.contains(&expected), "{expected} is not in {written}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1700, "only {tried} values were tried");
}

#[test]
fn nothing_stands_where_it_must_not() {
    let table = table();
    let mut refused = 0;
    for (parent, row) in &table.verbs {
        let allowed: Vec<&str> = row.children.iter().map(|child| table.verbs[child].element.as_str()).collect();
        for (id, child) in &table.verbs {
            if allowed.contains(&child.element.as_str()) {
                continue;
            }
            let text = document(&table, parent, id, &element(&table, id, &[]));
            assert!(twiml::parse(&text).is_err(), "was read: {text}");
            refused += 1;
        }
    }
    assert!(refused > 3000, "only {refused} places were refused");
}

#[test]
fn every_known_voice_has_parts() {
    let table = table();
    for voice in &table.verbs["Say"].attributes["voice"].r#enum {
        let read = twiml::Voice::from(voice.as_str());
        assert!(!matches!(read, twiml::Voice::Other(_)), "{voice} was not understood");
        assert_eq!(&read.to_string(), voice);
    }
}

#[test]
fn every_known_language_is_a_word() {
    let table = table();
    for (id, name) in [("Say", "language"), ("Gather", "language"), ("Pay", "language"), ("SsmlLang", "xml:lang")] {
        for language in &table.verbs[id].attributes[name].r#enum {
            assert!(!matches!(twiml::Language::from(language.as_str()), twiml::Language::Other(_)), "{language}");
        }
    }
}
