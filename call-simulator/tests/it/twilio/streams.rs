//! Media streams at their edges.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::en,
    twilio::{CallEnd, CallOptions, CallerScript, Event, Phase, StreamEnd},
};
use futures_util::SinkExt;
use realtime_bridge::media::twilio::wire::{FromTwilio, Track};
use tokio_tungstenite::tungstenite::Message;

use super::app::{Script, status};

const CONNECT: &str = "<Connect><Stream url=\"{ws}/media\"/></Connect><Say>sorry</Say>";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn tone(ms: usize) -> Vec<u8> {
    [0x10, 0x90].repeat(ms * 4)
}

fn alerts(report: &call_simulator::twilio::CallReport) -> Vec<u32> {
    report.alerts().map(|alert| alert.code.number()).collect()
}

#[tokio::test]
async fn frames_come_every_20_ms_and_marks_when_their_audio_has_been_played() {
    let app = Script::default()
        .twiml("/voice", CONNECT)
        .stream(|mut line| async move {
            line.start().await;
            line.mark("nothing before").await;
            assert_eq!(line.marked().await, "nothing before");
            let sent = tokio::time::Instant::now();
            line.play(&tone(600)).await;
            line.mark("600 ms").await;
            let (mut frames, mut last) = (0, None);
            loop {
                let text = line.text().await.unwrap();
                match FromTwilio::parse(&text).unwrap() {
                    FromTwilio::Media(media) => {
                        frames += 1;
                        assert_eq!(media.payload.len(), 216);
                        if let Some(last) = last {
                            assert_eq!(media.timestamp, Some(last + 20));
                        }
                        last = media.timestamp;
                    }
                    FromTwilio::Mark(_) => break,
                    other => panic!("{other:?}"),
                }
            }
            // A line that is late catches up, but not at once.
            let took = sent.elapsed();
            assert!(frames >= 29 && took >= ms(140), "{frames} frames in {took:?}");
            line.close().await;
        })
        .start()
        .await;
    let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;
    app.streams_served().await;
    let log = &report.timeline;
    let heard = report.agent_speech[0];
    let returned = log.first(|event| matches!(event, Event::MarkReturned { name, .. } if name == "600 ms")).unwrap();
    assert_eq!(returned, heard.start + ms(600), "{log}");
    // What follows <Connect> runs when the server has closed.
    assert_eq!(report.end, CallEnd::DocumentEnded);
    assert!(log.first(|event| matches!(event, Event::Verb { name: "Say", .. })).is_some(), "{log}");
}

