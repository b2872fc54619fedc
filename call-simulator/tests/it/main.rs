//! Both simulators over loopback, from outside.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod openai;
mod twilio;
