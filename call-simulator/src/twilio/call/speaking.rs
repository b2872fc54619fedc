//! What Twilio itself lets the other side hear.

use std::time::Duration;

use bytes::Bytes;
use twilio_twiml::twiml::Digits;

use super::{
    super::{dtmf, say, timeline::Event},
    Call, Leave,
};

impl Call {
    pub(super) async fn say(&mut self, text: String, times: Option<u32>) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Say", detail: format!("“{text}”") });
        self.hear(&say::audio_of(&text), times).await
    }

    /// Lets the other side hear something, so many times or until the call ends.
    pub(super) async fn hear(&mut self, audio: &Bytes, times: Option<u32>) -> Result<(), Leave> {
        let mut heard = 0;
        while times.is_none_or(|times| heard < times) {
            heard += 1;
            self.line.playout.push_audio(audio.clone());
            // At least one frame, so that silence said for ever still takes time.
            self.tick().await?;
            while !self.line.playout.is_idle() {
                self.tick().await?;
            }
        }
        Ok(())
    }

    /// Presses keys.
    pub(super) async fn press(&mut self, digits: &Digits) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Play", detail: format!("digits {}", digits.as_str()) });
        for sign in digits.as_str().chars() {
            match sign {
                'w' => self.wait(Duration::from_millis(500)).await?,
                'W' => self.wait(Duration::from_secs(1)).await?,
                key => {
                    self.line.playout.push_audio(dtmf::tone(key));
                    self.line.hear_key(key);
                    while !self.line.playout.is_idle() {
                        self.tick().await?;
                    }
                }
            }
        }
        Ok(())
    }
}
