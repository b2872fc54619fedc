//! The store is away while callers need an answer from it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use call_session::{
    call::{CallSession, CallSummary, NewCall, Recorded, Speaker, Stamped, Status, Version},
    directory::memory::MemoryDirectory,
    id::SessionId,
    live::memory::MemoryBoard,
    store::{Commit, CommitError, FeedEvent, Page, Position, Query, SessionStore, StoreError, memory::MemoryStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, Script},
    twilio::{CallEnd, CallerScript, Cue},
};
use examples::{conversation::Language, database::Opened, settings::Arguments};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{sleep, timeout};
use twilio_twiml::sid::CallSid;

use crate::world::{TOKEN, World, between, call_sid, model, said_by_twilio, voice_form};

/// Calls in memory, which cannot be reached while it is away.
#[derive(Debug, Default)]
struct Flighty {
    inner: MemoryStore,
    away: AtomicBool,
}

impl Flighty {
    fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn reach(&self) -> Result<&MemoryStore, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the store is away".into()));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl SessionStore for Flighty {
    async fn create(
        &self,
        id: SessionId,
        at: Timestamp,
        call: NewCall,
        events: Vec<Stamped>,
    ) -> Result<CallSession, CommitError> {
        self.reach()?.create(id, at, call, events).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<CallSession>, StoreError> {
        self.reach()?.load(id).await
    }

    async fn summary(&self, id: SessionId) -> Result<Option<CallSummary>, StoreError> {
        self.reach()?.summary(id).await
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        self.reach()?.commit(commit).await
    }

    async fn find_by_call_sid(&self, sid: &CallSid) -> Result<Option<SessionId>, StoreError> {
        self.reach()?.find_by_call_sid(sid).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.reach()?.query(query).await
    }

    async fn history(&self, id: SessionId) -> Result<Vec<Recorded>, StoreError> {
        self.reach()?.history(id).await
    }

    async fn read_feed(&self, after: Position, limit: usize) -> Result<Vec<FeedEvent>, StoreError> {
        self.reach()?.read_feed(after, limit).await
    }

    async fn feed_end(&self) -> Result<Position, StoreError> {
        self.reach()?.feed_end().await
    }

    async fn feed_moved(&self, after: Position) {
        self.inner.feed_moved(after).await;
    }

    async fn claim(&self, key: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.reach()?.claim(key, now, until).await
    }
}

fn english(arguments: &mut Arguments) {
    arguments.conversation.language = Some(Language::English.tag().into());
}

/// Greets, also when it comes back, and says goodbye when the caller thanks.
async fn world(store: &Arc<Flighty>) -> World {
    let script = Script::new()
        .greeting(Answer::say(en::AGENT_ONE_MOMENT))
        .turn(en::CALLER_THANKS, Answer::say(en::AGENT_GOODBYE).and_call("end_call", &json!({})));
    let greets = Script::new().greeting(Answer::say(en::AGENT_GREETING));
    let database = Opened {
        store: store.clone(),
        directory: Arc::new(MemoryDirectory::new()),
        board: Arc::new(MemoryBoard::new()),
    };
    World::keeping(model(script).first_scripts([greets]), database, english).await
}

/// The only call, as it is kept, once this is so.
async fn kept(store: &MemoryStore, so: impl Fn(&CallSession) -> bool) -> CallSession {
    let kept = async {
        loop {
            let position = store.feed_end().await.unwrap();
            if let Some(call) = store.query(&Query::default()).await.unwrap().calls.first() {
                let session = store.load(call.id).await.unwrap().unwrap();
                if so(&session) {
                    return session;
                }
            }
            store.feed_moved(position).await;
        }
    };
    timeout(Duration::from_secs(30), kept).await.unwrap()
}

#[tokio::test]
async fn a_caller_whose_line_is_lost_waits_for_a_store_that_is_away() {
    let store = Arc::new(Flighty::default());
    let world = world(&store).await;
    let away = Cue::new();
    let caller = CallerScript::new()
        .until_hears(en::AGENT_GREETING)
        .until_cue(&away)
        .drop_socket()
        .until_hears(en::AGENT_ONE_MOMENT)
        .say(en::CALLER_THANKS);
    let outage = async {
        kept(&store.inner, |call| call.transcript.iter().any(|line| line.complete)).await;
        store.be_away(true);
        away.give();
        // So long nobody knows what comes next.
        sleep(Duration::from_secs(5)).await;
        store.be_away(false);
    };
    let (report, ()) = tokio::join!(world.call(caller), outage);

    assert_eq!(report.end, CallEnd::HungUp, "{}", report.timeline);
    assert_eq!(said_by_twilio(&report), ["“One moment, please.”"], "once, and no apology: {}", report.timeline);
    let session = kept(&store.inner, |call| call.summary.status.is_terminal()).await;
    assert_eq!(session.summary.status, Status::Completed);
    let said = |by| session.transcript.iter().filter(move |line| line.speaker == by).map(|line| line.heard.as_str());
    let agent = [en::AGENT_GREETING, en::AGENT_ONE_MOMENT, en::AGENT_GOODBYE].map(|speech| speech.transcript);
    assert_eq!(said(Speaker::Agent).collect::<Vec<_>>(), agent, "nothing is lost");
    assert_eq!(said(Speaker::Caller).collect::<Vec<_>>(), [en::CALLER_THANKS.transcript]);
}

#[tokio::test]
async fn a_caller_who_comes_while_the_store_is_away_waits_for_it() {
    let store = Arc::new(Flighty::default());
    let world = world(&store).await;
    store.be_away(true);
    let outage = async {
        sleep(Duration::from_secs(3)).await;
        store.be_away(false);
    };
    let caller = CallerScript::new().until_hears(en::AGENT_GREETING).hang_up();
    let (report, ()) = tokio::join!(world.call(caller), outage);
    assert!(matches!(report.end, CallEnd::CallerHungUp { .. }), "{}", report.timeline);
    assert_eq!(said_by_twilio(&report), ["“One moment, please.”"], "{}", report.timeline);
}

#[tokio::test]
async fn nobody_waits_for_a_store_for_ever() {
    let store = Arc::new(Flighty::default());
    let world = world(&store).await;
    let (_, connected) = world.post("/api/twilio/voice", &voice_form(), Some(TOKEN)).await;
    let path = format!("/api/twilio/after-stream/{}", between(&connected, "/api/twilio/after-stream/", "#"));
    let call = store.inner.find_by_call_sid(&call_sid()).await.unwrap().unwrap();
    assert!(path.contains(&call.to_string()), "{path}");
    store.be_away(true);
    let since = Timestamp::now().as_second();
    for (door, path) in [("voice", "/api/twilio/voice".to_owned()), ("after-stream", path)] {
        let (status, first) = world.post(&path, &voice_form(), Some(TOKEN)).await;
        assert!(status == 200 && first.contains("One moment, please."), "{door}: {first}");
        let again = between(&first, "<Redirect>", "#").strip_prefix(&world.url).unwrap().to_owned();
        assert!(again.starts_with(&format!("{path}?since=")), "{door}: the same question: {again}");
        let (_, second) = world.post(&again, &voice_form(), Some(TOKEN)).await;
        assert!(second.contains(&again) && !second.contains("<Say"), "{door}: since the same time: {second}");
        let long = format!("{path}?since={}", since - 60);
        let (_, last) = world.post(&long, &voice_form(), Some(TOKEN)).await;
        assert!(last.contains("I am sorry") && last.contains("<Hangup/>"), "{door}: {last}");
        let (status, _) = world.post(&again, &voice_form(), Some("another token")).await;
        assert_eq!(status, 403, "{door}: only Twilio says how long somebody has waited");
    }
}
