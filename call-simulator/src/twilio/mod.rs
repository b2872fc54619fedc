//! Twilio: an account whose numbers are called by scripted callers.
//!
//! ```no_run
//! use call_simulator::{audio::fixtures::en, twilio::{CallOptions, CallerScript, Number, TwilioSimulator}};
//!
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! let number = Number::new("+815012345678".parse()?, "http://127.0.0.1:3000/api/twilio/voice".parse()?);
//! let twilio = TwilioSimulator::builder().auth_token("9f2c4b7a1d3e5f60718293a4b5c6d7e8").number(number).start()?;
//!
//! let caller = CallerScript::new().until_agent_finishes().say(en::CALLER_HOURS).until_agent_finishes().hang_up();
//! let report = twilio.call(CallOptions::new(caller)).await;
//!
//! println!("{}\n{report}", report.timeline);
//! assert!(report.measures.slowest_response() < Some(std::time::Duration::from_secs(1)));
//! report.recording.save_wav("call.wav")?;
//! # Ok(())
//! # }
//! ```
//!
//! A call is what it is with Twilio: a signed webhook over HTTP, a TwiML document that is carried out, a WebSocket with
//! a frame every 20 ms in real time. What Twilio refuses is refused, what Twilio swallows is on the [`Timeline`].
//!
//! Played so far are `<Say>`, `<Pause>`, `<Connect><Stream>`, `<Redirect>` and `<Hangup>`. Any other verb ends the call
//! with [`CallEnd::NotPlayed`].
//!
//! - [`TwilioSimulator`], [`Number`], [`CallOptions`]: the account and its calls.
//! - [`CallerScript`], [`Phase`]: who calls.
//! - [`CallReport`], [`Timeline`], [`Measures`], [`Recording`]: what became of it.

mod account;
mod call;
mod caller;
mod callers;
pub mod cli;
mod clock;
mod debugger;
mod dial;
mod document;
mod frame;
mod interpreter;
mod line;
mod measures;
mod media_stream;
mod overrides;
mod playout;
mod recording;
mod report;
mod say;
mod script;
mod simulator;
mod speech;
mod stream_socket;
mod timeline;
mod webhook;

pub use account::Number;
pub use debugger::{Alert, AlertCode};
pub use measures::{BargeIn, Measures, Response};
pub use media_stream::StreamCounts;
pub use recording::Recording;
pub use report::{CallEnd, CallReport, StreamReport};
pub use script::{CallerScript, Phase};
pub use simulator::{Builder, CallOptions, StartError, TwilioSimulator};
pub use speech::SpeechSpan;
pub use timeline::{Event, Moment, StreamEnd, Timeline};
