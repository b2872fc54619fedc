//! The documents of each flow of a telephone agent, in Japanese and in English.

use insta::assert_snapshot;
use twilio_twiml::{
    phone::E164,
    twiml::{
        Conference, Dial, Gather, Input, Key, Language, Number, Play, Record, Response, Say, Stream, Voice,
        ssml::{InterpretAs, SayAs},
    },
    words::{Beep, CallEvent, ConferenceEvent, MachineDetection, Method},
};

fn japanese(text: &str) -> Say {
    Say::new(text).language(Language::JaJp).voice(Voice::polly("Mizuki"))
}

fn english(text: &str) -> Say {
    Say::new(text).language(Language::EnUs).voice(Voice::polly_neural("Joanna"))
}

fn check(name: &str, document: &Response) {
    assert_snapshot!(name, document.to_pretty_xml().unwrap());
}

#[test]
fn connect() {
    for (name, apology) in [
        ("connect-ja", japanese("申し訳ございません。ただいま電話に出ることができません。")),
        ("connect-en", english("We are sorry. We can't take your call right now.")),
    ] {
        let stream = Stream::new("wss://bridge.example.com/api/twilio/media-stream/01J8")
            .name("conversation")
            .status_callback("https://bridge.example.com/api/twilio/stream-status")
            .parameter("token", "k3J9+/=")
            .parameter("session", "01J8");
        let document =
            Response::new().connect(stream).redirect("/api/twilio/after-stream/01J8?try=1&why=closed").say(apology);
        check(name, &document);
    }
}

#[test]
fn handoff() {
    for (name, line) in [
        ("handoff-ja", japanese("担当者におつなぎします。少々お待ちください。")),
        ("handoff-en", english("I'll put you through. One moment, please.")),
    ] {
        let room = Conference::new("room-CA0123456789abcdef0123456789abcdef")
            .start_conference_on_enter(true)
            .end_conference_on_exit(false)
            .beep(Beep::Never)
            .participant_label("caller")
            .wait_url("https://bridge.example.com/hold")
            .wait_method(Method::Post)
            .status_callback("https://bridge.example.com/conference")
            .status_callback_event([
                ConferenceEvent::Start,
                ConferenceEvent::End,
                ConferenceEvent::Join,
                ConferenceEvent::Leave,
            ]);
        check(name, &Response::new().say(line).dial(Dial::to(room).action("/after-room")));
    }
}

#[test]
fn whisper_to_the_person() {
    for (name, brief) in [
        ("whisper-ja", japanese("予約の変更のお客様です。お受けになる場合は1を押してください。")),
        ("whisper-en", english("A caller wants to change a booking. Press 1 to accept.")),
    ] {
        let gather = Gather::new().num_digits(1).timeout(10).action("/accepted").say(brief);
        check(name, &Response::new().gather(gather).hangup());
    }
}

#[test]
fn dial_a_person() {
    let number: E164 = "+81355501234".parse().unwrap();
    let person = Number::new(number)
        .url("/whisper")
        .status_callback("/leg")
        .status_callback_event([CallEvent::Initiated, CallEvent::Ringing, CallEvent::Answered, CallEvent::Completed])
        .machine_detection(MachineDetection::Enable)
        .amd_status_callback("/who-answered");
    check("dial", &Response::new().dial(Dial::to(person).timeout(20).answer_on_bridge(true).action("/after-dial")));
}

#[test]
fn hold() {
    for (name, line) in
        [("hold-ja", japanese("このままお待ちください。")), ("hold-en", english("Please stay on the line."))]
    {
        let music = Play::new("https://bridge.example.com/hold.mp3").repeat(2);
        check(name, &Response::new().say(line).play(music).pause(1).redirect(""));
    }
}

#[test]
fn gather() {
    for (name, question, language, hints) in [
        ("gather-ja", japanese("ご用件をお話しください。"), Language::JaJp, ["予約", "キャンセル"]),
        ("gather-en", english("How can I help you?"), Language::EnUs, ["booking", "cancel"]),
    ] {
        let gather = Gather::new()
            .input([Input::Speech, Input::Dtmf])
            .action("/heard")
            .language(language)
            .hints(hints)
            .speech_timeout(2)
            .finish_on_key(Key::HASH)
            .say(question);
        check(name, &Response::new().gather(gather).redirect("/nothing-heard"));
    }
}

#[test]
fn voicemail() {
    for (name, line, thanks) in [
        ("voicemail-ja", japanese("発信音の後にメッセージをお話しください。"), japanese("ありがとうございました。")),
        ("voicemail-en", english("Please leave a message after the tone."), english("Thank you.")),
    ] {
        let record = Record::new()
            .action("https://bridge.example.com/message")
            .max_length(120)
            .timeout(5)
            .finish_on_key(Key::HASH)
            .recording_status_callback("https://bridge.example.com/recording");
        check(name, &Response::new().say(line).record(record).say(thanks).hangup());
    }
}

#[test]
fn apology() {
    let code = |say: Say| say.then(SayAs::new(InterpretAs::Digits, "0120"));
    for (name, line) in [
        ("apology-ja", code(japanese("申し訳ございません。おかけ直しの際は、"))),
        ("apology-en", code(english("We are sorry & ask you to call <us> again, with the code "))),
    ] {
        check(name, &Response::new().say(line).hangup());
    }
}

#[test]
fn nothing_to_say() {
    check("empty", &Response::new());
}
