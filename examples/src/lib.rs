//! Reference servers for realtime voice models on the telephone, and the parts they share.
//!
//! Each server is a program of its own: `cargo run -p examples --bin inbound`. All take the same configuration, by flags
//! or by the environment; `--help` explains it.
//!
//! - [`inbound`]: answers the telephone, over Twilio Media Streams.
//! - [`outbound`]: calls people, over the same.
//! - [`handoff`]: answers the telephone and hands callers to people.
//! - [`sip`]: confirms attendance, over OpenAI's SIP interface; calls and attendance are kept.
//!
//! What they share:
//!
//! - [`settings`]: configuration, with all problems told at once.
//! - [`conversation`]: what the agent talks about, in Japanese and English.
//! - [`web`]: signed webhooks, media streams, TwiML answers, health, shutdown.
//! - [`stream_token`]: what lets a media stream in.
//! - [`model`]: sessions that are opened before the caller is there.
//! - [`database`]: where calls and people are kept.
//! - [`records`]: agents and customers that are put into the database when a server starts.
//! - [`program`]: what the programs have in common.
//! - [`phone`]: a telephone for a voice model: the doors that Twilio uses, and those for people and programs.

pub mod chain;
pub mod conversation;
pub mod database;
pub mod handoff;
pub mod inbound;
pub mod model;
pub mod outbound;
pub mod phone;
pub mod program;
pub mod records;
pub mod settings;
pub mod sip;
pub mod stream_token;
pub mod web;
