//! Calls that nobody tells of any more.
//!
//! A callback can be lost, a server can die in the middle of a call, the answer to a dial can be lost. Whatever is not
//! over after a while is asked for at Twilio, so that no call stays open for ever in what is kept.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use call_session::{
    call::{CallSummary, Status},
    id::SessionId,
    store::{Query, StoreError},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::{Phone, dial};
use crate::chain::Chain;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(15);

/// How long a call may be without any news before Twilio is asked. Longer than a call rings.
const SILENT: Duration = Duration::from_secs(90);

/// How long a stream may be expected without any news before Twilio is asked: whoever hung up on the way to it is not told of.
const EXPECTED: Duration = Duration::from_secs(20);

/// The same for a call of ours without a name. It may wait for its turn to be dialled, and several times if Twilio is busy;
/// whoever dials it looks for it much earlier when the answer is lost.
const UNNAMED: Duration = dial::CREATED_WITHIN;

/// How many calls are looked at on a page.
const PAGE: usize = 200;

/// Looks after calls until the server stops.
pub(super) async fn sweep(phone: Phone) {
    let (mut next, mut asked) = (Instant::now() + EVERY, Asked::default());
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            () = phone.0.stop.cancelled() => return,
        }
        if let Err(error) = phone.look_after_calls(&mut asked).await {
            tracing::warn!(error = %Chain(&error), "calls cannot be looked after now");
        }
        next = Instant::now() + EVERY;
    }
}

/// When calls were looked after last, so that Twilio is not asked at each round about one that is quiet for long.
#[derive(Debug, Default)]
struct Asked(HashMap<SessionId, Instant>);

impl Asked {
    /// Whether it is time to look after a call, which is noted.
    fn is_due(&mut self, call: SessionId) -> bool {
        let now = Instant::now();
        self.0.retain(|_, asked| now < *asked + SILENT);
        match self.0.entry(call) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(now);
                true
            }
        }
    }
}

fn is_silent(call: &CallSummary, now: Timestamp) -> bool {
    let expects = call.attachment().is_some_and(|attachment| attachment.node.is_none());
    let limit = match call.call_sid {
        None => UNNAMED,
        Some(_) if expects => EXPECTED,
        Some(_) => SILENT,
    };
    now.duration_since(call.updated_at).unsigned_abs() > limit
}

impl Phone {
    async fn look_after_calls(&self, asked: &mut Asked) -> Result<(), StoreError> {
        let mut query = Query::active().with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            for call in page.calls.iter().filter(|call| is_silent(call, Timestamp::now()) && asked.is_due(call.id)) {
                self.look_after(call).await;
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(()),
            }
        }
    }

    async fn look_after(&self, call: &CallSummary) {
        if self.0.streams.handle(call.id).is_some() {
            return;
        }
        // A caller who says nothing for long is there all the same, here or with another server.
        match self.0.live.holder(call.id).await {
            Ok(Some(holder)) if holder.alive => return,
            Ok(_) => {}
            Err(error) => return tracing::warn!(call = %call.id, error = %Chain(&error), "nobody knows who has a call"),
        }
        let done = match (&self.0.rest, &call.call_sid) {
            (Some(client), Some(sid)) => self.reconcile(client, call.id, sid).await,
            (Some(client), None) => self.find_lost(client, call).await,
            // Nobody can be asked: a call that was never heard of again is over.
            (None, _) => self.end(call.id, Status::Failed, "lost").await.map_err(Into::into),
        };
        if let Err(error) = done {
            tracing::warn!(call = %call.id, error = %Chain(&*error), "a call could not be looked after");
        }
    }
}

#[cfg(test)]
mod tests {
    use call_session::call::{NewCall, SessionEvent};
    use jiff::SignedDuration;
    use twilio_twiml::{rest, webhook::signature::AuthToken};

    use super::*;

    #[test]
    fn a_call_that_waits_for_its_turn_is_not_lost() {
        let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
        let config = rest::Config::new(account, AuthToken::new("token"));
        let queue = Duration::from_secs(config.waiting_creates as u64) / config.creates_per_second.get();
        let attempts = u32::try_from(config.retries).unwrap() + 1;
        let born = "2026-11-30T09:00:00Z".parse().unwrap();
        let mut call = CallSummary::new(SessionId::new(), born, NewCall::outbound("+81312345678", "+819012345678"));
        let longest = SignedDuration::try_from((queue + config.timeout) * attempts).unwrap();
        assert!(!is_silent(&call, born + longest), "it is dialled within {longest:?}");
        assert!(is_silent(&call, born + SignedDuration::from_hours(1)));
        // Once it has its name, its silence is news.
        let bound = SessionEvent::Bound { call: "CAfedcba9876543210fedcba9876543210".parse().unwrap() };
        call.apply(&bound.at(born));
        assert!(is_silent(&call, born + SignedDuration::from_secs(91)));
    }
}
