//! Rooms: who hears whom, who is told of what, and how people come and go.

use std::{collections::BTreeSet, time::Duration};

use axum::{body::Body, http::header, response::Response as HttpResponse};
use call_simulator::{
    audio::{fixtures::en, wav},
    twilio::{
        CallEnd, CallOptions, CallReport, CallbackPlan, CallerScript, Cue, Event, Number, PhoneScript, TwilioSimulator,
    },
};
use futures_util::TryStreamExt;
use twilio_twiml::{
    phone::Address,
    rest::{
        ConferenceFilter, ConferenceStatus, ConferenceUpdate, NewCall, NewParticipant, Participant, ParticipantFilter,
        ParticipantStatus, ParticipantUpdate, Problem,
    },
    sid::CallSid,
    twiml::{Conference, Dial, Gather, Response, Say, Url},
    webhook::{CallProgress, ConferenceHappening, ConferenceProgress, Form, Recorded, Webhook, WhyEnded, WhyLeft},
    words::{Beep, CallEvent, CallStatus},
};

use super::{
    app::{App, Script, TOKEN, status},
    rest::{Api, OURS, inline, number},
};

const AGENT: &str = "+819011112222";
const COACH: &str = "+819033334444";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A room as callers join it: it tells everything to `/room`.
const ROOM: &str = r#"<Dial action="/after"><Conference beep="false" participantLabel="caller"
    statusCallback="http://{host}/room" statusCallbackEvent="start end join leave mute hold modify announcement"
    >room-1</Conference></Dial>"#;

fn script() -> Script {
    Script::default()
        .twiml("/voice", ROOM)
        .twiml("/after", "<Say>ab</Say>")
        .answer("/room", |_| status(204))
        .answer("/agent-status", |_| status(204))
}

fn url(app: &App, path: &str) -> String {
    format!("http://{}{path}", app.address)
}

/// Somebody who is dialled into a room without a beep.
fn somebody(number: &str, label: &str) -> NewParticipant {
    NewParticipant::new(Address::from(OURS), Address::from(number)).label(label).beep(Beep::Never).early_media(false)
}

/// What was told of the room, in its order.
fn told(app: &App) -> Vec<ConferenceProgress> {
    let all = app.seen("/room");
    let mut all: Vec<_> = all.iter().map(|seen| ConferenceProgress::from_form(&seen.form).unwrap()).collect();
    all.sort_by_key(|progress| progress.sequence_number);
    all
}

fn events(app: &App) -> Vec<String> {
    told(app).iter().map(|progress| progress.event.to_string()).collect()
}

async fn until(done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(ms(5)).await;
        }
    };
    tokio::time::timeout(ms(60_000), waiting).await.expect("it happens in a minute");
}

async fn told_of(app: &App, happening: ConferenceHappening) -> ConferenceProgress {
    until(|| told(app).iter().any(|progress| progress.event == happening)).await;
    told(app).into_iter().find(|progress| progress.event == happening).unwrap()
}

fn sid_of(participant: &Participant) -> CallSid {
    participant.call_sid.clone()
}

/// A loud tone of a pitch of its own.
fn tone(half_wave: usize, length_ms: usize) -> Vec<u8> {
    (0..length_ms * 8).map(|at| if (at / half_wave).is_multiple_of(2) { 0x10 } else { 0x90 }).collect()
}

/// Whether a tenth of a second of a tone is there without anything mixed into it.
fn holds(heard: &[u8], tone: &[u8]) -> bool {
    heard.windows(800).any(|part| part == &tone[..800])
}

fn left(report: &CallReport) -> Option<WhyLeft> {
    report.timeline.moments().iter().find_map(|moment| match &moment.event {
        Event::RoomLeft { reason } => Some(reason.clone()),
        _ => None,
    })
}

