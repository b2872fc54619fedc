//! Handoffs whose server is killed.

use std::{process::Stdio, sync::Arc, time::Duration};

use call_session::{
    call::{CallSummary, HandoffEnd, Status},
    id::SessionId,
    store::{Query, SessionStore, postgres::PostgresStore},
};
use call_simulator::{
    openai::{OpenAiSimulator, Settings as Manners, Timing},
    twilio::{CallOptions, CallReport, CallerScript, Number, PhoneScript, TwilioSimulator},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};
use twilio_twiml::{
    phone::E164,
    rest::{self, Credentials},
    webhook::signature::AuthToken,
};

use super::world::{FAREWELL, back, person, post, presses, receptionist, until, with_agent};
use crate::{
    outbound::balancer::{balance, check_health, two_ports},
    world::{ACCOUNT, TOKEN},
};

/// A server as a process, which takes calls.
async fn serve(environment: &[(&str, &str)], port: u16) -> Child {
    let bind = format!("127.0.0.1:{port}");
    let child = Command::new(env!("CARGO_BIN_EXE_handoff"))
        .env_clear()
        .envs(environment.iter().copied())
        .env("BIND", &bind)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while !reqwest::get(format!("http://{bind}/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}

/// Somebody calls, and hears the greeting.
async fn call(
    lines: &mut JoinSet<CallReport>,
    twilio: &Arc<TwilioSimulator>,
    store: &dyn SessionStore,
    from: &str,
) -> SessionId {
    let from: E164 = from.parse().unwrap();
    let options =
        CallOptions::new(CallerScript::new()).with_from(from.clone().into()).with_time_limit(Duration::from_secs(150));
    let twilio = Arc::clone(twilio);
    lines.spawn(async move { twilio.call(options).await });
    loop {
        let position = store.feed_end().await.unwrap();
        let calls = store.query(&Query::default()).await.unwrap().calls;
        if let Some(call) = calls.into_iter().find(|call| call.from.phone() == Some(&from)) {
            until(store, call.id, |session| session.transcript.iter().any(|line| line.complete)).await;
            return call.id;
        }
        store.feed_moved(position).await;
    }
}

/// The server that performs three handoffs is killed: while a telephone rings, while a person hears the briefing, while
/// caller and person talk. Another goes on with all of them.
#[tokio::test]
async fn another_server_goes_on_with_the_handoffs_of_a_dead_one() {
    let database = throwaway_postgres::Database::create().unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    let manners = Manners::default().with_timing(Timing::brisk());
    let openai = OpenAiSimulator::builder().script(receptionist()).settings(manners).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let voice_url = format!("{url}/api/twilio/voice").parse().unwrap();
    let number = Number::new("+815012345678".parse().unwrap(), voice_url);
    let builder = TwilioSimulator::builder().account_sid(ACCOUNT.parse().unwrap()).auth_token(TOKEN);
    let twilio = Arc::new(builder.number(number).start().unwrap());
    let mut served = twilio.serve_rest().await.unwrap();
    let (base_url, ports) = (served.base_url(), two_ports().await);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = served.run().await;
    });
    let (sender, ready) = watch::channel([false; 2]);
    tasks.spawn(check_health(ports, sender));
    tasks.spawn(balance(listener, ports, ready));
    let config = rest::Config::new(ACCOUNT.parse().unwrap(), Credentials::auth_token(AuthToken::new(TOKEN)));
    let account = rest::Client::new(config.with_base_url(&base_url)).unwrap();

    let openai_url = openai.base_url();
    let environment = [
        ("OPENAI_API_KEY", "simulated"),
        ("OPENAI_BASE_URL", openai_url.as_str()),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_API_BASE_URL", base_url.as_str()),
        ("TWILIO_CALLS_PER_SECOND", "50"),
        ("PUBLIC_URL", url.as_str()),
        ("DATABASE_URL", database.url()),
        ("CONVERSATION_LANGUAGE", "en-US"),
        ("HANDOFF_FAREWELL", FAREWELL),
        ("HANDOFF_RING", "60"),
    ];
    let mut first = serve(&environment, ports[0]).await;
    let _second = serve(&environment, ports[1]).await;
    person(&store, &twilio, "rings", presses("1").after(Duration::from_secs(15))).await;
    let thinks = CallerScript::new().until_agent_finishes().pause(Duration::from_secs(10)).press("1");
    person(&store, &twilio, "thinks", PhoneScript::answers(thinks)).await;
    person(&store, &twilio, "talks", presses("1")).await;
    let mut lines = JoinSet::new();
    let ringing = call(&mut lines, &twilio, &store, "+14155550101").await;
    let briefed = call(&mut lines, &twilio, &store, "+14155550102").await;
    let talking = call(&mut lines, &twilio, &store, "+14155550103").await;
    let address = format!("http://127.0.0.1:{}", ports[0]);
    for (call, who) in [(ringing, "rings"), (briefed, "thinks"), (talking, "talks")] {
        let (status, problem) = post(&address, call, "handoff", json!({ "agentId": who })).await;
        assert_eq!(status, 202, "{problem}");
    }
    let answered = |call: &CallSummary| call.legs.values().any(|leg| leg.answered);
    let dialled = |call: &CallSummary| call.legs.values().any(|leg| leg.call.is_some());
    until(&store, talking, |session| with_agent(&session.summary)).await;
    until(&store, briefed, |session| answered(&session.summary)).await;
    until(&store, ringing, |session| dialled(&session.summary)).await;
    first.kill().await.unwrap();

    // Nobody is there who performs it, and still the person who leaves gives the caller back.
    let session = until(&store, talking, |_| true).await;
    let leg = session.summary.legs.values().next().unwrap().call.clone().unwrap();
    account.call(&leg).end().await.unwrap();
    let session = until(&store, talking, |session| back(&session.summary)).await;
    assert_eq!(session.summary.handoff.unwrap().ended.unwrap().1, HandoffEnd::Returned);
    for call in [ringing, briefed] {
        until(&store, call, |session| with_agent(&session.summary)).await;
    }
    for call in [ringing, briefed, talking] {
        let sid = store.summary(call).await.unwrap().unwrap().call_sid.unwrap();
        account.call(&sid).end().await.unwrap();
        let over =
            |call: &CallSummary| call.status == Status::Completed && call.legs.values().all(|leg| leg.ended.is_some());
        let session = until(&store, call, |session| over(&session.summary)).await;
        assert_eq!(session.summary.legs.len(), 1, "nobody was called twice");
        for leg in session.summary.legs.values().filter_map(|leg| leg.call.as_ref()) {
            twilio.report(leg).await.unwrap();
        }
    }
    while let Some(report) = lines.join_next().await {
        report.unwrap();
    }
    assert_eq!(twilio.calls().len(), 6, "three callers and three people");
}
