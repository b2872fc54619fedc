//! A server that hands callers over, with a simulated Twilio, a simulated model, and people who are called.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use call_session::{
    call::{CallSession, CallSummary, Status},
    directory::{Agent, AgentStatus, Directory},
    handoff::room_name,
    id::{AgentId, SessionId},
    store::{Query, SessionStore},
};
use call_simulator::{
    audio::fixtures::en,
    openai::{Answer, OpenAiSimulator, Script, Settings as Manners, Timing},
    twilio::{CallOptions, CallReport, CallerScript, Event, Number, PhoneScript, TwilioSimulator},
};
use examples::{
    handoff,
    phone::{Parts, Phone, api::Api, handoff::Strategies},
    settings::{Arguments, Settings},
};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet, time::Instant};
use twilio_twiml::{
    phone::E164,
    rest::{self, ConferenceFilter, Credentials},
    sid::CallSid,
    webhook::signature::AuthToken,
};

use crate::world::{ACCOUNT, TOKEN};

/// The longest that a caller may hear nothing.
const SILENCE: Duration = Duration::from_secs(4);

const FRAME: Duration = Duration::from_millis(20);

pub(super) const FAREWELL: &str = "One moment, I am putting you through.";

/// What the model is told when nobody took the call.
pub(super) const NOT_TAKEN: &str = "nobody took the call";

pub(super) struct World {
    pub(super) url: String,
    pub(super) twilio: Arc<TwilioSimulator>,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) account: rest::Client,
    pub(super) openai: OpenAiSimulator,
    callers: AtomicUsize,
    _stop: oneshot::Sender<()>,
    _tasks: JoinSet<io::Result<()>>,
}

/// A model that greets, says what it is told to say, and says goodbye to whoever thanks.
pub(super) fn receptionist() -> Script {
    Script::new()
        .greeting(Answer::say(en::AGENT_GREETING))
        .when_asked(FAREWELL, Answer::say(en::AGENT_ONE_MOMENT))
        .when_asked(NOT_TAKEN, Answer::say(en::AGENT_APOLOGY))
        .when_asked("has finished talking with a colleague", Answer::say(en::AGENT_STILL_THERE))
        .when_asked("cannot be put through now", Answer::say(en::AGENT_APOLOGY))
}

