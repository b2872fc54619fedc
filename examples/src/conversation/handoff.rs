//! What caller, person and model hear when a caller is handed to a person, in each language.

use call_session::handoff::Briefing;
use twilio_twiml::{
    phone::E164,
    twiml::{self, Say},
};

use super::{Conversation, Language};

/// The texts of one language. `{company}` and the like stand for what is known of the call.
#[derive(Debug)]
struct Words {
    /// The agent's last words before the wait.
    farewell: &'static str,
    /// To a caller who waits without an agent.
    wait: &'static str,
    /// To a caller whose person has left.
    goodbye: &'static str,
    /// To a person: who is calling them.
    from: &'static str,
    /// To a person: who the caller is.
    caller: &'static str,
    /// To a person: why.
    reason: &'static str,
    /// To a person: what was said.
    summary: &'static str,
    /// To a person: the question.
    ask: &'static str,
    /// To a person who did not answer it.
    ask_again: &'static str,
    /// Phrases that answer it.
    hints: [&'static str; 4],
    /// To a person who has the caller next.
    connecting: &'static str,
    /// To a person who does not take the call.
    declined: &'static str,
    /// To a person who picks up too late.
    gone: &'static str,
    /// To the model, when nobody took the call.
    not_taken: &'static str,
    /// To the model, when nobody can be asked.
    nobody: &'static str,
    /// To the model, when the caller is back from a person.
    returned: &'static str,
    busy: &'static str,
    no_answer: &'static str,
    refused: &'static str,
    machine: &'static str,
    taken_back: &'static str,
    /// What is offered to a caller whom nobody can have.
    call_back: &'static str,
    /// The same.
    message: &'static str,
    /// To a person: a caller of whom no more than the number is known.
    unnamed: &'static str,
    other: &'static str,
    /// To a person, as the reason: there is no model for the caller.
    outage: &'static str,
}

const JAPANESE: Words = Words {
    farewell: "担当者におつなぎいたします。少々お待ちください。",
    wait: "少々お待ちください。",
    goodbye: "お電話ありがとうございました。失礼いたします。",
    from: "{company}の自動応答からお電話しております。お客様からのお電話をおつなぎしたく存じます。",
    caller: "お相手は、{text}です。",
    reason: "ご用件は、{text}です。",
    summary: "お客様のお話は、{text}。",
    ask: "お受けになる場合は1を、お受けになれない場合は2を押してください。はい、または、いいえ、とお話しになっても結構です。",
    ask_again: "お客様がお待ちです。お受けになる場合は1を、お受けになれない場合は2を押してください。",
    hints: ["はい", "いいえ", "お願いします", "できません"],
    connecting: "おつなぎいたします。",
    declined: "承知いたしました。失礼いたします。",
    gone: "このお電話は、もうお受けいただく必要がなくなりました。失礼いたします。",
    not_taken: "担当者に取り次ごうとしましたが、つながりませんでした。理由: {text}。短い一文でお客様にそのことを伝え、代わりに{offer}を\
                提案して、会話を続けてください。",
    nobody: "今は担当者におつなぎできません。短い一文でお客様にそのことを伝え、分かる場合は誰がいつ戻るかも伝え、代わりに{offer}を\
             提案してください。",
    returned: "お客様は担当者との話を終え、あなたとの通話に戻りました。挨拶はやり直さず、短い一文で、ほかにご用件があるか尋ねてください。",
    busy: "話し中",
    no_answer: "応答なし",
    refused: "今は出られないとのこと",
    machine: "留守番電話",
    taken_back: "取り次ぎが取り消された",
    call_back: "折り返しのお電話",
    message: "伝言を承ること",
    unnamed: "電話番号{text}の方",
    outage: "自動応答が使えないための取り次ぎ",
    other: "接続できなかった",
};

const ENGLISH: Words = Words {
    farewell: "I am putting you through to a colleague. One moment, please.",
    wait: "One moment, please.",
    goodbye: "Thank you for calling. Goodbye.",
    from: "This is the automatic assistant of {company}, with a caller for you.",
    caller: "The caller is {text}.",
    reason: "It is about {text}.",
    summary: "They said: {text}.",
    ask: "To take the call, press 1 or say yes. If you cannot take it, press 2 or say no.",
    ask_again: "The caller is waiting. To take the call, press 1. If you cannot take it, press 2.",
    hints: ["yes", "no", "okay", "not now"],
    connecting: "I am connecting you.",
    declined: "All right. Goodbye.",
    gone: "The call is not waiting any more. Goodbye.",
    not_taken: "You tried to put the caller through to a colleague, and nobody took the call. The reason: {text}. Tell the caller so in one \
                short sentence, offer {offer} instead, and go on with the conversation.",
    nobody: "The caller cannot be put through now. Tell the caller so in one short sentence, with who is back when if that is \
             known, and offer {offer} instead.",
    returned: "The caller has finished talking with a colleague and is back with you. Do not greet again: ask in one short sentence \
               whether there is anything else.",
    busy: "the line is busy",
    no_answer: "nobody answers",
    refused: "they cannot take the call now",
    machine: "a machine answers",
    taken_back: "it was called off",
    call_back: "that somebody calls back",
    message: "to take a message",
    unnamed: "somebody at {text}",
    outage: "a call that the assistant cannot take right now",
    other: "no connection was made",
};

/// Why nobody has the caller, as far as the agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhyNot {
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// Whoever answered did not take the call.
    Declined,
    /// A machine answered.
    Machine,
    /// Somebody called it off.
    TakenBack,
    /// Something else.
    Other,
}

