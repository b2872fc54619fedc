//! A scenario in a world of its own: an account, people, a model and the server, on loopback.

use std::{future::pending, net::Ipv4Addr, sync::Arc, time::Duration};

use call_session::{
    call::CallSession,
    directory::{AgentStatus, Seed, WorkingHours},
    id::SessionId,
    store::{Query, SessionStore, StoreError},
};
use call_simulator::{
    openai::OpenAiSimulator,
    twilio::{CallOptions, CallReport, Number, TwilioSimulator},
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    time::{Instant, timeout},
};
use twilio_twiml::phone::{Address, E164};
use uuid::Uuid;

use super::{
    DemoError,
    report::{Party, Request, ScenarioReport, Zero},
    scenarios::{Begins, Scenario},
};
use crate::{
    database::Database,
    handoff,
    phone::{Parts, Phone, api::Api},
    settings::{Arguments, Settings},
};

/// The caller, one of the sample company's customers.
const CUSTOMER: &str = "yamada-shoten";

/// How long a telephone rings that nobody answers, in seconds.
const RING: &str = "5";

/// How long everything may take to be over when the caller is gone.
const LIMIT: Duration = Duration::from_secs(60);

/// Sets everything up, plays, and takes it down again.
pub(super) async fn play(scenario: Scenario) -> Result<ScenarioReport, DemoError> {
    let socket = DemoError::Socket;
    let scripts = OpenAiSimulator::builder().first_scripts([scenario.model.clone()]).script(scenario.returned.clone());
    let openai = scripts.start().await.map_err(socket)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(socket)?;
    let url = format!("http://{}", listener.local_addr().map_err(socket)?);
    let token = Uuid::new_v4().simple().to_string();
    let cast = Cast::of(&scenario);
    let voice_url = format!("{url}/api/twilio/voice").parse().expect("made of an address and a path");
    let number = Number::new(cast.number.clone(), voice_url);
    let twilio = TwilioSimulator::builder().auth_token(token.as_str()).number(number).start()?;
    let mut rest = twilio.serve_rest().await.map_err(socket)?;
    for (person, phone) in &scenario.people {
        twilio.phone(cast.phone_of(person), phone.clone());
    }

    let mut arguments = Arguments::default();
    arguments.openai.openai_api_key = Some("simulated".into());
    arguments.openai.openai_base_url = Some(openai.base_url());
    arguments.twilio.twilio_account_sid = Some(twilio.account_sid().to_string());
    arguments.twilio.twilio_auth_token = Some(token.into());
    arguments.twilio.twilio_api_base_url = Some(rest.base_url());
    arguments.server.public_url = Some(url.clone());
    arguments.conversation.language = Some(scenario.language.tag().into());
    arguments.handoff.handoff_ring = Some(RING.into());
    let settings = Settings::check_with_api(&arguments)?;
    let opened = Database::Memory.open().await?;
    let caller = cast.caller.clone();
    cast.seed.plant(&*opened.directory).await?;
    let phone = Phone::new(settings, Parts::new(opened, handoff::tools()).with_model_handing_over())?;
    let store = Arc::clone(phone.store());
    let router = phone.router().merge(Api::new(phone.clone()).router());

    let (done, over) = oneshot::channel();
    let serving = phone.serve(listener, router, async {
        if over.await.is_err() {
            pending::<()>().await;
        }
    });
    let playing = async {
        let played = perform(scenario, &url, &twilio, &*store, caller).await;
        // The server has gone if this fails, which its own result tells.
        let _ = done.send(());
        played
    };
    let both = async { tokio::join!(Box::pin(serving), Box::pin(playing)) };
    let (served, played) = tokio::select! {
        both = both => both,
        failed = rest.run() => match failed.map_err(socket)? {},
    };
    served.map_err(socket)?;
    rest.shutdown().await;
    openai.shutdown().await;
    played
}

/// The sample company on a day when those are at work whom the scenario needs, whatever the clock says.
struct Cast {
    seed: Seed,
    number: E164,
    caller: E164,
}

