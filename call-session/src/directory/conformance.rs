//! Holds a [`Directory`] to its contract.
//!
//! Each check is a function that takes a directory of its own, empty, and panics when the directory breaks its promise.
//!
//! [`directory_conformance!`](crate::directory_conformance) makes a test of each:
//!
//! ```
//! mod memory {
//!     use std::sync::Arc;
//!
//!     use call_session::directory::{Directory, memory::MemoryDirectory};
//!
//!     /// The directory, and what has to stay while the test runs, such as a folder.
//!     async fn fresh() -> (Arc<dyn Directory>, ()) {
//!         (Arc::new(MemoryDirectory::new()), ())
//!     }
//!
//!     call_session::directory_conformance!(fresh);
//! }
//! # fn main() {}
//! ```

use std::{collections::HashSet, sync::Arc};

use jiff::{Timestamp, ToSpan};
use tokio::task::JoinSet;
use twilio_twiml::phone::E164;

use super::{Agent, Customer, CustomerQuery, CustomerStatus, Directory, PutError, Revision, Seed};
use crate::{call::ConversationSettings, id::CustomerId};

/// How many do the same thing at once.
const RACERS: u32 = 24;

/// Makes a test of each function of [`conformance`](crate::directory::conformance).
///
/// It takes the name of an `async fn()` that gives a pair: an empty `Arc<dyn Directory>`, and whatever has to stay as long
/// as the test runs. The crate that uses it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! directory_conformance {
    ($fresh:path) => {
        $crate::directory_conformance! {
            $fresh:
            gives_back_what_was_put refuses_what_was_decided_on_something_else keeps_one_of_many_puts
            refuses_hours_in_an_unknown_zone
            gives_a_number_to_one_customer frees_a_number_that_was_changed makes_one_customer_of_an_unknown_number
            gives_the_customer_of_a_known_number lists_customers_newest_first_in_pages
            keeps_pages_while_customers_are_added lists_agents_by_name takes_a_seed_once
        }
    };
    ($fresh:path: $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $check() {
            let (directory, _stays) = $fresh().await;
            $crate::directory::conformance::$check(directory).await;
        }
    )*};
}

/// A name that was mistyped is told to whoever writes it, and not found out when somebody is called at night.
pub async fn refuses_hours_in_an_unknown_zone(directory: Arc<dyn Directory>) {
    let mut agent = Agent::new(name("sato"), "佐藤");
    agent.working_hours.time_zone = "Asia/Tokio".into();
    let refused = directory.put_agent(agent.clone()).await;
    assert!(matches!(refused, Err(PutError::UnknownZone)), "{refused:?}");
    assert_eq!(directory.agent(&agent.id).await.expect("an answer"), None);
    agent.working_hours.time_zone = "Asia/Tokyo".into();
    directory.put_agent(agent).await.expect("the right name is kept");
}

/// Agents and customers come back as they were put, one revision later, and not before they were put.
pub async fn gives_back_what_was_put(directory: Arc<dyn Directory>) {
    let settings = ConversationSettings::default().with_company_name("青空 \"雲\" 株式会社 🌤").with_language("ja-JP");
    let mut agent = Agent::new(name("sato"), "佐藤 '美咲'; --")
        .with_languages(["ja-JP", "en-US"])
        .with_phone(phone(1))
        .with_caller_number(phone(2))
        .with_caller_number(phone(3))
        .with_settings(settings);
    assert_eq!(directory.agent(&agent.id).await.expect("an answer"), None);
    let put = directory.put_agent(agent.clone()).await.expect("a new agent is kept");
    agent.revision = Revision(1);
    assert_eq!(put, agent);
    assert_eq!(directory.agent(&agent.id).await.expect("an answer"), Some(agent.clone()));
    agent.settings = None;
    agent.caller_numbers.deactivate();
    let put = directory.put_agent(agent.clone()).await.expect("a changed agent is kept");
    assert_eq!(put.revision, Revision(2));
    assert_eq!(directory.agent(&agent.id).await.expect("an answer"), Some(put));

    let created = moment().checked_add(1.nanosecond()).expect("a moment");
    let mut customer = Customer::new(name("yamada"), phone(9), created).with_name("山田 太郎").with_notes("行1\n行2");
    assert_eq!(directory.customer(&customer.id).await.expect("an answer"), None);
    assert_eq!(directory.customer_by_phone(&customer.phone).await.expect("an answer"), None);
    let put = directory.put_customer(customer.clone()).await.expect("a new customer is kept");
    customer.revision = Revision(1);
    assert_eq!(put, customer);
    assert_eq!(directory.customer(&customer.id).await.expect("an answer"), Some(customer.clone()));
    assert_eq!(directory.customer_by_phone(&customer.phone).await.expect("an answer"), Some(customer));
}

