//! How late this machine is: what a busy one adds to every measure is not the server's doing.

use std::{fs::File, future::Future, io::Write, path::Path, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(10);

/// How late whatever wants to run was in all, until something has happened: beyond the time it asked to sleep, to be let in
/// by another thread, and to have a few bytes kept on the disk of this folder, as a store does its work.
pub(super) async fn until(happened: impl Future, folder: &Path) -> Duration {
    let mut late = Duration::ZERO;
    let mut happened = std::pin::pin!(happened);
    loop {
        let began = Instant::now();
        let file = folder.join("lateness");
        let turn = async {
            sleep(EVERY).await;
            // What cannot be measured counts as no lateness.
            let _ = spawn_blocking(move || keep(&file)).await;
        };
        tokio::select! {
            () = turn => late += began.elapsed().saturating_sub(EVERY),
            _ = &mut happened => return late + began.elapsed().saturating_sub(EVERY),
        }
    }
}

fn keep(file: &Path) -> std::io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(b"late?")?;
    file.sync_all()
}
