//! The rules of a board, pure: who has which call, and what becomes of commands. Time is an argument.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    Answer, Command, Fate, Fence, Holder, Lease, MAX_WAITING, Order, OrderId, Posted, Take, TakenOrder, Taking,
};
use crate::id::{NodeId, SessionId};

/// How long what is over is remembered: so long a dead server is known as dead, and an answer can be read late.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Which server has which call, and the commands between them.
#[derive(Debug, Default)]
pub struct Table {
    nodes: HashMap<NodeId, Known>,
    leases: HashMap<SessionId, Lease>,
    last_fence: u64,
    /// In the order in which they were put up.
    orders: BTreeMap<u64, Posting>,
    names: HashMap<OrderId, u64>,
    last_order: u64,
}

/// What is known of a server.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Until when it lives.
    until: Instant,
    /// It is about to stop.
    drains: bool,
}

#[derive(Debug)]
struct Posting {
    id: OrderId,
    call: SessionId,
    /// Nobody where it was called off before it was put up.
    sender: Option<NodeId>,
    command: Command,
    until: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Taken(NodeId),
    Answered(Answer),
    Void,
}

impl Table {
    /// No servers, no calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who has a call.
    #[must_use]
    pub fn holder(&self, now: Instant, call: SessionId) -> Option<Holder> {
        let lease = self.leases.get(&call)?.clone();
        let alive = self.lives(now, &lease.node);
        Some(Holder { lease, alive })
    }

    /// A server lives until then. Gives the leases it has.
    pub fn beat(&mut self, now: Instant, node: &NodeId, until: Instant) -> Vec<Lease> {
        self.forget(now);
        self.see(node, until);
        self.leases.values().filter(|lease| lease.node == *node).cloned().collect()
    }

    /// A server is about to stop, and lives until then.
    pub fn drain(&mut self, node: &NodeId, until: Instant) {
        self.nodes.insert(node.clone(), Known { until, drains: true });
    }

    /// How many other servers live and take calls on.
    #[must_use]
    pub fn others(&self, now: Instant, node: &NodeId) -> u64 {
        let others = self.nodes.iter().filter(|(name, _)| *name != node);
        others.filter(|(_, known)| known.until > now && !known.drains).count() as u64
    }

    /// A server stops. Gives those who wait for it.
    pub fn leave(&mut self, node: &NodeId) -> Vec<NodeId> {
        self.nodes.remove(node);
        let left: Vec<SessionId> = self.leases.values().filter(|l| l.node == *node).map(|l| l.call).collect();
        self.leases.retain(|_, lease| lease.node != *node);
        self.orders
            .values()
            .filter(|order| left.contains(&order.call))
            .filter_map(|order| order.sender.clone())
            .collect()
    }

    /// The servers that are remembered, and whether each lives.
    #[must_use]
    pub fn nodes(&self, now: Instant) -> Vec<(NodeId, bool)> {
        self.nodes.iter().map(|(node, known)| (node.clone(), known.until > now)).collect()
    }

    /// A server takes a call, and lives until then by that. Gives the former holder.
    pub fn take_call(
        &mut self,
        now: Instant,
        node: &NodeId,
        call: SessionId,
        take: Take,
        until: Instant,
    ) -> (Taking, Option<NodeId>) {
        self.see(node, until);
        let holder = self.holder(now, call);
        if let Some(holder) = &holder
            && take == Take::IfFree
            && holder.alive
            && holder.lease.node != *node
        {
            return (Taking::Held(holder.clone()), None);
        }
        self.last_fence += 1;
        let fence = Fence(self.last_fence);
        self.leases.insert(call, Lease { call, node: node.clone(), fence });
        (Taking::Taken(fence), holder.map(|holder| holder.lease.node))
    }

    /// Lets go of a call. Whether it was still held, and those who wait for it.
    pub fn release(&mut self, lease: &Lease) -> (bool, Vec<NodeId>) {
        if self.leases.get(&lease.call) != Some(lease) {
            return (false, Vec::new());
        }
        self.leases.remove(&lease.call);
        let waiting = self.orders.values().filter(|order| order.call == lease.call);
        (true, waiting.filter_map(|order| order.sender.clone()).collect())
    }