/// What the agent offers a caller whom no person can have now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Offer {
    /// That somebody calls back.
    #[default]
    CallBack,
    /// To take a message.
    Message,
    /// Something else, in words that end "offer …".
    Other(String),
}

impl From<&str> for Offer {
    fn from(text: &str) -> Self {
        match text {
            "call-back" => Self::CallBack,
            "message" => Self::Message,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl WhyNot {
    /// From the short fixed name that a handoff keeps.
    #[must_use]
    pub fn of(cause: &str) -> Self {
        match cause {
            "busy" | "busy-elsewhere" => Self::Busy,
            "no-answer" | "no-decision" | "hung-up" => Self::NoAnswer,
            "declined" => Self::Declined,
            "machine" => Self::Machine,
            "taken-back" => Self::TakenBack,
            _ => Self::Other,
        }
    }
}

impl Language {
    const fn handoff(self) -> &'static Words {
        match self {
            Self::Japanese => &JAPANESE,
            Self::English => &ENGLISH,
        }
    }
}

impl Conversation {
    /// The agent's last words before the wait, where no others are set.
    #[must_use]
    pub const fn handoff_farewell(&self) -> &'static str {
        self.language.handoff().farewell
    }

    /// What a caller hears who waits without an agent.
    #[must_use]
    pub fn handoff_wait(&self) -> Say {
        self.line(self.language.handoff().wait)
    }

    /// What a caller hears whose person has left.
    #[must_use]
    pub fn handoff_goodbye(&self) -> Say {
        self.line(self.language.handoff().goodbye)
    }

    /// What a person hears before the question.
    #[must_use]
    pub fn briefing(&self, briefing: &Briefing) -> Say {
        let words = self.language.handoff();
        let mut text = words.from.replace("{company}", &self.company);
        for (template, told) in
            [(words.caller, &briefing.caller), (words.reason, &briefing.reason), (words.summary, &briefing.summary)]
        {
            let told = told.trim().trim_end_matches(['.', '?', '!', '。', '？', '！']);
            if !told.is_empty() {
                text.push(' ');
                text.push_str(&template.replace("{text}", told));
            }
        }
        self.line(text)
    }

    /// The question to a person; `again` when they did not answer it.
    #[must_use]
    pub fn briefing_question(&self, again: bool) -> Say {
        let words = self.language.handoff();
        self.line(if again { words.ask_again } else { words.ask })
    }

    /// Phrases that answer the question.
    pub fn briefing_hints(&self) -> impl Iterator<Item = &'static str> {
        self.language.handoff().hints.into_iter()
    }

    /// What a person hears who has the caller next.
    #[must_use]
    pub fn connecting(&self) -> Say {
        self.line(self.language.handoff().connecting)
    }

    /// What a person hears who does not take the call.
    #[must_use]
    pub fn handoff_declined(&self) -> Say {
        self.line(self.language.handoff().declined)
    }

    /// What a person hears who is not needed any more.
    #[must_use]
    pub fn handoff_gone(&self) -> Say {
        self.line(self.language.handoff().gone)
    }

    /// What the model is told when nobody took the call.
    #[must_use]
    pub fn not_taken(&self, why: WhyNot) -> String {
        let words = self.language.handoff();
        let why = match why {
            WhyNot::Busy => words.busy,
            WhyNot::NoAnswer => words.no_answer,
            WhyNot::Declined => words.refused,
            WhyNot::Machine => words.machine,
            WhyNot::TakenBack => words.taken_back,
            WhyNot::Other => words.other,
        };
        words.not_taken.replace("{text}", why).replace("{offer}", self.offered())
    }

