//! Both simulators over loopback, from outside.

mod openai;
mod twilio;
