//! Which calls this process has, and where their commands go.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::{Delivery, Fence, Lease, MAX_WAITING, Reply};
use crate::id::{NodeId, SessionId};

#[derive(Debug, Default)]
pub(super) struct Seats(HashMap<SessionId, Seat>);

#[derive(Debug, Default)]
struct Seat {
    held: Option<(Fence, mpsc::Sender<Delivery>)>,
    /// How many attempts to take the call are under way. The board may know of them before we do.
    attempts: usize,
    /// What came meanwhile.
    parked: Vec<(Fence, Delivery)>,
}

impl Seats {
    /// An attempt to take a call begins.
    pub(super) fn begin(&mut self, call: SessionId) {
        self.0.entry(call).or_default().attempts += 1;
    }

    /// An attempt is over.
    pub(super) fn end(&mut self, call: SessionId) {
        let Some(seat) = self.0.get_mut(&call) else { return };
        seat.attempts = seat.attempts.saturating_sub(1);
        if seat.attempts == 0 {
            for (fence, delivery) in std::mem::take(&mut seat.parked) {
                seat.deliver(fence, delivery);
            }
        }
        self.tidy(call);
    }

    /// The call is ours under this number. Whoever had it here before has lost it; a later number stays.
    pub(super) fn sit(&mut self, call: SessionId, fence: Fence) -> mpsc::Receiver<Delivery> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let seat = self.0.entry(call).or_default();
        if seat.held.as_ref().is_none_or(|(held, _)| *held < fence) {
            seat.held = Some((fence, sender));
        }
        receiver
    }

    /// The call is not ours any more.
    pub(super) fn rise(&mut self, call: SessionId, fence: Fence) {
        if let Some(seat) = self.0.get_mut(&call)
            && seat.held.as_ref().is_some_and(|(held, _)| *held == fence)
        {
            seat.held = None;
        }
        self.tidy(call);
    }

    pub(super) fn clear(&mut self) {
        self.0.values_mut().for_each(|seat| seat.held = None);
        self.0.retain(|_, seat| seat.attempts > 0);
    }

    /// Gives a command to whoever has its call here. Dropping it says that the call is over.
    pub(super) fn deliver(&mut self, call: SessionId, fence: Fence, delivery: Delivery) {
        if let Some(seat) = self.0.get_mut(&call) {
            seat.deliver(fence, delivery);
        }
    }

    /// The calls that we think we have.
    pub(super) fn held(&self) -> Vec<(SessionId, Fence)> {
        self.0.iter().filter_map(|(call, seat)| seat.held.as_ref().map(|(fence, _)| (*call, *fence))).collect()
    }

    /// Compares what we thought to have with what the board says since. Gives up what was lost; the leases that nobody
    /// here wants are returned.
    pub(super) fn compare(&mut self, thought: &[(SessionId, Fence)], leases: Vec<Lease>) -> Vec<Lease> {
        let known: HashMap<SessionId, Fence> = leases.iter().map(|lease| (lease.call, lease.fence)).collect();
        for (call, fence) in thought {
            if known.get(call) != Some(fence) {
                self.rise(*call, *fence);
            }
        }
        let orphan = |lease: &Lease| match self.0.get(&lease.call) {
            Some(seat) => seat.attempts == 0 && seat.held.as_ref().is_none_or(|(fence, _)| *fence != lease.fence),
            None => true,
        };
        leases.into_iter().filter(orphan).collect()
    }

    fn tidy(&mut self, call: SessionId) {
        if self.0.get(&call).is_some_and(|seat| seat.attempts == 0 && seat.held.is_none()) {
            self.0.remove(&call);
        }
    }
}

impl Seat {
    fn deliver(&mut self, fence: Fence, delivery: Delivery) {
        match &self.held {
            Some((held, sender)) if *held >= fence => {
                if let Err(mpsc::error::TrySendError::Full(delivery)) = sender.try_send(delivery) {
                    delivery.reply(Reply::refused("busy"));
                }
            }
            _ if self.attempts == 0 => {}
            _ if self.parked.len() >= MAX_WAITING => delivery.reply(Reply::refused("busy")),
            _ => self.parked.push((fence, delivery)),
        }
    }
}

/// An attempt to take a call, over when dropped.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    node: &'a super::node::Inner,
    call: SessionId,
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(node: &'a super::node::Inner, call: SessionId) -> Self {
        node.seats().begin(call);
        Self { node, call }
    }

    pub(super) fn succeed(self, node: NodeId, fence: Fence) -> (Lease, mpsc::Receiver<Delivery>) {
        let deliveries = self.node.seats().sit(self.call, fence);
        (Lease { call: self.call, node, fence }, deliveries)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.node.seats().end(self.call);
    }
}
