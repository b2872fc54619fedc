//! A telephone line in memory, for tests of what is built on this crate.
//!
//! [`line()`] gives both ends: a [`Line`], which is the [`MediaTransport`](super::MediaTransport), and the [`Caller`] at the
//! other end, who speaks, listens, presses keys, hangs up and does worse. The caller's telephone plays in real time by
//! tokio's clock, so a test with a paused clock has a ten-minute call in no time, to the nanosecond.
//!
//! ```
//! use std::time::Duration;
//! use futures_util::{SinkExt, StreamExt};
//! use realtime_bridge::{
//!     audio::{AudioFormat, AudioFrame},
//!     media::{MarkId, MediaCommand, MediaEvent, memory},
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
//! let (mut line, mut caller) = memory::line(AudioFormat::MuLaw);
//! assert!(matches!(line.next().await, Some(Ok(MediaEvent::Started(_)))));
//!
//! line.feed(MediaCommand::Audio(AudioFrame::silence(AudioFormat::MuLaw, Duration::from_secs(3)))).await?;
//! line.send(MediaCommand::Mark(MarkId(1))).await?;
//! tokio::time::sleep(Duration::from_secs(1)).await;
//! assert_eq!(caller.heard_total(), Duration::from_secs(1));
//!
//! // The caller interrupts: what was not yet played is dropped, and the mark comes back.
//! line.send(MediaCommand::Clear).await?;
//! assert!(matches!(line.next().await, Some(Ok(MediaEvent::Mark(MarkId(1))))));
//! assert_eq!(caller.left_to_hear(), Duration::ZERO);
//!
//! caller.hang_up().await?;
//! assert!(matches!(line.next().await, Some(Ok(MediaEvent::Stopped))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod caller;
mod playout;
mod transport;

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc};

pub use caller::{Caller, LineClosed, Received};
pub use playout::Heard;
pub use transport::Line;

use super::MediaStart;
use crate::audio::AudioFormat;

/// Events under way to the line: 1.3 s of frames of 20 ms. A caller who is further ahead waits.
const EVENTS: usize = 64;

/// Both ends of a line: ours, and the caller's.
#[must_use]
pub fn line(format: AudioFormat) -> (Line, Caller) {
    line_with(format, MediaStart::new("call-1", "line-1"))
}

/// Both ends of a line that introduces itself with this start.
#[must_use]
pub fn line_with(format: AudioFormat, start: MediaStart) -> (Line, Caller) {
    let shared = Arc::new(Shared { telephone: Mutex::new(playout::Telephone::new()), changed: Notify::new() });
    let (events, inbox) = mpsc::channel(EVENTS);
    (Line::new(format, start, inbox, Arc::clone(&shared)), Caller::new(format, events, shared))
}

/// What both ends see.
#[derive(Debug)]
struct Shared {
    telephone: Mutex<playout::Telephone>,
    /// Commands arrived, or the line was closed.
    changed: Notify,
}

impl Shared {
    fn telephone(&self) -> std::sync::MutexGuard<'_, playout::Telephone> {
        self.telephone.lock().expect("nothing panics while it holds the lock")
    }
}
