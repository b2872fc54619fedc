//! What is written can be read, and is the same.

use proptest::{collection::vec, option, prelude::*};
use twilio_twiml::{
    phone::{Address, E164},
    twiml::{
        self, Application, Client, Conference, Connect, Dial, Enqueue, Gather, Hangup, Input, Key, Language, Number,
        Party, Pay, PaymentStep, Play, Prompt, Queue, Raw, Record, Redirect, Response, Say, Sip, SipUri, Siprec, Start,
        Stop, Stream, Target, Task, Transcription, Verb, Voice,
        ssml::{Alphabet, Break, Emphasis, InterpretAs, Lang, Level, P, Phoneme, Prosody, S, SayAs, Speech, Sub, W},
    },
    words::{Beep, CallEvent, ConferenceEvent, Method, RecordingEvent},
};

/// Text of every kind that XML can carry, with what needs escaping often in it.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range(' ', '~'),
        2 => prop::sample::select(vec!['<', '>', '&', '"', '\'', '\t', '\n', '\r', ']', ';']),
        2 => prop::sample::select(vec!['あ', '漢', 'é', '😀', '\u{85}', '\u{2028}', '\u{A0}', '\u{FFFD}']),
    ];
    vec(character, 0..24).prop_map(|characters| characters.into_iter().collect())
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,12}"
}

fn url() -> impl Strategy<Value = String> {
    ("(https://h\\.example|)", "(/[a-z0-9&'<>\"]{0,6}){1,3}", "(\\?[a-z]=[a-z&%20]{0,6}){0,1}")
        .prop_map(|(host, path, query)| format!("{host}{path}{query}"))
}

fn speech() -> impl Strategy<Value = Vec<Speech>> {
    let leaf = prop_oneof![
        text().prop_map(Speech::from),
        (0_u32..10_000).prop_map(|time| Break::new().time(twilio_twiml::Millis(time)).into()),
        text().prop_map(|text| SayAs::new(InterpretAs::Date, text).into()),
        (text(), text()).prop_map(|(text, alias)| Sub::new(text, alias).into()),
        (text(), text()).prop_map(|(text, ph)| Phoneme::new(Alphabet::Yomigana, ph, text).into()),
    ];
    let nested = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4)
                .prop_map(|parts| { parts.into_iter().fold(Prosody::new("").rate("slow"), Prosody::then).into() }),
            vec(inner, 0..4)
                .prop_map(|parts| { parts.into_iter().fold(Lang::new(Language::FrFr, ""), Lang::then).into() }),
            (text(), text()).prop_map(|(one, two)| {
                let word = W::new(one).then(Break::new());
                let sentence = S::new(Emphasis::new(word).level(Level::Strong)).then(two);
                P::new("a").then(sentence).into()
            }),
        ]
    });
    vec(nested, 0..5)
}

fn say() -> impl Strategy<Value = Say> {
    (speech(), option::of(word()), option::of(0_u32..4)).prop_map(|(parts, voice, repeat)| {
        let mut say = parts.into_iter().fold(Say::new(""), Say::then);
        if let Some(voice) = voice {
            say = say.voice(Voice::polly(voice)).language(Language::JaJp);
        }
        if let Some(repeat) = repeat {
            say = say.repeat(repeat);
        }
        say
    })
}

fn number() -> impl Strategy<Value = E164> {
    "\\+[1-9][0-9]{4,13}".prop_map(|text| text.parse().expect("the pattern is that of E.164"))
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![
        (number(), option::of(url())).prop_map(|(number, url)| {
            let number = Number::new(number).status_callback_event([CallEvent::Answered, CallEvent::Completed]);
            url.into_iter().fold(number, Number::url).into()
        }),
        (text(), vec((text(), text()), 0..3)).prop_map(|(who, values)| {
            values.into_iter().fold(Client::new(who), |client, (name, value)| client.parameter(name, value)).into()
        }),
        (vec(word(), 1..3), vec((word(), text()), 0..3), option::of(text())).prop_map(|(uris, headers, password)| {
            let mut uris = uris.into_iter().map(|uri| SipUri::new(format!("sip:{uri}@h.example")));
            let mut first = uris.next().expect("there is at least one");
            if let Some(password) = password {
                first = first.password(password);
            }
            let sip = uris.fold(Sip::new(first), Sip::uri);
            headers.into_iter().fold(sip, |sip, (name, value)| sip.header(name, value)).into()
        }),
        "AP[0-9a-f]{32}".prop_map(|sid| Application::new(sid.parse().expect("the pattern is a SID's")).into()),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        number().prop_map(Target::from),
        vec(party(), 1..4).prop_map(Target::from),
        (word(), text()).prop_map(|(name, label)| {
            let label = label.replace('/', "");
            Conference::new(name)
                .participant_label(label)
                .beep(Beep::OnEnter)
                .status_callback_event([ConferenceEvent::Join, ConferenceEvent::Leave])
                .into()
        }),
        word().prop_map(|name| Queue::new(name).into()),
    ]
}

