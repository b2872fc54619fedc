//! Calls that the account makes: who answers, what the application is told, what it can change.

use std::time::Duration;

use call_simulator::{
    audio::{fixtures::en, wav},
    twilio::{CallEnd, CallOptions, CallReport, CallbackPlan, CallerScript, Cue, PhoneScript, StreamEnd},
};
use futures_util::TryStreamExt;
use realtime_bridge::media::twilio::wire::FromTwilio;
use twilio_twiml::{
    rest::{AudioFile, Call, NewCall, NewRecording, PauseBehavior, Problem},
    twiml::{Play, Response, Url},
    webhook::{AnsweringMachine, CallProgress, RecordingProgress, RecordingStatus, VoiceRequest, Webhook},
    words::{AnsweredBy, CallEvent, CallStatus, Direction, MachineDetection, RecordingChannels},
};

use super::{
    app::{App, Script, status},
    rest::{Api, OURS, THEIRS, inline, number},
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn script() -> Script {
    ["/status", "/amd", "/recording"]
        .into_iter()
        .fold(Script::default(), |script, path| script.answer(path, |_| status(204)))
}

async fn api(app: &App) -> Api {
    Api::of(app.twilio()).await
}

fn url(app: &App, path: &str) -> String {
    format!("http://{}{path}", app.address)
}

fn new_call(app: &App) -> NewCall {
    NewCall::new(number(THEIRS), number(OURS), Url::from(url(app, "/voice")))
        .status_callback(url(app, "/status"))
        .status_callback_event(CallEvent::ALL.iter().copied())
}

fn quick(person: CallerScript) -> PhoneScript {
    PhoneScript::answers(person).after(ms(100))
}

impl Api {
    async fn place(&self, call: &NewCall) -> Call {
        self.client.calls().create(call).await.unwrap()
    }

    async fn over(&self, call: &Call) -> std::sync::Arc<CallReport> {
        self.twilio.report(&call.sid).await.unwrap()
    }
}

/// The call status callbacks, by their place.
fn progress(app: &App) -> Vec<CallProgress> {
    let mut all: Vec<_> = app.seen("/status").iter().map(|seen| CallProgress::from_form(&seen.form).unwrap()).collect();
    all.sort_by_key(|progress| progress.sequence_number);
    all
}

fn statuses(app: &App) -> Vec<String> {
    progress(app).iter().map(|progress| progress.call.status.to_string()).collect()
}

#[tokio::test]
async fn an_answered_call_streams_and_tells_of_each_step() {
    let app = script()
        .twiml("/voice", "<Connect><Stream url=\"{ws}/media\"/></Connect><Hangup/>")
        .stream(|mut line| async move {
            line.start().await;
            line.play(en::AGENT_STILL_THERE.mulaw).await;
            line.mark("said").await;
            assert_eq!(line.marked().await, "said");
            line.close().await;
        })
        .start()
        .await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), quick(CallerScript::new().say(en::CALLER_UH_HUH)));

    let call = api.place(&new_call(&app)).await;
    assert_eq!((call.status.clone(), call.direction.clone()), (CallStatus::Queued, Some(Direction::OutboundApi)));
    let report = api.over(&call).await;

    let log = &report.timeline;
    assert_eq!((&report.end, &report.status), (&CallEnd::HungUp, &CallStatus::Completed), "{log}");
    assert_eq!(report.agent_speech.len(), 1, "{log}");
    assert_eq!(report.caller_speech.len(), 1, "{log}");
    assert!(report.answered.unwrap() >= ms(300), "{log}");
    let voice = VoiceRequest::from_form(&app.seen("/voice")[0].form).unwrap();
    assert_eq!((&voice.call.status, voice.call.direction), (&CallStatus::InProgress, Some(Direction::OutboundApi)));
    assert_eq!((voice.call.from.to_string(), voice.call.to.to_string()), (OURS.into(), THEIRS.into()));
    assert_eq!(voice.answered_by, None);

    let told = progress(&app);
    assert_eq!(statuses(&app), ["initiated", "ringing", "in-progress", "completed"], "{log}");
    assert_eq!(told.iter().map(|one| one.sequence_number).collect::<Vec<_>>(), [Some(0), Some(1), Some(2), Some(3)]);
    assert!(told.iter().all(|one| one.source.as_deref() == Some("call-progress-events") && one.timestamp.is_some()));
    assert!(told[..3].iter().all(|one| one.call_duration.is_none()));
    assert_eq!((told[3].billed_minutes, told[3].sip_response_code), (Some(1), Some(200)));
    let shown = api.client.call(&call.sid).fetch().await.unwrap();
    assert_eq!((shown.status, shown.duration), (CallStatus::Completed, told[3].call_duration));
    app.streams_served().await;
}