#[tokio::test]
async fn a_person_is_dialled_into_the_room_of_a_caller() {
    let app = script().start().await;
    let api = Api::of(app.twilio()).await;
    let (caller_tone, agent_tone) = (tone(16, 500), tone(8, 500));
    let [greeted, answered, seen] = [Cue::new(), Cue::new(), Cue::new()];
    let agent = CallerScript::new()
        .until_together()
        .say_audio("agent", agent_tone.clone())
        .cue(&greeted)
        .until_cue(&answered)
        // The last of it is still on its way through the room.
        .pause(ms(500))
        .until_cue(&seen)
        .hang_up();
    api.twilio.phone(number(AGENT), PhoneScript::answers(agent).after(ms(500)));
    let caller = CallerScript::new().until_cue(&greeted).say_audio("caller", caller_tone.clone()).cue(&answered);
    let ended = somebody(AGENT, "human")
        .end_conference_on_exit(true)
        .status_callback(url(&app, "/agent-status"))
        .status_callback_event(CallEvent::ALL.iter().copied());

    let (report, joined) = tokio::join!(api.twilio.call(CallOptions::new(caller)), async {
        told_of(&app, ConferenceHappening::Join).await;
        let waiting: Vec<_> = api
            .client
            .conferences()
            .list(&ConferenceFilter::new().friendly_name("room-1"))
            .try_collect()
            .await
            .unwrap();
        assert_eq!(waiting[0].status, ConferenceStatus::Init);
        let joined = api.client.dial_into("room-1", &ended).await.unwrap();
        assert_eq!((joined.status.clone(), &joined.conference_sid), (Some(ParticipantStatus::Queued), &waiting[0].sid));
        told_of(&app, ConferenceHappening::Start).await;
        let room = api.client.conference(&joined.conference_sid);
        assert_eq!(room.fetch().await.unwrap().status, ConferenceStatus::InProgress);
        let legs: Vec<_> = room.participants(&ParticipantFilter::new()).try_collect().await.unwrap();
        let labels: Vec<_> = legs.iter().map(|leg| leg.label.clone().unwrap()).collect();
        assert_eq!(labels, ["caller", "human"]);
        assert!(legs.iter().all(|leg| leg.status == Some(ParticipantStatus::Connected)));
        seen.give();
        joined
    });
    let agent = api.twilio.report(&joined.call_sid).await.unwrap();

    let log = format!("{}\n{}", report.timeline, agent.timeline);
    assert_eq!(
        (&report.end, &agent.end),
        (&CallEnd::DocumentEnded, &CallEnd::CallerHungUp { phase: call_simulator::twilio::Phase::Answered }),
        "{log}"
    );
    assert!(holds(report.recording.agent(), &agent_tone), "{log}");
    assert!(holds(agent.recording.agent(), &caller_tone), "{log}");
    assert!(!holds(report.recording.agent(), &caller_tone), "nobody hears themselves\n{log}");
    // There was music until the person came.
    let started = report.timeline.first(|event| *event == Event::RoomStarted).unwrap();
    assert!(report.agent_speech[0].start < started, "{log}");
    assert_eq!(left(&report), Some(WhyLeft::ModeratorEnded));
    assert_eq!(app.seen("/after")[0].form.get("DialCallStatus"), Some("answered"));
    assert_eq!(app.seen("/after")[0].form.get("DialCallSid"), None);

    told_of(&app, ConferenceHappening::End).await;
    let names = ["participant-join", "participant-join", "conference-start"];
    assert_eq!(events(&app)[..3], names, "{log}");
    let rest = &told(&app)[3..];
    assert_eq!(rest.iter().map(|one| one.sequence_number.unwrap()).collect::<Vec<_>>(), [4, 5, 6]);
    let [human, caller, end] = rest else { panic!("{rest:?}") };
    assert_eq!(
        (human.why_left.as_ref(), caller.why_left.as_ref()),
        (Some(&WhyLeft::HungUp), Some(&WhyLeft::ModeratorEnded))
    );
    assert_eq!(human.participant_call_status, Some(CallStatus::Completed));
    assert_eq!(caller.participant_call_status, Some(CallStatus::InProgress));
    assert_eq!(
        (end.why_ended.as_ref(), end.call_sid_ending_conference.as_ref()),
        (Some(&WhyEnded::EnderLeft), Some(&joined.call_sid))
    );
    let statuses: Vec<_> =
        app.seen("/agent-status").iter().map(|seen| CallProgress::from_form(&seen.form).unwrap().call.status).collect();
    assert_eq!(statuses.len(), 4);
    let gone = api.client.conference(&joined.conference_sid).participant_of(&joined).await;
    assert_eq!(gone, Some(Problem::NotFound));
}

