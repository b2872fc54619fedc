//! What the agent talks about: from a few settings to all that the model, the bridge and Twilio are told.
//!
//! ```
//! use examples::conversation::{Conversation, Language};
//!
//! let mut conversation = Conversation::new(Language::English);
//! conversation.company = "Hill Street Dental".into();
//! assert!(conversation.instructions().contains("the telephone of Hill Street Dental"));
//! ```

mod handoff;
mod words;

use std::{str::FromStr, time::Duration};

use call_session::call::{CallSummary, ConversationSettings, Direction};
use realtime_bridge::{
    realtime::{SessionConfig, Transcription, TurnDetection, TurnOwner},
    relay::{CallConfig, Greeting, Prompts},
    tool::ToolSet,
};
use twilio_twiml::twiml::{self, Say, Voice};

pub use self::handoff::{Offer, WhyNot};
use self::words::Words;

/// The language that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// `ja-JP`.
    Japanese,
    /// `en-US`.
    English,
}

impl Language {
    /// The tag, as Twilio writes it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.words().tag
    }

    const fn words(self) -> &'static Words {
        match self {
            Self::Japanese => &words::JAPANESE,
            Self::English => &words::ENGLISH,
        }
    }
}

/// Not a language that there are words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the languages are ja-JP and en-US")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// The tag or its first part, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let known = |language: &Self| {
            let Words { tag, code, .. } = language.words();
            text.eq_ignore_ascii_case(tag) || text.eq_ignore_ascii_case(code)
        };
        [Self::Japanese, Self::English].into_iter().find(known).ok_or(UnknownLanguage)
    }
}

/// Who is called, who answers, in which language.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversation {
    /// The company that is called.
    pub company: String,
    /// The name that the agent answers with.
    pub representative: String,
    /// The language that is spoken.
    pub language: Language,
    /// Twilio's voice, which apologises when the agent cannot speak.
    pub say_voice: Voice,
    /// What is offered to a caller whom no person can have now.
    pub offer: Offer,
    /// What a call of ours is about; `None` when the agent answers.
    pub calling: Option<ConversationSettings>,
}

impl Conversation {
    /// The conversation that this language has by default: the reception of a dental clinic.
    #[must_use]
    pub fn new(language: Language) -> Self {
        let words = language.words();
        Self {
            company: words.company.into(),
            representative: words.representative.into(),
            language,
            say_voice: words.say_voice.into(),
            offer: Offer::default(),
            calling: None,
        }
    }

    /// What calls that come in are about, for their records.
    #[must_use]
    pub fn snapshot(&self) -> ConversationSettings {
        ConversationSettings::default()
            .with_company_name(&self.company)
            .with_representative_name(&self.representative)
            .with_language(self.language.tag())
    }

    /// The conversation of one call, which keeps the settings it began with.
    #[must_use]
    pub fn of(&self, call: &CallSummary) -> Self {
        let mut talk = self.clone();
        let settings = &call.settings;
        let language = settings.language.parse().unwrap_or(self.language);
        if language != self.language {
            talk.language = language;
            talk.say_voice = language.words().say_voice.into();
        }
        for (name, own) in
            [(&settings.company_name, &mut talk.company), (&settings.representative_name, &mut talk.representative)]
        {
            if !name.is_empty() {
                own.clone_from(name);
            }
        }
        talk.calling = (call.direction == Direction::Outbound).then(|| settings.clone());
        talk
    }

    /// Who the model is and what it does.
    #[must_use]
    pub fn instructions(&self) -> String {
        let words = self.language.words();
        self.fill(if self.calling.is_some() { words.calling } else { words.instructions })
    }

    /// How the model listens, thinks and speaks.
    #[must_use]
    pub fn session(&self, voice: &str, tools: &ToolSet) -> SessionConfig {
        SessionConfig::default()
            .with_instructions(self.instructions())
            .with_voice(voice)
            .with_transcription(Some(self.transcription()))
            .with_tools(tools.specs())
    }

    /// How a model listens that only writes down what is said. It never answers by itself, and nobody asks it.
    #[must_use]
    pub fn listening(&self, voice: &str) -> SessionConfig {
        SessionConfig::default()
            .with_voice(voice)
            .with_transcription(Some(self.transcription()))
            .with_turn_detection(TurnDetection::server_vad().with_owner(TurnOwner::Bridge))
    }

