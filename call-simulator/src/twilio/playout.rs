//! What waits to be played to the caller, and the clock that plays it.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::frame::{FRAME_BYTES, Frame, SILENT};

/// The playout of one line: audio and marks in the order they came, 20 ms of them taken at each tick.
///
/// A mark comes back when all audio before it has been played, which is at the tick after the frame that held the last
/// of that audio, or at once when nothing is buffered (Twilio: Media Streams, WebSocket messages, "mark"). A clear drops
/// what has not been taken and releases every mark; the frame that was taken last is still heard.
#[derive(Debug, Default)]
pub(crate) struct Playout {
    queue: VecDeque<Entry>,
    /// Marks whose audio is all in the frame that plays now.
    due: Vec<String>,
    playing: bool,
    totals: Totals,
}

/// What became of the audio, in bytes. `received` is the sum of the others and what is still buffered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) played: u64,
    pub(crate) cleared: u64,
}

/// One tick of the clock.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Marks that the frame before this one has completed, in the order they came.
    pub(crate) marks: Vec<String>,
    /// What the caller hears for the next 20 ms.
    pub(crate) frame: Frame,
    /// Bytes of `frame` that were buffered audio; the rest is silence.
    pub(crate) audio: usize,
}

/// What a clear has dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// Marks that came back with it, in the order they came.
    pub(crate) marks: Vec<String>,
    /// Bytes of audio that nobody will hear.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
enum Entry {
    Audio(Bytes),
    Mark(String),
}

impl Playout {
    /// Queues audio of any length.
    pub(crate) fn push_audio(&mut self, audio: Bytes) {
        self.totals.received += audio.len() as u64;
        if !audio.is_empty() {
            self.queue.push_back(Entry::Audio(audio));
        }
    }

    /// Queues a mark; gives it back at once when nothing plays and nothing waits.
    pub(crate) fn push_mark(&mut self, name: String) -> Option<String> {
        if !self.queue.is_empty() {
            self.queue.push_back(Entry::Mark(name));
        } else if self.playing {
            self.due.push(name);
        } else {
            return Some(name);
        }
        None
    }

    /// Drops what has not been taken.
    pub(crate) fn clear(&mut self) -> Cleared {
        let mut cleared = Cleared { marks: std::mem::take(&mut self.due), bytes: 0 };
        for entry in self.queue.drain(..) {
            match entry {
                Entry::Audio(audio) => cleared.bytes += audio.len(),
                Entry::Mark(name) => cleared.marks.push(name),
            }
        }
        self.totals.cleared += cleared.bytes as u64;
        cleared
    }

    /// Takes the next 20 ms.
    pub(crate) fn tick(&mut self) -> Played {
        let marks = std::mem::take(&mut self.due);
        let mut frame = SILENT;
        let mut audio = 0;
        while let Some(entry) = self.queue.front_mut() {
            match entry {
                Entry::Audio(bytes) if audio < FRAME_BYTES => {
                    let take = bytes.len().min(FRAME_BYTES - audio);
                    bytes.copy_to_slice(&mut frame[audio..audio + take]);
                    audio += take;
                    if bytes.is_empty() {
                        self.queue.pop_front();
                    }
                }
                Entry::Audio(_) => break,
                Entry::Mark(name) => {
                    self.due.push(std::mem::take(name));
                    self.queue.pop_front();
                }
            }
        }
        self.playing = audio > 0;
        self.totals.played += audio as u64;
        Played { marks, frame, audio }
    }