/// A short way to ask for a participant.
trait ParticipantOf {
    async fn participant_of(&self, participant: &Participant) -> Option<Problem>;
}

impl ParticipantOf for twilio_twiml::rest::ConferenceHandle<'_> {
    async fn participant_of(&self, participant: &Participant) -> Option<Problem> {
        self.participant(&participant.call_sid).fetch().await.err().and_then(|error| error.problem())
    }
}

#[tokio::test]
async fn legs_are_muted_held_coached_and_told() {
    let file = {
        let mut wav = std::io::Cursor::new(Vec::new());
        wav::write_mono(&mut wav, &[[4_000; 40], [-4_000; 40]].concat().repeat(100)).unwrap();
        wav.into_inner()
    };
    let app = script()
        .answer("/hold", move |_| {
            HttpResponse::builder().header(header::CONTENT_TYPE, "audio/wav").body(Body::from(file.clone())).unwrap()
        })
        .twiml("/note", "<Say>abcdefgh</Say>")
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let talker = |half_wave, script: CallerScript| {
        let on_and_on = tone(half_wave, 120_000);
        PhoneScript::answers(script.say_audio("on and on", on_and_on)).after(ms(40))
    };
    let coached = Cue::new();
    let whispers = CallerScript::new().until_together().say_audio("a second of it", tone(8, 1_000)).cue(&coached);
    api.twilio.phone(number(AGENT), talker(16, CallerScript::new()));
    api.twilio.phone(number(COACH), talker(8, whispers));
    let caller = CallerScript::new();
    let (report, (human, coach)) = tokio::join!(api.twilio.call(CallOptions::new(caller)), async {
        told_of(&app, ConferenceHappening::Join).await;
        let human = api.client.dial_into("room-1", &somebody(AGENT, "human")).await.unwrap();
        told_of(&app, ConferenceHappening::Start).await;
        let room = api.client.conference(&human.conference_sid);
        let leg = room.participant(&human.call_sid);
        assert!(leg.mute(true).await.unwrap().muted.unwrap());
        told_of(&app, ConferenceHappening::Mute).await;
        assert!(!leg.mute(false).await.unwrap().muted.unwrap());
        told_of(&app, ConferenceHappening::Unmute).await;
        assert!(leg.hold(url(&app, "/hold")).await.unwrap().hold.unwrap());
        told_of(&app, ConferenceHappening::Hold).await;
        until(|| !app.seen("/hold").is_empty()).await;
        leg.unhold().await.unwrap();
        told_of(&app, ConferenceHappening::Unhold).await;

        let whisper = somebody(COACH, "coach").call_sid_to_coach(sid_of(&human));
        let coach = room.dial(&whisper).await.unwrap();
        assert_eq!((coach.coaching, coach.call_sid_to_coach.as_ref()), (Some(true), Some(&human.call_sid)));
        until(|| told(&app).iter().filter(|one| one.event == ConferenceHappening::Join).count() == 3).await;
        coached.given().await;
        leg.update(&ParticipantUpdate::new().end_conference_on_exit(true)).await.unwrap();
        told_of(&app, ConferenceHappening::Modify).await;
        room.update(&ConferenceUpdate::new().announce_url(url(&app, "/note"))).await.unwrap();
        told_of(&app, ConferenceHappening::AnnouncementEnd).await;
        room.end().await.unwrap();
        (human, coach)
    });
    let human = api.twilio.report(&human.call_sid).await.unwrap();
    let coach = api.twilio.report(&coach.call_sid).await.unwrap();
    let log = format!("{}\n{}\n{}", report.timeline, human.timeline, coach.timeline);

    let (human_tone, coach_tone) = (tone(16, 500), tone(8, 500));
    assert!(holds(report.recording.agent(), &human_tone), "{log}");
    assert!(!holds(report.recording.agent(), &coach_tone), "only the one who is coached hears the coach\n{log}");
    assert!(holds(human.recording.agent(), &coach_tone), "{log}");
    assert!(holds(coach.recording.agent(), &human_tone), "{log}");
    assert_eq!(left(&report), Some(WhyLeft::ByApi), "{log}");
    assert_eq!((&human.end, left(&human)), (&CallEnd::DocumentEnded, Some(WhyLeft::ByApi)), "{log}");
    assert_eq!(app.seen("/hold").len(), 1, "{log}");
    let end = told_of(&app, ConferenceHappening::End).await;
    assert_eq!((end.why_ended, end.call_sid_ending_conference), (Some(WhyEnded::ByApi), None));
    let waits = human.timeline.moments().iter().filter(|moment| moment.event == Event::RoomWaits).count();
    assert_eq!(waits, 1, "{log}");
}

