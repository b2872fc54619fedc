//! Stores, held to their contract.

mod crash;
pub(crate) mod folder;
mod memory;
mod plans;
mod postgres;
mod sqlite;
