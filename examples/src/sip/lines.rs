//! The calls that this server leads: how each is reached.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use call_session::id::SessionId;
use realtime_bridge::{bridge::CallHandle, realtime::openai::sip::SipCallId};

/// The calls that this server leads. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<SessionId, Line>>>);

/// How a call is reached.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) call: SipCallId,
    pub(super) handle: CallHandle,
}

/// A call that this server leads, until this is dropped.
#[derive(Debug)]
pub(super) struct Led {
    lines: Lines,
    session: SessionId,
}

impl Lines {
    pub(super) fn lead(&self, session: SessionId, line: Line) -> Led {
        self.lines().insert(session, line);
        Led { lines: self.clone(), session }
    }

    pub(super) fn find(&self, session: SessionId) -> Option<Line> {
        self.lines().get(&session).cloned()
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<SessionId, Line>> {
        // Every change leaves the map whole, so that a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.lines.lines().remove(&self.session);
    }
}