    /// Why a caller is put through for whom there is no model, as the person hears it.
    #[must_use]
    pub const fn outage_reason(&self) -> &'static str {
        self.language.handoff().outage
    }

    /// What the model is told when nobody can be asked to take the call.
    #[must_use]
    pub fn nobody_there(&self) -> String {
        self.language.handoff().nobody.replace("{offer}", self.offered())
    }

    fn offered(&self) -> &str {
        let words = self.language.handoff();
        match &self.offer {
            Offer::CallBack => words.call_back,
            Offer::Message => words.message,
            Offer::Other(words) => words,
        }
    }

    /// Who calls, as a person is told it, where the number is all that is known.
    #[must_use]
    pub fn unnamed(&self, number: &E164) -> String {
        let national = match self.language {
            Language::Japanese => number.as_str().strip_prefix("+81").map(|rest| format!("0{rest}")),
            Language::English => number.as_str().strip_prefix("+1").map(str::to_owned),
        };
        // Apart, they are read as digits and not as one number.
        let digits = national.unwrap_or_else(|| number.as_str().to_owned());
        let digits: Vec<_> = digits.chars().map(String::from).collect();
        self.language.handoff().unnamed.replace("{text}", &digits.join(" "))
    }

    /// What the model is told when the caller is back from a person.
    #[must_use]
    pub const fn returned(&self) -> &'static str {
        self.language.handoff().returned
    }

    /// The same conversation in another language, with Twilio's voice for it.
    #[must_use]
    pub fn spoken_in(&self, tag: &str) -> Self {
        let mut talk = self.clone();
        if let Ok(language) = tag.parse::<Language>()
            && language != self.language
        {
            talk.language = language;
            talk.say_voice = language.words().say_voice.into();
        }
        talk
    }

    /// The language as Twilio writes it.
    #[must_use]
    pub fn twiml_language(&self) -> twiml::Language {
        twiml::Language::from(self.language.tag())
    }

    fn line(&self, text: impl Into<String>) -> Say {
        Say::new(text.into()).language(self.twiml_language()).voice(self.say_voice.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_briefing_says_what_is_known_and_no_more() {
        let mut talk = Conversation::new(Language::English);
        talk.company = "Acme".into();
        let mut briefing = Briefing::default();
        let bare = talk.briefing(&briefing).plain_text();
        assert_eq!(bare, "This is the automatic assistant of Acme, with a caller for you.");
        briefing.reason = "a complaint.".into();
        let told = talk.briefing(&briefing).plain_text();
        assert_eq!(told, format!("{bare} It is about a complaint."));
    }

    #[test]
    fn what_is_offered_is_what_the_settings_say() {
        let mut talk = Conversation::new(Language::English);
        for (setting, offered) in [
            ("call-back", "offer that somebody calls back instead"),
            ("message", "offer to take a message instead"),
            ("our web site", "offer our web site instead"),
        ] {
            talk.offer = setting.into();
            assert!(talk.nobody_there().contains(offered), "{}", talk.nobody_there());
            assert!(talk.not_taken(WhyNot::Busy).contains(offered), "{}", talk.not_taken(WhyNot::Busy));
        }
    }

    #[test]
    fn a_number_is_said_digit_by_digit() {
        let number = "+819012345678".parse().unwrap();
        assert_eq!(Conversation::new(Language::Japanese).unnamed(&number), "電話番号0 9 0 1 2 3 4 5 6 7 8の方");
        assert_eq!(Conversation::new(Language::English).unnamed(&number), "somebody at + 8 1 9 0 1 2 3 4 5 6 7 8");
    }

    #[test]
    fn no_text_keeps_a_hole() {
        for language in [Language::Japanese, Language::English] {
            let talk = Conversation::new(language);
            let mut briefing = Briefing::default();
            (briefing.caller, briefing.reason, briefing.summary) = ("A".into(), "B".into(), "C".into());
            let told = talk.briefing(&briefing).plain_text();
            let number = talk.unnamed(&"+14155550100".parse().unwrap());
            let whole = format!("{told}{number}{}{}", talk.not_taken(WhyNot::Busy), talk.nobody_there());
            assert!(!whole.contains(['{', '}']), "{whole}");
        }
    }
}