/// Somebody who hears the briefing and presses a key.
pub(super) fn presses(key: &str) -> PhoneScript {
    PhoneScript::answers(CallerScript::new().until_agent_spoke_for(Duration::from_secs(1)).press(key))
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(receptionist(), |_| {}).await
    }

    pub(super) async fn with(script: Script, change: impl FnOnce(&mut Arguments)) -> Self {
        Self::planned(script, Strategies::default(), change).await
    }

    pub(super) async fn planned(script: Script, strategies: Strategies, change: impl FnOnce(&mut Arguments)) -> Self {
        Self::made(script, Vec::new(), strategies, change).await
    }

    /// The first model sessions have these scripts, one each, and all others the first.
    pub(super) async fn cast(
        script: Script,
        first: impl IntoIterator<Item = Script>,
        change: impl FnOnce(&mut Arguments),
    ) -> Self {
        Self::made(script, first.into_iter().collect(), Strategies::default(), change).await
    }

    async fn made(
        script: Script,
        first: Vec<Script>,
        strategies: Strategies,
        change: impl FnOnce(&mut Arguments),
    ) -> Self {
        let manners = Manners::default().with_timing(Timing::brisk());
        let openai = OpenAiSimulator::builder().script(script).first_scripts(first).settings(manners).start();
        let openai = openai.await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let voice_url = format!("{url}/api/twilio/voice").parse().unwrap();
        let number = Number::new("+815012345678".parse().unwrap(), voice_url);
        let account = ACCOUNT.parse().unwrap();
        let twilio = TwilioSimulator::builder().account_sid(account).auth_token(TOKEN).number(number).start().unwrap();
        let mut served = twilio.serve_rest().await.unwrap();
        let base_url = served.base_url();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { served.run().await.map(|never| match never {}) });

        let mut arguments = Arguments::default();
        arguments.openai.openai_api_key = Some("simulated".into());
        arguments.openai.openai_base_url = Some(openai.base_url());
        arguments.twilio.twilio_auth_token = Some(TOKEN.into());
        arguments.twilio.twilio_account_sid = Some(ACCOUNT.into());
        arguments.twilio.twilio_api_base_url = Some(base_url.clone());
        arguments.twilio.twilio_calls_per_second = Some("50".into());
        arguments.server.public_url = Some(url.clone());
        arguments.server.database_url = Some("memory".into());
        arguments.conversation.language = Some("en-US".into());
        arguments.handoff.handoff_farewell = Some(FAREWELL.into());
        arguments.handoff.handoff_ring = Some("5".into());
        change(&mut arguments);
        let settings = Settings::check(&arguments).unwrap();
        let opened = settings.database.open().await.unwrap();
        let (store, directory) = (Arc::clone(&opened.store), Arc::clone(&opened.directory));
        let parts = Parts::new(opened, handoff::tools()).with_model_handing_over().with_strategies(strategies);
        let phone = Phone::new(settings, parts).unwrap();
        let router = phone.router().merge(Api::new(phone.clone()).router());
        let (stop, stopped) = oneshot::channel::<()>();
        tasks.spawn(Box::pin(phone.serve(listener, router, async {
            let _ = stopped.await;
        })));
        let credentials = Credentials::auth_token(AuthToken::new(TOKEN));
        let config = rest::Config::new(ACCOUNT.parse().unwrap(), credentials).with_base_url(&base_url);
        Self {
            url,
            twilio: Arc::new(twilio),
            store,
            directory,
            account: rest::Client::new(config).unwrap(),
            openai,
            callers: AtomicUsize::new(0),
            _stop: stop,
            _tasks: tasks,
        }
    }

    /// A person of the directory with a telephone that does this.
    pub(super) async fn person(&self, name: &str, phone: PhoneScript) -> AgentId {
        person(&*self.directory, &self.twilio, name, phone).await
    }

    /// Somebody calls, hears the greeting and stays on the line. Gives the call once it is kept with that.
    pub(super) async fn caller(&self) -> Caller {
        self.caller_who(CallerScript::new()).await
    }

    pub(super) async fn caller_who(&self, script: CallerScript) -> Caller {
        let number = 100 + self.callers.fetch_add(1, Ordering::Relaxed);
        let from: E164 = format!("+14155550{number}").parse().unwrap();
        let options = CallOptions::new(script).with_from(from.clone().into()).with_time_limit(Duration::from_secs(150));
        let twilio = Arc::clone(&self.twilio);
        let mut line = JoinSet::new();
        line.spawn(async move { twilio.call(options).await });
        let call = loop {
            let position = self.store.feed_end().await.unwrap();
            let calls = self.store.query(&Query::default().with_limit(1000)).await.unwrap().calls;
            let Some(call) = calls.into_iter().find(|call| call.from.phone() == Some(&from)) else {
                self.store.feed_moved(position).await;
                continue;
            };
            break call.id;
        };
        let session = until(&*self.store, call, |session| session.transcript.iter().any(|line| line.complete)).await;
        Caller { call, sid: session.summary.call_sid.unwrap(), line }
    }

    pub(super) async fn until(&self, call: &Caller, holds: impl Fn(&CallSummary) -> bool) -> CallSession {
        until(&*self.store, call.call, |session| holds(&session.summary)).await
    }

    pub(super) async fn post(&self, call: SessionId, door: &str, body: Value) -> (u16, Value) {
        post(&self.url, call, door, body).await
    }

    /// Somebody hangs up.
    pub(super) async fn hangs_up(&self, sid: &CallSid) {
        self.account.call(sid).end().await.unwrap();
    }

    /// The only leg of a call's handoff so far.
    pub(super) async fn leg(&self, call: &Caller) -> CallSid {
        let named = |call: &CallSummary| call.legs.values().any(|leg| leg.call.is_some() && leg.ended.is_none());
        let session = self.until(call, named).await;
        session.summary.legs.values().find(|leg| leg.ended.is_none()).unwrap().call.clone().unwrap()
    }

    /// Ends a call and everything of its handoff; the call as it is kept in the end, and as Twilio saw it.
    pub(super) async fn over(&self, call: Caller) -> (CallSession, CallReport) {
        if !self.store.summary(call.call).await.unwrap().unwrap().status.is_terminal() {
            // Whoever was quicker has ended it.
            let _ = self.account.call(&call.sid).end().await;
        }
        let Caller { call, mut line, .. } = call;
        let report = line.join_next().await.unwrap().unwrap();
        let session = until(&*self.store, call, |session| {
            session.summary.status.is_terminal() && session.summary.legs.values().all(|leg| leg.ended.is_some())
        });
        let session = session.await;
        for leg in session.summary.legs.values().filter_map(|leg| leg.call.as_ref()) {
            self.twilio.report(leg).await.unwrap();
        }
        self.check(&session, &report).await;
        (session, report)
    }

    /// What holds of every call: nobody heard nothing for long on the way to a person and back, and there was one room at most.
    async fn check(&self, session: &CallSession, report: &CallReport) {
        let filter = ConferenceFilter::new().friendly_name(room_name(session.summary.id));
        let rooms: Vec<_> = self.account.conferences().list(&filter).try_collect().await.unwrap();
        assert!(rooms.len() <= 1, "{} rooms: {}", rooms.len(), report.timeline);
        check_silence(session, report);
    }
}

