//! What the criterion benches and the load runner share: messages as they are on the wire.

pub mod wire;
