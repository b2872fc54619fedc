//! Both simulators over loopback, from outside.

mod twilio;