#[tokio::test]
async fn a_call_that_nobody_answers_says_why() {
    for (phone, end, told, sip) in [
        (PhoneScript::busy().after(ms(60)), CallEnd::Busy, "busy", 486),
        (PhoneScript::no_answer(), CallEnd::NoAnswer, "no-answer", 487),
        (PhoneScript::answers(CallerScript::new()).after(ms(5_000)), CallEnd::NoAnswer, "no-answer", 487),
        (PhoneScript::fails(503).after(ms(60)), CallEnd::Unreachable { sip_status: 503 }, "failed", 503),
    ] {
        let app = script().start().await;
        let api = api(&app).await;
        api.twilio.phone(number(THEIRS), phone);
        let call = api.place(&new_call(&app).timeout(1)).await;
        let report = api.over(&call).await;
        assert_eq!((&report.end, report.status.as_str()), (&end, told), "{}", report.timeline);
        assert_eq!(statuses(&app).last().map(String::as_str), Some(told));
        let last = progress(&app).pop().unwrap();
        assert_eq!((last.sip_response_code, last.billed_minutes), (Some(sip), None));
        assert_eq!(app.seen("/voice").len(), 0);
        assert_eq!(api.client.call(&call.sid).fetch().await.unwrap().status.as_str(), told);
    }
}

#[tokio::test]
async fn a_call_is_canceled_before_the_answer_and_ended_after_it() {
    let app = script().twiml("/voice", "<Pause length=\"60\"/>").start().await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), PhoneScript::no_answer());
    let ringing = api.place(&new_call(&app)).await;
    while api.twilio.status(&ringing.sid) != Some(CallStatus::Ringing) {
        tokio::task::yield_now().await;
    }
    let too_early = api.client.call(&ringing.sid).run(inline(Response::new().say("Hello"))).await.unwrap_err();
    assert_eq!(too_early.problem(), Some(Problem::CallNotInProgress));
    api.client.call(&ringing.sid).cancel().await.unwrap();
    let report = api.over(&ringing).await;
    assert_eq!((&report.end, &report.status), (&CallEnd::Canceled, &CallStatus::Canceled));
    assert_eq!(statuses(&app), ["initiated", "ringing", "canceled"]);

    api.twilio.phone(number(THEIRS), quick(CallerScript::new()));
    let answered = api.place(&new_call(&app)).await;
    while api.twilio.status(&answered.sid) != Some(CallStatus::InProgress) {
        tokio::task::yield_now().await;
    }
    // Too late for that: no effect.
    api.client.call(&answered.sid).cancel().await.unwrap();
    assert_eq!(api.client.call(&answered.sid).end().await.unwrap().status, CallStatus::InProgress);
    let report = api.over(&answered).await;
    assert_eq!((&report.end, &report.status), (&CallEnd::EndedByApi, &CallStatus::Completed));
    let over = api.client.call(&answered.sid).redirect(url(&app, "/voice")).await.unwrap_err();
    assert_eq!(over.problem(), Some(Problem::CallNotInProgress));
}

