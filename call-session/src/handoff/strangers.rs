//! Which of the legs that Twilio shows is the one that is looked for. It shows numbers and times, and no name of ours, so a
//! leg of somebody else to the same telephone looks the same; whoever took it for their own would end it.

use std::time::Duration;

use jiff::Timestamp;
use twilio_twiml::{phone::Address, sid::CallSid, words::CallStatus};

use super::ports::Dial;
use crate::{
    call::{CallSummary, Direction, Status},
    id::LegId,
    store::{Query, SessionStore, StoreError},
};

/// How far back calls that are over are looked at: as long as Twilio lets one last by default.
const LONGEST_CALL: Duration = Duration::from_secs(4 * 3600);
/// How many calls are looked at on a page.
const PAGE: usize = 500;

/// The one of these that is this leg and no other; `None` if there is none, or if nobody can tell.
///
/// # Errors
///
/// [`StoreError`] when the backend fails.
pub(super) async fn ours<S: SessionStore + ?Sized>(
    store: &S,
    dial: &Dial,
    since: Timestamp,
    mut found: Vec<(CallSid, CallStatus)>,
) -> Result<Option<(CallSid, CallStatus)>, StoreError> {
    if found.is_empty() {
        return Ok(None);
    }
    let back = since.saturating_sub(LONGEST_CALL).ok();
    let over = Query::default().with_statuses(Status::ALL.into_iter().filter(|status| status.is_terminal()));
    for query in [Query::active(), over.with_time(back, None)] {
        let mut query = query.with_limit(PAGE);
        loop {
            let page = store.query(&query).await?;
            for call in &page.calls {
                if may_be_of(call, dial) {
                    return Ok(None);
                }
                found.retain(|(sid, _)| !is_of(call, dial.leg, sid));
            }
            match page.next {
                Some(before) => query = query.with_before(before),
                None => break,
            }
        }
    }
    // Two could be anybody's. Their callbacks will tell which is ours.
    let only = found.len() == 1;
    Ok(found.pop().filter(|_| only))
}

/// The name belongs to this call, or to another leg of it.
fn is_of(call: &CallSummary, leg: LegId, sid: &CallSid) -> bool {
    let persons = call.legs.iter().map(|(id, leg)| (id, &leg.call));
    let others = call.supervisors.iter().map(|(id, leg)| (id, &leg.call));
    call.call_sid.as_ref() == Some(sid)
        || persons.chain(others).any(|(id, name)| *id != leg && name.as_ref() == Some(sid))
}

/// This call has something under way to the same telephone of which nobody knows the name.
fn may_be_of(call: &CallSummary, dial: &Dial) -> bool {
    let there = |to: &Address| *to == dial.to;
    let outbound = call.direction == Direction::Outbound && call.call_sid.is_none() && !call.status.is_terminal();
    let persons = call.legs.iter().filter(|(_, leg)| leg.call.is_none() && leg.ended.is_none());
    let persons = persons.filter_map(|(id, leg)| Some((*id, leg.to.as_ref()?)));
    let others =
        call.supervisors.iter().filter(|(_, leg)| leg.call.is_none() && leg.ended.is_none() && leg.attempt.is_some());
    let others = others.map(|(id, leg)| (*id, &leg.to));
    (outbound && there(&call.to)) || persons.chain(others).any(|(id, to)| id != dial.leg && there(to))
}
