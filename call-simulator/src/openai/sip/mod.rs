//! OpenAI's SIP side: a caller rings, a webhook tells it, REST decides, a control socket leads the conversation.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use call_simulator::{
//!     audio::fixtures::en,
//!     openai::{Answer, OpenAiSimulator, Script, sip::{Ring, WebhookTarget}},
//!     twilio::CallerScript,
//! };
//!
//! let script = Script::new().greeting(Answer::say(en::AGENT_GREETING));
//! let openai = OpenAiSimulator::builder().script(script).start().await?;
//! // Start the application with `openai.base_url()`, then ring at its webhook:
//! let target = WebhookTarget::new("http://127.0.0.1:3000/openai-webhook".parse()?, "whsec_AQIDBAUGBwg=")?;
//! let caller = CallerScript::new().until_hears(en::AGENT_GREETING).say(en::CALLER_THANKS).until_agent_finishes().hang_up();
//! let report = openai.ring(Ring::new(target, caller)).ended().await;
//! println!("{}", report.end);
//! report.recording.save_wav("call.wav")?;
//! # Ok(())
//! # }
//! ```
//!
//! The call rings until it is accepted, rejected or given up. From then on the caller's telephone and the model hear each
//! other; the control socket may come, go and come again. Requests are checked as strictly as documented; a call that is
//! over is not known any more. [`Fault`] has requests fail, [`Builder::busy`](super::Builder::busy) upgrades, and
//! [`Script::at`](super::Script::at) drops the socket.

mod call;
pub mod cli;
mod deliver;
mod phone;
mod report;
mod rest;
mod ring;

pub use call::SipHandle;
pub(super) use call::{Calls, SipCall};
pub(super) use phone::live;
pub use report::{Delivery, SipEnd, SipMoment, SipReport, Step};
pub use rest::{Action, Fault};
pub(super) use rest::{action, unknown};
pub use ring::{Ring, Transfer, WebhookTarget};
