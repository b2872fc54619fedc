//! What goes wrong with requests to the API, by plan.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use super::operation::Operation;
use crate::{chance::Chance, twilio::register::lock};

/// Something that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestFault {
    /// The request is carried out, and the connection closes without an answer.
    AnswerLost,
    /// The request is carried out, and no answer comes until the client gives up.
    NeverAnswered,
    /// The request is carried out at once, the answer comes so much later.
    AnswerLate(Duration),
    /// The request waits so long before it is carried out and answered.
    Late(Duration),
    /// Status 429, code 20429: not carried out. Twilio does not always say when to come back.
    TooManyRequests {
        /// `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// This status, carried out or not. The body is a gateway's, not Twilio's.
    ServerError {
        /// Such as 500 or 503.
        status: u16,
        /// Whether what was asked has happened all the same.
        carried_out: bool,
    },
}

/// The faults that are planned.
#[derive(Debug, Default)]
pub(in crate::twilio) struct RestFaults {
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    next: BTreeMap<Operation, VecDeque<Option<RestFault>>>,
    chance: Option<(Chance, Vec<(u8, RestFault)>)>,
}

impl RestFaults {
    /// Lets the next request of this kind that has no fault yet go wrong, or with `None` go well.
    pub(in crate::twilio) fn push(&self, operation: Operation, fault: Option<RestFault>) {
        lock(&self.plan).next.entry(operation).or_default().push_back(fault);
    }

    /// Lets requests without a plan of their own go wrong by chance, so many in a hundred for each fault.
    pub(in crate::twilio) fn seed(&self, seed: u64, faults: Vec<(u8, RestFault)>) {
        lock(&self.plan).chance = Some((Chance::new(seed), faults));
    }

    pub(super) fn take(&self, operation: Operation) -> Option<RestFault> {
        let plan = &mut *lock(&self.plan);
        if let Some(planned) = plan.next.get_mut(&operation).and_then(VecDeque::pop_front) {
            return planned;
        }
        let (chance, faults) = plan.chance.as_mut()?;
        faults.iter().find(|(percent, _)| chance.percent(*percent)).map(|(_, fault)| *fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_goes_before_chance_and_chance_repeats() {
        let run = || {
            let faults = RestFaults::default();
            faults.seed(7, vec![(30, RestFault::AnswerLost)]);
            faults.push(Operation::FetchCall, None);
            faults.push(Operation::FetchCall, Some(RestFault::NeverAnswered));
            let all: Vec<_> = (0..100).map(|_| faults.take(Operation::FetchCall)).collect();
            all
        };
        let all = run();
        assert_eq!(all[..2], [None, Some(RestFault::NeverAnswered)]);
        let lost = all.iter().filter(|fault| **fault == Some(RestFault::AnswerLost)).count();
        assert!((15..45).contains(&lost), "{lost}");
        assert_eq!(all, run());
        assert_eq!(RestFaults::default().take(Operation::CreateCall), None);
    }
}
