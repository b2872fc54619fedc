//! A session whose audio goes to a telephone, and which lives as long as the call, whatever becomes of its sockets.
//!
//! OpenAI: Realtime API with SIP, control over a WebSocket.

use std::{collections::VecDeque, time::Instant};

use realtime_bridge::audio::AudioFormat;
use serde_json::Value;

use super::{Attachment, Opening, Output, Session, State};
use crate::openai::{ApiError, Script, Settings, recording::Ending};

/// What the telephone is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallAudio {
    /// Play this after what was given before.
    Play(AudioFormat, Vec<u8>),
    /// Drop what was not played yet.
    Clear,
}

/// The telephone of a call, as its session has it.
#[derive(Debug, Default)]
pub(super) struct CallLine {
    audio: VecDeque<CallAudio>,
    /// Counts the control sockets, so that the end of an old one means nothing.
    sockets: u64,
    attached: bool,
}

/// What an accept may say of turn detection.
const ACCEPTED_TURNS: &[&str] = &["type", "create_response", "interrupt_response", "eagerness"];

impl Session {
    /// A call that was accepted, with the session of the request. No socket is open yet, and nothing is sent until one
    /// is: see [`Session::attach`].
    ///
    /// # Errors
    ///
    /// What the provider says of a session that it does not take.
    pub fn accept(
        now: Instant,
        opening: Opening,
        body: &Value,
        script: Script,
        settings: Settings,
    ) -> Result<Self, ApiError> {
        check_accept(body)?;
        let opening = opening.with_attachment(Attachment::Call);
        let mut session = Self::prepare(now, opening, script, settings);
        session.line = Some(CallLine::default());
        session.config.update(body, false)?;
        session.input.configure(session.config.input_format(), session.config.turn_detection());
        session.plan_acts();
        Ok(session)
    }

    /// A control socket was opened, in the place of an older one; gives its number for [`Session::detach`].
    pub fn attach(&mut self, now: Instant) -> u64 {
        self.handle_timeout(now);
        let Some(line) = &mut self.line else { return 0 };
        line.sockets += 1;
        line.attached = true;
        let number = line.sockets;
        self.out.clear();
        if self.state == State::Mute {
            self.state = State::Open;
        }
        self.greet_socket();
        number
    }

    /// The control socket of this number is gone. The call goes on.
    pub fn detach(&mut self, now: Instant, socket: u64) {
        self.handle_timeout(now);
        if let Some(line) = self.line.as_mut().filter(|line| line.sockets == socket) {
            line.attached = false;
        }
    }

    /// The connection of this number was lost, and the session with it unless it is a call's.
    pub(in crate::openai) fn lost(&mut self, now: Instant, socket: u64) {
        if self.line.is_some() {
            self.detach(now, socket);
        } else {
            self.handle_lost(now);
        }
    }

    /// The number of the newest control socket; 0 for a session of its own.
    #[must_use]
    pub fn socket(&self) -> u64 {
        self.line.as_ref().map_or(0, |line| line.sockets)
    }

    /// The call is over: the control socket closes at once.
    pub fn hang_up(&mut self, now: Instant) {
        self.handle_timeout(now);
        if self.state != State::Ended {
            self.output(Output::Close(1_000, String::new()));
            self.end(Ending::Closed(1_000, String::new()));
        }
    }

    /// What the caller says: audio in the session's input format.
    pub fn hear(&mut self, now: Instant, audio: &[u8]) {
        self.handle_timeout(now);
        if self.state == State::Open {
            self.caller_audio(audio);
        }
    }

    /// The format of [`Session::hear`].
    #[must_use]
    pub const fn input_format(&self) -> AudioFormat {
        self.input.format()
    }

    /// The next thing for the telephone to do.
    pub fn poll_call_audio(&mut self) -> Option<CallAudio> {
        self.line.as_mut()?.audio.pop_front()
    }

    pub(super) fn play_on_line(&mut self, format: AudioFormat, audio: &[u8]) {
        if let Some(line) = &mut self.line {
            line.audio.push_back(CallAudio::Play(format, audio.to_vec()));
        }
    }

    pub(super) fn silence_line(&mut self) {
        if let Some(line) = &mut self.line {
            line.audio.retain(|audio| *audio == CallAudio::Clear);
            line.audio.push_back(CallAudio::Clear);
        }
    }

    /// The socket is gone, and the session with it, unless it is a call's.
    pub(super) fn lose_socket(&mut self, ending: Ending) {
        match &mut self.line {
            Some(line) => line.attached = false,
            None => self.end(ending),
        }
    }

    /// Something for the socket; lost where a call has none.
    pub(super) fn output(&mut self, output: Output) {
        if self.line.as_ref().is_none_or(|line| line.attached) {
            self.out.push_back(output);
        }
    }
}

/// An accept takes less than an update: the formats are the carrier's, and most of turn detection is not taken.
fn check_accept(body: &Value) -> Result<(), ApiError> {
    super::client_event::check_session(body)?;
    for side in ["input", "output"] {
        if body["audio"][side].get("format").is_some() {
            let param = format!("session.audio.{side}.format");
            return Err(ApiError::invalid_value(&param, "Audio formats cannot be set for calls over SIP."));
        }
    }
    let turns = body["audio"]["input"]["turn_detection"].as_object();
    match turns.into_iter().flatten().find(|(name, _)| !ACCEPTED_TURNS.contains(&name.as_str())) {
        Some((name, _)) => Err(ApiError::unknown_parameter(&format!("session.audio.input.turn_detection.{name}"))),
        None => Ok(()),
    }
}
