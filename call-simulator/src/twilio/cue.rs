//! Signs between scripts, and between scripts and a test.

use std::sync::Arc;

use tokio::sync::watch;

/// A sign that somebody gives and somebody else waits for, once: all clones are the same one.
///
/// Scripts that wait for each other this way hold on a busy machine, where counted seconds do not.
///
/// ```
/// use call_simulator::{audio::fixtures::en, twilio::{CallerScript, Cue}};
///
/// let briefed = Cue::new();
/// let person = CallerScript::new().until_agent_spoke_for(std::time::Duration::from_secs(1)).cue(&briefed);
/// let caller = CallerScript::new().until_agent_finishes().say(en::CALLER_HOURS).until_cue(&briefed).hang_up();
/// # assert!(!briefed.is_given());
/// ```
#[derive(Debug, Clone)]
pub struct Cue(Arc<watch::Sender<bool>>);

impl Default for Cue {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cue {
    /// A sign that was not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it. Again changes nothing.
    pub fn give(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it was given.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn given(&self) {
        let mut given = self.0.subscribe();
        // The sender is ours: it does not go away meanwhile.
        let _ = given.wait_for(|given| *given).await;
    }
}