impl Cast {
    fn of(scenario: &Scenario) -> Self {
        let mut seed = Seed::sample();
        for agent in &mut seed.agents {
            let plays = scenario.people.iter().any(|(person, _)| *person == agent.id.as_str());
            agent.status = if plays { AgentStatus::Available } else { AgentStatus::Offline };
            agent.working_hours = WorkingHours::default();
            agent.languages = vec![scenario.language.tag().into()];
        }
        let number = seed.agents.iter().find_map(|agent| agent.caller_numbers.active()).cloned();
        let caller = seed.customers.iter().find(|customer| customer.id.as_str() == CUSTOMER);
        let caller = caller.map(|customer| customer.phone.clone());
        Self {
            number: number.expect("the sample company can be called"),
            caller: caller.expect("the sample has this customer"),
            seed,
        }
    }

    fn phone_of(&self, person: &str) -> E164 {
        let agent = self.seed.agents.iter().find(|agent| agent.id.as_str() == person);
        agent.and_then(|agent| agent.phone.clone()).expect("the sample's people have telephones")
    }
}

/// Places the call, has the caller handed over, and waits until nobody is left on the line.
async fn perform(
    scenario: Scenario,
    url: &str,
    twilio: &TwilioSimulator,
    store: &dyn SessionStore,
    from: E164,
) -> Result<ScenarioReport, DemoError> {
    let zero = Zero { instant: Instant::now(), timestamp: Timestamp::now() };
    let calling = twilio.call(CallOptions::new(scenario.caller.clone()).with_from(Address::Phone(from)));
    let asking = async {
        match &scenario.begins {
            Begins::Operator(when, wanted) => {
                when.given().await;
                ask(url, wanted).await.map(Some)
            }
            Begins::Model => Ok(None),
        }
    };
    let mut calling = Box::pin(calling);
    let (caller, request) = tokio::select! {
        caller = &mut calling => (caller, None),
        request = asking => {
            let request = request?;
            (calling.await, request)
        }
    };
    let call = settled(store, &scenario, &caller).await?;
    let people = people(twilio, &call).await;
    let history = store.history(call.summary.id).await?;
    Ok(ScenarioReport::new(&scenario, zero, caller, people, request, (call, history), twilio.calls().len()))
}

#[derive(Debug, Deserialize)]
struct Active {
    calls: Vec<ActiveCall>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActiveCall {
    call_id: SessionId,
}

/// An operator looks for the call, and asks for a person.
async fn ask(url: &str, wanted: &serde_json::Value) -> Result<Request, DemoError> {
    let http = reqwest::Client::new();
    let active: Active = http.get(format!("{url}/api/calls/active")).send().await?.json().await?;
    let call = active.calls.first().map_or_else(String::new, |call| call.call_id.to_string());
    let at = Instant::now();
    let answer = http.post(format!("{url}/api/calls/{call}/handoff")).json(wanted).send().await?;
    Ok(Request { at, wanted: wanted.clone(), status: answer.status().as_u16() })
}

/// The call, when it is over and so is everything that was done for it.
async fn settled(store: &dyn SessionStore, scenario: &Scenario, caller: &CallReport) -> Result<CallSession, DemoError> {
    let no_call = || DemoError::NoCall { scenario: scenario.name, timeline: caller.timeline.to_string() };
    let page = store.query(&Query::default()).await?;
    let id = page.calls.first().map(|call| call.id).ok_or_else(no_call)?;
    let settling = async {
        loop {
            let position = store.feed_end().await?;
            let call = store.summary(id).await?;
            if call.is_none_or(|call| call.status.is_terminal() && !call.needs_runner()) {
                return Ok::<_, StoreError>(());
            }
            store.feed_moved(position).await;
        }
    };
    if let Ok(settled) = timeout(LIMIT, settling).await {
        settled?;
    }
    store.load(id).await?.ok_or_else(no_call)
}

/// What each person who was called heard and did, in the order they were called.
async fn people(twilio: &TwilioSimulator, call: &CallSession) -> Vec<Party> {
    let handoff = call.summary.handoff.iter();
    let legs = handoff.flat_map(|handoff| &handoff.legs).filter_map(|id| call.summary.legs.get(id));
    let mut people = Vec::new();
    for leg in legs {
        let person = leg.person.as_ref().map_or("somebody", |person| person.as_str());
        // A leg that goes on when its call is over is a problem, and told as one.
        let report = match &leg.call {
            Some(sid) => timeout(LIMIT, twilio.report(sid)).await.ok().flatten(),
            None => None,
        };
        people.push(Party { person: person.to_owned(), leg: leg.clone(), report });
    }
    people
}
