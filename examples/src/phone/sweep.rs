//! Calls that nobody tells of any more.
//!
//! A callback can be lost, a server can die in the middle of a call, the answer to a dial can be lost. Whatever is not
//! over after a while is asked for at Twilio, so that no call stays open for ever in what is kept.

use std::time::Duration;

use call_session::{
    call::{CallSummary, Status},
    store::{Query, StoreError},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::Phone;
use crate::chain::Chain;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(15);

/// How long a call may be without any news before Twilio is asked. Longer than a call rings.
const SILENT: Duration = Duration::from_secs(90);

/// How many calls are looked at on a page.
const PAGE: usize = 200;

/// Looks after calls until the server stops.
pub(super) async fn sweep(phone: Phone) {
    let mut next = Instant::now() + EVERY;
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            () = phone.0.stop.cancelled() => return,
        }
        if let Err(error) = phone.look_after_calls().await {
            tracing::warn!(error = %Chain(&error), "calls cannot be looked after now");
        }
        next = Instant::now() + EVERY;
    }
}

impl Phone {
    async fn look_after_calls(&self) -> Result<(), StoreError> {
        let mut query = Query::active().with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            for call in &page.calls {
                self.look_after(call).await;
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(()),
            }
        }
    }

    async fn look_after(&self, call: &CallSummary) {
        let silent = Timestamp::now().duration_since(call.updated_at).unsigned_abs() > SILENT;
        if !silent || self.0.streams.handle(call.id).is_some() {
            return;
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
