//! The far end of a session in memory: the model, as a test plays it.

use std::{collections::HashMap, future::poll_fn, time::Duration};

use super::pipe::Pipe;
use crate::realtime::{
    CloseReason, ItemId, RealtimeCommand, RealtimeEvent, ResponseId, SessionConfig, SessionError, SessionInfo,
};

/// The far end of a [`MemorySession`](super::MemorySession), with which a test plays the voice model.
///
/// What is emitted arrives in order. Emitting waits while 1,024 events are unread, as a provider waits when nobody reads
/// its socket; what is emitted to a session that is gone is lost, as on a socket. Dropping the model is a lost
/// connection.
#[derive(Debug)]
pub struct MemoryModel {
    pub(super) events: Pipe<Result<RealtimeEvent, SessionError>>,
    pub(super) commands: Pipe<RealtimeCommand>,
    pub(super) config: SessionConfig,
    pub(super) info: SessionInfo,
    pub(super) heard: Duration,
    pub(super) last_item: Option<ItemId>,
    pub(super) named: HashMap<&'static str, u64>,
}

impl MemoryModel {
    pub(super) fn new(
        events: Pipe<Result<RealtimeEvent, SessionError>>,
        commands: Pipe<RealtimeCommand>,
        config: SessionConfig,
        info: SessionInfo,
    ) -> Self {
        Self { events, commands, config, info, heard: Duration::ZERO, last_item: None, named: HashMap::new() }
    }

    /// What the session was opened with.
    #[must_use]
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// What was agreed.
    #[must_use]
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// How much of the caller's audio was taken from the session by `recv` and its kin.
    #[must_use]
    pub fn heard(&self) -> Duration {
        self.heard
    }

    /// The next command; `None` when the session was closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe: no command is lost.
    pub async fn recv(&mut self) -> Option<RealtimeCommand> {
        let command = poll_fn(|cx| self.commands.poll_pop(cx)).await;
        self.note(command)
    }

    /// The next command that is waiting already.
    pub fn try_recv(&mut self) -> Option<RealtimeCommand> {
        let command = self.commands.try_pop();
        self.note(command)
    }

    /// The next command that is not the caller's audio; `None` when the session was closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe, but for audio that was passed over.
    pub async fn recv_control(&mut self) -> Option<RealtimeCommand> {
        loop {
            match self.recv().await? {
                RealtimeCommand::Append(_) => {}
                command => return Some(command),
            }
        }
    }

    /// Tells the session something; waits while 1,024 events are unread.
    pub async fn emit(&mut self, event: RealtimeEvent) {
        if let RealtimeEvent::ItemAdded { item, .. } = &event {
            self.last_item = Some(item.clone());
        }
        if poll_fn(|cx| self.events.poll_room(cx)).await {
            self.events.push(Ok(event));
        }
    }

    /// Takes no more commands: the session's sink is pending once it was full, or at once when told to flush.
    pub fn stall(&mut self) {
        self.commands.stall(true);
    }

    /// Takes commands again after [`MemoryModel::stall`].
    pub fn resume(&mut self) {
        self.commands.stall(false);
    }

    /// Ends the session in order: its stream ends after what was emitted.
    pub fn end(self) {
        self.events.finish();
    }

    /// Ends the session with a close code.
    pub fn close(self, reason: CloseReason) {
        self.fail(SessionError::Closed(reason));
    }

    /// Ends the session with an error.
    pub fn fail(self, error: SessionError) {
        self.events.push(Err(error));
        self.events.finish();
    }

    /// Whether the session was dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.events.is_abandoned()
    }

    /// Whether the session was closed in order or dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.commands.is_finished()
    }

    /// A name that no other item of this session has.
    pub fn new_item_id(&mut self) -> ItemId {
        self.name("item").into()
    }

    /// A name that no other answer of this session has.
    pub fn new_response_id(&mut self) -> ResponseId {
        self.name("resp").into()
    }

    pub(super) fn name(&mut self, kind: &'static str) -> String {
        let count = self.named.entry(kind).or_default();
        *count += 1;
        format!("{kind}_{count}")
    }

    fn note(&mut self, command: Option<RealtimeCommand>) -> Option<RealtimeCommand> {
        if let Some(RealtimeCommand::Append(frame)) = &command {
            self.heard += frame.duration();
        }
        command
    }
}

impl Drop for MemoryModel {
    fn drop(&mut self) {
        if !self.events.is_finished() {
            self.events.push(Err(SessionError::Closed(CloseReason::new(None, ""))));
            self.events.finish();
        }
        self.commands.abandon();
    }
}
