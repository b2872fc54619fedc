//! Hands a caller to a person, so that nobody is left in silence, left ringing or left alone.
//!
//! - [`HandoffStrategy`] is policy: from the call, the people and the settings it makes a [`HandoffPlan`].
//!   [`WarmTransfer`], [`ConferenceRedirect`], [`DirectDial`] and [`SipRefer`] are ready to use.
//! - [`decide`] is the state machine: what a handoff needs now. Pure.
//! - What Twilio tells of legs and rooms becomes proposals to the call: [`leg_progress`], [`room_progress`],
//!   [`answer_leg`], [`verdict`], [`caller_leaves_room`].
//! - Others can be with caller and person ([`supervise`]): they listen, whisper to the person or join in.
//! - [`HandoffRunner`] performs what it decides, by way of a [`Telephone`] and a [`CallerAgent`], on whichever server.
//!   `TwilioTelephone` (feature `rest`) is the one of Twilio's REST API.
//! - What a leg hears follows from the call alone: [`CallSummary::place`](crate::call::CallSummary::place) for the caller,
//!   [`leg_place`] for a person.
//!
//! ```
//! use call_session::{
//!     call::{CallSession, NewCall, SessionEvent, Status},
//!     handoff::{Ask, HandoffSettings, HandoffStrategy, Person, Wanted, WarmTransfer, request},
//!     id::SessionId,
//! };
//!
//! let now: jiff::Timestamp = "2026-11-21T09:00:00Z".parse()?;
//! let mut call = CallSession::new(SessionId::new(), now, NewCall::outbound("+81312345678", "+819012345678"));
//! call.take([SessionEvent::Answered.at(now)])?;
//!
//! let people = [Person::new("sato".parse()?, "+81311112222")];
//! let settings = HandoffSettings::default().with_farewell("担当者におつなぎします。");
//! let plan = WarmTransfer.plan(&Ask::new(&call, &people, &Wanted::Anyone, &settings).with_reason("a complaint"))?;
//! call.take([request(plan, "operator", "a complaint").at(now)])?;
//! assert_eq!(call.summary.status, Status::Transferring);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod desk;
mod machine;
mod news;
mod plan;
mod ports;
mod runner;
mod strangers;
mod strategy;
mod supervise;
#[cfg(feature = "rest")]
mod telephone;
mod verdict;

pub use desk::Desk;
pub use machine::{Decision, Effect, decide};
pub use news::{
    LegPlace, answer_leg, caller_fetched, caller_leaves_room, leg_machine, leg_place, leg_progress, referred, request,
    room_name, room_progress, take_back, verdict,
};
pub use plan::{AfterPerson, Briefing, Candidate, Company, HandoffPlan, Limits, Route};
pub use ports::{
    CallerAgent, Clock, Detection, Dial, Documents, LineError, NoAgent, NoRoster, OpenRoster, Roster, SystemClock,
    Telephone,
};
pub use runner::{HandoffRunner, RunEnd};
pub use strategy::{
    Ask, Availability, ConferenceRedirect, DirectDial, HandoffSettings, HandoffStrategy, NoOne, Person, SipRefer,
    Wanted, WarmTransfer,
};
pub use supervise::{coached, supervise};
#[cfg(feature = "rest")]
pub use telephone::{HandoffDoors, TwilioTelephone};
pub use verdict::Verdict;