    /// Whether nothing plays and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        !self.playing && self.queue.is_empty() && self.due.is_empty()
    }

    /// What became of the audio so far.
    pub(crate) const fn totals(&self) -> Totals {
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(bytes: usize) -> Bytes {
        Bytes::from(vec![0x10; bytes])
    }

    #[test]
    fn a_mark_returns_when_the_frame_with_the_last_of_its_audio_has_been_played() {
        let mut playout = Playout::default();
        playout.push_audio(tone(320));
        assert_eq!(playout.push_mark("a".into()), None);
        playout.push_audio(tone(80));
        assert_eq!(playout.push_mark("b".into()), None);

        let frames: Vec<_> = (0..4).map(|_| playout.tick()).map(|p| (p.marks.join(","), p.audio)).collect();

        assert_eq!(frames, [(String::new(), 160), (String::new(), 160), ("a".into(), 80), ("b".into(), 0)]);
        assert!(playout.is_idle());
    }

    #[test]
    fn a_mark_behind_a_frame_that_still_plays_waits_for_its_end() {
        let mut playout = Playout::default();
        playout.push_audio(tone(160));
        playout.tick();
        assert_eq!(playout.push_mark("late".into()), None);
        assert_eq!(playout.tick().marks, ["late"]);
        assert_eq!(playout.push_mark("idle".into()), Some("idle".into()));
    }

    #[test]
    fn a_mark_in_the_middle_of_a_frame_waits_for_the_frames_end() {
        let mut playout = Playout::default();
        playout.push_audio(tone(100));
        playout.push_mark("mid".into());
        playout.push_audio(tone(60));
        assert_eq!(playout.tick(), Played { marks: vec![], frame: [0x10; FRAME_BYTES], audio: 160 });
        assert_eq!(playout.tick().marks, ["mid"]);
    }

    #[test]
    fn a_clear_cuts_at_the_frame_and_returns_every_mark() {
        let mut playout = Playout::default();
        playout.push_audio(tone(160));
        playout.push_mark("playing".into());
        playout.push_audio(tone(1_000));
        playout.push_mark("waiting".into());
        playout.tick();

        assert_eq!(playout.clear(), Cleared { marks: vec!["playing".into(), "waiting".into()], bytes: 1_000 });
        assert_eq!(playout.tick(), Played { marks: vec![], frame: SILENT, audio: 0 });
        assert_eq!(playout.totals(), Totals { received: 1_160, played: 160, cleared: 1_000 });
    }

    #[test]
    fn audio_after_a_clear_plays_from_its_first_byte() {
        let mut playout = Playout::default();
        playout.push_audio(tone(400));
        playout.tick();
        playout.clear();
        playout.push_audio(Bytes::from((0..160).collect::<Vec<u8>>()));
        assert_eq!(playout.tick().frame.to_vec(), (0..160).collect::<Vec<u8>>());
    }

    #[derive(Debug, Clone)]
    enum Op {
        Audio(usize),
        Mark,
        Clear,
        Tick,
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_early(ops in prop::collection::vec(
            prop_oneof![(0usize..700).prop_map(Op::Audio), Just(Op::Mark), Just(Op::Clear), Just(Op::Tick), Just(Op::Tick)],
            0..200,
        )) {
            let mut playout = Playout::default();
            let (mut sent, mut returned) = (Vec::new(), Vec::new());
            // The bytes that must have been played or cleared before a mark may return, by the mark's number.
            let mut positions = Vec::new();
            for op in ops {
                // A frame that was taken is played at the next tick.
                let heard = playout.totals().played + playout.totals().cleared;
                let back = match op {
                    Op::Audio(bytes) => {
                        playout.push_audio(tone(bytes));
                        vec![]
                    }
                    Op::Mark => {
                        let name = sent.len().to_string();
                        sent.push(name.clone());
                        positions.push(playout.totals().received);
                        playout.push_mark(name).into_iter().collect()
                    }
                    Op::Clear => {
                        let marks = playout.clear().marks;
                        prop_assert_eq!(sent.len(), returned.len() + marks.len());
                        marks
                    }
                    Op::Tick => {
                        let marks = playout.tick().marks;
                        for mark in &marks {
                            prop_assert!(positions[mark.parse::<usize>().unwrap()] <= heard);
                        }
                        marks
                    }
                };
                returned.extend(back);
            }
            for _ in 0..1_000 {
                returned.extend(playout.tick().marks);
            }
            let totals = playout.totals();
            prop_assert_eq!(returned, sent);
            prop_assert_eq!(totals.received, totals.played + totals.cleared);
            prop_assert!(playout.is_idle());
        }
    }
}