#[tokio::test]
async fn messages_that_break_the_protocol_are_ignored_with_one_warning() {
    let app = Script::default()
        .twiml("/voice", CONNECT)
        .stream(|mut line| async move {
            line.start().await;
            line.send("no JSON").await;
            line.send(r#"{"event":"media","streamSid":"{sid}","media":{"payload":"EJA=","track":"outbound"}}"#).await;
            line.send(r#"{"event":"clear","streamSid":"MZ00000000000000000000000000000000"}"#).await;
            line.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
            line.socket.send(Message::binary(vec![4])).await.unwrap();
            line.play(&tone(100)).await;
            line.mark("good").await;
            assert_eq!(line.marked().await, "good");
            line.close().await;
        })
        .start()
        .await;
    let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;
    app.streams_served().await;
    assert_eq!(alerts(&report), [31_951, 31_950]);
    assert_eq!(report.streams[0].counts.messages_refused, 5);
    assert_eq!((report.streams[0].counts.audio_received, report.streams[0].unheard), (800, ms(0)));
}

#[tokio::test]
async fn keys_are_messages_and_lost_audio_is_a_jump() {
    let app = Script::default()
        .twiml("/voice", CONNECT)
        .stream(|mut line| async move {
            line.start().await;
            let (mut keys, mut jumps, mut last) = (String::new(), Vec::new(), 0);
            while let Some(text) = line.text().await {
                match FromTwilio::parse(&text).unwrap() {
                    FromTwilio::Dtmf(key) => keys.push_str(&key.digit),
                    FromTwilio::Media(media) => {
                        let timestamp = media.timestamp.unwrap();
                        if timestamp > last + 20 {
                            jumps.push(timestamp - last);
                        }
                        last = timestamp;
                    }
                    FromTwilio::Stop(_) => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(keys, "4*#");
            assert_eq!(jumps, [320]);
        })
        .start()
        .await;
    let caller = CallerScript::new()
        .until_phase(Phase::Streaming)
        .pause(ms(100))
        .press("4*#")
        .lose_audio(ms(300))
        .pause(ms(500))
        .hang_up();
    let report = app.twilio().call(CallOptions::new(caller)).await;
    app.streams_served().await;
    assert_eq!(report.streams[0].counts.frames_lost, 15);
}

#[tokio::test]
async fn a_dropped_socket_ends_the_stream_without_a_stop_and_not_the_call() {
    let app = Script::default()
        .twiml("/voice", CONNECT)
        .stream(|mut line| async move {
            line.start().await;
            line.play(&tone(2_000)).await;
            assert_eq!(line.event().await, None, "a dropped socket says no goodbye");
        })
        .start()
        .await;
    let caller = CallerScript::new().until_agent_speaks().pause(ms(200)).drop_socket();
    let report = app.twilio().call(CallOptions::new(caller)).await;
    app.streams_served().await;
    assert_eq!(report.streams[0].reason, StreamEnd::SocketDropped);
    assert!(report.streams[0].unheard > ms(1_500));
    assert_eq!(report.end, CallEnd::DocumentEnded);
}

#[tokio::test]
async fn a_server_that_breaks_off_is_noted_and_the_document_goes_on() {
    let app = Script::default()
        .twiml("/voice", CONNECT)
        .stream(|mut line| async move {
            line.start().await;
        })
        .start()
        .await;
    let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;
    assert_eq!(alerts(&report), [31_921]);
    assert_eq!(report.streams[0].reason, StreamEnd::ConnectionLost);
    assert_eq!(report.end, CallEnd::DocumentEnded);
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_is_reported_and_the_caller_hears_what_follows() {
    let nowhere = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (url, code) in [
        ("{ws}/media".to_owned(), 31_920),
        (format!("ws://{nowhere}/media"), 31_902),
        ("ws://bridge.example.com/media".to_owned(), 31_922),
    ] {
        let connect = format!(
            "<Connect><Stream url=\"{url}\" statusCallback=\"http://{{host}}/stream-status\"/></Connect><Say>sorry</Say>"
        );
        let app = Script::default().twiml("/voice", &connect).answer("/stream-status", |_| status(204)).start().await;
        let report = app.twilio().call(CallOptions::new(CallerScript::new())).await;
        assert_eq!(alerts(&report), [code], "{}", report.timeline);
        assert_eq!(report.end, CallEnd::DocumentEnded);
        assert_eq!(report.agent_speech.len(), 1);
        let told = &app.seen("/stream-status")[0].form;
        assert_eq!(told.get("StreamEvent"), Some("stream-error"));
        assert!(told.get("StreamError").unwrap().contains(&code.to_string()));
    }
}

/// What a caller says and hears goes to a server as well, while the document goes on; nothing comes back from there.
#[tokio::test]
async fn a_copy_has_both_tracks_beside_the_document_and_takes_nothing() {
    let copy = "<Start><Stream url=\"{ws}/copy\" name=\"copy\" track=\"both_tracks\"\
                statusCallback=\"http://{host}/status\"><Parameter name=\"token\" value=\"k3J9\"/></Stream></Start>\
                <Pause length=\"1\"/><Say>A word for the caller.</Say><Stop><Stream name=\"copy\"/></Stop>\
                <Pause length=\"1\"/>";
    let app = Script::default()
        .twiml("/voice", copy)
        .answer("/status", |_| status(204))
        .stream(|mut line| async move {
            let start = line.start().await;
            assert!(start.contains(r#""tracks":["inbound","outbound"]"#) && start.contains("k3J9"), "{start}");
            line.mark("refused").await;
            let (mut said, mut heard) = (false, false);
            let stopped = loop {
                let text = line.text().await.unwrap();
                let FromTwilio::Media(media) = FromTwilio::parse(&text).unwrap() else { break text };
                let sounds = media.payload.bytes().any(|byte| byte != b'/' && byte != b'8' && byte != b'=');
                match media.track {
                    Track::Inbound => said |= sounds,
                    Track::Outbound => heard |= sounds,
                }
            };
            assert!(matches!(FromTwilio::parse(&stopped).unwrap(), FromTwilio::Stop(_)), "{stopped}");
            assert!(said && heard, "said {said}, heard {heard}");
            assert_eq!(line.text().await, None);
        })
        .start()
        .await;
    let report = app.twilio().call(CallOptions::new(CallerScript::new().say(en::CALLER_UH_HUH))).await;
    app.streams_served().await;
    assert_eq!((report.end.clone(), report.streams.len()), (CallEnd::DocumentEnded, 0));
    let [copy] = &report.copies[..] else { panic!("{:?}", report.copies) };
    assert_eq!((copy.reason, copy.counts.messages_refused), (StreamEnd::Stopped, 1), "{}", report.timeline);
    assert!(report.ended > copy.ended + ms(500), "the document goes on without it: {}", report.timeline);
    let events: Vec<_> =
        app.seen("/status").iter().map(|seen| seen.form.get("StreamEvent").unwrap().to_owned()).collect();
    assert_eq!(events, ["stream-started", "stream-stopped"]);
}
