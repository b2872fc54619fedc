//! Holds a [`MediaTransport`] to its contract.
//!
//! Implement [`Harness`] for your transport: it opens a line and plays the far end. Then call [`check_all`] from a test, or
//! the checks one by one. A check that fails panics with what was expected; nothing waits longer than [`PATIENCE`].
//!
//! ```
//! use async_trait::async_trait;
//! use realtime_bridge::{
//!     audio::AudioFrame,
//!     media::{DtmfDigit, MediaCommand, conformance::{self, FarEnd, Harness}, memory},
//! };
//!
//! struct Memory;
//! struct Caller(memory::Caller);
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     type Line = memory::Line;
//!     type FarEnd = Caller;
//!
//!     async fn connect(&self) -> (memory::Line, Caller) {
//!         let (line, caller) = memory::line(realtime_bridge::audio::AudioFormat::MuLaw);
//!         (line, Caller(caller))
//!     }
//! }
//!
//! #[async_trait]
//! impl FarEnd for Caller {
//!     async fn speak(&mut self, frame: &AudioFrame) {
//!         self.0.send(frame.clone()).await.unwrap();
//!     }
//!     async fn press(&mut self, key: DtmfDigit) {
//!         self.0.press(key).await.unwrap();
//!     }
//!     async fn hang_up(&mut self) {
//!         self.0.hang_up().await.unwrap();
//!     }
//!     async fn next_command(&mut self) -> Option<MediaCommand> {
//!         self.0.next_command().await.map(|received| received.command)
//!     }
//!     async fn play_out(&mut self) {
//!         self.0.hear_out().await;
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! conformance::check_all(&Memory).await;
//! # });
//! ```

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    future::{join, poll_fn},
};

use super::{DtmfDigit, MarkId, MediaCommand, MediaError, MediaEvent, MediaTransport};
use crate::audio::{AudioFormat, AudioFrame, SampleRate};

/// The longest that any step of a check may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most audio that a line may take while nobody reads it, before it holds its sink back.
const SLACK: Duration = Duration::from_secs(600);

/// Opens lines of the transport under test.
#[async_trait]
pub trait Harness: Sync {
    /// The transport.
    type Line: MediaTransport;
    /// What plays the far end.
    type FarEnd: FarEnd;

    /// A new line that has handed out nothing yet, and its far end.
    async fn connect(&self) -> (Self::Line, Self::FarEnd);
}

/// The far end of a line. Dropping it cuts the line off without a goodbye.
#[async_trait]
pub trait FarEnd: Send {
    /// Sends one frame in the line's format.
    async fn speak(&mut self, frame: &AudioFrame);
    /// Presses a key.
    async fn press(&mut self, key: DtmfDigit);
    /// Says goodbye and hangs up.
    async fn hang_up(&mut self);
    /// The next command that arrived; `None` when the line was closed at our end. Reads nothing while it is not called.
    async fn next_command(&mut self) -> Option<MediaCommand>;
    /// Plays all audio that [`FarEnd::next_command`] has handed out, to its end, and returns the marks that are reached.
    async fn play_out(&mut self);
}

/// Runs all checks, one after the other, each on a line of its own.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn check_all<H: Harness>(harness: &H) {
    begins_with_its_start(harness).await;
    hands_on_what_the_caller_does_in_order(harness).await;
    ends_with_the_goodbye(harness).await;
    a_line_that_is_cut_does_not_end_like_a_goodbye(harness).await;
    carries_commands_out_in_order(harness).await;
    marks_come_back_when_their_audio_was_played(harness).await;
    marks_come_back_after_a_clear(harness).await;
    refuses_other_formats_and_goes_on(harness).await;
    hears_the_caller_while_nobody_reads(harness).await;
    loses_nothing_when_polls_are_dropped(harness).await;
    closing_the_sink_ends_the_connection(harness).await;
    dropping_the_line_ends_the_connection(harness).await;
}

/// The first event is the start, with the names of the call and the stream.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn begins_with_its_start<H: Harness>(harness: &H) {
    let (mut line, _far) = harness.connect().await;
    match next(&mut line).await {
        MediaEvent::Started(start) => {
            assert!(!start.call_id.is_empty() && !start.stream_id.is_empty(), "the start names call and stream");
        }
        other => panic!("the first event is the start, not {other:?}"),
    }
}

