//! Entries of the conversation: made, cut, fetched, removed.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script, Utterance},
};
use serde_json::{Value, json};

use super::bench::{Bench, create, create_item, truncate};

fn user_text(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

/// A session that has greeted, and the id of the greeting.
fn greeted(answer: Answer) -> (Bench, String) {
    let mut bench = Bench::telephone(Script::new().greeting(answer));
    bench.send(&create());
    let done = bench.until("response.done");
    let id = done["response"]["output"][0]["id"].as_str().unwrap().to_owned();
    (bench, id)
}

#[test]
fn an_item_is_added_at_the_end_at_the_front_or_after_another() {
    let mut bench = Bench::telephone(Script::new());
    let mut add = |text: &str, previous: Value| {
        let mut event = create_item(&user_text(text));
        if !previous.is_null() {
            event["previous_item_id"] = previous;
        }
        bench.send(&event);
        let added = bench.until("conversation.item.added");
        assert_eq!(bench.until("conversation.item.done")["item"], added["item"]);
        (added["item"]["id"].clone(), added["previous_item_id"].clone())
    };
    let (first, before) = add("first", Value::Null);
    assert_eq!(before, Value::Null);
    let (last, before) = add("last", Value::Null);
    assert_eq!(before, first);
    assert_eq!(add("root", json!("root")).1, Value::Null);
    assert_eq!(add("middle", first.clone()).1, first);
    let order: Vec<Value> =
        bench.recording().items.iter().map(|item| item.item["content"][0]["text"].clone()).collect();
    assert_eq!(order, ["root", "first", "middle", "last"]);
    assert_eq!(bench.recording().items[3].id, last);

    let mut event = create_item(&user_text("lost"));
    event["previous_item_id"] = json!("item_nowhere");
    assert_eq!(bench.refused(&event, "invalid_value")["param"], "previous_item_id");
}

#[test]
fn a_role_takes_its_own_content_only() {
    let mut bench = Bench::telephone(Script::new());
    let message = |role: &str, part: Value| create_item(&json!({"type": "message", "role": role, "content": [part]}));
    let text = json!({"type": "input_text", "text": "a"});
    let audio = json!({"type": "input_audio", "audio": STANDARD.encode([0xFF; 160])});
    let spoken = json!({"type": "output_audio", "audio": STANDARD.encode([0xFF; 160]), "transcript": "a"});
    let written = json!({"type": "output_text", "text": "a"});
    for (role, part, taken) in [
        ("system", &text, true),
        ("system", &audio, false),
        ("user", &text, true),
        ("user", &audio, true),
        ("user", &written, false),
        ("assistant", &written, true),
        ("assistant", &spoken, false),
        ("assistant", &text, false),
    ] {
        let event = message(role, part.clone());
        if taken {
            bench.send(&event);
            assert_eq!(bench.until("conversation.item.added")["item"]["role"], role);
        } else {
            let error = bench.refused(&event, "invalid_value");
            assert_eq!(error["param"], "item.content[0].type", "{role} {part}");
            assert_eq!(error["event_id"], "item-1");
        }
    }
}

#[test]
fn an_own_id_is_short_and_new() {
    let mut bench = Bench::telephone(Script::new());
    let with_id = |id: &str| {
        let mut item = user_text("a");
        item["id"] = json!(id);
        create_item(&item)
    };
    bench.send(&with_id("mine"));
    assert_eq!(bench.until("conversation.item.added")["item"]["id"], "mine");
    assert_eq!(bench.refused(&with_id("mine"), "invalid_value")["param"], "item.id");
    assert_eq!(bench.refused(&with_id(&"x".repeat(33)), "string_above_max_length")["param"], "item.id");
}

#[test]
fn the_output_of_a_tool_needs_its_call() {
    let mut bench = Bench::telephone(Script::new());
    let output = create_item(&json!({"type": "function_call_output", "call_id": "call_9", "output": ""}));
    assert_eq!(bench.refused(&output, "invalid_tool_call_id")["param"], "item.call_id");
    let call = json!({"type": "function_call", "call_id": "call_9", "name": "look_up", "arguments": "{}"});
    bench.send(&create_item(&call));
    bench.send(&output);
    bench.until("conversation.item.done");
    assert_eq!(bench.until("conversation.item.done")["item"]["call_id"], "call_9");
}

#[test]
fn an_answer_is_cut_to_what_was_heard_and_its_words_are_forgotten() {
    let (mut bench, id) = greeted(Answer::say(en::AGENT_GREETING));
    bench.send(&truncate(&id, 1_500));
    let truncated = bench.until("conversation.item.truncated");
    assert_eq!((&truncated["item_id"], &truncated["audio_end_ms"]), (&json!(id), &json!(1_500)));
    let item = bench.recording().items.remove(0);
    assert_eq!((item.audio, item.truncated_ms), (Duration::from_millis(1_500), Some(1_500)));
    assert_eq!(item.item["content"][0]["transcript"], Value::Null);
    bench.send(&json!({"type": "conversation.item.retrieve", "item_id": id}));
    let audio = bench.until("conversation.item.retrieved")["item"]["content"][0]["audio"].clone();
    assert_eq!(STANDARD.decode(audio.as_str().unwrap()).unwrap(), &en::AGENT_GREETING.mulaw[..12_000]);
}

#[test]
fn an_answer_cannot_be_cut_behind_its_end() {
    let (mut bench, id) = greeted(Answer::say(Utterance::tone("Hello.", Duration::from_millis(3_700))));
    let error = bench.refused(&truncate(&id, 3_760), "invalid_value");
    assert_eq!(error["message"], "Audio content of 3700ms is already shorter than 3760ms");
    assert_eq!((&error["param"], &error["event_id"]), (&json!("audio_end_ms"), &json!("trunc-1")));
    assert_eq!(bench.recording().items[0].truncated_ms, None, "the item stays uncut");
    bench.send(&truncate(&id, 3_700));
    bench.until("conversation.item.truncated");
    bench.send(&truncate(&id, 0));
    bench.until("conversation.item.truncated");
    let error = bench.refused(&truncate(&id, 20), "invalid_value");
    assert_eq!(error["message"], "Audio content of 0ms is already shorter than 20ms");
}

#[test]
fn the_length_of_an_answer_under_way_is_what_was_sent() {
    let script = Script::new().greeting(Answer::say(Utterance::tone("Hello.", Duration::from_secs(10))));
    let mut bench = Bench::telephone(script);
    bench.send(&create());
    let id = bench.until("response.output_audio.delta")["item_id"].as_str().unwrap().to_owned();
    let sent = u64::try_from(bench.audio_of(&id).len() / 8).unwrap();
    bench.refused(&truncate(&id, sent + 20), "invalid_value");
    bench.send(&truncate(&id, sent));
    bench.until("conversation.item.truncated");
}

#[test]
fn only_spoken_answers_can_be_cut() {
    let (mut bench, _) = greeted(Answer::call("look_up", &json!({})));
    let call = bench.recording().items[0].id.clone();
    let error = bench.refused(&truncate(&call, 0), "unsupported_content_type");
    assert_eq!(error["message"], "Only model output audio messages can be truncated");
    bench.send(&create_item(&user_text("a")));
    let user = bench.recording().items[1].id.clone();
    bench.refused(&truncate(&user, 0), "unsupported_content_type");
    let error = bench.refused(&truncate("item_gone", 0), "item_truncate_invalid_item_id");
    assert_eq!(
        (&error["message"], &error["param"]),
        (&json!("Item with id item_gone was not found."), &json!("item_id"))
    );
}

#[test]
fn an_answer_has_one_part() {
    let (mut bench, id) = greeted(Answer::say(en::AGENT_GREETING));
    let mut event = truncate(&id, 0);
    event["content_index"] = json!(1);
    assert_eq!(bench.refused(&event, "invalid_value")["param"], "content_index");
}

#[test]
fn an_item_can_be_removed_once() {
    let (mut bench, id) = greeted(Answer::say(en::AGENT_GREETING));
    let delete = json!({"type": "conversation.item.delete", "item_id": id});
    bench.send(&delete);
    assert_eq!(bench.until("conversation.item.deleted")["item_id"], json!(id));
    bench.refused(&delete, "item_delete_invalid_item_id");
    bench.refused(&json!({"type": "conversation.item.retrieve", "item_id": id}), "item_retrieve_invalid_item_id");
    assert!(bench.recording().items.is_empty());
}