    fn transcription(&self) -> Transcription {
        Transcription::default()
            .with_languages(vec![self.language.words().code.into()])
            .with_keywords(vec![self.company.clone(), self.representative.clone()])
    }

    /// How the call is led.
    #[must_use]
    pub fn call(&self, max_duration: Duration, beginning: Beginning) -> CallConfig {
        let words = self.language.words();
        let greeting = match beginning {
            Beginning::Fresh if self.calling.is_some() => Greeting::Line(self.fill(words.calling_greeting)),
            Beginning::Fresh => Greeting::Line(self.fill(words.greeting)),
            Beginning::CutOff => Greeting::Instructions(words.resume.into()),
            Beginning::Back => Greeting::Instructions(words.back.into()),
            Beginning::Returned => Greeting::Instructions(self.returned().into()),
            Beginning::NotTaken(why) => Greeting::Instructions(self.not_taken(why)),
        };
        let mut prompts = Prompts::default();
        prompts.say = words.prompt_say.into();
        prompts.nudge = words.prompt_nudge.into();
        prompts.goodbye = words.prompt_goodbye.into();
        prompts.time_is_up = words.prompt_time_is_up.into();
        prompts.end_called_off = words.prompt_end_called_off.into();
        prompts.keys = words.prompt_keys.into();
        prompts.forgotten = words.prompt_forgotten.into();
        prompts.resumed = words.prompt_resumed.into();
        prompts.tool_runs = words.prompt_tool_runs.into();
        prompts.tool_never = words.prompt_tool_never.into();
        prompts.tool_ask = words.prompt_tool_ask.into();
        CallConfig::default().with_greeting(greeting).with_prompts(prompts).with_max_duration(Some(max_duration))
    }

    /// What the caller hears when the agent cannot speak.
    #[must_use]
    pub fn apology(&self) -> Say {
        let words = self.language.words();
        Say::new(words.apology).language(twiml::Language::from(words.tag)).voice(self.say_voice.clone())
    }

    /// What a machine is told after its beep.
    #[must_use]
    pub fn voicemail(&self) -> Say {
        let words = self.language.words();
        let message = self.fill(words.voicemail);
        Say::new(message).language(twiml::Language::from(words.tag)).voice(self.say_voice.clone())
    }

    fn fill(&self, template: &str) -> String {
        let none = ConversationSettings::default();
        let calling = self.calling.as_ref().unwrap_or(&none);
        let values = [
            ("{company}", &self.company),
            ("{representative}", &self.representative),
            ("{service}", &calling.service_name),
            ("{department}", &calling.target_department),
            ("{person}", &calling.target_person),
            ("{description}", &calling.service_description),
            ("{pitch}", &calling.sales_pitch),
        ];
        values.into_iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Where a conversation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beginning {
    /// At its begin.
    Fresh,
    /// Where it was cut off.
    CutOff,
    /// Where it was left on purpose.
    Back,
    /// After the caller has talked with a person.
    Returned,
    /// After the caller has waited for a person in vain.
    NotTaken(WhyNot),
}

#[cfg(test)]
mod tests {
    use twilio_twiml::twiml::Response;

    use super::*;

    #[test]
    fn no_template_keeps_a_hole() {
        for language in [Language::Japanese, Language::English] {
            let mut conversation = Conversation::new(language);
            (conversation.company, conversation.representative) = ("Acme".into(), "Ann".into());
            let call = conversation.call(Duration::from_secs(60), Beginning::Fresh);
            let Some(Greeting::Line(greeting)) = call.greeting else { panic!("no line") };
            let instructions = conversation.instructions();
            assert!(!format!("{instructions}{greeting}").contains(['{', '}']), "{language:?}");
            assert!(instructions.contains("Acme") && instructions.contains("Ann"), "{language:?}");
            assert!(greeting.contains("Acme"), "{language:?}");
        }
    }

    #[test]
    fn the_apology_is_japanese_by_default() {
        let apology = Conversation::new("ja".parse().unwrap()).apology();
        let xml = Response::new().say(apology).hangup().to_xml().unwrap();
        assert!(xml.contains(r#"<Say voice="Polly.Mizuki" language="ja-JP">申し訳ございません。"#), "{xml}");
    }

    #[test]
    fn languages_are_known_by_tag_and_code() {
        assert_eq!("EN-us".parse(), Ok(Language::English));
        assert_eq!("ja".parse(), Ok(Language::Japanese));
        assert_eq!("de-DE".parse::<Language>(), Err(UnknownLanguage));
    }
}