    /// Puts a command up until then. Gives the server that has the call.
    pub fn post(&mut self, now: Instant, order: &Order, until: Instant) -> (Posted, Option<NodeId>) {
        if self.names.contains_key(&order.id) {
            return (Posted::Waiting, None);
        }
        let Some(holder) = self.holder(now, order.call) else { return (Posted::NotLive, None) };
        if !holder.alive {
            return (Posted::Dead(holder.lease.node), None);
        }
        if self.orders.values().filter(|other| other.call == order.call && other.waits(now)).count() >= MAX_WAITING {
            return (Posted::Busy, None);
        }
        self.put(Posting {
            id: order.id,
            call: order.call,
            sender: Some(order.sender.clone()),
            command: order.command.clone(),
            until,
            state: State::Waiting,
        });
        (Posted::Waiting, Some(holder.lease.node))
    }

    /// A server takes commands for its calls.
    pub fn take_orders(&mut self, now: Instant, node: &NodeId, limit: usize) -> Vec<TakenOrder> {
        let mut taken = Vec::new();
        for order in self.orders.values_mut() {
            if taken.len() == limit {
                break;
            }
            let Some(lease) = self.leases.get(&order.call).filter(|lease| lease.node == *node) else { continue };
            if !order.waits(now) {
                continue;
            }
            order.state = State::Taken(node.clone());
            let (lease, left) = (lease.clone(), order.until.saturating_duration_since(now));
            taken.push(TakenOrder { id: order.id, lease, command: order.command.clone(), left });
        }
        taken
    }

    /// Answers a command. Gives the server that sent it.
    pub fn answer(&mut self, id: OrderId, answer: Answer) -> Option<NodeId> {
        let order = self.order(id)?;
        if !matches!(order.state, State::Taken(_)) {
            return None;
        }
        order.state = State::Answered(answer);
        order.sender.clone()
    }

    /// What has become of a command.
    #[must_use]
    pub fn look(&self, now: Instant, id: OrderId) -> Fate {
        let Some(order) = self.names.get(&id).and_then(|number| self.orders.get(number)) else { return Fate::Void };
        match &order.state {
            State::Waiting if order.until <= now => Fate::Void,
            State::Waiting => Fate::Waiting(self.holder(now, order.call)),
            State::Taken(by) => Fate::Taken { by: by.clone(), alive: self.lives(now, by) },
            State::Answered(answer) => Fate::Answered(answer.clone()),
            State::Void => Fate::Void,
        }
    }

    /// Calls a command off if nobody has taken it, also one that is yet to be put up.
    pub fn call_off(&mut self, now: Instant, id: OrderId) -> Fate {
        match self.order(id) {
            Some(order) if matches!(order.state, State::Waiting) => order.state = State::Void,
            Some(_) => {}
            None => {
                let (call, sender) = (SessionId(Uuid::nil()), None);
                self.put(Posting { id, call, sender, command: Command::Unknown, until: now, state: State::Void });
            }
        }
        self.look(now, id)
    }

    fn put(&mut self, posting: Posting) {
        self.last_order += 1;
        self.names.insert(posting.id, self.last_order);
        self.orders.insert(self.last_order, posting);
    }

    fn order(&mut self, id: OrderId) -> Option<&mut Posting> {
        self.names.get(&id).and_then(|number| self.orders.get_mut(number))
    }

    fn see(&mut self, node: &NodeId, until: Instant) {
        self.nodes.entry(node.clone()).or_insert(Known { until, drains: false }).until = until;
    }

    fn lives(&self, now: Instant, node: &NodeId) -> bool {
        self.nodes.get(node).is_some_and(|known| known.until > now)
    }

    /// Forgets what nobody asks about any more.
    fn forget(&mut self, now: Instant) {
        let recent = |until: Instant| until + REMEMBERED > now;
        self.nodes.retain(|_, known| recent(known.until));
        self.leases.retain(|_, lease| self.nodes.contains_key(&lease.node));
        self.orders.retain(|_, order| recent(order.until));
        self.names.retain(|_, number| self.orders.contains_key(number));
    }
}

impl Posting {
    fn waits(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting) && self.until > now
    }
}
