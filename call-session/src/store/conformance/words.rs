//! What was said, in any length and any script.

use super::{Store, assert_whole, at, created, loaded, new_call};
use crate::{
    call::{
        AnsweredBy, CallSession, ConversationSettings, Ending, HandoffEvent, HandoffMode, KEYS, Line, Outcome,
        Recording, RecordingStatus, SessionEvent, Speaker, Stamped, Status, ToolOutcome, ToolRun, Usage, Version,
    },
    handoff::{Candidate, HandoffPlan},
    id::{LegId, NodeId, SessionId, StreamId},
    store::Commit,
};

/// A call to which everything happens is, read back, what it was, and what its events make.
pub async fn every_event_is_kept(store: Store) {
    let (stream, leg) = (StreamId::new(), LegId::new());
    let call = "CA0123456789abcdef0123456789abcdef".parse().expect("a name");
    let conference = "CF0123456789abcdef0123456789abcdef".parse().expect("a name");
    let recording = "RE0123456789abcdef0123456789abcdef".parse().expect("a name");
    let mut usage = Usage::default();
    (usage.input, usage.seconds) = (u64::from(u32::MAX) + 1, 0.1 + 0.2);
    let plan = HandoffPlan::new(HandoffMode::Warm, "+81312345678", vec![Candidate::new(None, "+81311112222")]);
    let handoff = [
        HandoffEvent::Requested { plan: Box::new(plan), by: "operator".into(), reason: "asked for".into() },
        HandoffEvent::FarewellOver,
        HandoffEvent::Dialing { leg, person: Some("agent-1".parse().expect("a name")), candidate: 0 },
        HandoffEvent::Answered { leg },
        HandoffEvent::Accepted { leg },
        HandoffEvent::Moving,
        HandoffEvent::Connected { leg },
        HandoffEvent::LegEnded { leg, cause: "hung-up".into() },
        HandoffEvent::Returned,
    ];
    let mut events = vec![
        SessionEvent::Bound { call },
        SessionEvent::Ringing,
        SessionEvent::Answered,
        SessionEvent::PickedUp { by: AnsweredBy::Human },
        SessionEvent::StreamExpected { stream },
        SessionEvent::StreamAttached { stream, sid: None, node: NodeId::unique() },
        SessionEvent::ModelAttached { stream, session: "sess_1".into(), model: "a-model".into() },
        SessionEvent::Said { lines: vec![Line::new("item-1", Speaker::Agent, at(1), "Hello.")] },
        SessionEvent::Noted { text: "The caller is in a hurry.".into() },
        SessionEvent::Summarised { text: "A table is wanted.".into() },
        SessionEvent::ToolStarted { run: ToolRun::new("key", "call_1", "book", r#"{"day": "1"}"#, at(2)) },
        SessionEvent::ToolFinished { key: "key".into(), outcome: ToolOutcome::Done, output: Some("{}".into()) },
        SessionEvent::Used { usage },
        SessionEvent::KeysPressed { keys: "12#".into() },
        SessionEvent::KeysSent { count: 3 },
        SessionEvent::Recorded { recording: Recording::new(recording, RecordingStatus::Completed) },
        SessionEvent::Room { conference },
        SessionEvent::Problem { what: "line".into(), code: Some(31_005) },
    ];
    events.extend(handoff.map(SessionEvent::Handoff));
    events.extend([
        SessionEvent::ModelDetached { session: "sess_1".into(), cause: "closed".into() },
        SessionEvent::EndRequested { by: "agent".into() },
        SessionEvent::EndCalledOff,
        SessionEvent::StreamDetached { stream, cause: KEYS.into(), orderly: false },
        SessionEvent::StreamStays { stream },
        SessionEvent::StreamDetached { stream, cause: "hung-up".into(), orderly: true },
        SessionEvent::Lasted { seconds: 61 },
        SessionEvent::Concluded { outcome: Outcome::HandedOver },
        SessionEvent::Ended(Ending::new(Status::Completed, "goodbye")),
    ]);
    // Times as clocks give them, finer than a database may have them.
    let fine = "2026-11-21T09:00:00.123456789Z".parse().expect("a time");
    let id = SessionId::new();
    let mut session = store.create(id, fine, new_call(), vec![]).await.expect("a new call is kept");
    let events = session.take(events.into_iter().map(|event| event.at(fine))).expect("all of this may happen");
    let (first, second) = events.split_at(events.len() / 2);
    for part in [first, second] {
        let version = loaded(&store, id).await.summary.version;
        store.commit(Commit::new(id, version, part.to_vec())).await.expect("the version is right");
    }
    assert_eq!(assert_whole(&store, id).await, session);
}

/// A call of an hour, whose lines come as they grow.
pub async fn long_calls_are_kept(store: Store) {
    let id = created(&store).await;
    let mut session = loaded(&store, id).await;
    for minute in 0..60 {
        let said = |line: i64, complete: bool| -> Stamped {
            let speaker = if line % 2 == 0 { Speaker::Agent } else { Speaker::Caller };
            let words = "今日はどのようなご用件でしょうか。".repeat(if complete { 4 } else { 2 });
            let mut line = Line::new(format!("item-{line}"), speaker, at(line * 2000), words);
            line.complete = complete;
            let at = line.at;
            SessionEvent::Said { lines: vec![line] }.at(at)
        };
        let lines = minute * 30..(minute + 1) * 30;
        let events: Vec<_> = lines.flat_map(|line| [said(line, false), said(line, true)]).collect();
        let version = session.summary.version;
        let events = session.take(events).expect("this may be said");
        assert_eq!(events.len(), 60);
        store.commit(Commit::new(id, version, events)).await.expect("the version is right");
    }
    assert_eq!(session.transcript.len(), 1800);
    assert_eq!(assert_whole(&store, id).await, session);
    let summary = store.summary(id).await.expect("the store answers").expect("the call is there");
    assert_eq!(summary.version, Version(3601));
}

/// Words come back as they went in, whatever they are.
pub async fn words_are_kept_as_they_are(store: Store) {
    let long = "長".repeat(100_000);
    let words = [
        "",
        "こんにちは、株式会社さくらの田中です。",
        "👩‍👩‍👧‍👦 🇯🇵 e\u{301} é ﷽ \u{202e}right to left\u{202c}",
        "\0 \u{1} \u{7f} \u{80} \u{2028} \u{2029} \u{feff} \u{fffd} \u{ffff} \u{10ffff}",
        r#"'; drop table calls; -- " \ \u0000 \\ $1 ? :a @b {"a": [1]}"#,
        "line\nline\r\n\ttab",
        &long,
    ];
    let line = |(i, words): (usize, &&str)| Line::new(i.to_string(), Speaker::Caller, at(1), *words);
    let lines: Vec<_> = words.iter().enumerate().map(line).collect();
    for words in words {
        let settings = ConversationSettings::default().with_company_name(words).with_sales_pitch(words);
        let call = new_call().with_settings(settings);
        let id = SessionId::new();
        let mut session: CallSession = store.create(id, at(0), call, vec![]).await.expect("a new call is kept");
        let run = ToolRun::new(words, words, words, words, at(1));
        let events = vec![
            SessionEvent::Said { lines: lines.clone() }.at(at(1)),
            SessionEvent::ToolStarted { run }.at(at(2)),
            SessionEvent::Noted { text: words.into() }.at(at(2)),
            SessionEvent::EndRequested { by: words.into() }.at(at(3)),
        ];
        let events = session.take(events).expect("this may happen");
        store.commit(Commit::new(id, Version(1), events)).await.expect("the version is right");
        assert_eq!(assert_whole(&store, id).await, session);
    }
}
