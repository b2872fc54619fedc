//! Whole calls: what the caller hears, what the application is told, what the report says.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    twilio::{CallEnd, CallOptions, CallerScript, Event, Number, Phase, SpeechSpan, StreamEnd, TwilioSimulator},
};
use realtime_bridge::media::twilio::wire::FromTwilio;
use tokio::task::JoinSet;
use twilio_twiml::{
    webhook::{StreamProgress, VoiceRequest, Webhook},
    words::CallStatus,
};

use super::app::{Script, status, xml};

const STREAM: &str = r#"<Connect><Stream url="{ws}/media" statusCallback="{http}/stream-status">
    <Parameter name="token" value="k3J9"/></Stream></Connect><Redirect>/after-stream</Redirect>"#;

fn stream_document() -> String {
    STREAM.replace("{http}", "http://{host}")
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Half a second of a loud tone.
fn tone(ms: usize) -> Vec<u8> {
    [0x10, 0x90].repeat(ms * 4)
}

#[tokio::test]
async fn a_conversation_over_a_media_stream_and_its_report() {
    let app = Script::default()
        .twiml("/voice", &stream_document())
        .twiml("/after-stream", "<Hangup/>")
        .answer("/stream-status", |_| status(204))
        .answer("/call-status", |_| status(204))
        .stream(|mut line| async move {
            let start = line.start().await;
            let FromTwilio::Start(start) = FromTwilio::parse(&start).unwrap() else { panic!("no start") };
            assert_eq!(start.custom_parameters["token"], "k3J9");
            assert_eq!(start.sequence_number, Some(1));
            line.play(&tone(500)).await;
            line.mark("greeting").await;
            assert_eq!(line.marked().await, "greeting");
            // The caller's second of speech, and then an answer.
            let mut loud = 0;
            while loud < 25 {
                let text = line.text().await.unwrap();
                if let FromTwilio::Media(media) = FromTwilio::parse(&text).unwrap() {
                    loud += usize::from(!media.payload.starts_with("////"));
                }
            }
            line.play(&tone(300)).await;
            line.mark("answer").await;
            assert_eq!(line.marked().await, "answer");
            line.close().await;
        })
        .start()
        .await;
    let number = app.number().with_status_callback(format!("http://{}/call-status", app.address).parse().unwrap());
    let twilio = TwilioSimulator::builder().auth_token(super::app::TOKEN).number(number).start().unwrap();
    let caller = CallerScript::new().turn_gap(ms(200)).until_agent_finishes().say_audio("a tone", tone(500));

    let report = twilio.call(CallOptions::new(caller).with_parameter("CallerName", "José")).await;

    app.streams_served().await;
    let log = &report.timeline;
    assert_eq!((&report.end, &report.status), (&CallEnd::HungUp, &CallStatus::Completed), "{log}");
    assert_eq!(report.alerts().count(), 0, "{log}");

    let voice = &app.seen("/voice")[0];
    let said = |name| voice.form.get(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((said("CallStatus"), said("Direction"), said("ApiVersion")), ("ringing", "inbound", "2010-04-01"));
    assert_eq!((said("From"), said("Caller")), ("+14155550100", "+14155550100"));
    assert_eq!((said("To"), said("Called")), ("+815012345678", "+815012345678"));
    assert_eq!((said("CallSid"), said("CallerName")), (report.call_sid.as_str(), "José"));
    assert_eq!(app.seen("/after-stream")[0].form.get("CallStatus"), Some("in-progress"));
    assert_eq!(VoiceRequest::from_form(&voice.form).unwrap().call.call_sid, report.call_sid);
    let mut events: Vec<_> = app
        .seen("/stream-status")
        .iter()
        .map(|seen| StreamProgress::from_form(&seen.form).unwrap())
        .inspect(|status| assert_eq!(status.stream_sid, report.streams[0].stream_sid))
        .map(|status| (status.timestamp.unwrap(), status.event.as_str().to_owned()))
        .collect();
    events.sort();
    let events: Vec<_> = events.iter().map(|(_, event)| event.as_str()).collect();
    assert_eq!(events, ["stream-started", "stream-stopped"]);
    let over = &app.seen("/call-status")[0].form;
    assert_eq!((over.get("CallStatus"), over.get("Duration")), (Some("completed"), Some("1")));

    let [greeting, answer] = report.agent_speech[..] else { panic!("{log}") };
    let [question] = report.caller_speech[..] else { panic!("{log}") };
    assert_eq!((greeting.duration(), question.duration(), answer.duration()), (ms(500), ms(500), ms(300)), "{log}");
    assert_eq!(question.start - greeting.end, ms(200), "{log}");
    let [response] = report.measures.responses[..] else { panic!("{log}") };
    assert_eq!(response.latency, answer.start - question.end);
    let [stream] = &report.streams[..] else { panic!("{log}") };
    assert_eq!(stream.reason, StreamEnd::ServerClosed);
    assert_eq!((stream.counts.marks_received, stream.counts.marks_returned), (2, 2));
    assert_eq!((stream.counts.audio_received, stream.unheard), (6_400, ms(0)));

    let second = |side: &[u8], span: SpeechSpan| {
        let at = |time: Duration| usize::try_from(time.as_millis()).unwrap() * 8;
        side[at(span.start)..at(span.end)].to_vec()
    };
    assert_eq!(second(report.recording.agent(), greeting), tone(500));
    assert_eq!(second(report.recording.caller(), question), tone(500));
}

#[tokio::test]
async fn a_caller_interrupts_and_the_agent_is_cut_off() {
    let app = Script::default()
        .twiml("/voice", &stream_document())
        .answer("/stream-status", |_| status(204))
        .stream(|mut line| async move {
            line.start().await;
            line.play(en::AGENT_HOURS.mulaw).await;
            line.mark("end").await;
            loop {
                let text = line.text().await.unwrap();
                let FromTwilio::Media(media) = FromTwilio::parse(&text).unwrap() else { panic!("{text}") };
                if !media.payload.starts_with("////") {
                    break;
                }
            }
            line.clear().await;
            assert_eq!(line.marked().await, "end");
            while line.text().await.is_some() {}
        })
        .start()
        .await;
    let caller = CallerScript::new().until_agent_spoke_for(ms(600)).say_audio("stop", tone(1_000)).hang_up();

    let report = app.twilio().call(CallOptions::new(caller)).await;

    app.streams_served().await;
    let log = &report.timeline;
    assert_eq!(report.end, CallEnd::CallerHungUp { phase: Phase::Streaming }, "{log}");
    let [barge_in] = report.measures.barge_ins[..] else { panic!("{log}") };
    // As soon as the application has asked for it, and not when all is said.
    assert!(barge_in.cut_off <= ms(500), "{log}");
    let dropped = report.streams[0].unheard;
    assert!(dropped > ms(5_000), "only {dropped:?} were dropped\n{log}");
    assert!(log.first(|event| matches!(event, Event::MarkReturned { cleared: true, .. })).is_some(), "{log}");
}

/// Hangs up in every phase: the application always learns it, and the report says where.
#[tokio::test]
async fn a_caller_hangs_up_in_each_phase() {
    let on = |phase| CallerScript::new().until_phase(phase).hang_up();
    // Takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap();
    let cases = [
        (CallerScript::new().hang_up(), Phase::Ringing),
        (on(Phase::Answered), Phase::Answered),
        (on(Phase::Connecting), Phase::Connecting),
        (on(Phase::Streaming), Phase::Streaming),
        (CallerScript::new().until_phase(Phase::Streaming).until_agent_speaks().hang_up(), Phase::Streaming),
        (on(Phase::AfterStream), Phase::AfterStream),
    ];
    for (caller, phase) in cases {
        let said_goodbye = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = std::sync::Arc::clone(&said_goodbye);
        let app = Script::default()
            .answer("/voice", move |seen| {
                let host = seen.parts.headers["host"].to_str().unwrap();
                let host = if phase == Phase::Connecting { silent_address.to_string() } else { host.to_owned() };
                let stream = format!("<Connect><Stream url=\"ws://{host}/media\"/></Connect><Pause length=\"9\"/>");
                xml(format!("<Response><Say>abc</Say>{stream}</Response>"))
            })
            .stream(move |mut line| async move {
                if phase == Phase::AfterStream {
                    line.start().await;
                    return line.close().await;
                }
                line.start().await;
                line.play(&tone(1_000)).await;
                while let Some(text) = line.event().await {
                    let stop = matches!(FromTwilio::parse(&text).unwrap(), FromTwilio::Stop(_));
                    told.store(stop, std::sync::atomic::Ordering::SeqCst);
                }
            })
            .start()
            .await;

        let twilio = if phase == Phase::Ringing {
            let voice_url = format!("http://{silent_address}/voice").parse().unwrap();
            let number = Number::new("+815012345678".parse().unwrap(), voice_url);
            TwilioSimulator::builder().number(number).start().unwrap()
        } else {
            app.twilio()
        };

        let report = twilio.call(CallOptions::new(caller)).await;

        let log = &report.timeline;
        assert_eq!(report.end, CallEnd::CallerHungUp { phase }, "{log}");
        let expected = if phase == Phase::Ringing { CallStatus::NoAnswer } else { CallStatus::Completed };
        assert_eq!(report.status, expected, "{log}");
        if phase == Phase::Streaming {
            app.streams_served().await;
            assert!(said_goodbye.load(std::sync::atomic::Ordering::SeqCst), "{log}");
            assert_eq!(report.streams[0].reason, StreamEnd::CallEnded);
        }
    }
}

#[tokio::test]
async fn says_recorded_speech_pauses_and_hangs_up_without_a_stream() {
    let document = format!("<Say>{}</Say><Pause length=\"1\"/><Say>ab</Say>", en::AGENT_STILL_THERE.transcript);
    let app = Script::default().twiml("/voice", &document).start().await;

    let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;

    let log = &report.timeline;
    assert_eq!((&report.end, &report.status), (&CallEnd::DocumentEnded, &CallStatus::Completed), "{log}");
    let [.., tones] = report.agent_speech[..] else { panic!("{log}") };
    assert_eq!(tones.duration(), ms(120), "{log}");
    let heard = report.recording.agent();
    assert!(heard.windows(1_000).any(|part| part == &en::AGENT_STILL_THERE.mulaw[2_000..3_000]));
    assert!(report.ended - report.answered.unwrap() >= ms(1_000) + en::AGENT_STILL_THERE.duration());
}

#[tokio::test]
async fn a_caller_gives_up_on_an_application_that_says_nothing() {
    let app = Script::default().twiml("/voice", "<Pause length=\"30\"/>").start().await;
    let caller = CallerScript::new().patience(ms(300)).until_agent_speaks();
    let report = app.twilio().call(CallOptions::new(caller)).await;
    assert_eq!(report.end, CallEnd::CallerGaveUp { waiting_for: "the agent to speak" });

    let limited = CallOptions::new(CallerScript::new()).with_time_limit(ms(200));
    assert_eq!(app.twilio().call(limited).await.end, CallEnd::TimeLimit);
}

#[tokio::test]
async fn verbs_that_are_not_played_are_named() {
    for (twiml, verb) in [("<Echo/>", "Echo"), ("<Reject/>", "Reject"), ("<Leave/>", "Leave")] {
        let app = Script::default().twiml("/voice", twiml).start().await;
        let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;
        assert_eq!(report.end, CallEnd::NotPlayed { verb: verb.into() });
    }
}

#[tokio::test]
async fn many_calls_at_once_keep_their_time() {
    const CALLS: usize = 60;
    let mut script = Script::default().twiml("/voice", "<Connect><Stream url=\"{ws}/media\"/></Connect>");
    for _ in 0..CALLS {
        script = script.stream(|mut line| async move {
            line.start().await;
            line.play(&tone(200)).await;
            line.mark("played").await;
            while line.text().await.is_some() {}
        });
    }
    let app = script.start().await;
    let twilio = app.twilio();
    let caller = CallerScript::new().until_phase(Phase::Streaming).pause(ms(1_500)).hang_up();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (twilio, options) = (twilio.clone(), CallOptions::new(caller.clone()));
        calls.spawn(async move { twilio.call(options).await });
    }
    let reports = calls.join_all().await;
    app.streams_served().await;

    let mut sids: Vec<_> = reports.iter().map(|report| report.call_sid.clone()).collect();
    sids.sort();
    sids.dedup();
    assert_eq!(sids.len(), CALLS);
    for report in reports {
        let log = &report.timeline;
        let [stream] = &report.streams[..] else { panic!("{log}") };
        assert_eq!((stream.counts.frames_sent, stream.counts.frames_stalled), (75, 0), "{log}");
        assert_eq!(stream.counts.marks_returned, 1, "{log}");
        assert_eq!(report.agent_speech[0].duration(), ms(200), "{log}");
    }
}