fn raw() -> impl Strategy<Value = Raw> {
    let leaf = (word(), text()).prop_map(|(name, content)| Raw::new(format!("X{name}")).then(content));
    leaf.prop_recursive(3, 8, 3, |inner| {
        (word(), text(), vec(inner, 0..3)).prop_map(|(name, value, children)| {
            children.into_iter().fold(Raw::new(format!("X{name}")).attribute("a", value), Raw::then)
        })
    })
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        3 => say().prop_map(Verb::from),
        2 => (target(), option::of(url())).prop_map(|(target, action)| {
            let dial = Dial::to(target).timeout(20).recording_status_callback_event([RecordingEvent::Absent]);
            action.into_iter().fold(dial, Dial::action).into()
        }),
        2 => (word(), vec((text(), text()), 0..4), any::<bool>()).prop_map(|(path, values, beside)| {
            let stream = Stream::new(format!("wss://h.example/{path}")).name(path);
            let stream = values.into_iter().fold(stream, |stream, (name, value)| stream.parameter(name, value));
            if beside { Start::new(stream).and(Siprec::new().name("s")).into() } else { Connect::new(stream).into() }
        }),
        2 => (vec(say(), 0..3), text()).prop_map(|(says, hint)| {
            let gather = Gather::new().input([Input::Speech]).hints([hint]).finish_on_key(Key::STAR);
            says.into_iter().fold(gather, Gather::say).pause(1).into()
        }),
        1 => url().prop_map(|url| Redirect::new(url).method(Method::Get).into()),
        1 => url().prop_map(|url| Play::new(url).repeat(0).into()),
        1 => (text(), text()).prop_map(|(name, value)| Hangup::new().parameter(name, value).into()),
        1 => text().prop_map(|json| Enqueue::new(Task::new(json)).workflow_sid("WW1").into()),
        1 => text().prop_map(|label| Start::new(Transcription::new().inbound_track_label(label).config("a", "b")).into()),
        1 => word().prop_map(|name| Stop::new(Stream::named(name)).into()),
        1 => say().prop_map(|say| Pay::new().prompt(Prompt::new(PaymentStep::PostalCode).attempt([1, 2]).say(say)).into()),
        1 => text().prop_map(|value| Record::new().attribute("tomorrow", value).into()),
        1 => raw().prop_map(Verb::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn reading_what_was_written_gives_the_same(verbs in vec(verb(), 0..6)) {
        let document = verbs.into_iter().fold(Response::new(), Response::verb);
        let xml = document.to_xml().expect("only what Twilio takes was made");
        prop_assert_eq!(&xml.parse::<Response>().expect("what was written can be read"), &document);
        // The pretty form says the same; a Raw element's own layout is its content, so it is left out.
        if !document.verbs.iter().any(|verb| matches!(verb, Verb::Raw(_))) {
            let pretty = document.to_pretty_xml().expect("the same document");
            prop_assert_eq!(&pretty.parse::<Response>().expect("layout does not matter"), &document);
        }
    }

    #[test]
    fn another_reader_finds_the_same_text(text in text(), value in text()) {
        let document = Response::new().say(Say::new(text.as_str()).attribute("a", value.as_str()));
        let xml = document.to_xml().expect("XML can carry the text");
        let read = roxmltree::Document::parse(&xml).expect("the document is well formed");
        let say = read.root_element().first_element_child().expect("there is one verb");
        prop_assert_eq!(say.text().unwrap_or_default(), text);
        prop_assert_eq!(say.attribute("a"), Some(value.as_str()));
    }

    #[test]
    fn a_text_that_nobody_wrote_is_read_or_refused(start in text(), text in "[<>/ a-zA-Z=\"'&;#!?\\[\\]-]{0,80}") {
        for document in [format!("<Response>{text}</Response>"), format!("{start}{text}"), format!("<Response><Say {text}")] {
            if let Ok(parsed) = twiml::parse(&document)
                && let Ok(xml) = parsed.response.to_xml()
            {
                prop_assert_eq!(xml.parse::<Response>(), Ok(parsed.response));
            }
        }
    }

    #[test]
    fn an_address_is_the_same_in_and_out(text in text()) {
        let address = Address::from(text.as_str());
        prop_assert_eq!(Address::from(address.to_string()), address);
    }
}

#[test]
fn errors_say_where_they_are() {
    let cases = [
        ("", "line 1, column 1: this is not XML: there is no element"),
        (
            " <?xml version=\"1.0\"?><Response/>",
            "line 1, column 2: this is not XML: the XML declaration is not at the very beginning",
        ),
        ("<Answer/>", "line 1, column 1: the root is <Answer>, not <Response>"),
        ("<Response>\n<Say>あ<Dial/></Say></Response>", "line 2, column 7: <Dial> may not stand in <Say>"),
        ("<Response>\n  hello</Response>", "line 1, column 11: <Response> may not hold text"),
        (
            "<Response><Pause\n length='x'/></Response>",
            "line 2, column 10: length of <Pause> should be a whole number of seconds",
        ),
        ("<Response><Connect/></Response>", "line 1, column 11: <Connect> should hold exactly one noun"),
        (
            "<Response><Hangup><Parameter name='a'/></Hangup></Response>",
            "line 1, column 19: <Parameter> needs the attribute value",
        ),
        (
            "<Response><Reject reason='no'/></Response>",
            "line 1, column 27: reason of <Reject> should be one of rejected busy",
        ),
        ("<Response>\u{1}</Response>", "line 1, column 11: this is not XML: a character that XML cannot carry"),
        (
            "<Response><Say>&#1;</Say></Response>",
            "line 1, column 16: this is not XML: a reference to a character that XML cannot carry",
        ),
        (
            "<Response><Say>&nbsp;</Say></Response>",
            "line 1, column 16: this is not XML: an entity that XML does not know",
        ),
        ("<Response/><Response/>", "line 1, column 12: this is not XML: something follows the root element"),
        ("<!DOCTYPE a><Response/>", "line 1, column 1: this is not XML: something stands before the root element"),
    ];
    for (text, expected) in cases {
        assert_eq!(twiml::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    let unclosed = twiml::parse("<Response><Say>hello</Response>").unwrap_err();
    assert!(unclosed.to_string().contains("this is not XML"), "{unclosed}");
    let long = twiml::parse(&format!("<Response>{}</Response>", " ".repeat(70_000))).unwrap_err();
    assert!(long.to_string().contains("70021 bytes"), "{long}");
}

#[test]
fn depth_has_a_limit_and_no_danger() {
    let deep = |depth: usize| {
        let (open, close) = ("<prosody>".repeat(depth), "</prosody>".repeat(depth));
        twiml::parse(&format!("<Response><Say>{open}x{close}</Say></Response>"))
    };
    assert!(deep(62).is_ok());
    let error = deep(3_000).unwrap_err();
    assert!(error.to_string().contains("elements are nested more than 64 deep"), "{error}");
}

#[test]
fn people_write_xml_in_many_ways() {
    let document = "\u{feff}<?xml version='1.0'?>\r\n<!-- hello -->\r\n<Response >\r\n  <Dial\r\n  timeout = '5'>\r\n    \
        <Number>\r\n      +14155550100\r\n    </Number>\r\n  </Dial>\r\n  <Say><![CDATA[a < b]]> &amp;<!-- x --> c&#x21;</Say>\
        <Gather></Gather><?pi x?></Response>\r\n";
    let parsed = twiml::parse(document).unwrap();
    let number: E164 = "+14155550100".parse().unwrap();
    let expected =
        Response::new().dial(Dial::to(Number::new(number)).timeout(5)).say("a < b & c!").gather(Gather::new());
    assert_eq!(parsed.response, expected);
}
