//! Agents and customers in memory, gone with the process.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use twilio_twiml::phone::E164;

use super::{
    Agent, Customer, CustomerPage, CustomerPlace, CustomerQuery, Directory, PutError, Revision, agent::by_name,
};
use crate::{
    id::{AgentId, CustomerId},
    store::StoreError,
};

/// Keeps agents and customers in memory, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    agents: HashMap<AgentId, Agent>,
    places: HashMap<CustomerId, CustomerPlace>,
    by_phone: HashMap<E164, CustomerId>,
    customers: BTreeMap<CustomerPlace, Customer>,
}

impl MemoryDirectory {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn customer(&self, id: &CustomerId) -> Option<&Customer> {
        self.customers.get(self.places.get(id)?)
    }

    fn put(&mut self, mut customer: Customer) -> Result<Customer, PutError> {
        let kept = self.customer(&customer.id).map(|kept| (kept.revision, kept.phone.clone(), kept.place()));
        let actual = kept.as_ref().map_or(Revision::NEW, |(revision, ..)| *revision);
        if actual != customer.revision {
            return Err(PutError::Conflict { actual });
        }
        match self.by_phone.entry(customer.phone.clone()) {
            Entry::Occupied(owner) if *owner.get() != customer.id => {
                return Err(PutError::PhoneTaken { owner: owner.get().clone() });
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(customer.id.clone());
            }
        }
        if let Some((_, phone, place)) = kept {
            if phone != customer.phone {
                self.by_phone.remove(&phone);
            }
            self.customers.remove(&place);
        }
        customer.revision = customer.revision.next();
        self.places.insert(customer.id.clone(), customer.place());
        self.customers.insert(customer.place(), customer.clone());
        Ok(customer)
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
        Ok(self.shelf().agents.get(id).cloned())
    }

    async fn put_agent(&self, mut agent: Agent) -> Result<Agent, PutError> {
        PutError::check(&agent)?;
        let mut shelf = self.shelf();
        let actual = shelf.agents.get(&agent.id).map_or(Revision::NEW, |kept| kept.revision);
        if actual != agent.revision {
            return Err(PutError::Conflict { actual });
        }
        agent.revision = agent.revision.next();
        shelf.agents.insert(agent.id.clone(), agent.clone());
        Ok(agent)
    }

    async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
        Ok(by_name(self.shelf().agents.values().cloned().collect()))
    }

    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
        Ok(self.shelf().customer(id).cloned())
    }

    async fn put_customer(&self, customer: Customer) -> Result<Customer, PutError> {
        self.shelf().put(customer)
    }

    async fn customer_by_phone(&self, phone: &E164) -> Result<Option<Customer>, StoreError> {
        let shelf = self.shelf();
        Ok(shelf.by_phone.get(phone).and_then(|id| shelf.customer(id)).cloned())
    }

    async fn customers(&self, query: &CustomerQuery) -> Result<CustomerPage, StoreError> {
        let shelf = self.shelf();
        let end = query.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let older = shelf.customers.range((Bound::Unbounded, end)).rev().map(|(_, customer)| customer);
        let fitting = older.filter(|customer| query.fits(customer));
        Ok(CustomerPage::new(fitting.take(query.limit.saturating_add(1)).cloned().collect(), query.limit))
    }
}
