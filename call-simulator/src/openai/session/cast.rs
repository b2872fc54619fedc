//! Which answer of the script is due.

use crate::openai::script::{Answer, Heard, Script};

/// Why an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// The client asked, or the caller finished a turn.
    Asked,
    /// The caller was silent for too long.
    Idle,
    /// The client asked for an answer outside the conversation.
    Aside,
}

/// The place a session has reached in its script.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) script: Script,
    /// Turns the caller has finished.
    turns: usize,
    /// Whether the last of them waits for its answer.
    unanswered: bool,
    greeted: bool,
    asides: usize,
    /// What is said when these tool calls have their outputs.
    waiting: Option<(Vec<String>, Answer)>,
    /// Texts that came since the last answer began.
    texts: Vec<String>,
}

impl Cast {
    pub(super) const fn new(script: Script) -> Self {
        Self { script, turns: 0, unanswered: false, greeted: false, asides: 0, waiting: None, texts: Vec::new() }
    }

    /// The caller has finished a turn; tells what transcription makes of it.
    pub(super) fn caller_spoke(&mut self) -> Heard {
        let heard = self.script.turns.get(self.turns).map(|turn| turn.heard.clone());
        self.turns += 1;
        self.unanswered = true;
        heard.unwrap_or_else(|| Heard::Words(String::new()))
    }

    /// The client wrote something into the conversation.
    pub(super) fn client_wrote(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }

    /// Tools were called, and the answer after them is known.
    pub(super) fn called(&mut self, call_ids: Vec<String>, then: Answer) {
        self.waiting = Some((call_ids, then));
    }

    /// A tool call has got its output.
    pub(super) fn tool_answered(&mut self, call_id: &str) {
        if let Some((call_ids, _)) = &mut self.waiting {
            call_ids.retain(|waiting| waiting != call_id);
        }
    }

    /// The answer that is due now.
    pub(super) fn choose(&mut self, trigger: Trigger, instructions: Option<&str>) -> Answer {
        let mut texts = std::mem::take(&mut self.texts);
        texts.extend(instructions.map(str::to_owned));
        match trigger {
            Trigger::Idle => self.script.idle.clone(),
            Trigger::Aside => {
                self.asides += 1;
                self.script.asides.get(self.asides - 1).cloned()
            }
            Trigger::Asked => self.asked(&texts),
        }
        .unwrap_or_else(|| self.script.otherwise.clone())
    }

    fn asked(&mut self, texts: &[String]) -> Option<Answer> {
        let named = |(words, _): &&(String, Answer)| texts.iter().any(|text| text.contains(words.as_str()));
        if let Some((_, answer)) = self.script.asked.iter().find(named) {
            return Some(answer.clone());
        }
        if std::mem::take(&mut self.unanswered) {
            return self.script.turns.get(self.turns - 1).map(|turn| turn.answer.clone());
        }
        if self.waiting.as_ref().is_some_and(|(call_ids, _)| call_ids.is_empty()) {
            return self.waiting.take().map(|(_, answer)| answer);
        }
        if self.turns == 0 && !std::mem::replace(&mut self.greeted, true) {
            return self.script.greeting.clone();
        }
        None
    }
}
