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
//! The other way round, an application asks the account's REST API to call somebody, and the simulator plays the
//! telephone, its owner or the answering machine:
//!
//! ```no_run
//! use std::time::Duration;
//! use call_simulator::{audio::fixtures::en, twilio::{CallbackPlan, CallerScript, Number, Operation, PhoneScript, RestFault, TwilioSimulator}};
//! use twilio_twiml::phone::E164;
//!
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! let number = Number::new("+815012345678".parse()?, "http://127.0.0.1:3000/voice".parse()?);
//! let twilio = TwilioSimulator::builder().auth_token("9f2c4b7a1d3e5f60718293a4b5c6d7e8").number(number).start()?;
//! let rest = twilio.serve_rest().await?; // its `base_url()` is for the application's REST client
//!
//! let person = CallerScript::new().say(en::CALLER_UH_HUH).until_agent_finishes().hang_up();
//! twilio.phone("+819012345678".parse::<E164>()?, PhoneScript::answers(person).after(Duration::from_secs(3)));
//! twilio.phone("+819012345679".parse::<E164>()?, PhoneScript::machine(en::AGENT_APOLOGY));
//! // The answer to the first create-call is lost, and callbacks arrive in another order, some of them twice.
//! twilio.plan_rest(Operation::CreateCall, RestFault::AnswerLost);
//! twilio.plan_callbacks(CallbackPlan::seeded(7, Duration::from_secs(1), 25, 0));
//!
//! let report = twilio.next_report().await;
//! println!("{}\n{report}", report.timeline);
//! # drop(rest);
//! # Ok(())
//! # }
//! ```
//!
//! Whoever is put into a room with `<Dial><Conference>`, or dialled into one by the API, hears the others, or music, or
//! what they are given to hear; the rooms are told of, changed and ended over the API. A person at a telephone is a
//! [`CallerScript`]: it answers late, presses a key to take a call, talks, and hangs up.
//!
//! Played are `<Say>`, `<Play>` of WAV, μ-law and digits, `<Pause>`, `<Gather>`, `<Record>`,
//! `<Connect><Stream>`, `<Dial>` of rooms, numbers and clients, `<Redirect>` and `<Hangup>`. Any other verb ends the call with [`CallEnd::NotPlayed`]. Words that a `<Gather>` hears are
//! those of the script; files that only a music player could decode are heard as music.
//!
//! - [`TwilioSimulator`], [`Number`], [`CallOptions`]: the account and its calls.
//! - [`CallerScript`], [`Phase`], [`RoomPhase`], [`Cue`]: who calls, and what they wait for.
//! - [`PhoneScript`]: who is called.
//! - [`RestServer`], [`Operation`], [`RestFault`], [`CallbackPlan`]: the REST API, and what goes wrong with it.
//! - [`CallReport`], [`Timeline`], [`Measures`], [`RoomStay`], [`Recording`]: what became of it. In a call that the account makes, the
//!   caller of the report is the person who was called.

mod account;
pub mod api_cli;
mod bridge;
mod call;
mod call_time;
mod callback_plan;
mod caller;
mod callers;
pub mod cli;
mod clock;
mod conference;
mod cue;
mod debugger;
mod detection;
mod dial;
mod document;
mod dtmf;
mod ear;
mod frame;
mod gather;
mod interpreter;
mod line;
mod measures;
mod media_stream;
mod message;
mod overrides;
mod phone;
mod phonebook;
mod playout;
mod programme;
mod recording;
mod recordings;
mod register;
mod report;
mod rest;
mod room_stay;
mod say;
mod script;
mod simulator;
mod speech;
mod stream_socket;
mod timeline;
mod webhook;

/// The line of a telephone, for the other provider that has calls.
pub(crate) mod telephone {
    pub(crate) use super::{
        caller::Act,
        clock::FrameClock,
        dial::Dialer,
        line::Line,
        webhook::{causes, host},
    };
}

pub use account::Number;
pub use callback_plan::{Callback, CallbackPlan};
pub use cue::Cue;
pub use debugger::{Alert, AlertCode};
pub use measures::{BargeIn, Measures, Response};
pub use media_stream::StreamCounts;
pub use phone::PhoneScript;
pub use recording::Recording;
pub use report::{CallEnd, CallReport, StreamReport};
pub use rest::{Operation, RestFault, RestServer};
pub use room_stay::RoomStay;
pub use script::{CallerScript, Phase, RoomPhase};
pub use simulator::{Builder, CallOptions, StartError, TwilioSimulator};
pub use speech::SpeechSpan;
pub use timeline::{Event, Moment, StreamEnd, Timeline};
