//! `<Gather>` and `<Play>` in a call.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use twilio_twiml::twiml::Prompting;
use url::Url;

use super::{
    super::{
        caller::Act,
        debugger::Alert,
        frame::{SILENCE, bytes_in},
        gather::{GatherPlan, Gathering},
        line::is_audible,
        programme, say,
        timeline::Event,
    },
    Call, Leave,
};

impl Call {
    /// Plays a file, so many times or until the call ends. A file that cannot be had is passed over.
    pub(super) async fn play_file(&mut self, url: Url, times: Option<u32>) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Play", detail: url.to_string() });
        let webhooks = std::sync::Arc::clone(&self.webhooks);
        match self.while_ticking(async move { programme::file(&webhooks, url).await }).await? {
            Ok(audio) => self.hear(&audio, times).await,
            Err(alert) => {
                self.note(Event::Alert(alert));
                Ok(())
            }
        }
    }

    /// Asks for keys or words, and goes on with the answer.
    pub(super) async fn gather(&mut self, plan: GatherPlan) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Gather", detail: plan.action.url.to_string() });
        match self.prompt(&plan.prompt).await? {
            Ok(prompt) => self.line.playout.push_audio(prompt),
            Err(alert) => self.note(Event::Alert(alert)),
        }
        let mut gathering = Gathering::default();
        let result = loop {
            self.clock.tick().await;
            let tick = self.line.tick();
            self.lived(&tick)?;
            let mut last_key = None;
            for act in &tick.acts {
                match act {
                    Act::Says(words) => gathering.says(&plan, words),
                    Act::Presses(key) => last_key = last_key.or_else(|| gathering.presses(&plan, *key)),
                    _ => {}
                }
            }
            let prompt_is_over = self.line.playout.is_idle();
            let result = last_key.or_else(|| gathering.tick(&plan, prompt_is_over, is_audible(&tick.frame)));
            if let Some(result) = result {
                break result;
            }
            if plan.barge_in && gathering.has_begun() {
                self.line.playout.clear();
            }
        };
        self.line.playout.clear();
        if result.is_empty() && !plan.even_if_empty {
            return Ok(());
        }
        self.fetch_with(plan.action, &result).await
    }

    /// What is heard while the caller is asked.
    async fn prompt(&mut self, content: &[Prompting]) -> Result<Result<Bytes, Alert>, Leave> {
        let mut audio = BytesMut::new();
        for part in content {
            match part {
                Prompting::Say(say) => audio.extend_from_slice(&say::audio_of(&say.plain_text())),
                Prompting::Pause(pause) => {
                    let length = pause.length.map_or(Duration::from_secs(1), Duration::from);
                    audio.resize(audio.len() + bytes_in(length), SILENCE);
                }
                Prompting::Play(play) => {
                    let Ok(url) = self.interpreter.resolve(play.url.as_str()) else { continue };
                    let webhooks = std::sync::Arc::clone(&self.webhooks);
                    match self.while_ticking(async move { programme::file(&webhooks, url).await }).await? {
                        Ok(file) => audio.extend_from_slice(&file),
                        Err(alert) => return Ok(Err(alert)),
                    }
                }
                _ => {}
            }
        }
        Ok(Ok(audio.freeze()))
    }
}
