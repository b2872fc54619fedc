//! Which telephone has which number.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use twilio_twiml::phone::Address;

use super::{phone::PhoneScript, register::lock};

/// The telephones of the world.
#[derive(Debug, Default)]
pub(super) struct Phones {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    phones: BTreeMap<Address, PhoneScript>,
    /// What they do once, before that.
    next: BTreeMap<Address, VecDeque<PhoneScript>>,
    others: Option<PhoneScript>,
}

impl Phones {
    pub(super) fn set(&self, address: Address, script: PhoneScript) {
        lock(&self.known).phones.insert(address, script);
    }

    pub(super) fn set_next(&self, address: Address, script: PhoneScript) {
        lock(&self.known).next.entry(address).or_default().push_back(script);
    }

    pub(super) fn set_others(&self, script: PhoneScript) {
        lock(&self.known).others = Some(script);
    }

    /// What this telephone does now that it is called. A number that nobody has cannot be reached.
    pub(super) fn call(&self, address: &Address) -> PhoneScript {
        let mut known = lock(&self.known);
        if let Some(script) = known.next.get_mut(address).and_then(VecDeque::pop_front) {
            return script;
        }
        let script = known.phones.get(address).or(known.others.as_ref());
        script.cloned().unwrap_or_else(|| PhoneScript::fails(404))
    }
}
