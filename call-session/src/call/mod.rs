//! The call as an aggregate: its events, and all that is made from them. Pure: no clock, no store, no socket.
//!
//! Whatever is told of a call is *proposed* to it ([`CallSession::take`]): by Twilio's callbacks ([`progress`],
//! [`machine`], [`recording`]), by the bridge that carries its audio, by people. What happens is kept; the rest was known
//! or is refused, so that callbacks may come late, twice and in any order.
//!
//! ```
//! use call_session::{
//!     call::{CallSession, Ending, NewCall, SessionEvent, Status},
//!     id::SessionId,
//! };
//!
//! let now: jiff::Timestamp = "2026-11-21T09:00:00Z".parse()?;
//! let mut call = CallSession::new(SessionId::new(), now, NewCall::outbound("+81312345678", "+819012345678"));
//! call.take([SessionEvent::Ringing.at(now), SessionEvent::Answered.at(now)])?;
//! assert_eq!(call.summary.status, Status::AiResponding);
//! call.take([SessionEvent::Ended(Ending::new(Status::Completed, "goodbye")).at(now)])?;
//! // Late, and therefore without effect on where the call stands.
//! call.take([SessionEvent::Ended(Ending::new(Status::Busy, "busy")).at(now)])?;
//! assert_eq!(call.summary.status, Status::Completed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admit;
mod event;
mod handoff;
mod memory;
mod next;
mod parts;
mod progress;
mod session;
mod settings;
mod status;
mod supervision;

pub use admit::Refused;
pub use event::{Recorded, SessionEvent, Stamped, Version};
pub use handoff::{Handoff, HandoffEnd, HandoffEvent, HandoffMode, Whereabouts};
pub use next::{DRAINED, HANDED_OVER, KEYS, NO_MODEL, Next, Place};
pub use parts::{
    AnsweredBy, Direction, Ending, Line, Mode, NewCall, Outcome, Recording, RecordingStatus, Speaker, ToolOutcome,
    ToolRun, Usage,
};
pub use progress::{machine, progress, reconciled, recording};
pub(crate) use session::NEVER_PLACED;
pub use session::{Attachment, CallSession, CallSummary, Detached, NotACall, Note, PersonLeg, Times, WORDS};
pub use settings::ConversationSettings;
pub use status::Status;
pub use supervision::{SupervisionEvent, SupervisorLeg, SupervisorRole};
