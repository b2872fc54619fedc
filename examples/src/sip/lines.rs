//! The calls that this server leads: how each is reached.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use call_session::id::SessionId;
use realtime_bridge::{bridge::CallHandle, realtime::openai::sip::SipCallId};

/// The calls that this server leads, or is about to. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<SessionId, Option<Line>>>>);

/// How a call is reached.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) call: SipCallId,
    pub(super) handle: CallHandle,
}

/// A call that this server sees to, until this is dropped.
#[derive(Debug)]
pub(super) struct Led {
    lines: Lines,
    session: SessionId,
}

impl Lines {
    /// This server sees to a call from now on. `None` if it does so already.
    pub(super) fn begin(&self, session: SessionId) -> Option<Led> {
        let mut lines = self.lines();
        if lines.contains_key(&session) {
            return None;
        }
        lines.insert(session, None);
        Some(Led { lines: self.clone(), session })
    }

    pub(super) fn has(&self, session: SessionId) -> bool {
        self.lines().contains_key(&session)
    }

    pub(super) fn find(&self, session: SessionId) -> Option<Line> {
        self.lines().get(&session).cloned().flatten()
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<SessionId, Option<Line>>> {
        // Every change leaves the map whole, so that a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Led {
    /// The call is led, and reached like this.
    pub(super) fn at(&self, line: Line) {
        self.lines.lines().insert(self.session, Some(line));
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.lines.lines().remove(&self.session);
    }
}
