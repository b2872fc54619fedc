//! What the crate promises, through its public doors.

mod signature;
mod verifier;