#[tokio::test]
async fn what_a_room_refuses() {
    let app = script().start().await;
    let api = Api::of(app.twilio()).await;
    api.twilio.phone(number(AGENT), PhoneScript::no_answer());
    let problem = async |participant: &NewParticipant| {
        let error = api.client.dial_into("room-2", participant).await.unwrap_err();
        error.problem().unwrap()
    };
    let waiting = api.client.dial_into("room-2", &somebody(AGENT, "human")).await.unwrap();
    assert_eq!(problem(&somebody(AGENT, "human")).await, Problem::LabelTaken);
    assert_eq!(problem(&somebody(AGENT, "a/b")).await, Problem::BadRequest);
    let nobody = "CA0123456789abcdef0123456789abcdef".parse::<CallSid>().unwrap();
    assert_eq!(problem(&somebody(AGENT, "x").call_sid_to_coach(nobody)).await, Problem::BadRequest);
    assert_eq!(api.twilio.calls().len(), 1);

    // Removed before it has answered: the call is given up.
    let room = api.client.conference(&waiting.conference_sid);
    room.participant(&waiting.call_sid).remove().await.unwrap();
    let report = api.twilio.report(&waiting.call_sid).await.unwrap();
    assert_eq!(report.status, CallStatus::Canceled);
    assert_eq!(room.participant_of(&waiting).await, Some(Problem::NotFound));
    assert_eq!(room.fetch().await.unwrap().status, ConferenceStatus::Completed);
    let error = room.dial(&somebody(AGENT, "late")).await.unwrap_err();
    assert_eq!(error.problem(), Some(Problem::ConferenceOver));
}

#[tokio::test]
async fn a_person_who_cannot_be_reached_leaves_a_caller_who_hears_music() {
    let app = script().start().await;
    let api = Api::of(app.twilio()).await;
    api.twilio.phone(number(AGENT), PhoneScript::busy().after(ms(100)));
    let told_why = Cue::new();
    let caller = CallerScript::new().until_agent_speaks().until_cue(&told_why).pause(ms(500)).hang_up();
    let (report, failed) = tokio::join!(api.twilio.call(CallOptions::new(caller)), async {
        told_of(&app, ConferenceHappening::Join).await;
        let joined = api.client.dial_into("room-1", &somebody(AGENT, "human")).await.unwrap();
        let of_person = || told(&app).into_iter().find(|one| one.call_sid.as_ref() == Some(&joined.call_sid));
        until(|| of_person().is_some()).await;
        told_why.give();
        of_person().unwrap()
    });
    let log = &report.timeline;
    assert_eq!((failed.why_left, failed.participant_call_status), (Some(WhyLeft::AddFailed), Some(CallStatus::Busy)));
    assert!(report.measures.longest_silence.is_none_or(|silence| silence.duration() < ms(200)), "{log}\n{report}");
    told_of(&app, ConferenceHappening::End).await;
    assert_eq!(events(&app), ["participant-join", "participant-leave", "participant-leave", "conference-end"]);
}

