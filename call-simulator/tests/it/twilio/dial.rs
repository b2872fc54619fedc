//! Callers who are put through to somebody.

use std::time::Duration;

use call_simulator::twilio::{CallEnd, CallOptions, CallerScript, Cue, Event, PhoneScript};
use twilio_twiml::{
    webhook::{CallProgress, DialStatus, Dialed, Webhook},
    words::{CallStatus, Direction},
};

use super::{
    app::{Script, status},
    rest::number,
};

const FIRST: &str = "+819011112222";
const SECOND: &str = "+819033334444";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A loud tone of a pitch of its own.
fn tone(half_wave: usize) -> Vec<u8> {
    (0..4_000).map(|at: usize| if (at / half_wave).is_multiple_of(2) { 0x10 } else { 0x90 }).collect()
}

fn holds(heard: &[u8], tone: &[u8]) -> bool {
    heard.windows(800).any(|part| part == &tone[1_600..2_400])
}

fn script() -> Script {
    Script::default()
        .twiml("/whisper", "<Say>ab</Say>")
        .twiml("/after", "<Hangup/>")
        .answer("/first", |_| status(204))
        .twiml(
            "/voice",
            r#"<Dial action="/after" timeout="2"><Number url="/whisper" statusCallback="/first">+819011112222</Number>
               <Number>+819033334444</Number></Dial>"#,
        )
}

#[tokio::test]
async fn the_first_who_answers_is_put_through() {
    let app = script().start().await;
    let twilio = app.twilio();
    let (caller_tone, first_tone) = (tone(16), tone(8));
    let [greeted, answered] = [Cue::new(), Cue::new()];
    let person = CallerScript::new()
        .until_together()
        .say_audio("first", first_tone.clone())
        .cue(&greeted)
        .until_cue(&answered)
        .pause(ms(1_000))
        .hang_up();
    twilio.phone(number(FIRST), PhoneScript::answers(person).after(ms(300)));
    twilio.phone(number(SECOND), PhoneScript::no_answer());
    let caller = CallerScript::new().until_cue(&greeted).say_audio("caller", caller_tone.clone()).cue(&answered);

    let report = twilio.call(CallOptions::new(caller)).await;

    let log = &report.timeline;
    assert_eq!(report.end, CallEnd::HungUp, "{log}");
    assert!(holds(report.recording.agent(), &first_tone), "{log}");
    let calls = twilio.calls();
    let [_, first, second] = &calls[..] else { panic!("{calls:?}") };
    let first = twilio.report(first).await.unwrap();
    let second = twilio.report(second).await.unwrap();
    assert!(holds(first.recording.agent(), &caller_tone), "{}", first.timeline);
    assert_eq!(second.status, CallStatus::Canceled, "{}", second.timeline);
    let whispered = first.agent_speech[0].start;
    let through = first.timeline.first(|event| *event == Event::RoomStarted).unwrap();
    assert!(whispered < through, "{}", first.timeline);

    let dialed = Dialed::from_form(&app.seen("/after")[0].form).unwrap();
    assert_eq!((&dialed.status, dialed.bridged), (&DialStatus::Completed, Some(true)));
    assert_eq!(dialed.dialed_call_sid.as_ref(), Some(&first.call_sid));
    // Whole seconds, of at least two that the two of them have talked.
    let through = report.timeline.first(|event| *event == Event::RoomStarted).unwrap();
    let talked = (report.rooms[0].left - through).as_secs_f64();
    let told = dialed.duration.unwrap().0;
    assert!(told >= 2 && (f64::from(told)..f64::from(told) + 1.1).contains(&talked), "{told} of {talked}\n{log}");
    let progress = CallProgress::from_form(&app.seen("/first")[0].form).unwrap();
    assert_eq!(progress.call.direction, Some(Direction::OutboundDial));
    assert_eq!(progress.call.parent_call_sid, Some(report.call_sid.clone()));
    assert_eq!(progress.call.from.to_string(), "+14155550100");
}

#[tokio::test]
async fn a_caller_learns_that_nobody_can_be_reached() {
    for (phone, status) in [
        (PhoneScript::busy().after(ms(100)), DialStatus::Busy),
        (PhoneScript::fails(404).after(ms(100)), DialStatus::Failed),
        (PhoneScript::no_answer(), DialStatus::NoAnswer),
    ] {
        let app = script().start().await;
        let twilio = app.twilio();
        twilio.other_phones(phone);
        let report = twilio.call(CallOptions::new(CallerScript::new())).await;
        let log = &report.timeline;
        let dialed = Dialed::from_form(&app.seen("/after")[0].form).unwrap();
        assert_eq!((&dialed.status, dialed.bridged), (&status, Some(false)), "{log}");
        // It rings meanwhile.
        assert!(!report.agent_speech.is_empty(), "{log}");
    }
}

#[tokio::test]
async fn telephones_stop_ringing_when_the_caller_is_gone() {
    let app = script().start().await;
    let twilio = app.twilio();
    twilio.other_phones(PhoneScript::no_answer());
    twilio.call(CallOptions::new(CallerScript::new().until_agent_speaks().pause(ms(500)).hang_up())).await;
    for call in twilio.calls().iter().skip(1) {
        let report = twilio.report(call).await.unwrap();
        assert_eq!(report.status, CallStatus::Canceled, "{}", report.timeline);
    }
    assert_eq!(app.seen("/after").len(), 0);
}