/// Audio and keys come in the order in which the caller sent them, to the byte.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn hands_on_what_the_caller_does_in_order<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    for (number, key) in (0..5).zip("159*#".chars()) {
        let (frame, key) = (sound(line.format(), number), key_of(key));
        far.speak(&frame).await;
        far.press(key).await;
        match next(&mut line).await {
            MediaEvent::Audio(got) => {
                assert_eq!(
                    (got.format(), got.to_raw()),
                    (line.format(), frame.to_raw()),
                    "audio comes as it was spoken"
                );
            }
            other => panic!("audio was spoken, and {other:?} came"),
        }
        assert_eq!(next(&mut line).await, MediaEvent::Dtmf(key));
    }
}

/// After the goodbye comes nothing, however often it is asked for.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn ends_with_the_goodbye<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    far.hang_up().await;
    assert_eq!(next(&mut line).await, MediaEvent::Stopped);
    for _ in 0..3 {
        assert!(within(line.next()).await.is_none(), "nothing comes after the goodbye");
    }
}

/// A line that is cut ends with an error or with nothing, and never with [`MediaEvent::Stopped`].
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn a_line_that_is_cut_does_not_end_like_a_goodbye<H: Harness>(harness: &H) {
    let (mut line, far) = started(harness).await;
    drop(far);
    match within(line.next()).await {
        None => {}
        Some(Err(_)) => assert!(within(line.next()).await.is_none(), "nothing comes after an error"),
        Some(Ok(event)) => panic!("the line was cut, and {event:?} came"),
    }
}

/// Audio, marks and clears arrive in the order in which they were fed, and the audio to the byte.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn carries_commands_out_in_order<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    let format = line.format();
    for number in 0..3 {
        within(line.feed(MediaCommand::Audio(sound(format, number)))).await.expect("the line takes audio");
        within(line.feed(MediaCommand::Audio(sound(format, number + 100)))).await.expect("the line takes audio");
        within(line.feed(MediaCommand::Mark(MarkId(u64::from(number))))).await.expect("the line takes a mark");
        within(line.feed(MediaCommand::Clear)).await.expect("the line takes a clear");
    }
    within(line.flush()).await.expect("the far end reads");
    for number in 0..3 {
        let mut expected = BytesMut::from(&*sound(format, number).to_raw());
        expected.extend_from_slice(&sound(format, number + 100).to_raw());
        assert_eq!(audio_until_mark(&mut far).await, (expected, MarkId(u64::from(number))));
        assert_eq!(command(&mut far).await, MediaCommand::Clear);
    }
}

/// Marks come back in order, once the audio before them was played.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn marks_come_back_when_their_audio_was_played<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    for mark in [1, 2] {
        let frame = sound(line.format(), 1);
        within(line.feed(MediaCommand::Audio(frame))).await.expect("the line takes audio");
        within(line.feed(MediaCommand::Mark(MarkId(mark)))).await.expect("the line takes a mark");
    }
    within(line.flush()).await.expect("the far end reads");
    for _ in [1, 2] {
        audio_until_mark(&mut far).await;
    }
    within(far.play_out()).await;
    for mark in [1, 2] {
        assert_eq!(next(&mut line).await, MediaEvent::Mark(MarkId(mark)));
    }
}

/// A clear gives back the marks of the audio that it drops.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn marks_come_back_after_a_clear<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    let long = AudioFrame::silence(line.format(), Duration::from_secs(30));
    let send = async {
        line.feed(MediaCommand::Audio(long)).await.expect("the line takes audio");
        line.feed(MediaCommand::Mark(MarkId(7))).await.expect("the line takes a mark");
        line.send(MediaCommand::Clear).await.expect("the line takes a clear");
    };
    let receive = async {
        audio_until_mark(&mut far).await;
        assert_eq!(command(&mut far).await, MediaCommand::Clear);
    };
    within(join(send, receive)).await;
    within(far.play_out()).await;
    assert_eq!(next(&mut line).await, MediaEvent::Mark(MarkId(7)));
}

/// Audio in another format is refused by name, and the line goes on.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn refuses_other_formats_and_goes_on<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    let format = line.format();
    let other = match format {
        AudioFormat::MuLaw => AudioFormat::Pcm16(SampleRate::Hz24000),
        _ => AudioFormat::MuLaw,
    };
    match within(line.feed(MediaCommand::Audio(sound(other, 1)))).await {
        Err(MediaError::WrongFormat { expected, got }) => assert_eq!((expected, got), (format, other)),
        result => panic!("audio in another format is refused, not {result:?}"),
    }
    within(line.send(MediaCommand::Clear)).await.expect("the line goes on");
    assert_eq!(command(&mut far).await, MediaCommand::Clear);
}