#[tokio::test]
async fn a_redirect_leaves_a_running_stream() {
    let app = script()
        .twiml("/voice", "<Connect action=\"/never\"><Stream url=\"{ws}/media\"/></Connect><Redirect>/never</Redirect>")
        .twiml("/next", "<Play digits=\"w4#\"/><Say>ab</Say>")
        .stream(|mut line| async move {
            line.start().await;
            line.play(en::AGENT_HOURS.mulaw).await;
            let mut last = String::new();
            while let Some(event) = line.event().await {
                last = event;
            }
            assert!(matches!(FromTwilio::parse(&last).unwrap(), FromTwilio::Stop(_)), "{last}");
        })
        .start()
        .await;
    let api = api(&app).await;
    // The same for a call that somebody makes to us.
    let inbound = tokio::join!(async { api.twilio.call(CallOptions::new(CallerScript::new())).await }, async {
        let sid = loop {
            match api.twilio.calls().pop() {
                Some(sid) if app.seen("/voice").len() == 1 => break sid,
                _ => tokio::task::yield_now().await,
            }
        };
        let mut answer = api.client.call(&sid).redirect(url(&app, "/next")).await;
        while answer.is_err() {
            answer = api.client.call(&sid).redirect(url(&app, "/next")).await;
        }
    });
    let report = inbound.0;
    app.streams_served().await;
    let log = &report.timeline;
    assert_eq!(report.end, CallEnd::DocumentEnded, "{log}");
    assert_eq!(report.keys_heard, "4#");
    assert!(report.streams.iter().all(|stream| stream.reason == StreamEnd::Redirected), "{log}");
    assert_eq!((app.seen("/next").len(), app.seen("/never").len()), (1, 0), "{log}");
}

#[tokio::test]
async fn detection_is_waited_for_or_told_later() {
    let app = script().twiml("/voice", "<Pause length=\"6\"/>").start().await;
    let api = api(&app).await;
    // A person, and the document that waits for the finding.
    api.twilio.phone(number(THEIRS), quick(CallerScript::new().say(en::CALLER_UH_HUH).pause(ms(2_000)).hang_up()));
    let waits = api.place(&new_call(&app).machine_detection(MachineDetection::Enable)).await;
    let report = api.over(&waits).await;
    assert_eq!(report.answered_by, Some(AnsweredBy::Human), "{}", report.timeline);
    let voice = VoiceRequest::from_form(&app.seen("/voice")[0].form).unwrap();
    assert_eq!(voice.answered_by, Some(AnsweredBy::Human));
    assert!(voice.machine_detection_duration.unwrap().0 >= 1_200);
    assert_eq!(api.client.call(&waits.sid).fetch().await.unwrap().answered_by, Some(AnsweredBy::Human));

    // A machine, told later; the document goes on meanwhile.
    api.twilio.phone(number(THEIRS), PhoneScript::machine(en::AGENT_APOLOGY).after(ms(100)));
    let later = new_call(&app)
        .machine_detection(MachineDetection::DetectMessageEnd)
        .async_amd(true)
        .async_amd_status_callback(url(&app, "/amd"));
    let report = api.over(&api.place(&later).await).await;
    assert_eq!(report.answered_by, Some(AnsweredBy::MachineEndBeep), "{}", report.timeline);
    let told = AnsweringMachine::from_form(&app.seen("/amd")[0].form).unwrap();
    assert_eq!(told.answered_by, AnsweredBy::MachineEndBeep);
    assert!(Duration::from(told.detection_duration.unwrap()) > en::AGENT_APOLOGY.duration());
    let voice = VoiceRequest::from_form(&app.seen("/voice")[1].form).unwrap();
    assert_eq!(voice.answered_by, None);

    // Detection that errs.
    let wrong = PhoneScript::answers(CallerScript::new()).after(ms(100)).detected_as(AnsweredBy::Fax, ms(200));
    api.twilio.phone_next(number(THEIRS), wrong);
    let call = api.place(&new_call(&app).machine_detection(MachineDetection::Enable).time_limit(1)).await;
    assert_eq!(api.over(&call).await.answered_by, Some(AnsweredBy::Fax));
}

