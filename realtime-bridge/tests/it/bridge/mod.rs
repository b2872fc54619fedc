//! The bridge and its relay.

mod relay;
