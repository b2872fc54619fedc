//! Calls that nobody leads any more.
//!
//! A server can die in the middle of a call, and the caller talks on to a model that nobody leads: without tools, until the
//! provider's limit. Whoever finds such a call in the store leads it on, or ends it with a reason.

use std::{collections::HashSet, time::Duration};

use call_session::{
    call::{CallSummary, Mode, SessionEvent, Status},
    id::{NodeId, SessionId, StreamId},
    live::AcquireError,
    store::{self, Query, StoreError, UpdateError},
};
use jiff::{SignedDuration, Timestamp};
use realtime_bridge::realtime::openai::sip::{RejectStatus, SipCallId};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::{
    SipServer,
    carry::{Broken, Ours},
    webhook::RINGS_FOR,
};
use crate::chain::Chain;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(2);

/// Longer than a session can last: whoever cannot be asked about such a call knows all the same that it is over.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);

/// How many calls are looked at on a page.
const PAGE: usize = 200;

/// Looks after calls until the server stops: at once, since whoever started it may have restarted it.
pub(super) async fn watch(server: SipServer) {
    loop {
        let next = Instant::now() + EVERY;
        if let Err(error) = server.take_over().await {
            tracing::warn!(error = %Chain(&error), "calls cannot be looked after now");
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = server.0.draining.cancelled() => return,
            () = server.0.over.cancelled() => return,
        }
    }
}

impl SipServer {
    async fn take_over(&self) -> Result<(), StoreError> {
        let nodes = self.0.live.nodes().await?;
        let others: HashSet<NodeId> = nodes
            .into_iter()
            .filter(|(node, alive)| *alive && node != self.0.live.node())
            .map(|(node, _)| node)
            .collect();
        let mut query = Query::active().with_limit(PAGE);
        loop {
            let page = self.0.store.query(&query).await?;
            for call in page.calls.iter().filter(|call| call.mode == Mode::Sip) {
                // A server that lives sees to its own.
                let led = call
                    .attachment()
                    .and_then(|stretch| stretch.node.as_ref())
                    .is_some_and(|node| others.contains(node));
                if !led && !self.0.lines.has(call.id) && !self.has_a_leader(call.id).await? {
                    self.take_up(call.id).await?;
                }
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => return Ok(()),
            }
        }
    }

    async fn has_a_leader(&self, call: SessionId) -> Result<bool, StoreError> {
        Ok(self.0.live.holder(call).await?.is_some_and(|holder| holder.alive))
    }

    /// Takes a call that nobody leads, unless somebody is quicker. Its task is the server's.
    async fn take_up(&self, session: SessionId) -> Result<(), StoreError> {
        let Some(led) = self.0.lines.begin(session) else { return Ok(()) };
        let held = match self.0.live.acquire(session).await {
            Ok(held) => held,
            Err(AcquireError::Held(_)) => return Ok(()),
            Err(AcquireError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "a call is not taken on");
                return Ok(());
            }
        };
        // It may have ended while it was looked for.
        let Some(kept) = self.0.store.load(session).await?.filter(|call| !call.summary.status.is_terminal()) else {
            return Ok(());
        };
        let Some(call) = name_of(&kept.summary) else {
            self.give_up(session, Broken::Lost).await;
            return Ok(());
        };
        if self.0.draining.is_cancelled() || self.0.over.is_cancelled() {
            // Nobody would wait for it.
            return Ok(());
        }
        let span = tracing::info_span!("call", call_id = %call);
        span.in_scope(|| tracing::info!("the call is taken on: nobody leads it"));
        let caller = kept.summary.from.phone().cloned();
        let (stream, kept) = (StreamId::new(), Some(Box::new(kept)));
        let ours = Ours { call, session, stream, caller, led, held, kept };
        let server = self.clone();
        self.0.tasks.spawn(async move { Box::pin(server.go_on(ours)).await }.instrument(span));
        Ok(())
    }

    /// Leads a call on where it was left, or ends it with a reason.
    async fn go_on(self, mut ours: Ours) {
        let Some(summary) = ours.kept.as_ref().map(|kept| &kept.summary) else { return };
        let age = Timestamp::now().duration_since(summary.created_at);
        let rings = summary.status == Status::Ringing;
        let (tools, config) = self.equip(&ours);
        let connected = if summary.end_requested.is_some() {
            // Whoever asked for it found nobody to tell.
            match self.hang_up_left(&ours.call, age, rings, Broken::Unwanted).await {
                Some(broken) => Err(broken),
                None => return,
            }
        } else if rings && age.unsigned_abs() < RINGS_FOR {
            // One that rings may not have been accepted.
            self.connect(&ours.call, &config).await
        } else {
            match self.0.calls.attach(&ours.call, &config).await {
                Ok(attached) => Ok(attached),
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the control socket cannot be opened");
                    match self.hang_up_left(&ours.call, age, false, Broken::Socket).await {
                        Some(broken) => Err(broken),
                        None => return,
                    }
                }
            }
        };
        match connected {
            Ok(attached) => {
                // Where it rang nothing was said yet: it begins.
                ours.kept = ours.kept.filter(|_| !rings);
                match self.begin_again(&ours).await {
                    Ok(()) => Box::pin(self.lead(ours, attached, tools)).await,
                    Err(error) => tracing::error!(error = %Chain(&error), "the call cannot be led on"),
                }
            }
            Err(broken) => self.over(ours.session, broken).await,
        }
    }

    /// Hangs up a call that nobody leads, for this reason; `None` when the next round has to try again.
    async fn hang_up_left(&self, call: &SipCallId, age: SignedDuration, rings: bool, broken: Broken) -> Option<Broken> {
        match self.0.calls.hang_up(call).await {
            Ok(()) => Some(broken),
            Err(error) if error.is_gone() || age > LONGEST => Some(Broken::Lost),
            Err(error) if rings && !error.may_have_happened() => {
                // It was not accepted.
                self.reject(call, RejectStatus::Unavailable).await;
                Some(broken)
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the call can neither be led nor hung up");
                None
            }
        }
    }

    /// Another stretch of the call.
    async fn begin_again(&self, ours: &Ours) -> Result<(), UpdateError> {
        let now = Timestamp::now();
        let events = self.attaches(&ours.call, ours.stream);
        let begun = store::update(&*self.0.store, ours.session, |_| {
            events.iter().cloned().map(|event| event.at(now)).collect()
        });
        begun.await.map(|_| ())
    }

    /// The call is over: by a person who has the caller, or for this reason.
    async fn over(&self, session: SessionId, broken: Broken) {
        let recorder = self.record(session);
        if matches!(broken, Broken::Lost) && self.was_moved(&recorder).await {
            let ended = SessionEvent::Ended(call_session::call::Ending::new(Status::Completed, "referred"));
            if recorder.decide(ended.at(Timestamp::now())).await.is_ok() {
                return;
            }
        }
        self.give_up(session, broken).await;
    }
}

/// The provider's name for a call.
fn name_of(call: &CallSummary) -> Option<SipCallId> {
    call.attachments.iter().rev().find_map(|attachment| attachment.model.as_ref()?.parse().ok())
}
