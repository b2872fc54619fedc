//! Short recordings of one telephone call in two languages: a caller, the reception of a dental clinic, and a person who works
//! there.
//!
//! All are raw G.711 μ-law, 8,000 Hz, mono, in the crate's `fixtures` folder; `fixtures/make.sh` remakes them from
//! `fixtures/lines.tsv` with espeak-ng and sox.

use std::time::Duration;

use realtime_bridge::audio::AudioFormat;

/// One recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Speech {
    /// Language and name, such as `en/agent-greeting`.
    pub name: &'static str,
    /// Who speaks.
    pub speaker: Speaker,
    /// What is spoken.
    pub language: Language,
    /// The words; empty for a noise.
    pub transcript: &'static str,
    /// Raw G.711 μ-law, 8,000 Hz, mono.
    pub mulaw: &'static [u8],
}

impl Speech {
    /// How long it plays.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        AudioFormat::MuLaw.duration_of(self.mulaw.len())
    }

    /// The recording of this name, such as `ja/caller-hours`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|speech| speech.name == name)
    }
}

/// Whose voice a recording has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The person who called, a low voice.
    Caller,
    /// The voice model, a high voice.
    Agent,
    /// A person whom the caller is put through to, a voice of its own.
    Person,
    /// Nobody: a noise.
    Noise,
}

/// The language of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
    /// None: a noise.
    None,
}

macro_rules! speech {
    ($speaker:ident, $language:ident, $name:literal, $transcript:literal) => {
        Speech {
            name: $name,
            speaker: Speaker::$speaker,
            language: Language::$language,
            transcript: $transcript,
            mulaw: include_bytes!(concat!("../../fixtures/", $name, ".ulaw")),
        }
    };
}

/// The call in English.
pub mod en {
    use super::{Language, Speaker, Speech};

    /// The agent answers the telephone.
    pub const AGENT_GREETING: Speech =
        speech!(Agent, English, "en/agent-greeting", "Sakura Dental Clinic, good morning. How can I help you?");

    /// The caller asks for the opening hours and an appointment.
    pub const CALLER_HOURS: Speech =
        speech!(Caller, English, "en/caller-hours", "Hello, when are you open? I need an appointment.");

    /// The agent lists the opening hours, about nine seconds long: made to be interrupted.
    pub const AGENT_HOURS: Speech = speech!(
        Agent,
        English,
        "en/agent-hours",
        "We are open from Monday to Saturday, from nine in the morning until half past six in the evening. We close for lunch between one and two, and all day on Sundays and holidays."
    );

    /// The caller cuts in.
    pub const CALLER_INTERRUPTS: Speech =
        speech!(Caller, English, "en/caller-interrupts", "Sorry, is Friday possible?");

    /// The agent answers the caller who cut in.
    pub const AGENT_FRIDAY: Speech =
        speech!(Agent, English, "en/agent-friday", "Yes, Friday is possible. At what time?");

    /// The caller asks for something the agent has to look up.
    pub const CALLER_SLOT: Speech =
        speech!(Caller, English, "en/caller-slot", "Is there anything free on Friday at ten?");

    /// The agent bridges the time a tool takes.
    pub const AGENT_ONE_MOMENT: Speech = speech!(Agent, English, "en/agent-one-moment", "One moment, let me look.");

    /// The agent tells what the tool found.
    pub const AGENT_SLOT: Speech =
        speech!(Agent, English, "en/agent-slot", "Yes, Friday at ten is free. I have booked it for you.");

    /// The caller says goodbye.
    pub const CALLER_THANKS: Speech = speech!(Caller, English, "en/caller-thanks", "Great, thank you. Goodbye.");

    /// The agent says goodbye.
    pub const AGENT_GOODBYE: Speech = speech!(Agent, English, "en/agent-goodbye", "Thank you for calling. Goodbye.");

    /// The agent asks a silent caller.
    pub const AGENT_STILL_THERE: Speech = speech!(Agent, English, "en/agent-still-there", "Are you still there?");

    /// The agent gives up.
    pub const AGENT_APOLOGY: Speech = speech!(
        Agent,
        English,
        "en/agent-apology",
        "I am sorry, I cannot help you right now. Please call again later."
    );

    /// The caller shows that they listen.
    pub const CALLER_UH_HUH: Speech = speech!(Caller, English, "en/caller-uh-huh", "Uh-huh.");

    /// The caller wants a person.
    pub const CALLER_PERSON: Speech =
        speech!(Caller, English, "en/caller-person", "Could I speak to a person, please?");

