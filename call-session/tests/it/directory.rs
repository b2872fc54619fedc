//! Agents and customers: each backend against the contract, the seed, and the check before a call.

use std::sync::Arc;

use call_session::{
    call::{Direction, NewCall},
    directory::{
        Agent, AgentStatus, CallerNumber, CallerNumbers, Customer, Directory, NotCallable, Seed,
        memory::MemoryDirectory, outbound,
    },
    store::sqlite::SqliteStore,
};
use jiff::Timestamp;
use serde_json::json;
use twilio_twiml::phone::E164;

use crate::store::folder::Folder;

mod memory {
    use super::*;

    async fn fresh() -> (Arc<dyn Directory>, ()) {
        (Arc::new(MemoryDirectory::new()), ())
    }

    call_session::directory_conformance!(fresh);
}

mod sqlite {
    use super::*;

    async fn fresh() -> (Arc<dyn Directory>, Folder) {
        let folder = Folder::new();
        let store = SqliteStore::open(folder.path().join("calls.db")).await.unwrap();
        (Arc::new(store), folder)
    }

    call_session::directory_conformance!(fresh);

    /// Two servers on one file get calls from the same unknown number: it becomes one customer, who is there after both
    /// have stopped.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn two_servers_make_one_customer_who_stays() {
        let folder = Folder::new();
        let path = folder.path().join("calls.db");
        let servers = [SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
        let caller = number("+819000000001");
        for round in 0..20 {
            let caller = number(&format!("+8190000010{round:02}"));
            let now = Timestamp::now();
            let (here, there) =
                tokio::join!(servers[0].customer_for(&caller, now), servers[1].customer_for(&caller, now));
            assert_eq!(here.unwrap(), there.unwrap());
        }
        let customer = servers[0].customer_for(&caller, Timestamp::now()).await.unwrap();
        for server in servers {
            server.close().await;
        }
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(store.customer_by_phone(&caller).await.unwrap(), Some(customer));
    }
}

mod postgres {
    use call_session::store::postgres::PostgresStore;
    use throwaway_postgres::Database;

    use super::*;

    async fn fresh() -> (Arc<dyn Directory>, Database) {
        let database = Database::create().unwrap();
        let store = PostgresStore::connect(database.url()).await.unwrap();
        (Arc::new(store), database)
    }

    call_session::directory_conformance!(fresh);

    /// The same promises through a pooler that gives each transaction another connection.
    mod pooled {
        use call_session::postgres::{Postgres, PostgresConfig};
        use throwaway_postgres::Pooler;

        use super::*;

        async fn fresh() -> (Arc<dyn Directory>, (Pooler, Database)) {
            let database = Database::create().unwrap();
            let pooler = Pooler::start(&database).unwrap();
            let config = PostgresConfig::new(pooler.url()).unwrap().with_pooler();
            let store = PostgresStore::new(Postgres::connect(config).await.unwrap());
            (Arc::new(store), (pooler, database))
        }

        call_session::directory_conformance!(fresh);
    }
}

fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

fn sato() -> Agent {
    Seed::sample().agents.remove(0)
}

fn yamada() -> Customer {
    Seed::sample().customers.remove(0)
}

#[test]
fn a_call_is_made_from_what_is_known_of_both_sides() {
    let (agent, customer) = (sato(), yamada());
    let call = outbound(Some(&agent), Some(&customer)).unwrap();
    assert_eq!((&call.from, &call.to), (&number("+81300000001"), &customer.phone));
    assert_eq!(Some(&call.settings), agent.settings.as_ref());
    let call = NewCall::from(call);
    assert_eq!(call.direction, Direction::Outbound);
    assert_eq!((call.from.phone(), call.to.phone()), (Some(&number("+81300000001")), Some(&customer.phone)));
    assert_eq!((call.agent, call.customer), (Some(agent.id), Some(customer.id)));
    assert_eq!(Some(call.settings), agent.settings);
}

#[test]
fn a_call_that_cannot_be_made_says_what_is_missing() {
    let (agent, customer) = (sato(), yamada());
    let check = |agent: Option<&Agent>, customer: Option<&Customer>, error: NotCallable, status: u16| {
        assert_eq!(outbound(agent, customer), Err(error));
        assert_eq!(error.http_status(), status);
    };
    check(Some(&agent), None, NotCallable::NoCustomer, 404);
    check(None, None, NotCallable::NoCustomer, 404);
    check(None, Some(&customer), NotCallable::NoAgentSettings, 404);
    let mut silent = agent.clone();
    silent.settings = None;
    check(Some(&silent), Some(&customer), NotCallable::NoAgentSettings, 404);
    let mut numberless = agent;
    numberless.caller_numbers.deactivate();
    check(Some(&numberless), Some(&customer), NotCallable::NoActiveNumber, 400);
}

