//! The simulated voice model: strict, on time, and as its script says.

mod answers;
mod bench;
mod cli;
mod client;
mod faults;
mod items;
mod profiles;
mod replay;
mod rules;
mod server;
mod sip;
mod speech;