    /// The agent says that a person is coming.
    pub const AGENT_HANDS_OVER: Speech =
        speech!(Agent, English, "en/agent-hands-over", "I am putting you through to a colleague. One moment, please.");

    /// The agent has to say that nobody takes the call.
    pub const AGENT_NOBODY: Speech = speech!(
        Agent,
        English,
        "en/agent-nobody",
        "I am sorry, nobody can take your call right now. Can I help you with something else?"
    );

    /// A person takes the call.
    pub const PERSON_YES: Speech = speech!(Person, English, "en/person-yes", "Yes, put them through.");

    /// A person speaks to the caller.
    pub const PERSON_HELLO: Speech =
        speech!(Person, English, "en/person-hello", "Thank you for waiting. How can I help you?");

    /// The caller tells the person what it is about.
    pub const CALLER_CHANGE: Speech =
        speech!(Caller, English, "en/caller-change", "I would like to change my appointment.");

    /// The person says goodbye.
    pub const PERSON_DONE: Speech = speech!(Person, English, "en/person-done", "I have changed it for you. Goodbye.");

    /// The agent has the caller again.
    pub const AGENT_BACK: Speech = speech!(Agent, English, "en/agent-back", "Is there anything else I can do for you?");

    /// A person answers the telephone.
    pub const PERSON_PICKS_UP: Speech = speech!(Person, English, "en/person-picks-up", "Yes, hello?");
}

/// The call in Japanese.
pub mod ja {
    use super::{Language, Speaker, Speech};

    /// The agent answers the telephone.
    pub const AGENT_GREETING: Speech = speech!(
        Agent,
        Japanese,
        "ja/agent-greeting",
        "お電話ありがとうございます。さくら歯科でございます。ご用件をどうぞ。"
    );

    /// The caller asks for the opening hours and an appointment.
    pub const CALLER_HOURS: Speech =
        speech!(Caller, Japanese, "ja/caller-hours", "すみません、診療時間を教えてください。予約もお願いします。");

    /// The agent lists the opening hours, about nine seconds long: made to be interrupted.
    pub const AGENT_HOURS: Speech = speech!(
        Agent,
        Japanese,
        "ja/agent-hours",
        "診療は月曜日から土曜日まで、朝九時から夕方六時半まででございます。お昼は一時から二時までお休みで、日曜日と祝日は休診でございます。"
    );

    /// The caller cuts in.
    pub const CALLER_INTERRUPTS: Speech =
        speech!(Caller, Japanese, "ja/caller-interrupts", "あの、金曜日は空いていますか。");

    /// The agent answers the caller who cut in.
    pub const AGENT_FRIDAY: Speech =
        speech!(Agent, Japanese, "ja/agent-friday", "はい、金曜日も承れます。何時がよろしいですか。");

    /// The caller asks for something the agent has to look up.
    pub const CALLER_SLOT: Speech = speech!(Caller, Japanese, "ja/caller-slot", "金曜日の十時は取れますか。");

    /// The agent bridges the time a tool takes.
    pub const AGENT_ONE_MOMENT: Speech =
        speech!(Agent, Japanese, "ja/agent-one-moment", "お調べしますので、少々お待ちください。");

    /// The agent tells what the tool found.
    pub const AGENT_SLOT: Speech =
        speech!(Agent, Japanese, "ja/agent-slot", "金曜日の十時が空いております。ご予約をお取りしました。");

    /// The caller says goodbye.
    pub const CALLER_THANKS: Speech =
        speech!(Caller, Japanese, "ja/caller-thanks", "ありがとうございます。失礼します。");

    /// The agent says goodbye.
    pub const AGENT_GOODBYE: Speech =
        speech!(Agent, Japanese, "ja/agent-goodbye", "お電話ありがとうございました。失礼いたします。");

    /// The agent asks a silent caller.
    pub const AGENT_STILL_THERE: Speech =
        speech!(Agent, Japanese, "ja/agent-still-there", "もしもし、聞こえていますか。");

    /// The agent gives up.
    pub const AGENT_APOLOGY: Speech = speech!(
        Agent,
        Japanese,
        "ja/agent-apology",
        "申し訳ございません。ただいま対応できません。後ほどおかけ直しください。"
    );

    /// The caller shows that they listen.
    pub const CALLER_UH_HUH: Speech = speech!(Caller, Japanese, "ja/caller-uh-huh", "はい、はい。");

    /// The caller wants a person.
    pub const CALLER_PERSON: Speech = speech!(Caller, Japanese, "ja/caller-person", "担当の方とお話しできますか。");