#[tokio::test]
async fn a_recording_is_told_and_can_be_fetched() {
    let app = script().twiml("/voice", "<Say>abcdefgh</Say><Pause length=\"1\"/>").start().await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), quick(CallerScript::new().pause(ms(600)).say(en::CALLER_UH_HUH)));
    let recorded = new_call(&app)
        .record(true)
        .recording_channels(RecordingChannels::Dual)
        .recording_status_callback(url(&app, "/recording"));
    let call = api.place(&recorded).await;
    let report = api.over(&call).await;

    let told = RecordingProgress::from_form(&app.seen("/recording")[0].form).unwrap();
    assert_eq!((told.status, told.channels, told.call_sid), (RecordingStatus::Completed, Some(2), Some(call.sid)));
    let last = progress(&app).pop().unwrap();
    assert_eq!((last.recording_sid.as_ref(), last.recording_url), (Some(&told.recording_sid), told.url));
    let handle = api.client.recording(&told.recording_sid);
    assert_eq!(handle.fetch().await.unwrap().duration, told.duration);
    let pieces: Vec<_> = handle.download(AudioFile::Wav).await.unwrap().try_collect().await.unwrap();
    // From the answer to the end, both within a frame.
    let talked = report.ended - report.answered.unwrap();
    let samples = (pieces.concat().len() - 44) / 4;
    let length = ms(u64::try_from(samples / 8).unwrap());
    assert!(length.abs_diff(talked) <= ms(40), "{length:?} of {talked:?}");
    assert!(wav::read_mono(&pieces.concat()[..]).is_err());
    handle.delete().await.unwrap();
    assert_eq!(handle.fetch().await.unwrap_err().problem(), Some(Problem::NotFound));
}

#[tokio::test]
async fn digits_are_sent_after_the_answer_and_documents_come_inline() {
    let app = script().start().await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), quick(CallerScript::new()));
    let document = inline(Response::new().play(Play::digits("99")).hangup());
    let call = NewCall::new(number(THEIRS), number(OURS), document)
        .send_digits("w12")
        .machine_detection(MachineDetection::Enable);
    let report = api.over(&api.place(&call).await).await;
    assert_eq!((report.keys_heard.as_str(), &report.end), ("1299", &CallEnd::HungUp), "{}", report.timeline);
    assert_eq!(report.answered_by, None);
}

#[tokio::test]
async fn callbacks_are_permuted_repeated_and_lost_by_plan() {
    let app = script().twiml("/voice", "<Hangup/>").start().await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), quick(CallerScript::new()));
    // The first ones come last, the second twice, the third never.
    api.twilio.plan_callbacks(CallbackPlan::new(|callback| match callback.form.get("CallStatus") {
        Some("initiated") => vec![ms(4_000)],
        Some("ringing") => vec![ms(0), ms(2_000)],
        Some("in-progress") => vec![],
        _ => vec![ms(0)],
    }));
    api.over(&api.place(&new_call(&app)).await).await;
    let order: Vec<_> =
        app.seen("/status").iter().map(|seen| seen.form.get("CallStatus").unwrap().to_owned()).collect();
    assert_eq!(order, ["ringing", "completed", "ringing", "initiated"]);

    // By chance: nothing is lost, something is repeated.
    api.twilio.plan_callbacks(CallbackPlan::seeded(3, ms(400), 50, 0));
    let before = app.seen("/status").len();
    for _ in 0..4 {
        api.over(&api.place(&new_call(&app)).await).await;
    }
    let after = app.seen("/status").len() - before;
    assert!((17..=32).contains(&after), "{after}");
}

#[tokio::test]
async fn fifty_calls_in_the_same_second() {
    let app = script().twiml("/voice", "<Pause length=\"1\"/>").start().await;
    let api = api(&app).await;
    api.twilio.other_phones(quick(CallerScript::new()));
    let calls = (0..50).map(|index| {
        let call =
            NewCall::new(number(&format!("+8190000000{index:02}")), number(OURS), Url::from(url(&app, "/voice")));
        let call = call.status_callback(url(&app, "/status")).status_callback_event(CallEvent::ALL.iter().copied());
        let api = &api;
        async move { api.over(&api.place(&call).await).await }
    });
    let reports = futures_util::future::join_all(calls).await;
    assert!(reports.iter().all(|report| report.status == CallStatus::Completed));
    assert_eq!(app.seen("/status").len(), 200);
    assert_eq!(app.seen("/voice").len(), 50);
}

