//! A caller: Twilio's side of one media stream, with a playout clock.

use std::collections::VecDeque;

use benches::wire::{self, Audio, Tag};
use memchr::memmem;

use super::{
    frame,
    tally::{Tally, micros},
};
use crate::clock::ms;

/// One caller.
pub(super) struct Caller {
    call: u16,
    sequence: u32,
    chunk: u32,
    /// Until when the audio received so far plays.
    playout_end: u64,
    /// The answer that is being received, and how much of it was received, in bytes of audio.
    turn: u16,
    received: u64,
    /// Marks to give back, each when the audio before it was played.
    marks: VecDeque<(u64, String)>,
    /// A clear was received: what is missing of the answer it cut was dropped, not lost.
    cleared: bool,
    text: Vec<u8>,
}

impl Caller {
    pub(super) fn new(call: u16) -> Self {
        Self {
            call,
            sequence: 1,
            chunk: 0,
            playout_end: 0,
            turn: 0,
            received: 0,
            marks: VecDeque::new(),
            cleared: false,
            text: Vec::new(),
        }
    }

    /// Appends the first messages.
    pub(super) fn start(&self, out: &mut Vec<u8>) {
        for message in wire::caller_start(self.call) {
            frame::push(out, frame::TEXT, true, message.as_bytes());
        }
    }

    /// Appends the next 20 ms of the caller's voice.
    pub(super) fn speak(&mut self, now: u64, audio: &Audio, out: &mut Vec<u8>, tally: &mut Tally) {
        let line = &mut tally.calls[usize::from(self.call)].up;
        let tag = Tag { nanos: now, seq: line.sent, who: self.call, turn: 0 };
        if tally.since.is_some_and(|since| now >= since) {
            line.first.get_or_insert(line.sent);
            tally.counts.up_sent += 1;
        }
        line.sent += 1;
        self.sequence += 1;
        self.chunk += 1;
        self.text.clear();
        wire::caller_media(&mut self.text, self.sequence, self.chunk, audio, tag);
        frame::push(out, frame::TEXT, true, &self.text);
    }

    /// Appends the marks whose audio was played.
    pub(super) fn return_marks(&mut self, now: u64, out: &mut Vec<u8>, tally: &mut Tally) {
        while self.marks.front().is_some_and(|(due, _)| *due <= now) {
            let (_, name) = self.marks.pop_front().expect("there is a front");
            self.sequence += 1;
            self.text.clear();
            wire::caller_mark(&mut self.text, self.sequence, self.call, &name);
            frame::push(out, frame::TEXT, true, &self.text);
            tally.counts.marks_returned += 1;
        }
    }

    /// Appends the goodbye.
    pub(super) fn stop(&mut self, out: &mut Vec<u8>) {
        self.sequence += 1;
        self.text.clear();
        wire::caller_stop(&mut self.text, self.sequence, self.call);
        frame::push(out, frame::TEXT, true, &self.text);
    }

    /// Takes a message of the subject.
    pub(super) fn receive(&mut self, now: u64, text: &[u8], out: &mut Vec<u8>, tally: &mut Tally) {
        if let Some(payload) = audio_in(text) {
            self.hear(now, payload, tally);
        } else if memmem::find(text, br#""event":"mark""#).is_some() {
            let name = after(text, br#""name":""#).map(|name| String::from_utf8_lossy(name).into_owned());
            tally.counts.marks += 1;
            self.marks.push_back((self.playout_end, name.unwrap_or_default()));
        } else if memmem::find(text, br#""event":"clear""#).is_some() {
            self.clear(now, out, tally);
        } else if memmem::find(text, br#""event":"#).is_some() {
            tally.other("unknown message to the caller");
        }
        // Through a byte copier the model's own messages arrive here; they are none of a caller's business.
    }

    fn hear(&mut self, now: u64, payload: &[u8], tally: &mut Tally) {
        let bytes = payload.len() as u64 / 4 * 3 - payload.iter().rev().take_while(|b| **b == b'=').count() as u64;
        if let Some(tag) = Tag::read(payload) {
            let line = &mut tally.calls[usize::from(self.call)].down;
            let missing = u64::from(tag.seq.saturating_sub(line.received));
            line.received = tag.seq + 1;
            if tally.measures(tag.nanos) {
                tally.down.push(micros(tag.nanos, now));
                if self.cleared {
                    tally.counts.down_cleared += missing;
                } else {
                    tally.counts.down_lost += missing;
                }
            }
            self.cleared = false;
            if tag.turn != self.turn {
                (self.turn, self.received) = (tag.turn, 0);
            }
        }
        self.received += bytes;
        self.playout_end = self.playout_end.max(now) + bytes * ms(1) / 8;
    }

    fn clear(&mut self, now: u64, out: &mut Vec<u8>, tally: &mut Tally) {
        let unplayed = self.playout_end.saturating_sub(now);
        self.playout_end = now;
        self.cleared = true;
        for (due, _) in &mut self.marks {
            *due = now;
        }
        self.return_marks(now, out, tally);
        let call = &mut tally.calls[usize::from(self.call)];
        call.heard = Some((self.turn, (self.received / 8).saturating_sub(unplayed / ms(1))));
        if let Some(then) = call.speech_started.take() {
            if tally.measures(then) {
                tally.barge_in.push(micros(then, now));
                tally.counts.clears += 1;
            }
            tally.compare_cut(usize::from(self.call));
        }
    }
}

/// The base64 audio of a message in either protocol.
pub(super) fn audio_in(text: &[u8]) -> Option<&[u8]> {
    if memmem::find(text, b"transcript").is_some() {
        return None;
    }
    [&b"\"payload\":\""[..], b"\"delta\":\"", b"\"audio\":\""].into_iter().find_map(|name| after(text, name))
}

/// The text between `name` and the next quote.
fn after<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &text[memmem::find(text, name)? + name.len()..];
    Some(&rest[..memchr::memchr(b'"', rest)?])
}
