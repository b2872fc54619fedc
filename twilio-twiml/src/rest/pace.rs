//! The pace at which calls are created.

use std::{num::NonZeroU32, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep_until},
};

use super::error::Error;

/// Lets creates through one by one, so many a second, in the order they came.
///
/// The lock is held while waiting: it is fair, so the first to come is the first to go, and who gives up leaves their
/// turn to the next.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    places: Semaphore,
    waiting: usize,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(per_second: NonZeroU32, waiting: usize) -> Self {
        let interval = Duration::from_secs(1) / per_second.get();
        // The one whose turn it is has a place too.
        let places = Semaphore::new(waiting.saturating_add(1).min(Semaphore::MAX_PERMITS));
        Self { interval, places, waiting, next: Mutex::new(None) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// If too many wait already.
    ///
    /// # Cancel safety
    /// A wait that is dropped takes no turn.
    pub(super) async fn turn(&self) -> Result<(), Error> {
        let _place = self.places.try_acquire().map_err(|_| Error::Crowded { waiting: self.waiting })?;
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join_all, poll_immediate};

    use super::*;

    fn pace(per_second: u32, waiting: usize) -> Pace {
        Pace::new(NonZeroU32::new(per_second).unwrap(), waiting)
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_order_and_at_the_pace() {
        let pace = pace(4, 100);
        let start = Instant::now();
        let turns = join_all((0..9).map(|_| async {
            pace.turn().await.unwrap();
            start.elapsed()
        }));
        let expected: Vec<_> = (0..9).map(|turn| Duration::from_millis(250) * turn).collect();
        assert_eq!(turns.await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_an_end() {
        let pace = pace(1, 2);
        pace.turn().await.unwrap();
        let waiting = join_all((0..5).map(|_| pace.turn())).await;
        let crowded = waiting.iter().filter(|turn| matches!(turn, Err(Error::Crowded { waiting: 2 }))).count();
        assert_eq!(crowded, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_takes_no_turn() {
        let pace = pace(1, 2);
        pace.turn().await.unwrap();
        let start = Instant::now();
        assert!(poll_immediate(pace.turn()).await.is_none());
        pace.turn().await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
