//! A model session that writes down what one side says, and never answers.

use std::{collections::HashMap, time::Duration};

use call_session::{
    call::{Line, SessionEvent, Speaker},
    id::StreamId,
    recorder::Recorder,
};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::Endpoints,
    realtime::{ItemId, RealtimeCommand, RealtimeEvent, SessionError, openai::OpenAiSession},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{chain::Chain, phone::models::Models};

/// How often in a row a session is opened in vain before nobody listens any more.
const ATTEMPTS: u32 = 5;

/// The pause after an attempt in vain; it doubles with each.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How long after it was seen that the model is down that is looked at again.
const DOWN: Duration = Duration::from_secs(1);

/// How long the last words may take to come after the last sound.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The silence after the last sound, by which the provider knows that somebody has finished.
const SILENCE: Duration = Duration::from_millis(800);

/// How long the provider may take to hear that a session is not wanted any more.
const CLOSE: Duration = Duration::from_secs(2);

/// Where the sessions of a copy come from.
#[derive(Clone)]
pub(super) struct Sessions {
    models: Models,
    endpoints: Endpoints<OpenAiSession>,
    over: CancellationToken,
}

impl Sessions {
    /// None is opened any more when the copy is `over`, and none as long as the `models` are known to be down.
    pub(super) const fn new(models: Models, endpoints: Endpoints<OpenAiSession>, over: CancellationToken) -> Self {
        Self { models, endpoints, over }
    }
}

/// Listens to one side.
pub(super) struct Listener {
    recorder: Recorder,
    sessions: Sessions,
    speaker: Speaker,
    stream: StreamId,
    session: Option<OpenAiSession>,
    /// How many sessions there were: their names for what is said are their own.
    opened: u32,
    failures: u32,
    /// What is being said, or waits for its words, and since when.
    said: HashMap<ItemId, Timestamp>,
}

impl Listener {
    pub(super) fn new(recorder: Recorder, sessions: Sessions, speaker: Speaker, stream: StreamId) -> Self {
        let said = HashMap::new();
        Self { recorder, sessions, speaker, stream, session: None, opened: 0, failures: 0, said }
    }

    /// Opens a session, unless nobody speaks any more or it was tried too often.
    pub(super) async fn open(&mut self) {
        let over = self.sessions.over.clone();
        tokio::select! {
            biased;
            () = over.cancelled() => {}
            () = self.attempts() => {}
        }
    }

    /// Cancel safe: what was being opened is closed.
    async fn attempts(&mut self) {
        while self.session.is_none() && self.failures < ATTEMPTS {
            if self.sessions.models.are_down() {
                // Callers come first. When that is over is found out by their sessions.
                sleep(DOWN).await;
                continue;
            }
            match self.sessions.endpoints.connect().await {
                Ok(session) => {
                    self.session = Some(session);
                    self.opened += 1;
                    self.said.clear();
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "nobody listens to caller and person yet");
                    self.failures = if error.retryable() { self.failures + 1 } else { ATTEMPTS };
                    if self.failures < ATTEMPTS {
                        sleep(BACK_OFF * 2_u32.pow(self.failures - 1)).await;
                    }
                }
            }
        }
    }

    /// Writes down what is said until the audio is over and its words have come.
    pub(super) async fn listen(&mut self, audio: &mut mpsc::Receiver<AudioFrame>) {
        loop {
            self.open().await;
            let Some(mut session) = self.session.take() else { return };
            match self.follow(&mut session, audio).await {
                Ok(()) => {
                    let _ = timeout(CLOSE, session.close()).await;
                    return;
                }
                Err(error) => {
                    self.failures += 1;
                    tracing::warn!(error = %Chain(&error), "a session that listened is lost");
                }
            }
        }
    }

    async fn follow(
        &mut self,
        session: &mut OpenAiSession,
        audio: &mut mpsc::Receiver<AudioFrame>,
    ) -> Result<(), SessionError> {
        loop {
            tokio::select! {
                frame = audio.recv() => match frame {
                    Some(frame) => session.send(RealtimeCommand::Append(frame)).await?,
                    None => break,
                },
                event = session.next() => match event.transpose()? {
                    Some(event) => self.take(event).await,
                    // Closed in order, as at the longest that a session may last.
                    None => return Err(SessionError::Closed(realtime_bridge::realtime::CloseReason::new(None, ""))),
                },
            }
        }
        let silence = AudioFrame::silence(AudioFormat::MuLaw, SILENCE);
        session.send(RealtimeCommand::Append(silence)).await?;
        let deadline = Instant::now() + LAST_WORDS;
        while !self.said.is_empty() {
            match timeout_at(deadline, session.next()).await {
                Ok(Some(event)) => self.take(event?).await,
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    async fn take(&mut self, event: RealtimeEvent) {
        match event {
            RealtimeEvent::SpeechStarted { item: Some(item), .. } => _ = self.said.insert(item, Timestamp::now()),
            RealtimeEvent::UserTranscript { item, text } => {
                self.failures = 0;
                let at = self.said.remove(&item).unwrap_or_else(Timestamp::now);
                if text.trim().is_empty() {
                    return;
                }
                let side = if self.speaker == Speaker::Person { "person" } else { "caller" };
                let name = format!("notes/{}/{side}/{}/{}", self.stream, self.opened, item.as_str());
                let said = SessionEvent::Said { lines: vec![Line::new(name, self.speaker, at, text)] };
                if let Err(error) = self.recorder.propose(said.at(at)).await {
                    tracing::debug!(%error, "what was said is not written down");
                }
            }
            RealtimeEvent::UserTranscriptFailed { item, .. } => _ = self.said.remove(&item),
            _ => {}
        }
    }
}
