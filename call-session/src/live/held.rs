//! A call that this server has, and the commands that come for it.

use std::sync::Weak;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Answer, Command, Lease, Reply, node::Inner};
use crate::store::StoreError;

/// A call that this server has. Dropping it lets the call go, soon after.
#[derive(Debug)]
pub struct Held {
    pub(super) lease: Lease,
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) node: Weak<Inner>,
}

impl Held {
    /// The lease.
    #[must_use]
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The next command; `None` once the call is with another server, or this server stops.
    ///
    /// Commands wait here, at most [`MAX_WAITING`](super::MAX_WAITING); more are refused as `busy`. Those whose sender
    /// has given up are left out.
    ///
    /// # Cancel safety
    ///
    /// No command is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.deliveries.recv().await?;
            if delivery.until > Instant::now() {
                return Some(delivery.handed_out());
            }
        }
    }

    /// Lets the call go now. False when another server had taken it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the board cannot be reached; the call is then let go as when dropped.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the call is let go soon after.
    pub async fn release(self) -> Result<bool, StoreError> {
        match self.node.upgrade() {
            Some(node) => node.release(&self.lease).await,
            None => Ok(false),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(node) = self.node.upgrade() {
            node.let_go(&self.lease);
        }
    }
}

/// A command for a call. One that is dropped without a reply tells its sender that the call is over, and that the command
/// may have been carried out.
#[derive(Debug)]
pub struct Delivery {
    command: Command,
    until: Instant,
    /// Until it is answered.
    answer: Option<oneshot::Sender<Answer>>,
    /// Whether anybody may have done anything about it.
    touched: bool,
}

impl Delivery {
    pub(super) const fn new(command: Command, until: Instant, answer: oneshot::Sender<Answer>) -> Self {
        Self { command, until, answer: Some(answer), touched: false }
    }

    const fn handed_out(mut self) -> Self {
        self.touched = true;
        self
    }

    /// What to do.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// Until when its sender waits.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// Tells the sender what came of it.
    pub fn reply(mut self, reply: Reply) {
        self.answer(Answer::Reply(reply));
    }

    /// Tells the sender that the call is over and the command was not carried out.
    pub fn call_over(mut self) {
        self.answer(Answer::Over);
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            // Nobody there means that the sender waits no longer.
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.answer(if self.touched { Answer::Lost } else { Answer::Over });
    }
}
