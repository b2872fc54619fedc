//! Calls that reach OpenAI over SIP, without us: audio flows between the carrier and the provider, and we accept the call,
//! lead the conversation over a control socket, and end it (OpenAI: Realtime API with SIP).
//!
//! ```no_run
//! use realtime_bridge::{
//!     bridge::Bridge,
//!     realtime::{
//!         SessionConfig,
//!         openai::{OpenAiClient, OpenAiConfig, sip::SipCalls, webhook::IncomingCall},
//!     },
//!     relay::CallConfig,
//! };
//!
//! # async fn ring(call: IncomingCall) -> Result<(), Box<dyn std::error::Error>> {
//! let calls = SipCalls::new(OpenAiClient::new(OpenAiConfig::new("sk-…"))?);
//! let session = SessionConfig::default().with_instructions("You confirm appointments. Be brief.");
//!
//! // The call rings until then. A webhook has been answered before this.
//! calls.accept(&call.call_id, &session).await?;
//! let (line, control) = match calls.attach(&call.call_id, &session).await {
//!     Ok(attached) => attached,
//!     Err(error) => {
//!         // Nobody must talk to a model that nobody watches.
//!         calls.hang_up(&call.call_id).await?;
//!         return Err(error.into());
//!     }
//! };
//! let bridge = Bridge::with_config(line, control, CallConfig::default())?;
//! let report = bridge.run().await;
//! // The bridge has left; what becomes of the telephone call follows from why.
//! calls.leave(&call.call_id, &report.reason, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is repeated, and what is not
//!
//! Requests time out and are repeated with growing pauses where that cannot do harm: [`accept`](SipCalls::accept),
//! [`reject`](SipCalls::reject) and [`hang_up`](SipCalls::hang_up) name a call and a state, so that twice is the same as
//! once; a [`refer`](SipCalls::refer) dials, so it is repeated only when it was certainly not done. A call that is not
//! known any more ([`SipError::Gone`]) is over. What an earlier attempt may have done is told, although a later one was
//! certainly in vain ([`SipError::Uncertain`]): after such an accept, attaching tells whether the caller is connected.
//!
//! # The control socket
//!
//! [`attach`](SipCalls::attach) gives what a [`Bridge`](crate::bridge::Bridge) needs: a session whose
//! [`Capabilities`](crate::realtime::Capabilities) say that the provider has the line, and a line that is
//! [elsewhere](crate::media::elsewhere). The provider has no event for the end of a call: the socket just closes, as it
//! does when it is lost. So a closed socket is opened again; if the call is then not known, the caller has hung up, which
//! the line tells. What was said between is lost to us, not to the caller and not to the model.
//!
//! # Transfers
//!
//! `CallHandle::detach` ends the bridge when the last words were heard; [`leave`](SipCalls::leave) then refers the call to
//! the target it is given. There is no news of how a transfer goes on: 200 only says that it was asked for. Have a second
//! way, by the carrier, for callers who must arrive.

mod call;
mod calls;
mod error;
mod http;
mod session;

pub use call::{NotACall, NotATarget, ReferTarget, RejectStatus, SipCallId};
pub use calls::{Left, SipCalls};
pub use error::SipError;
pub use session::SipSession;
