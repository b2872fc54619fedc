//! Calls in memory.

use std::sync::Arc;

use call_session::store::{SessionStore, memory::MemoryStore};

async fn fresh() -> (Arc<dyn SessionStore>, ()) {
    (Arc::new(MemoryStore::new()), ())
}

call_session::session_store_conformance!(fresh);
