//! What a long call was about, in short: the model is asked for it beside the conversation, before it is forgotten.

use std::time::{Duration, Instant};

use super::{CallEvent, Relay, ending::Phase};
use crate::realtime::{ProviderError, RealtimeCommand, RequestId, Usage};

/// How long the model may take to sum up. Nobody waits for it.
const LIMIT: Duration = Duration::from_secs(30);

/// How long to wait after a summary failed, doubled for each further one, and the longest such pause.
const PAUSES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(16 * 60));

/// How often to look for a quiet moment.
const LOOK: Duration = Duration::from_millis(250);

/// What is known of the summary that is to be made.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    asked: Option<Asked>,
    /// Nobody is asked before.
    not_before: Option<Instant>,
    /// The next look for a quiet moment.
    look: Option<Instant>,
    /// How many have failed in a row.
    failed: u32,
    /// The memory may have changed since it was looked at whether it is filling.
    stale: bool,
    filling: bool,
}

#[derive(Debug)]
struct Asked {
    request: RequestId,
    until: Instant,
    /// How many entries it tells of, counted from the first there was.
    entries: u64,
}

impl Digest {
    pub(crate) fn is_asked(&self, request: RequestId) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.request == request)
    }

    /// The session that was asked is gone.
    pub(crate) fn lost(&mut self) {
        self.asked = None;
    }

    /// Something has happened that may be remembered.
    pub(crate) const fn memory_changes(&mut self) {
        self.stale = true;
    }

    fn fails(&mut self, now: Instant) {
        self.asked = None;
        self.not_before = Some(now + PAUSES.0.saturating_mul(1 << self.failed.min(16)).min(PAUSES.1));
        self.failed += 1;
    }
}

impl Relay {
    /// When the summary is to be looked after next.
    pub(super) fn digest_due(&mut self, now: Instant) -> Option<Instant> {
        if let Some(asked) = &self.digest.asked {
            return Some(asked.until);
        }
        if !self.may_sum_up() {
            return None;
        }
        if std::mem::take(&mut self.digest.stale) {
            self.digest.filling = self.memory.is_filling();
        }
        if !self.digest.filling {
            return None;
        }
        let quiet = now + self.playout.remaining(now).max(LOOK);
        let look = *self.digest.look.get_or_insert(quiet);
        Some(self.digest.not_before.map_or(look, |at| at.max(look)))
    }

    /// Has the model sum up what is soon forgotten, in a quiet moment.
    pub(super) fn check_digest(&mut self, now: Instant) {
        if let Some(asked) = &self.digest.asked {
            if now >= asked.until {
                self.digest.fails(now);
            }
            return;
        }
        let waits = self.digest.not_before.is_some_and(|at| now < at);
        if waits || self.digest.look.is_none_or(|at| now < at) {
            return;
        }
        self.digest.look = None;
        if !self.may_sum_up() || !self.may_rotate(now) {
            return;
        }
        let Some((entries, text)) = self.memory.to_sum_up() else { return };
        let request = self.request();
        self.digest.asked = Some(Asked { request, until: now + LIMIT, entries });
        let instructions = self.config.prompts.summarise.clone();
        self.commands.push_back(RealtimeCommand::Aside { request, instructions, text });
    }

    /// A text that was asked for beside the conversation has come, or will not.
    pub(super) fn aside_done(
        &mut self,
        now: Instant,
        request: RequestId,
        result: Result<String, ProviderError>,
        usage: Option<Usage>,
    ) {
        // Also of one that came too late.
        if let Some(usage) = usage {
            self.usage += usage;
            self.tell(now, CallEvent::Usage(usage));
        }
        let Some(Asked { entries, .. }) = self.digest.asked.take_if(|asked| asked.request == request) else { return };
        match result {
            Ok(text) if text.trim().is_empty() => self.digest.fails(now),
            Ok(text) => {
                self.digest = Digest::default();
                self.tell(now, CallEvent::Summarised { summary: text.trim().to_owned(), entries });
            }
            Err(error) => self.not_summed_up(now, error),
        }
    }

    pub(super) fn not_summed_up(&mut self, now: Instant, error: ProviderError) {
        self.digest.fails(now);
        self.tell(now, CallEvent::ProviderProblem(error));
    }

    /// There is a model that can, and the call goes on.
    fn may_sum_up(&self) -> bool {
        self.capabilities.asides
            && self.started.is_some()
            && !self.link.is_down()
            && matches!(self.phase, Phase::Talking)
    }
}