    /// The agent says that a person is coming.
    pub const AGENT_HANDS_OVER: Speech =
        speech!(Agent, Japanese, "ja/agent-hands-over", "担当者におつなぎいたします。少々お待ちください。");

    /// The agent has to say that nobody takes the call.
    pub const AGENT_NOBODY: Speech = speech!(
        Agent,
        Japanese,
        "ja/agent-nobody",
        "申し訳ございません。ただいま担当者が電話に出られません。ほかにご用件はございますか。"
    );

    /// A person takes the call.
    pub const PERSON_YES: Speech = speech!(Person, Japanese, "ja/person-yes", "はい、つないでください。");

    /// A person speaks to the caller.
    pub const PERSON_HELLO: Speech =
        speech!(Person, Japanese, "ja/person-hello", "お電話代わりました。担当者でございます。");

    /// The caller tells the person what it is about.
    pub const CALLER_CHANGE: Speech = speech!(Caller, Japanese, "ja/caller-change", "予約の変更をお願いします。");

    /// The person says goodbye.
    pub const PERSON_DONE: Speech =
        speech!(Person, Japanese, "ja/person-done", "承知しました。変更しておきます。失礼いたします。");

    /// The agent has the caller again.
    pub const AGENT_BACK: Speech = speech!(Agent, Japanese, "ja/agent-back", "ほかにご用件はございますか。");

    /// A person answers the telephone.
    pub const PERSON_PICKS_UP: Speech = speech!(Person, Japanese, "ja/person-picks-up", "はい、もしもし。");
}

/// A cough, 0.3 s: loud enough to be taken for speech by its level.
pub const COUGH: Speech = speech!(Noise, None, "noise/cough", "");

/// A line that nobody speaks on, 1 s of faint noise, to be repeated.
pub const LINE_NOISE: Speech = speech!(Noise, None, "noise/line", "");

/// Every recording.
pub const ALL: &[Speech] = &[
    en::AGENT_GREETING,
    en::CALLER_HOURS,
    en::AGENT_HOURS,
    en::CALLER_INTERRUPTS,
    en::AGENT_FRIDAY,
    en::CALLER_SLOT,
    en::AGENT_ONE_MOMENT,
    en::AGENT_SLOT,
    en::CALLER_THANKS,
    en::AGENT_GOODBYE,
    en::AGENT_STILL_THERE,
    en::AGENT_APOLOGY,
    en::CALLER_UH_HUH,
    en::CALLER_PERSON,
    en::AGENT_HANDS_OVER,
    en::AGENT_NOBODY,
    en::PERSON_YES,
    en::PERSON_HELLO,
    en::CALLER_CHANGE,
    en::PERSON_DONE,
    en::AGENT_BACK,
    en::PERSON_PICKS_UP,
    ja::AGENT_GREETING,
    ja::CALLER_HOURS,
    ja::AGENT_HOURS,
    ja::CALLER_INTERRUPTS,
    ja::AGENT_FRIDAY,
    ja::CALLER_SLOT,
    ja::AGENT_ONE_MOMENT,
    ja::AGENT_SLOT,
    ja::CALLER_THANKS,
    ja::AGENT_GOODBYE,
    ja::AGENT_STILL_THERE,
    ja::AGENT_APOLOGY,
    ja::CALLER_UH_HUH,
    ja::CALLER_PERSON,
    ja::AGENT_HANDS_OVER,
    ja::AGENT_NOBODY,
    ja::PERSON_YES,
    ja::PERSON_HELLO,
    ja::CALLER_CHANGE,
    ja::PERSON_DONE,
    ja::AGENT_BACK,
    ja::PERSON_PICKS_UP,
    COUGH,
    LINE_NOISE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_says_what_the_script_lists() {
        let listed: Vec<(&str, &str)> = include_str!("../../fixtures/lines.tsv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let mut columns = line.split('\t');
                (columns.next().unwrap(), columns.nth(2).unwrap())
            })
            .collect();
        let catalogue: Vec<(&str, &str)> = ALL
            .iter()
            .filter(|speech| speech.speaker != Speaker::Noise)
            .map(|speech| (speech.name, speech.transcript))
            .collect();
        assert_eq!(catalogue, listed);
    }

    #[test]
    fn an_answer_is_long_enough_to_be_interrupted_and_all_fit_a_repository() {
        assert!(en::AGENT_HOURS.duration() > Duration::from_secs(6));
        assert!(ja::AGENT_HOURS.duration() > Duration::from_secs(6));
        assert!(ALL.iter().map(|speech| speech.mulaw.len()).sum::<usize>() < 1_000_000);
    }
}
