//! The bridge's own client.