#[test]
fn at_most_one_caller_number_is_active() {
    let (one, two) = ("+81300000001", "+81300000002");
    let mut numbers = CallerNumbers::default();
    assert_eq!(numbers.active(), None);
    numbers.activate(number(one));
    numbers.activate(number(two));
    numbers.activate(number(one));
    let expected = json!([{"number": one, "active": true}, {"number": two, "active": false}]);
    assert_eq!(serde_json::to_value(&numbers).unwrap(), expected);
    assert_eq!(serde_json::from_value::<CallerNumbers>(expected).unwrap(), numbers);
    numbers.remove(&number(one));
    assert_eq!(numbers.active(), None);
    assert_eq!(numbers.iter().collect::<Vec<_>>(), [&CallerNumber { number: number(two), active: false }]);

    for bad in [
        json!([{"number": one, "active": true}, {"number": two, "active": true}]),
        json!([{"number": one, "active": true}, {"number": one}]),
        json!([{"number": "0300000001", "active": true}]),
    ] {
        assert!(serde_json::from_value::<CallerNumbers>(bad.clone()).is_err(), "{bad} was taken");
    }
}

#[test]
fn the_sample_reaches_nobody_and_lacks_something_for_each_check() {
    let seed = Seed::sample();
    let callers = seed.agents.iter().flat_map(|agent| agent.caller_numbers.iter().map(|known| &known.number));
    let phones = seed.agents.iter().filter_map(|agent| agent.phone.as_ref());
    for number in seed.customers.iter().map(|customer| &customer.phone).chain(callers).chain(phones) {
        let national = number.as_str().strip_prefix("+81").expect("a number in Japan");
        let area = ["90", "50", "3", "6"].into_iter().find_map(|area| national.strip_prefix(area));
        assert!(area.expect("an area of the sample").starts_with("0000"), "{number} may be somebody's");
    }
    let callable = |agent: &&Agent| outbound(Some(agent), seed.customers.first()).is_ok();
    assert_eq!(seed.agents.iter().filter(callable).count(), 2);
    assert!(seed.agents.iter().any(|agent| agent.status == AgentStatus::Available));
    assert_eq!(serde_json::from_value::<Seed>(serde_json::to_value(&seed).unwrap()).unwrap(), seed);
}

#[test]
fn debug_shows_nothing_personal() {
    let (agent, customer) = (sato().with_phone(number("+819000000199")), yamada());
    let shown = format!("{agent:?} {customer:?} {:?}", outbound(Some(&agent), Some(&customer)));
    for personal in ["8190", "8130", "佐藤", "山田", "午前"] {
        assert!(!shown.contains(personal), "{shown} shows {personal}");
    }
}

/// Whoever writes records learns all that is wrong with them, and where.
#[test]
fn records_that_people_write_are_checked() {
    let now = "2026-11-30T09:00:00Z".parse().unwrap();
    let written = json!({
        "agents": [
            { "id": "sato", "name": "Sato", "workingHours": { "timeZone": "Asia/Tokio", "shifts": [] } },
            { "id": "sato", "name": "Sato again" },
            { "id": "tanaka" },
        ],
        "customers": [
            { "id": "yamada", "phone": "+819012345678" },
            { "id": "suzuki", "phone": "090-1234-5678" },
            { "id": "kimura", "phone": "+819012345678" },
        ],
        "people": [],
    });
    let problems = Seed::read(&written.to_string(), now).unwrap_err().problems;
    for (place, what) in [
        ("agents[0]", "timeZone"),
        ("agents[1]", "`id`"),
        ("agents[2]", "`name`"),
        ("customers[1]", ""),
        ("customers[2]", "`phone`"),
        ("people", "only"),
    ] {
        let told = problems.iter().filter(|told| told.starts_with(place) && told.contains(what)).count();
        assert_eq!(told, 1, "{place} in {problems:#?}");
    }
    assert_eq!(problems.len(), 6);
    assert!(problems.iter().all(|told| !told.contains("1234")), "no number is repeated: {problems:#?}");
    for nothing in ["", "[]", r#"{"agents": {}}"#] {
        assert_eq!(Seed::read(nothing, now).unwrap_err().problems.len(), 1, "{nothing}");
    }
    let sample = serde_json::to_string(&Seed::sample()).unwrap();
    assert_eq!(Seed::read(&sample, now).unwrap(), Seed::sample());
}
