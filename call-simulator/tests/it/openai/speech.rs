//! The caller's audio: turns, commits, transcripts.

use std::time::Duration;

use call_simulator::{
    audio::{codec, fixtures, fixtures::en},
    openai::{Answer, Heard, Script, Settings, Timing, Utterance, session::Opening},
};
use realtime_bridge::audio::{AudioFormat, SampleRate};
use serde_json::{Value, json};

use super::bench::{Bench, UNIX_SECONDS, create, telephone_update, turn_detection};

const PAUSE: Duration = Duration::from_millis(700);

fn script() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .turn(en::CALLER_HOURS, Answer::say(en::AGENT_HOURS))
        .turn(en::CALLER_INTERRUPTS, Answer::say(en::AGENT_FRIDAY))
}

fn ms(event: &Value, member: &str) -> u64 {
    event[member].as_u64().unwrap()
}

#[test]
fn a_turn_of_the_caller_goes_through_all_its_events_in_order() {
    let mut bench = Bench::telephone(script());
    bench.silence(Duration::from_secs(1));
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(PAUSE);
    let after_setup = bench.kinds().iter().position(|kind| *kind == "session.updated").unwrap() + 1;
    let turn: Vec<&str> = bench.kinds()[after_setup..][..6].to_vec();
    assert_eq!(
        turn,
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
    );
    let started = bench.until("input_audio_buffer.speech_started");
    let stopped = bench.until("input_audio_buffer.speech_stopped");
    let item = bench.until("conversation.item.added")["item"].clone();
    assert!([&started["item_id"], &stopped["item_id"]].iter().all(|id| **id == item["id"]));
    assert_eq!(item["content"], json!([{"type": "input_audio", "transcript": null}]));
    // The recording begins after a second of silence; 300 ms before it are kept.
    assert!((680..=760).contains(&ms(&started, "audio_start_ms")), "{started}");
    let spoken = 1_000 + u64::try_from(en::CALLER_HOURS.duration().as_millis()).unwrap();
    assert!((spoken + 150..=spoken + 520).contains(&ms(&stopped, "audio_end_ms")), "{stopped}");
    let audio = bench.recording().items[0].audio.as_millis();
    assert_eq!(audio, u128::from(ms(&stopped, "audio_end_ms") - ms(&started, "audio_start_ms")));
}

#[test]
fn speech_is_noticed_within_80_ms() {
    let mut bench = Bench::telephone(script());
    bench.silence(Duration::from_secs(1));
    let before = bench.at();
    bench.speak(&tone(200));
    bench.until("input_audio_buffer.speech_started");
    let at = bench.events.iter().find(|(_, event)| event["type"] == "input_audio_buffer.speech_started").unwrap().0;
    assert!(at - before <= Duration::from_millis(80), "{:?}", at - before);
}

#[test]
fn the_transcript_of_a_turn_comes_later_and_names_its_item() {
    let mut bench = Bench::telephone(script());
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(PAUSE);
    let item_id = bench.until("input_audio_buffer.committed")["item_id"].clone();
    let delta = bench.until("conversation.item.input_audio_transcription.delta");
    let completed = bench.until("conversation.item.input_audio_transcription.completed");
    assert_eq!((&delta["item_id"], &completed["item_id"]), (&item_id, &item_id));
    assert_eq!(completed["transcript"], en::CALLER_HOURS.transcript);
    let audio_ms = u64::try_from(bench.recording().items[0].audio.as_millis()).unwrap();
    assert_eq!(completed["usage"]["input_tokens"], audio_ms.div_ceil(100));
}

#[test]
fn a_transcript_can_fail_and_the_talk_goes_on() {
    let script = Script::new().turn(Heard::Failed("audio_unintelligible".to_owned()), Answer::say(en::AGENT_FRIDAY));
    let mut bench = Bench::telephone(script);
    bench.speak(en::CALLER_INTERRUPTS.mulaw);
    bench.silence(PAUSE);
    let failed = bench.until("conversation.item.input_audio_transcription.failed");
    assert_eq!(failed["error"]["code"], "audio_unintelligible");
    bench.until("response.done");
}

