//! What types cannot say is checked when a document is written.

use twilio_twiml::{
    phone::Address,
    twiml::{
        BuildError, Client, Conference, Dial, Enqueue, Gather, Key, Number, Party, Play, Raw, Record, Response, Say,
        Start, Stop, Stream, Target, Task, ssml::Break,
    },
    words::Track,
};

fn refused(response: Response) -> BuildError {
    response.to_xml().expect_err("the document was written")
}

#[test]
fn a_stream_needs_a_plain_wss_url() {
    let bad = ["https://h.example/", "ws://h.example/", "wss://h.example/?token=1", "", "wss://h example/"];
    for url in bad {
        for response in [Response::new().connect(Stream::new(url)), Response::new().start(Stream::new(url))] {
            assert!(
                matches!(refused(response), BuildError::Attribute { attribute, .. } if attribute == "url"),
                "{url}"
            );
        }
    }
    for url in ["wss://h.example", "WSS://h.example:8443/a/b#rc=2", "/media", "media"] {
        assert!(Response::new().connect(Stream::new(url)).to_xml().is_ok(), "{url}");
    }
    let missing = refused(Response::new().connect(Stream::named("one")));
    assert_eq!(missing, BuildError::Missing { element: "Stream", attribute: "url" });
    assert!(Response::new().start(Stream::named("one").connector_name("shop")).to_xml().is_ok());
}

#[test]
fn a_connected_stream_hears_only_the_caller() {
    for track in [Track::Both, Track::Outbound] {
        let stream = Stream::new("wss://h.example/").track(track);
        assert!(matches!(refused(Response::new().connect(stream.clone())), BuildError::Attribute { .. }));
        assert!(Response::new().start(stream).to_xml().is_ok());
    }
}

#[test]
fn a_stream_parameter_has_under_500_characters() {
    let with = |length: usize| {
        let value = "あ".repeat(length - "token".len());
        Response::new().connect(Stream::new("wss://h.example/").parameter("token", value)).to_xml()
    };
    assert!(with(499).is_ok());
    assert!(with(500).is_err());
}

#[test]
fn stopping_needs_a_name() {
    let unnamed = refused(Response::new().stop(Stream::new("wss://h.example/")));
    assert_eq!(unnamed, BuildError::Missing { element: "Stream", attribute: "name" });
    let mut nothing = Stop::new(Stream::named("one"));
    nothing.nouns.clear();
    assert!(matches!(refused(Response::new().stop(nothing)), BuildError::Content { .. }));
    let mut nothing = Start::new(Stream::new("wss://h.example/"));
    nothing.nouns.clear();
    assert!(matches!(refused(Response::new().start(nothing)), BuildError::Content { .. }));
}

#[test]
fn a_dial_reaches_somebody_and_not_too_many() {
    let parties = |count: usize| Target::Parties((0..count).map(|_| Party::from(Client::new("joey"))).collect());
    assert!(Response::new().dial(Dial::to(parties(10))).to_xml().is_ok());
    assert!(matches!(refused(Response::new().dial(Dial::to(parties(11)))), BuildError::Content { .. }));
    assert!(matches!(refused(Response::new().dial(Dial::to(parties(0)))), BuildError::Content { .. }));
    let text = Target::Text(Address::from("client:joey"));
    assert!(matches!(refused(Response::new().dial(Dial::to(text))), BuildError::Content { .. }));
    let reason = Dial::to(Client::new("joey")).call_reason("あ".repeat(51));
    assert!(matches!(refused(Response::new().dial(reason)), BuildError::Attribute { .. }));
}

#[test]
fn a_room_has_a_name_and_its_labels_have_rules() {
    assert!(Response::new().dial(Conference::new("あ".repeat(128))).to_xml().is_ok());
    for name in [String::new(), "あ".repeat(129)] {
        assert!(matches!(refused(Response::new().dial(Conference::new(name))), BuildError::Content { .. }));
    }
    for label in ["a/b".to_owned(), "CA0123456789abcdef0123456789abcdef".to_owned(), "x".repeat(129)] {
        let room = Conference::new("room").participant_label(label);
        assert!(matches!(refused(Response::new().dial(room)), BuildError::Attribute { .. }));
    }
    let crowd = Conference::new("room").max_participants(251);
    assert!(matches!(refused(Response::new().dial(crowd)), BuildError::Attribute { .. }));
}

#[test]
fn other_verbs_have_rules_too() {
    let two_keys = Gather::new().finish_on_key([Key::STAR, Key::HASH]);
    let auto = Gather::new().speech_timeout(twilio_twiml::twiml::SpeechTimeout::Auto);
    let long_pause = Say::new(Break::new().time(twilio_twiml::Millis(10_001)));
    let responses = [
        Response::new().gather(two_keys),
        Response::new().gather(auto),
        Response::new().say(long_pause),
        Response::new().play(""),
        Response::new().play(Play::digits("12x")),
        Response::new().play(Play::digits("1").attribute("loop", "2").attribute("loop", "3")),
        Response::new().enqueue("x".repeat(65)),
        Response::new().enqueue(Enqueue::new(Task::new("{}"))),
        Response::new().dial(Number::new(Address::from("+14155550100")).send_digits("hello")),
        Response::new().record(Record::new().action("/a b")),
    ];
    for response in responses {
        refused(response);
    }
}

#[test]
fn names_that_would_break_the_document_are_refused() {
    for name in ["", "1a", "a b", "a=\"x\"", "voice", "é"] {
        let say = Say::new("x").attribute(name, "y");
        assert!(matches!(refused(Response::new().say(say)), BuildError::Name { .. }), "{name}");
    }
    for name in ["", "a b", "a/", "<"] {
        assert!(matches!(refused(Response::new().verb(Raw::new(name))), BuildError::Name { .. }), "{name}");
    }
    assert!(Response::new().say(Say::new("x").attribute("xml:space", "preserve")).to_xml().is_ok());
}

#[test]
fn characters_that_xml_cannot_carry_are_refused() {
    for character in ['\0', '\u{8}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
        let text = format!("a{character}b");
        let responses = [
            Response::new().say(text.clone()),
            Response::new().redirect(text.clone()),
            Response::new().say(Say::new("x").attribute("a", text.clone())),
            Response::new().verb(Raw::new("New").then(text)),
        ];
        for response in responses {
            let error = refused(response);
            assert!(matches!(error, BuildError::Character { character: found, .. } if found == character), "{error}");
        }
    }
    assert!(Response::new().say("tab\t, line\n, \u{7F}, 😀, \u{FFFD}").to_xml().is_ok());
}

#[test]
fn documents_have_a_length() {
    assert!(Response::new().say("x".repeat(65_000)).to_xml().is_ok());
    let long = refused(Response::new().say("x".repeat(65_536)));
    assert!(matches!(long, BuildError::TooLong { limit: 65_536, unit: "bytes", .. }));

    assert!(Response::new().say("あ".repeat(3_900)).to_inline().is_ok());
    let long = Response::new().say("あ".repeat(3_950)).to_inline().unwrap_err();
    assert!(matches!(long, BuildError::TooLong { limit: 4_000, unit: "characters", .. }));
}

#[test]
fn an_inline_document_has_absolute_urls() {
    for response in [
        Response::new().redirect("/next"),
        Response::new().gather(Gather::new().action("answer")),
        Response::new().connect(Stream::new("/media")),
    ] {
        assert!(response.to_xml().is_ok());
        assert!(response.to_inline().is_err());
    }
    assert!(Response::new().redirect("https://h.example/next").to_inline().is_ok());
}
