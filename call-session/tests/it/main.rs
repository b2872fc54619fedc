//! Tests of call-session through its public doors.

mod directory;
mod live;
