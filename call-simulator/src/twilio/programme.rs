//! What somebody hears who waits: music, or a document of `<Play>`, `<Say>`, `<Pause>` and `<Redirect>`.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use futures_util::future;
use realtime_bridge::audio::AudioFormat;
use twilio_twiml::{
    twiml::{Repeat, Verb},
    webhook::Form,
    words::Method,
};
use url::Url;

use super::{
    debugger::{Alert, AlertCode},
    frame::{FRAME_BYTES, Frame, SILENCE, SILENT, bytes_in},
    interpreter::{Fetch, resolve},
    say,
    webhook::Webhooks,
};
use crate::audio::{codec, wav};

/// The longest file that is played, in bytes: four minutes of WAV.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wait {
    /// Twilio's own.
    Music,
    Silence,
    /// What a caller hears while somebody else's telephone rings.
    Ringing,
    Fetch(Fetch),
}

/// A programme being played.
pub(super) struct Programme {
    audio: Bytes,
    repeats: Option<fn() -> Bytes>,
    pending: Option<Loading>,
    /// What comes when the audio is over.
    next: Option<Fetch>,
    webhooks: Arc<Webhooks>,
    form: Form,
}

/// A request on its way.
type Loading = Pin<Box<dyn Future<Output = Result<Part, Alert>> + Send>>;

/// A piece of a programme.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) audio: Bytes,
    next: Option<Fetch>,
}

impl Programme {
    pub(super) fn new(wait: Wait, webhooks: Arc<Webhooks>, form: Form) -> Self {
        let mut programme = Self { audio: Bytes::new(), repeats: None, pending: None, next: None, webhooks, form };
        match wait {
            Wait::Music => programme.repeats = Some(music),
            Wait::Ringing => programme.repeats = Some(ringing),
            Wait::Silence => {}
            Wait::Fetch(fetch) => programme.request(fetch),
        }
        programme
    }

    /// The next 20 ms.
    pub(super) fn frame(&mut self) -> Frame {
        if self.audio.is_empty() {
            if let Some(again) = self.repeats {
                self.audio = again();
            } else if let Some(next) = self.next.take() {
                self.request(next);
            }
        }
        let mut frame = SILENT;
        let take = self.audio.len().min(FRAME_BYTES);
        self.audio.copy_to_slice(&mut frame[..take]);
        frame
    }

    /// Waits for what was requested; for ever if nothing was.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub(super) async fn fetched(&mut self) -> Result<(), Alert> {
        let Some(pending) = &mut self.pending else { return future::pending().await };
        let part = pending.as_mut().await;
        self.pending = None;
        let part = part?;
        self.audio = part.audio;
        self.next = part.next;
        Ok(())
    }

    fn request(&mut self, fetch: Fetch) {
        let (webhooks, form) = (Arc::clone(&self.webhooks), self.form.clone());
        self.pending = Some(Box::pin(async move { load(&webhooks, fetch, &form).await }));
    }
}

/// Fetches a file, or a document and what it plays.
pub(super) async fn load(webhooks: &Webhooks, fetch: Fetch, form: &Form) -> Result<Part, Alert> {
    let answered = webhooks.send_for(&fetch, form, FILE_LIMIT).await?;
    let is_audio = answered.answer.content_type.as_deref().is_some_and(|kind| kind.starts_with("audio/"));
    if is_audio {
        let audio = decode(answered.answer.content_type.as_deref(), &answered.answer.body)?;
        // A file is played again and again.
        return Ok(Part { audio, next: Some(fetch) });
    }
    let document = answered.answer.document()?;
    let mut audio = Vec::new();
    for verb in document.response.verbs {
        match verb {
            Verb::Say(say) => (0..times(say.repeat)).for_each(|_| audio.extend(say::audio_of(&say.plain_text()))),
            Verb::Pause(pause) => {
                let length = pause.length.map_or(Duration::from_secs(1), Duration::from);
                audio.resize(audio.len() + bytes_in(length), SILENCE);
            }
            Verb::Play(play) if play.keys.is_none() => {
                let file = file(webhooks, resolve(&answered.url, play.url.as_str())?).await?;
                (0..times(play.repeat)).for_each(|_| audio.extend_from_slice(&file));
            }
            Verb::Redirect(redirect) => {
                let url = resolve(&answered.url, redirect.url.as_str())?;
                let method = redirect.method.unwrap_or(Method::Post);
                // A document without a sound must not be asked for without end in the same moment.
                audio.resize(audio.len().max(FRAME_BYTES), SILENCE);
                return Ok(Part { audio: audio.into(), next: Some(Fetch { purpose: fetch.purpose, url, method }) });
            }
            other => return Err(Alert::new(AlertCode::ConferenceVerb, other.tag())),
        }
    }
    Ok(Part { audio: audio.into(), next: None })
}

/// Fetches a file to be played: WAV of telephone speech, or raw μ-law.
pub(super) async fn file(webhooks: &Webhooks, url: Url) -> Result<Bytes, Alert> {
    let fetch = Fetch { purpose: "play", url, method: Method::Get };
    let answered = webhooks.send_for(&fetch, &Form::new(), FILE_LIMIT).await?;
    if !(200..300).contains(&answered.answer.status) {
        return Err(Alert::new(AlertCode::HttpRetrieval, format!("status {}", answered.answer.status)));
    }
    decode(answered.answer.content_type.as_deref(), &answered.answer.body)
}

/// A file as μ-law. What only a music player could decode, such as MP3, is heard as the music of those who wait.
fn decode(content_type: Option<&str>, file: &[u8]) -> Result<Bytes, Alert> {
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "audio/basic" | "audio/x-mulaw" => Ok(Bytes::copy_from_slice(file)),
        "audio/wav" | "audio/wave" | "audio/x-wav" => {
            let samples =
                wav::read_mono(file).map_err(|error| Alert::new(AlertCode::PlayContent, error.to_string()))?;
            Ok(codec::encode(AudioFormat::MuLaw, &samples).into())
        }
        music_file if music_file.starts_with("audio/") => Ok(music()),
        other => Err(Alert::new(AlertCode::PlayContent, other)),
    }
}

fn times(repeat: Option<Repeat>) -> u32 {
    match repeat {
        None => 1,
        Some(Repeat::Times(times)) => times.get(),
        // A programme that goes on for ever is asked for again at its end.
        Some(Repeat::Forever) => 100,
    }
}

/// Four seconds of a soft melody, made to be told from speech and from silence.
pub(super) fn music() -> Bytes {
    const NOTES: [usize; 8] = [16, 13, 11, 8, 11, 13, 16, 20];
    let mut samples = Vec::with_capacity(32_000);
    for half_wave in NOTES {
        samples.extend((0..4_000).map(|at| if at / half_wave % 2 == 0 { 900 } else { -900_i16 }));
    }
    codec::encode(AudioFormat::MuLaw, &samples).into()
}

/// A second of a ringing tone and two of silence, as in Japan (16 Hz on 400 Hz; here 400 Hz alone).
fn ringing() -> Bytes {
    let samples: Vec<i16> =
        (0..8_000).map(|at: u32| if (at / 10).is_multiple_of(2) { 1_500 } else { -1_500 }).collect();
    let mut audio = codec::encode(AudioFormat::MuLaw, &samples);
    audio.resize(audio.len() + bytes_in(Duration::from_secs(2)), SILENCE);
    audio.into()
}