/// What a person hears who is asked whether they take a call.
fn offer() -> Response {
    let say = Say::new("ab");
    Response::new().gather(Gather::new().num_digits(1).timeout(1).action("/answer").say(say)).hangup()
}

#[tokio::test]
async fn a_person_accepts_with_a_key_declines_or_lets_it_ring_out() {
    let app = script()
        .answer("/offer", |_| super::app::xml(offer().to_xml().unwrap()))
        .answer("/answer", |seen| {
            let accepted = seen.form.get("Digits") == Some("1");
            let room = Dial::to(Conference::new("room-1").beep(Beep::Never).participant_label("human"));
            let document = if accepted { Response::new().dial(room) } else { Response::new().hangup() };
            super::app::xml(document.to_xml().unwrap())
        })
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let offer = NewCall::new(number(AGENT), number(OURS), Url::from(url(&app, "/offer")));
    let ask = async |person: CallerScript| {
        api.twilio.phone(number(AGENT), PhoneScript::answers(person).after(ms(40)));
        let call = api.client.calls().create(&offer).await.unwrap();
        api.twilio.report(&call.sid).await.unwrap()
    };

    let declined = ask(CallerScript::new().until_agent_finishes().press("2")).await;
    assert_eq!(declined.end, CallEnd::HungUp, "{}", declined.timeline);
    let silent = ask(CallerScript::new()).await;
    assert_eq!((&silent.end, app.seen("/answer").len()), (&CallEnd::HungUp, 1), "{}", silent.timeline);
    // A machine that talks presses no key.
    api.twilio.phone_next(number(AGENT), PhoneScript::full_mailbox(en::AGENT_STILL_THERE).after(ms(40)));
    let call = api.client.calls().create(&offer).await.unwrap();
    let machine = api.twilio.report(&call.sid).await.unwrap();
    assert!(left(&machine).is_none(), "{}", machine.timeline);

    let caller = CallerScript::new().until_together().until_agent_finishes().hang_up();
    let person = CallerScript::new().until_agent_speaks().press("1").until_together().say(en::CALLER_UH_HUH);
    let (report, accepted) =
        tokio::join!(api.twilio.call(CallOptions::new(caller)), ask(person.until_alone().hang_up()));
    let log = format!("{}\n{}", report.timeline, accepted.timeline);
    assert!(report.timeline.first(|event| *event == Event::RoomStarted).is_some(), "{log}");
    assert_eq!(app.seen("/answer").last().unwrap().form.get("Digits"), Some("1"));
    assert_eq!(left(&report), Some(WhyLeft::HungUp), "{log}");
}

#[tokio::test]
async fn words_are_gathered_as_the_caller_says_them() {
    let app = Script::default()
        .twiml("/voice", "<Gather input=\"speech dtmf\" speechTimeout=\"1\" timeout=\"2\" action=\"/heard\"><Say>abcdefghijklmnopqrstuvwxyz</Say></Gather>")
        .twiml("/heard", "<Hangup/>")
        .start()
        .await;
    let caller = CallerScript::new().until_agent_speaks().pause(ms(200)).say(en::CALLER_INTERRUPTS);
    let report = app.twilio().call(CallOptions::new(caller)).await;
    let log = &report.timeline;
    assert_eq!(report.end, CallEnd::HungUp, "{log}");
    assert_eq!(app.seen("/heard")[0].form.get("SpeechResult"), Some(en::CALLER_INTERRUPTS.transcript));
    assert!(report.agent_speech[0].duration() < ms(1_000), "the caller interrupts\n{log}");
}

