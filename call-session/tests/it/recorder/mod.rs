//! Writing down what happens to a live call, with a store that makes it hard.

mod endings;
mod lines;
mod order;

use std::{sync::Arc, time::Duration};

use call_session::{
    call::{Line, NewCall, SessionEvent, Speaker, Stamped},
    id::SessionId,
    recorder::{Recorder, RecorderConfig, Unwritten},
    store::SessionStore,
};
use tokio::task::JoinSet;

use crate::{call::at, hardship::HardStore};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A call that is written down.
struct Written {
    store: Arc<HardStore>,
    id: SessionId,
    recorder: Recorder,
    writing: JoinSet<Result<(), Unwritten>>,
}

async fn written(config: RecorderConfig) -> Written {
    let store = Arc::new(HardStore::default());
    let id = SessionId::new();
    store.create(id, at(0), NewCall::inbound("+819012345678", "+81312345678"), vec![]).await.unwrap();
    let (recorder, run) = Recorder::new(Arc::clone(&store) as Arc<dyn SessionStore>, id, config);
    let mut writing = JoinSet::new();
    writing.spawn(run.run());
    Written { store, id, recorder, writing }
}

impl Written {
    /// The events that are kept, without the first.
    async fn kept(&self) -> Vec<SessionEvent> {
        let history = self.store.inner().history(self.id).await.unwrap();
        history.into_iter().skip(1).map(|event| event.stamped.event).collect()
    }

    /// The notes that are kept, in order.
    async fn notes(&self) -> Vec<String> {
        let call = self.store.inner().load(self.id).await.unwrap().unwrap();
        call.notes.into_iter().map(|note| note.text).collect()
    }

    /// Nobody proposes any more: waits for the end of the writing.
    async fn end(self) -> Result<(), Unwritten> {
        let Self { recorder, mut writing, .. } = self;
        drop(recorder);
        writing.join_next().await.unwrap().unwrap()
    }
}

fn note(number: usize) -> Stamped {
    SessionEvent::Noted { text: number.to_string() }.at(at(1))
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn words(item: &str, words: &str, complete: bool) -> Line {
    let mut line = Line::new(item, Speaker::Agent, at(1), words);
    line.complete = complete;
    line
}