/// Nobody heard nothing for long on the way to a person and back.
pub(super) fn check_silence(session: &CallSession, report: &CallReport) {
    let Some(handoff) = &session.summary.handoff else { return };
    let (now, instant) = (Timestamp::now(), Instant::now());
    let at = |time: Timestamp| {
        let ago = Duration::try_from(now.duration_since(time)).unwrap_or_default();
        (instant - ago).saturating_duration_since(report.placed_at)
    };
    let over = handoff.ended.as_ref().map_or(report.ended, |(ended, _)| at(*ended));
    let asked = at(handoff.requested);
    // Whoever hears the others is there, even if nobody has written it down yet; both may be silent then.
    let moments = report.timeline.moments().iter().filter(|moment| moment.event == Event::RoomStarted);
    let together = moments.map(|moment| moment.at).find(|at| *at > asked);
    let there = handoff.connected.map_or(over, at);
    let mut ways = vec![(asked, together.map_or(there, |together| together.min(there)))];
    // Who comes back hears somebody soon; after that both may be silent.
    ways.extend(handoff.ended.as_ref().map(|(ended, _)| (at(*ended), at(*ended) + SILENCE + FRAME)));
    for (from, to) in ways {
        let silence = longest_silence(report, from, to.min(report.ended));
        let most = SILENCE + report.worst_lateness;
        assert!(silence <= most, "nothing was heard for {silence:?}, {from:?} to {to:?}: {}", report.timeline);
    }
}

/// The longest time between two times of a call in which its caller heard nothing.
fn longest_silence(report: &CallReport, from: Duration, to: Duration) -> Duration {
    let (mut quiet, mut longest) = (from, Duration::ZERO);
    for heard in &report.agent_speech {
        longest = longest.max(heard.start.min(to).saturating_sub(quiet));
        quiet = quiet.max(heard.end);
    }
    longest.max(to.saturating_sub(quiet))
}

/// A call that is under way.
pub(super) struct Caller {
    pub(super) call: SessionId,
    pub(super) sid: CallSid,
    pub(super) line: JoinSet<CallReport>,
}

pub(super) async fn person(
    directory: &dyn Directory,
    twilio: &TwilioSimulator,
    name: &str,
    phone: PhoneScript,
) -> AgentId {
    let id: AgentId = name.parse().unwrap();
    let number: E164 =
        format!("+8190{:08}", name.bytes().fold(7_u32, |sum, byte| sum * 31 % 9_999_991 + u32::from(byte)))
            .parse()
            .unwrap();
    twilio.phone(number.clone(), phone);
    let mut agent = Agent::new(id.clone(), name).with_languages(["en-US"]).with_phone(number);
    agent.status = AgentStatus::Available;
    directory.put_agent(agent).await.unwrap();
    id
}

/// Waits until this holds for a call. The test's own limit says when it is too late.
pub(super) async fn until(
    store: &dyn SessionStore,
    call: SessionId,
    holds: impl Fn(&CallSession) -> bool,
) -> CallSession {
    loop {
        let position = store.feed_end().await.unwrap();
        let session = store.load(call).await.unwrap().unwrap();
        if holds(&session) {
            return session;
        }
        store.feed_moved(position).await;
    }
}

pub(super) async fn post(url: &str, call: SessionId, door: &str, body: Value) -> (u16, Value) {
    let answer = reqwest::Client::new().post(format!("{url}/api/calls/{call}/{door}")).json(&body).send();
    let answer = answer.await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

pub(super) fn with_agent(call: &CallSummary) -> bool {
    call.status == Status::WithAgent
}

/// The agent has the caller again, on another stream, and speaks.
pub(super) fn back(call: &CallSummary) -> bool {
    call.status == Status::AiResponding
        && call.attachments.len() > 1
        && call.attachments.last().is_some_and(|last| last.node.is_some() && last.detached.is_none())
}