#[tokio::test]
async fn who_waits_hears_what_the_wait_url_plays_and_is_redirected_out() {
    let app = Script::default()
        .twiml(
            "/voice",
            r#"<Dial><Conference waitUrl="/wait" startConferenceOnEnter="false">room-3</Conference></Dial>"#,
        )
        .twiml("/wait", "<Say>ab</Say><Pause/><Redirect/>")
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let (report, ()) = tokio::join!(api.twilio.call(CallOptions::new(CallerScript::new())), async {
        until(|| app.seen("/wait").len() == 2).await;
        let call = api.twilio.calls().pop().unwrap();
        api.client.call(&call).run(inline(Response::new().say("c"))).await.unwrap();
    });
    assert_eq!(left(&report), Some(WhyLeft::Redirected), "{}", report.timeline);
    assert!(report.agent_speech.len() >= 2, "{}", report.timeline);
    assert_eq!(app.seen("/wait")[0].form.get("FriendlyName"), Some("room-3"));
}

#[tokio::test]
async fn a_room_is_recorded_once_it_runs() {
    let app = Script::default()
        .twiml(
            "/voice",
            r#"<Dial><Conference beep="false" record="record-from-start" recordingStatusCallback="http://{host}/recorded">r</Conference></Dial>"#,
        )
        .answer("/recorded", |_| status(204))
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let [first_said, second_said] = [Cue::new(), Cue::new()];
    let says = |script: CallerScript| script.say_audio("tone", tone(16, 300));
    let first = says(CallerScript::new().until_together()).cue(&first_said).until_cue(&second_said).hang_up();
    let second = says(CallerScript::new().until_cue(&first_said)).cue(&second_said).pause(ms(400)).hang_up();
    tokio::join!(
        api.twilio.call(CallOptions::new(first)),
        api.twilio.call(CallOptions::new(second).with_from(Address::from("+14155550101")))
    );
    until(|| !app.seen("/recorded").is_empty()).await;
    let told = twilio_twiml::webhook::RecordingProgress::from_form(&app.seen("/recorded")[0].form).unwrap();
    assert!(told.conference_sid.is_some() && told.call_sid.is_none());
    let recording = api.client.recording(&told.recording_sid);
    let pieces: Vec<_> =
        recording.download(twilio_twiml::rest::AudioFile::Wav).await.unwrap().try_collect().await.unwrap();
    let samples = wav::read_mono(&pieces.concat()[..]).unwrap();
    let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 4_000).count();
    assert!((3_000..=6_000).contains(&loud), "{loud} of {}", samples.len());
}