#[tokio::test]
async fn calls_end_when_the_account_goes() {
    let app = script().twiml("/voice", "<Pause length=\"60\"/>").start().await;
    let api = api(&app).await;
    api.twilio.phone(number(THEIRS), quick(CallerScript::new()));
    let call = api.place(&new_call(&app)).await;
    while api.twilio.status(&call.sid) != Some(CallStatus::InProgress) {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(ms(10_000), api.server.shutdown()).await.unwrap();
}

/// A second of a loud tone of a pitch of its own.
fn tone(half_wave: usize) -> Vec<u8> {
    (0..8_000).map(|at: usize| if (at / half_wave).is_multiple_of(2) { 0x10 } else { 0x90 }).collect()
}

/// Whether a tenth of a second of a tone is in there.
fn holds_tone(samples: &[i16], half_wave: usize) -> bool {
    let flips = |at: &usize| samples[*at].is_positive() != samples[*at - 1].is_positive();
    let flips: Vec<_> = (1..samples.len()).filter(flips).collect();
    flips.windows(800 / half_wave).any(|part| part.windows(2).all(|pair| pair[1] - pair[0] == half_wave))
}

#[tokio::test]
async fn a_recording_is_started_paused_and_stopped_during_the_call() {
    const KEPT: usize = 16;
    const SKIPPED: usize = 8;
    const KEPT_TOO: usize = 32;
    let app = script().twiml("/voice", "<Pause length=\"60\"/>").start().await;
    let api = api(&app).await;
    let cues = || (Cue::new(), Cue::new());
    let [(recorded, first), (paused, second), (resumed, third)] = [cues(), cues(), cues()];
    let person = [(&recorded, KEPT, &first), (&paused, SKIPPED, &second), (&resumed, KEPT_TOO, &third)]
        .into_iter()
        .fold(CallerScript::new(), |person, (may, pitch, said)| {
            person.until_cue(may).say_audio("a tone", tone(pitch)).cue(said)
        });
    api.twilio.phone(number(THEIRS), quick(person));
    let placed = api.place(&new_call(&app)).await;
    while api.twilio.status(&placed.sid) != Some(CallStatus::InProgress) {
        tokio::task::yield_now().await;
    }
    let call = api.client.call(&placed.sid);
    let started =
        call.start_recording(&NewRecording::new().recording_status_callback(url(&app, "/recording"))).await.unwrap();
    assert_eq!(
        (&started.call_sid.unwrap(), started.channels),
        (call.fetch().await.as_ref().map(|call| &call.sid).unwrap(), Some(1))
    );
    let again = call.start_recording(&NewRecording::new()).await.unwrap_err();
    assert_eq!(again.problem(), Some(Problem::RecordingConflict));
    recorded.give();
    first.given().await;
    call.current_recording().pause(PauseBehavior::Skip).await.unwrap();
    paused.give();
    second.given().await;
    call.current_recording().resume().await.unwrap();
    resumed.give();
    third.given().await;
    call.recording(&started.sid).stop().await.unwrap();
    while app.seen("/recording").is_empty() {
        tokio::task::yield_now().await;
    }
    let file = api.client.recording(&started.sid).download(AudioFile::Wav).await.unwrap();
    let pieces: Vec<_> = file.try_collect().await.unwrap();
    let samples = wav::read_mono(&pieces.concat()[..]).unwrap();
    let held = [KEPT, SKIPPED, KEPT_TOO].map(|pitch| holds_tone(&samples, pitch));
    assert_eq!(held, [true, false, true], "of {} samples", samples.len());
    assert_eq!(
        call.current_recording().pause(PauseBehavior::Skip).await.unwrap_err().problem(),
        Some(Problem::NotFound)
    );
    call.end().await.unwrap();
    // The pause takes no place in the file.
    let call = api.over(&placed).await;
    let talked = usize::try_from((call.ended - call.answered.unwrap()).as_millis()).unwrap() * 8;
    assert!(samples.len() + 8_000 <= talked, "{} of {talked}\n{}", samples.len(), call.timeline);
}
