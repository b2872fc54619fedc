//! A bounded queue between the two ends of a session in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// One direction of a session: one writer, one reader, a bound.
#[derive(Debug)]
pub(super) struct Pipe<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    capacity: usize,
    /// The writer has said that nothing more comes.
    finished: bool,
    /// The reader is gone, so that whatever is written is lost.
    abandoned: bool,
    /// The reader pretends to be stuck: the writer finds no room, whatever the queue says.
    stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<T> Clone for Pipe<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Pipe<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            queue: VecDeque::new(),
            capacity,
            finished: false,
            abandoned: false,
            stalled: false,
            reader: None,
            writer: None,
        })))
    }

    /// Every change keeps the state whole, so a panic of a test that held the lock does no harm.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready with `true` when there is room, with `false` when nobody will read.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if state.abandoned || state.finished {
            Poll::Ready(false)
        } else if state.stalled || state.queue.len() >= state.capacity {
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        } else {
            Poll::Ready(true)
        }
    }

    /// Ready unless the reader is stuck.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.stalled && !state.abandoned {
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Adds to the queue, above the bound if the caller did not wait for room. Lost when nobody will read.
    pub(super) fn push(&self, value: T) {
        let mut state = self.state();
        if !state.abandoned && !state.finished {
            state.queue.push_back(value);
            wake(&mut state.reader);
        }
    }

    /// Ready with `None` when the queue is empty and nothing more comes.
    pub(super) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state();
        if let Some(value) = state.pop() {
            return Poll::Ready(Some(value));
        }
        if state.finished || state.abandoned {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn try_pop(&self) -> Option<T> {
        self.state().pop()
    }

    /// The writer has nothing more to say.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.finished = true;
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    /// The reader goes away.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.queue.clear();
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    pub(super) fn stall(&self, stalled: bool) {
        let mut state = self.state();
        state.stalled = stalled;
        wake(&mut state.writer);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.state().abandoned
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state().finished
    }
}

impl<T> State<T> {
    fn pop(&mut self) -> Option<T> {
        let value = self.queue.pop_front()?;
        wake(&mut self.writer);
        Some(value)
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