/// A put with another revision than the one that is kept is a conflict, and changes nothing.
pub async fn refuses_what_was_decided_on_something_else(directory: Arc<dyn Directory>) {
    let new = Agent::new(name("sato"), "佐藤");
    let mut unknown = new.clone();
    unknown.revision = Revision(1);
    assert_conflict(directory.put_agent(unknown).await, Revision::NEW);
    let kept = directory.put_agent(new.clone()).await.expect("a new agent is kept");
    assert_conflict(directory.put_agent(new.clone()).await, Revision(1));
    let newer = directory.put_agent(kept.clone()).await.expect("the current revision is kept");
    assert_conflict(directory.put_agent(kept).await, Revision(2));
    assert_eq!(directory.agent(&new.id).await.expect("an answer"), Some(newer));

    let new = customer(1);
    let mut unknown = new.clone();
    unknown.revision = Revision(1);
    assert_conflict(directory.put_customer(unknown).await, Revision::NEW);
    assert_eq!(
        directory.customer_by_phone(&new.phone).await.expect("an answer"),
        None,
        "a refused put left its number"
    );
    let kept = directory.put_customer(new.clone()).await.expect("a new customer is kept");
    assert_conflict(directory.put_customer(new.clone()).await, Revision(1));
    let newer = directory.put_customer(kept.clone()).await.expect("the current revision is kept");
    let mut moved = kept;
    moved.phone = phone(2);
    assert_conflict(directory.put_customer(moved).await, Revision(2));
    assert_eq!(directory.customer(&new.id).await.expect("an answer"), Some(newer));
    assert_eq!(directory.customer_by_phone(&phone(2)).await.expect("an answer"), None);
}

/// Of puts on the same revision at the same time one happens.
pub async fn keeps_one_of_many_puts(directory: Arc<dyn Directory>) {
    let kept = directory.put_customer(customer(1)).await.expect("a new customer is kept");
    let results = race(|racer| {
        let (directory, mine) = (Arc::clone(&directory), kept.clone().with_name(racer.to_string()));
        async move { directory.put_customer(mine).await }
    });
    let won: Vec<_> = results.await.into_iter().filter_map(|result| won_or_conflict(result, Revision(2))).collect();
    assert_eq!(won.len(), 1, "one of {RACERS} changes happens");
    assert_eq!(directory.customer(&kept.id).await.expect("an answer").as_ref(), won.first());

    let results = race(|racer| {
        let (directory, mine) = (Arc::clone(&directory), Agent::new(name("sato"), racer.to_string()));
        async move { directory.put_agent(mine).await }
    });
    let won: Vec<_> = results.await.into_iter().filter_map(|result| won_or_conflict(result, Revision(1))).collect();
    assert_eq!(won.len(), 1, "one of {RACERS} new agents of one name is kept");
    assert_eq!(directory.agents().await.expect("an answer"), won);
}

