//! Why a call was not taken, or a command not answered.

use super::Holder;
use crate::{id::NodeId, store::StoreError};

/// Why a call was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// A server has it, and lives.
    #[error("another server has the call")]
    Held(Holder),
    /// The backend failed. Whether the call was taken is unknown; if so, it is let go again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No server has the call. The command was not carried out.
    #[error("no server has the call")]
    NotLive,
    /// The server that had the call is dead. Another may take the call.
    #[error("the server that had the call is dead")]
    NodeDead {
        /// The server.
        node: NodeId,
        /// Whether the command may have been carried out.
        maybe_done: bool,
    },
    /// Nobody replied in time.
    #[error("the command was not answered in time")]
    TimedOut {
        /// Whether the command may have been carried out, or may be yet.
        maybe_done: bool,
    },
    /// The call was over, or left its server.
    #[error("the call is over")]
    CallOver {
        /// Whether the command may have been carried out before.
        maybe_done: bool,
    },
    /// Too many commands wait for this call. The command was not carried out.
    #[error("too many commands wait for the call")]
    Busy,
    /// The backend failed before the command was put up. It was not carried out.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SendError {
    /// Whether the command may have been carried out, or may be yet. Where not, sending it again is safe.
    #[must_use]
    pub const fn maybe_done(&self) -> bool {
        match self {
            Self::NodeDead { maybe_done, .. } | Self::TimedOut { maybe_done } | Self::CallOver { maybe_done } => {
                *maybe_done
            }
            Self::NotLive | Self::Busy | Self::Store(_) => false,
        }
    }
}
