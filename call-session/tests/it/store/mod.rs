//! Stores, held to their contract.

mod crash;
mod folder;
mod memory;
mod sqlite;