/// A number that a customer has is refused to all others, also when all come at once.
pub async fn gives_a_number_to_one_customer(directory: Arc<dyn Directory>) {
    let mut one = directory.put_customer(customer(1)).await.expect("a new customer is kept");
    let mut other = customer(2);
    other.phone = phone(1);
    assert_taken(directory.put_customer(other.clone()).await, &one.id);
    assert_eq!(directory.customer(&other.id).await.expect("an answer"), None, "a refused customer was kept");
    other.phone = phone(2);
    let other = directory.put_customer(other).await.expect("a free number is given");
    one.phone = phone(2);
    assert_taken(directory.put_customer(one.clone()).await, &other.id);
    assert_eq!(directory.customer(&one.id).await.expect("an answer").map(|kept| kept.phone), Some(phone(1)));

    let results = race(|racer| {
        let (directory, mut mine) = (Arc::clone(&directory), customer(100 + racer));
        mine.phone = phone(3);
        async move { directory.put_customer(mine).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.await.into_iter().partition(Result::is_ok);
    let won: Vec<_> = won.into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "one of {RACERS} gets a number");
    for result in lost {
        assert_taken(result, &won[0].id);
    }
}

/// A customer who changes to another number leaves the old one to others.
pub async fn frees_a_number_that_was_changed(directory: Arc<dyn Directory>) {
    let mut moved = directory.put_customer(customer(1)).await.expect("a new customer is kept");
    moved.phone = phone(2);
    let moved = directory.put_customer(moved).await.expect("a free number is given");
    assert_eq!(directory.customer_by_phone(&phone(1)).await.expect("an answer"), None);
    assert_eq!(directory.customer_by_phone(&phone(2)).await.expect("an answer"), Some(moved));
    let mut next = customer(3);
    next.phone = phone(1);
    directory.put_customer(next).await.expect("a number that was left is free");
}

/// However many calls come from an unknown number at once, it becomes one customer.
pub async fn makes_one_customer_of_an_unknown_number(directory: Arc<dyn Directory>) {
    let results = race(|racer| {
        let directory = Arc::clone(&directory);
        async move { directory.customer_for(&phone(racer % 3), moment()).await }
    });
    let customers: Vec<_> = results.await.into_iter().map(|result| result.expect("a customer")).collect();
    let names: HashSet<_> = customers.iter().map(|customer| customer.id.clone()).collect();
    assert_eq!(names.len(), 3, "three numbers are three customers");
    for customer in customers {
        assert_eq!(customer, {
            let mut new = Customer::new(customer.id.clone(), customer.phone.clone(), moment());
            new.revision = Revision(1);
            new
        });
        assert_eq!(directory.customer_by_phone(&customer.phone).await.expect("an answer"), Some(customer));
    }
    assert_eq!(ids(&directory, &CustomerQuery::default()).await.len(), 3);
}

/// A number that a customer has gives that customer, as they are.
pub async fn gives_the_customer_of_a_known_number(directory: Arc<dyn Directory>) {
    let known = directory.put_customer(customer(1).with_name("渡辺")).await.expect("a new customer is kept");
    let later = moment().checked_add(1.hour()).expect("a moment");
    assert_eq!(directory.customer_for(&known.phone, later).await.expect("a customer"), known);
}

/// Pages together have everybody once, newest first; those of one moment by their names.
pub async fn lists_customers_newest_first_in_pages(directory: Arc<dyn Directory>) {
    let mut expected = Vec::new();
    for number in 0..23 {
        let status = if number % 2 == 0 { CustomerStatus::New } else { CustomerStatus::FollowUp };
        let customer = directory.put_customer(customer(number).with_status(status)).await.expect("a new customer");
        expected.push(customer);
    }
    expected.sort_by_key(|customer| std::cmp::Reverse(customer.place()));
    let names = |customers: &[Customer]| customers.iter().map(|customer| customer.id.clone()).collect::<Vec<_>>();
    for limit in [1, 5, 23, 50] {
        let query = CustomerQuery::default().with_limit(limit);
        assert_eq!(ids(&directory, &query).await, names(&expected), "in pages of {limit}");
    }
    expected.retain(|customer| customer.status == CustomerStatus::FollowUp);
    let query = CustomerQuery::default().with_status(CustomerStatus::FollowUp).with_limit(4);
    assert_eq!(ids(&directory, &query).await, names(&expected));

    let mut won = expected.remove(0);
    won.status = CustomerStatus::Won;
    let won = directory.put_customer(won).await.expect("the current revision is kept");
    assert_eq!(ids(&directory, &query).await, names(&expected), "who has moved on is not listed");
    let query = CustomerQuery::default().with_status(CustomerStatus::Won);
    assert_eq!(directory.customers(&query).await.expect("a page").customers, [won]);
}

/// Somebody who turns pages misses nobody and meets nobody twice while others are added.
pub async fn keeps_pages_while_customers_are_added(directory: Arc<dyn Directory>) {
    for number in 0..6 {
        directory.put_customer(customer(number)).await.expect("a new customer is kept");
    }
    let before = ids(&directory, &CustomerQuery::default()).await;
    let query = CustomerQuery::default().with_limit(3);
    let first = directory.customers(&query).await.expect("a page");
    let later = moment().checked_add(1.hour()).expect("a moment");
    directory.customer_for(&phone(50), later).await.expect("a customer");
    let next = query.with_after(first.next.clone().expect("there are more"));
    let second = directory.customers(&next).await.expect("a page");
    let seen: Vec<_> = first.customers.iter().chain(&second.customers).map(|customer| customer.id.clone()).collect();
    assert_eq!((seen, second.next), (before, None));
}

/// Agents come by name, wherever the backend runs.
pub async fn lists_agents_by_name(directory: Arc<dyn Directory>) {
    assert_eq!(directory.agents().await.expect("an answer"), []);
    for (id, shown) in [("d", "鈴木"), ("c", "b"), ("b", "B"), ("a", "a"), ("e", "B")] {
        directory.put_agent(Agent::new(name(id), shown)).await.expect("a new agent is kept");
    }
    let names: Vec<_> = directory.agents().await.expect("an answer").into_iter().map(|agent| agent.id).collect();
    assert_eq!(names, ["b", "e", "a", "c", "d"].map(name));
}

/// A seed that is planted again changes nothing, also not what people have changed since.
pub async fn takes_a_seed_once(directory: Arc<dyn Directory>) {
    let seed = Seed::sample();
    let size = seed.agents.len() + seed.customers.len();
    let planted = seed.clone().plant(&*directory).await.expect("a seed is taken");
    assert_eq!((planted.added, planted.present), (size, 0));
    let mut agent = directory.agent(&seed.agents[0].id).await.expect("an answer").expect("the agent of the seed");
    agent.settings = None;
    let agent = directory.put_agent(agent).await.expect("the current revision is kept");
    let planted = seed.plant(&*directory).await.expect("a seed is taken");
    assert_eq!((planted.added, planted.present), (0, size));
    assert_eq!(directory.agent(&agent.id).await.expect("an answer"), Some(agent));
}

/// What each of many gets who do something at once.
async fn race<T, F>(go: impl Fn(u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for racer in 0..RACERS {
        tasks.spawn(go(racer));
    }
    tasks.join_all().await
}

/// The names on all pages.
async fn ids(directory: &Arc<dyn Directory>, query: &CustomerQuery) -> Vec<CustomerId> {
    let (mut query, mut found) = (query.clone(), Vec::new());
    loop {
        let page = directory.customers(&query).await.expect("a page");
        assert!(page.customers.len() <= query.limit, "a page is longer than was asked for");
        found.extend(page.customers.into_iter().map(|customer| customer.id));
        match page.next {
            // Pages that go on for ever are a failure, not a wait.
            Some(place) if found.len() < 1000 => query = query.with_after(place),
            Some(_) => panic!("the pages do not end"),
            None => return found,
        }
    }
}

fn assert_conflict<T: std::fmt::Debug>(result: Result<T, PutError>, expected: Revision) {
    match result {
        Err(PutError::Conflict { actual }) => assert_eq!(actual, expected),
        other => panic!("a conflict with {expected:?}, not {other:?}"),
    }
}

fn assert_taken(result: Result<Customer, PutError>, expected: &CustomerId) {
    match result {
        Err(PutError::PhoneTaken { owner }) => assert_eq!(owner, *expected),
        other => panic!("a number that {expected} has, not {other:?}"),
    }
}

fn won_or_conflict<T: std::fmt::Debug>(result: Result<T, PutError>, expected: Revision) -> Option<T> {
    match result {
        Ok(won) => Some(won),
        lost => {
            assert_conflict(lost, expected);
            None
        }
    }
}

/// Customers of whom each three are of one moment.
fn customer(number: u32) -> Customer {
    let created = moment().checked_add(i64::from(number / 3).seconds()).expect("a moment");
    // Names whose order as bytes is not the one of a dictionary.
    let letter = ["a", "B", "-"][number as usize % 3];
    Customer::new(name(&format!("{letter}{number}")), phone(number), created)
}

fn moment() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a moment")
}

fn phone(number: u32) -> E164 {
    format!("+8190000{number:05}").parse().expect("a number")
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a name")
}