#[test]
fn without_transcription_no_words_come() {
    let mut bench = Bench::new(script());
    let mut update = telephone_update();
    update["session"]["audio"]["input"]["transcription"] = Value::Null;
    bench.send(&update);
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(PAUSE);
    bench.until("response.done");
    bench.run(Duration::from_secs(5));
    assert!(bench.of_kind("conversation.item.input_audio_transcription.completed").is_empty());
}

#[test]
fn a_caller_who_speaks_cancels_the_answer() {
    let settings = Settings::default().with_timing(Timing::brisk().with_audio_speed(4.0));
    let mut bench = Bench::with(script(), settings, Opening::new("gpt-realtime-2.1", UNIX_SECONDS));
    bench.set_up();
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(PAUSE);
    bench.run(Duration::from_millis(200));
    let before = bench.events.len();
    bench.speak(en::CALLER_INTERRUPTS.mulaw);
    let cancelled: Vec<&str> = bench.kinds()[before..]
        .iter()
        .filter(|kind| !kind.contains("transcription") && !kind.ends_with("delta") && **kind != "rate_limits.updated")
        .copied()
        .collect();
    assert_eq!(
        cancelled,
        [
            "input_audio_buffer.speech_started",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let done = bench.until("response.done")["response"].clone();
    assert_eq!(done["status"], "cancelled");
    assert_eq!(done["status_details"], json!({"type": "cancelled", "reason": "turn_detected"}));
    assert_eq!(done["output"][0]["status"], "incomplete");
    assert_ne!(done["output"][0]["content"][0]["transcript"], en::AGENT_HOURS.transcript);
    bench.silence(PAUSE);
    let item = bench.until("response.done")["response"]["output"][0].clone();
    assert_eq!(item["content"][0]["transcript"], en::AGENT_FRIDAY.transcript);
}

#[test]
fn without_interrupt_response_the_answer_goes_on_and_the_next_one_is_refused() {
    let mut bench =
        Bench::telephone(Script::new().greeting(Answer::say(Utterance::tone("Hello.", Duration::from_secs(90)))));
    bench.send(&turn_detection(&json!({"type": "server_vad", "interrupt_response": false})));
    bench.send(&create());
    bench.speak(en::CALLER_INTERRUPTS.mulaw);
    bench.silence(PAUSE);
    let error = bench.error("conversation_already_has_active_response");
    assert_eq!(error["event_id"], Value::Null);
    assert_eq!(bench.until("response.done")["response"]["status"], "completed");
}

#[test]
fn without_create_response_turns_are_only_committed() {
    let mut bench = Bench::telephone(script());
    bench.send(&turn_detection(&json!({"type": "server_vad", "create_response": false})));
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(PAUSE);
    bench.until("conversation.item.done");
    bench.run(Duration::from_secs(5));
    assert!(bench.of_kind("response.created").is_empty());
    bench.send(&create());
    let item = bench.until("response.done")["response"]["output"][0].clone();
    assert_eq!(item["content"][0]["transcript"], en::AGENT_HOURS.transcript, "the answer belongs to the turn");
}

#[test]
fn a_higher_threshold_misses_quiet_speech() {
    let quiet: Vec<i16> =
        codec::decode(AudioFormat::MuLaw, en::CALLER_HOURS.mulaw).iter().map(|sample| sample / 8).collect();
    let quiet = codec::encode(AudioFormat::MuLaw, &quiet);
    for (threshold, heard) in [(0.2, true), (0.9, false)] {
        let mut bench = Bench::telephone(script());
        bench.send(&turn_detection(&json!({"type": "server_vad", "threshold": threshold})));
        bench.speak(&quiet);
        assert_eq!(!bench.of_kind("input_audio_buffer.speech_started").is_empty(), heard, "{threshold}");
    }
}

#[test]
fn a_cough_is_taken_for_speech_and_an_empty_line_is_not() {
    let mut bench = Bench::telephone(script());
    for _ in 0..10 {
        bench.speak(fixtures::LINE_NOISE.mulaw);
    }
    assert!(bench.of_kind("input_audio_buffer.speech_started").is_empty());
    bench.speak(fixtures::COUGH.mulaw);
    assert_eq!(bench.of_kind("input_audio_buffer.speech_started").len(), 1);
}

#[test]
fn speech_is_found_in_every_format() {
    for (format, name, frame_len) in [
        (AudioFormat::ALaw, json!({"type": "audio/pcma"}), 160),
        (AudioFormat::Pcm16(SampleRate::Hz24000), json!({"type": "audio/pcm", "rate": 24_000}), 960),
    ] {
        let mut bench = Bench::new(script());
        let mut update = telephone_update();
        update["session"]["audio"]["input"]["format"] = name;
        bench.send(&update);
        bench.speak_frames(&codec::from_mulaw(format, en::CALLER_HOURS.mulaw), frame_len);
        bench.speak_frames(&vec![format.silence_byte(); frame_len * 40], frame_len);
        assert_eq!(bench.of_kind("input_audio_buffer.speech_stopped").len(), 1, "{format}");
        let audio = bench.recording().caller_audio_duration();
        assert!(audio.abs_diff(en::CALLER_HOURS.duration()) <= Duration::from_millis(820), "{format}: {audio:?}");
    }
}

#[test]
fn telephone_audio_before_the_format_is_agreed_is_noise_that_gets_an_answer_and_freezes_the_voice() {
    let mut bench = Bench::new(script());
    bench.silence(Duration::from_secs(1));
    assert!(bench.of_kind("input_audio_buffer.speech_started").is_empty(), "silence is silent in either format");
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.silence(Duration::from_secs(3));
    bench.until("input_audio_buffer.speech_started");
    bench.until("response.output_audio.delta");
    bench.refused(&telephone_update(), "cannot_update_voice");
}

#[test]
fn longer_patience_applies_to_a_turn_that_is_under_way() {
    let mut bench = Bench::telephone(script());
    bench.speak(en::CALLER_INTERRUPTS.mulaw);
    bench.send(&turn_detection(&json!({"type": "server_vad", "silence_duration_ms": 1_500})));
    bench.silence(Duration::from_millis(1_000));
    assert!(bench.of_kind("input_audio_buffer.speech_stopped").is_empty());
    bench.silence(PAUSE);
    assert_eq!(bench.of_kind("input_audio_buffer.speech_started").len(), 1);
    assert_eq!(bench.of_kind("input_audio_buffer.speech_stopped").len(), 1);
}

#[test]
fn the_padding_of_a_turn_does_not_reach_into_the_one_before() {
    let mut bench = Bench::telephone(script());
    let turns = json!({"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 1_000});
    bench.send(&turn_detection(&turns));
    for _ in 0..2 {
        bench.speak(&tone(400));
        bench.silence(Duration::from_millis(300));
    }
    let first_end = ms(&bench.until("input_audio_buffer.speech_stopped"), "audio_end_ms");
    assert_eq!(ms(&bench.until("input_audio_buffer.speech_started"), "audio_start_ms"), first_end);
    let lengths: Vec<u128> = bench
        .recording()
        .items
        .iter()
        .filter(|item| item.item["role"] == "user")
        .map(|item| item.audio.as_millis())
        .collect();
    assert_eq!(lengths, [600, 700], "the second has the 100 ms between them as padding");
}

#[test]
fn semantic_turn_detection_waits_as_eager_as_it_is() {
    for (eagerness, ends_within) in [("high", 500), ("low", 1_600)] {
        let mut bench = Bench::telephone(script());
        bench.send(&turn_detection(&json!({"type": "semantic_vad", "eagerness": eagerness})));
        bench.speak(en::CALLER_INTERRUPTS.mulaw);
        bench.silence(Duration::from_millis(ends_within));
        assert_eq!(bench.of_kind("input_audio_buffer.speech_stopped").len(), 1, "{eagerness}");
    }
}

#[test]
fn with_turn_detection_a_commit_by_hand_lands_on_an_emptied_buffer() {
    let mut bench = Bench::telephone(script());
    bench.silence(Duration::from_secs(2));
    let error = bench.refused(&json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty");
    assert_eq!(error["message"], "Buffer too small: expected at least 100 ms of audio.");
}

#[test]
fn a_commit_in_mid_speech_takes_the_announced_id() {
    let mut bench = Bench::telephone(script());
    bench.speak(en::CALLER_HOURS.mulaw);
    let announced = bench.until("input_audio_buffer.speech_started")["item_id"].clone();
    bench.send(&json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(bench.until("input_audio_buffer.committed")["item_id"], announced);
    bench.silence(PAUSE);
    assert_ne!(bench.until("input_audio_buffer.committed")["item_id"], announced);
}

#[test]
fn without_turn_detection_the_client_commits_and_asks() {
    let mut bench = Bench::telephone(script());
    bench.send(&turn_detection(&Value::Null));
    let commit = json!({"type": "input_audio_buffer.commit"});
    bench.silence(Duration::from_millis(80));
    bench.refused(&commit, "input_audio_buffer_commit_empty");
    bench.send(&json!({"type": "input_audio_buffer.clear"}));
    bench.until("input_audio_buffer.cleared");
    bench.speak(en::CALLER_HOURS.mulaw);
    bench.send(&commit);
    bench.until("conversation.item.done");
    bench.run(Duration::from_secs(3));
    assert!(bench.of_kind("input_audio_buffer.speech_started").is_empty());
    assert!(bench.of_kind("response.created").is_empty());
    assert_eq!(bench.recording().items[0].audio, en::CALLER_HOURS.duration());
    bench.send(&create());
    bench.until("response.done");
}

#[test]
fn a_silent_caller_is_asked_after_the_answer_has_played() {
    let idle = Script::new().greeting(Answer::say(en::AGENT_GREETING)).idle(Answer::say(en::AGENT_STILL_THERE));
    let mut bench = Bench::telephone(idle);
    bench.send(&turn_detection(&json!({"type": "server_vad", "idle_timeout_ms": 6_000})));
    bench.silence(Duration::from_secs(10));
    assert!(bench.of_kind("input_audio_buffer.timeout_triggered").is_empty(), "nothing has been said yet");
    bench.send(&create());
    let first_audio = bench.at() + Duration::from_millis(20);
    bench.silence(Duration::from_secs(12));
    let (at, event) =
        bench.events.iter().find(|(_, event)| event["type"] == "input_audio_buffer.timeout_triggered").unwrap();
    let expected = first_audio + en::AGENT_GREETING.duration() + Duration::from_secs(6);
    assert!(at.abs_diff(expected) <= Duration::from_millis(40), "{at:?}, not {expected:?}");
    let span = ms(event, "audio_end_ms") - ms(event, "audio_start_ms");
    assert!(span <= 6_000, "{event}");
    let committed = bench.until("input_audio_buffer.committed")["item_id"].clone();
    assert_eq!(bench.of_kind("input_audio_buffer.timeout_triggered")[0]["item_id"], committed);
    bench.until("response.done");
    let item = &bench.recording().items[2];
    assert_eq!(item.item["content"][0]["transcript"], en::AGENT_STILL_THERE.transcript);
}

fn tone(ms: usize) -> Vec<u8> {
    let samples: Vec<i16> = (0..ms * 8).map(|at| if at % 20 < 10 { 8_000 } else { -8_000 }).collect();
    codec::encode(AudioFormat::MuLaw, &samples)
}
