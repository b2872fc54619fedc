//! What the two ends of a handover hear and do: a caller who waits with music, and a person who comes.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::{en, ja},
    twilio::{CallEnd, CallOptions, CallReport, CallerScript, Cue, PhoneScript},
};
use tokio::time::Instant;
use twilio_twiml::{rest::NewCall, twiml::Url};

use super::{
    app::Script,
    rest::{Api, OURS, number},
};

const PERSON: &str = "+819011112222";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test]
async fn a_caller_who_waits_meets_a_person_who_leaves_last() {
    let app = Script::default()
        .twiml(
            "/voice",
            "<Say>Thank you for calling. Goodbye.</Say><Dial><Conference beep=\"false\">r</Conference></Dial>",
        )
        .twiml("/offer", "<Gather action=\"/accepted\" numDigits=\"1\"><Say>abcdefgh</Say></Gather>")
        .twiml("/accepted", "<Dial><Conference beep=\"false\">r</Conference></Dial>")
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let waiting = Cue::new();
    let caller = CallerScript::new()
        .until_in_room()
        .cue(&waiting)
        .until_together()
        .until_agent_finishes()
        .say(ja::CALLER_CHANGE)
        .hang_up();
    let person = CallerScript::new()
        .until_agent_finishes()
        .press("1")
        .until_together()
        .say(ja::PERSON_HELLO)
        .until_alone()
        .hang_up();
    api.twilio.phone(number(PERSON), PhoneScript::answers(person).after(ms(100)));
    let (caller, person) = tokio::join!(api.twilio.call(CallOptions::new(caller)), async {
        waiting.given().await;
        let offer = Url::from(format!("http://{}/offer", app.address));
        let call = api.client.calls().create(&NewCall::new(number(PERSON), number(OURS), offer)).await.unwrap();
        api.twilio.report(&call.sid).await.unwrap()
    });

    let log = format!("{}\n{caller}\n{}\n{person}", caller.timeline, person.timeline);
    assert!(matches!(caller.end, CallEnd::CallerHungUp { .. }), "{log}");
    assert!(matches!(person.end, CallEnd::CallerHungUp { .. }), "{log}");
    // By one clock, to a frame: the caller went first.
    assert!(caller.instant(caller.ended) <= person.instant(person.ended) + ms(20), "{log}");

    let [stay] = &caller.rooms[..] else { panic!("{log}") };
    let said = Duration::from_millis(en::AGENT_GOODBYE.mulaw.len() as u64 / 8);
    let last = stay.last_before.unwrap();
    assert!(last.abs_diff(caller.answered.unwrap() + said) < ms(400), "{log}");
    // Music begins with the stay; the voice is what was said first in the room.
    assert_eq!(stay.first_sound, Some(stay.joined), "{log}");
    assert_eq!(stay.gap(), Some(stay.joined - last), "{log}");
    let spoke = |report: &CallReport, turn: usize| {
        report.instant(report.caller_speech.get(turn).unwrap_or_else(|| panic!("{log}")).start)
    };
    let is_heard = |voice: Instant, spoke: Instant, listener: &CallReport| {
        voice >= spoke && voice < spoke + ms(500) + listener.worst_lateness
    };
    let voice = caller.instant(stay.first_voice.unwrap());
    assert!(is_heard(voice, spoke(&person, 0), &caller), "{log}");
    assert!(stay.left <= caller.ended, "{log}");
    assert!(caller.to_string().contains("first heard"), "{caller}");

    let [stay] = &person.rooms[..] else { panic!("{log}") };
    let voice = person.instant(stay.first_voice.unwrap());
    assert!(is_heard(voice, spoke(&caller, 0), &person), "{log}");
}
