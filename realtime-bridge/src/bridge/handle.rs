//! Telling a call things, and watching it.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use crate::{
    relay::{CallCommand, CallUpdate},
    tool::ToolSet,
};

/// The call is over: nobody hears any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is over")]
pub struct CallEnded;

/// Tells a call things and watches it. Cloning is cheap; a handle does not keep the call alive.
///
/// The methods wait only while 32 earlier commands are not yet taken. They are cancel safe: a command is told whole or
/// not at all.
#[derive(Debug, Clone)]
pub struct CallHandle {
    commands: mpsc::Sender<CallCommand>,
    /// Shared, so that the places that are kept for slow watchers are small: every call has them.
    updates: broadcast::WeakSender<Arc<CallUpdate>>,
}

impl CallHandle {
    pub(super) const fn new(
        commands: mpsc::Sender<CallCommand>,
        updates: broadcast::WeakSender<Arc<CallUpdate>>,
    ) -> Self {
        Self { commands, updates }
    }

    /// The agent says these words, as soon as nobody speaks.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn say(&self, line: impl Into<String> + Send) -> Result<(), CallEnded> {
        self.send(CallCommand::Say(line.into())).await
    }

    /// Tells the model something, to speak about or to keep in mind.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn instruct(&self, text: impl Into<String> + Send, respond: bool) -> Result<(), CallEnded> {
        self.send(CallCommand::Instruct { text: text.into(), respond }).await
    }

    /// Sets what was said before the oldest entry of the call's
    /// [memory](crate::relay::ConversationMemory), in short.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn summarise(&self, summary: impl Into<String> + Send) -> Result<(), CallEnded> {
        self.send(CallCommand::Summarise(summary.into())).await
    }

    /// Stops the agent.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn interrupt(&self) -> Result<(), CallEnded> {
        self.send(CallCommand::Interrupt).await
    }

    /// Keeps the caller company while somebody else is being found for them, or stops doing so: a soft tone fills silences,
    /// and a caller who says nothing is neither asked for it nor given up.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn accompany(&self, accompany: bool) -> Result<(), CallEnded> {
        self.send(CallCommand::Accompany(accompany)).await
    }

    /// Changes the tools, from the next answer on.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn update_tools(&self, tools: ToolSet) -> Result<(), CallEnded> {
        self.send(CallCommand::UpdateTools(tools)).await
    }

    /// The agent says a line, if one is given, and the call ends when it was heard. The end is called off when the caller
    /// speaks before.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn end(&self, line: Option<String>) -> Result<(), CallEnded> {
        self.send(CallCommand::End { line }).await
    }

    /// The agent says a line, if one is given, and leaves the line to somebody else when it was heard: the media
    /// connection is closed, the telephone call goes on.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn detach(&self, line: Option<String>) -> Result<(), CallEnded> {
        self.send(CallCommand::Detach { line }).await
    }

    /// Ends the call now.
    ///
    /// # Errors
    ///
    /// [`CallEnded`] when the call is over.
    pub async fn hang_up(&self) -> Result<(), CallEnded> {
        self.send(CallCommand::HangUp).await
    }

    /// Watches the call from now on.
    #[must_use]
    pub fn watch(&self) -> Updates {
        Updates { receiver: self.updates.upgrade().map(|sender| sender.subscribe()) }
    }

    async fn send(&self, command: CallCommand) -> Result<(), CallEnded> {
        self.commands.send(command).await.map_err(|_| CallEnded)
    }
}

/// What happens in a call, as it happens.
///
/// The call never waits for its watchers: one that is more than 256 updates behind misses the oldest, which it sees in
/// [`CallUpdate::sequence`].
#[derive(Debug)]
pub struct Updates {
    receiver: Option<broadcast::Receiver<Arc<CallUpdate>>>,
}

impl Updates {
    /// The next update; `None` when the call is over.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<CallUpdate> {
        loop {
            match self.receiver.as_mut()?.recv().await {
                Ok(update) => return Some(Arc::unwrap_or_clone(update)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