#[tokio::test]
async fn a_message_is_left_and_told() {
    let app = Script::default()
        .twiml("/voice", r#"<Record action="/left" timeout="1" recordingStatusCallback="http://{host}/recorded"/>"#)
        .twiml("/left", "<Hangup/>")
        .answer("/recorded", |_| status(204))
        .start()
        .await;
    let api = Api::of(app.twilio()).await;
    let caller = CallerScript::new().until_agent_finishes().say_audio("a message", tone(16, 1_200));
    let report = api.twilio.call(CallOptions::new(caller)).await;
    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    let left = Recorded::from_form(&app.seen("/left")[0].form).unwrap();
    assert_eq!(left.duration.map(|time| time.0), Some(1), "{}", report.timeline);
    assert_eq!(app.seen("/recorded")[0].form.get("RecordingSource"), Some("RecordVerb"));
    let pieces: Vec<_> = api
        .client
        .recording(left.recording_sid.as_ref().unwrap())
        .download(twilio_twiml::rest::AudioFile::Wav)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(wav::read_mono(&pieces.concat()[..]).unwrap().len(), 9_600);

    // Hanging up ends it too, and the action is told.
    let caller = CallerScript::new().until_agent_finishes().say_audio("a message", tone(16, 700)).hang_up();
    api.twilio.call(CallOptions::new(caller)).await;
    assert_eq!(app.seen("/left")[1].form.get("Digits"), Some("hangup"));
}

#[tokio::test]
async fn callbacks_of_a_room_are_permuted_by_plan_and_a_name_is_used_again() {
    let app = script().start().await;
    let api = Api::of(app.twilio()).await;
    // The first comes last, and everything twice.
    api.twilio.plan_callbacks(CallbackPlan::new(|callback| {
        let is_join = callback.form.get("StatusCallbackEvent") == Some("participant-join");
        vec![ms(if is_join { 2_000 } else { 0 }), ms(2_000)]
    }));
    for _ in 0..2 {
        api.twilio.call(CallOptions::new(CallerScript::new().until_agent_speaks().hang_up())).await;
    }
    until(|| app.seen("/room").len() == 12).await;
    let arrived: Vec<_> =
        app.seen("/room").iter().map(|seen| ConferenceProgress::from_form(&seen.form).unwrap()).collect();
    assert_ne!(arrived[0].event, ConferenceHappening::Join);
    let rooms: Vec<_> =
        api.client.conferences().list(&ConferenceFilter::new().friendly_name("room-1")).try_collect().await.unwrap();
    assert_eq!(rooms.len(), 2);
    assert!(rooms.iter().all(|room| room.status == ConferenceStatus::Completed));
    assert_ne!(rooms[0].sid, rooms[1].sid);
}

#[tokio::test]
async fn a_leg_that_a_room_refuses_goes_on_with_the_next_verb() {
    let app = script()
        .twiml(
            "/again",
            r#"<Dial><Conference participantLabel="caller">room-1</Conference></Dial><Dial><Conference
            coach="CA0123456789abcdef0123456789abcdef">room-1</Conference></Dial><Dial><Conference
            maxParticipants="1">room-1</Conference></Dial>"#,
        )
        .start()
        .await;
    let number_of_second = Number::new(number("+815000000000"), url(&app, "/again").parse().unwrap());
    let twilio =
        TwilioSimulator::builder().auth_token(TOKEN).number(app.number()).number(number_of_second).start().unwrap();
    let refused = Cue::new();
    let first = CallOptions::new(CallerScript::new().until_agent_speaks().until_cue(&refused).hang_up());
    let second = CallOptions::new(CallerScript::new()).with_to(number("+815000000000"));
    let (_, report) = tokio::join!(twilio.call(first), async {
        told_of(&app, ConferenceHappening::Join).await;
        let report = twilio.call(second).await;
        refused.give();
        report
    });
    let codes: Vec<_> = report.alerts().map(|alert| alert.code.number()).collect();
    assert_eq!((codes, &report.end), (vec![16_025, 13_240, 16_020], &CallEnd::DocumentEnded), "{}", report.timeline);
}

#[tokio::test]
async fn resources_have_the_fields_of_twilios_own_examples() {
    let app = script().start().await;
    let api = Api::of(app.twilio()).await;
    api.twilio.phone(number(AGENT), PhoneScript::no_answer());
    let operations: serde_json::Value =
        serde_json::from_str(include_str!("../../../../twilio-twiml/tests/data/rest-operations.json")).unwrap();
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let example = |id: &str| {
        let operation = operations.as_array().unwrap().iter().find(|operation| operation["id"] == id).unwrap();
        fields(&operation["examples"][0])
    };
    let form = Form::new().with("To", AGENT).with("From", OURS);
    let (_, participant) = api.post("Conferences/room-4/Participants.json", &form).await;
    assert_eq!(fields(&participant), example("CreateParticipant"));
    let place = format!("Conferences/{}.json", participant["conference_sid"].as_str().unwrap());
    let (_, conference) = api.post(&place, &Form::new()).await;
    assert_eq!(fields(&conference), example("FetchConference"));
    api.server.shutdown().await;
}
