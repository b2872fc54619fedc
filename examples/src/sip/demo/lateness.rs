//! How late this machine is: what a busy one adds to every measure is not the server's doing.

use std::{future::Future, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(10);

/// How late whatever wants to run was in all, until something has happened: beyond the time it asked to sleep, and to be let
/// in by another thread, as a store does its work.
pub(super) async fn until(happened: impl Future) -> Duration {
    let mut late = Duration::ZERO;
    let mut happened = std::pin::pin!(happened);
    loop {
        let began = Instant::now();
        let turn = async {
            sleep(EVERY).await;
            // Its only failure is that the runtime shuts down.
            let _ = spawn_blocking(|| ()).await;
        };
        tokio::select! {
            () = turn => late += began.elapsed().saturating_sub(EVERY),
            _ = &mut happened => return late + began.elapsed().saturating_sub(EVERY),
        }
    }
}