/// While the far end reads nothing, the sink holds back at some point, and the stream goes on; afterwards nothing that was
/// taken is missing.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn hears_the_caller_while_nobody_reads<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    let second = AudioFrame::silence(line.format(), Duration::from_secs(1));
    let mut taken = Duration::ZERO;
    while taken < SLACK && poll_fn(|cx| line.poll_ready_unpin(cx)).now_or_never().is_some() {
        line.start_send_unpin(MediaCommand::Audio(second.clone())).expect("a sink that is ready takes a command");
        taken += second.duration();
        // Whether it could be written or not.
        let _ = line.flush().now_or_never();
    }
    let frame = sound(line.format(), 1);
    far.speak(&frame).await;
    match next(&mut line).await {
        MediaEvent::Audio(got) => assert_eq!(got.to_raw(), frame.to_raw()),
        other => panic!("audio was spoken, and {other:?} came"),
    }
    let send = async {
        line.send(MediaCommand::Mark(MarkId(1))).await.expect("the far end reads again");
    };
    let ((), (audio, mark)) = within(join(send, audio_until_mark(&mut far))).await;
    assert_eq!(second.format().duration_of(audio.len()), taken, "nothing that was taken is missing");
    assert_eq!(mark, MarkId(1));
}

/// Asking and giving up loses no event.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn loses_nothing_when_polls_are_dropped<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    let mut heard = Vec::new();
    for number in 0..20 {
        if let Some(Some(event)) = line.next().now_or_never() {
            heard.push(event);
        }
        far.speak(&sound(line.format(), number)).await;
        let _ = line.flush().now_or_never();
    }
    far.hang_up().await;
    while let Some(event) = within(line.next()).await {
        heard.push(event);
    }
    let audio: Vec<_> = heard
        .into_iter()
        .filter_map(|event| match event.expect("the line is well") {
            MediaEvent::Audio(frame) => Some(frame.to_raw()),
            _ => None,
        })
        .collect();
    let spoken: Vec<_> = (0..20).map(|number| sound(line.format(), number).to_raw()).collect();
    assert_eq!(audio, spoken);
}

/// Closing delivers what was fed and ends the connection, also while the line itself is kept.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn closing_the_sink_ends_the_connection<H: Harness>(harness: &H) {
    let (mut line, mut far) = started(harness).await;
    within(line.feed(MediaCommand::Mark(MarkId(1)))).await.expect("the line takes a mark");
    let far = async {
        assert_eq!(command(&mut far).await, MediaCommand::Mark(MarkId(1)));
        assert_eq!(far.next_command().await, None, "the line is closed");
    };
    let (closed, ()) = within(join(line.close(), far)).await;
    closed.expect("closing works");
    assert!(within(line.next()).await.is_none(), "nothing comes after closing");
}

/// Dropping the line ends the connection.
///
/// # Panics
///
/// When the transport breaks the contract.
pub async fn dropping_the_line_ends_the_connection<H: Harness>(harness: &H) {
    let (line, mut far) = started(harness).await;
    drop(line);
    assert_eq!(within(far.next_command()).await, None, "the line is gone");
}

async fn started<H: Harness>(harness: &H) -> (H::Line, H::FarEnd) {
    let (mut line, far) = harness.connect().await;
    assert!(matches!(next(&mut line).await, MediaEvent::Started(_)), "the first event is the start");
    (line, far)
}

async fn next<L: MediaTransport>(line: &mut L) -> MediaEvent {
    within(line.next()).await.expect("the line is up").expect("the line is well")
}

async fn command(far: &mut impl FarEnd) -> MediaCommand {
    within(far.next_command()).await.expect("the line is open")
}

/// How audio is cut on the way is the transport's own affair.
async fn audio_until_mark(far: &mut impl FarEnd) -> (BytesMut, MarkId) {
    let mut audio = BytesMut::new();
    loop {
        match command(far).await {
            MediaCommand::Audio(frame) => audio.extend_from_slice(&frame.to_raw()),
            MediaCommand::Mark(id) => return (audio, id),
            MediaCommand::Clear => panic!("a clear came before the mark"),
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("a step takes no longer than PATIENCE")
}

/// 20 ms that differ from all others.
fn sound(format: AudioFormat, number: u8) -> AudioFrame {
    let length = format.bytes_in(Duration::from_millis(20));
    AudioFrame::raw(format, (0..=u8::MAX).cycle().skip(number.into()).take(length).collect::<Vec<_>>())
}

fn key_of(key: char) -> DtmfDigit {
    DtmfDigit::new(key).expect("it is on a telephone")
}
