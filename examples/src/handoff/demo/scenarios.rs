//! What is played: who does what, and what should come of it.

use std::time::Duration;

use call_simulator::{
    audio::fixtures::{Speech, en, ja},
    openai::{Answer, END_CALL, Script},
    twilio::{CallerScript, Cue, PhoneScript},
};
use serde_json::{Value, json};

use crate::conversation::Language;

/// The first person who is asked, one of the sample company.
pub(super) const FIRST: &str = "sato";
/// The second one.
pub(super) const SECOND: &str = "suzuki";

/// How long everybody waits for everybody else: this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A handover to be played.
pub(super) struct Scenario {
    /// For files.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) language: Language,
    pub(super) caller: CallerScript,
    /// The model's part on the caller's first stream.
    pub(super) model: Script,
    /// The model's part when the caller comes back from a person.
    pub(super) returned: Script,
    pub(super) people: Vec<(&'static str, PhoneScript)>,
    pub(super) begins: Begins,
    pub(super) expected: Expected,
}

/// Who wants the caller handed over.
pub(super) enum Begins {
    /// An operator, when the cue is given, with this request.
    Operator(Cue, Value),
    /// The model, by its tool.
    Model,
}

/// What should come of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Who is called, in order, and what they do about it.
    pub(super) legs: &'static [(&'static str, Fate)],
    /// Whether the agent has the caller again, and what it says then.
    pub(super) resumes: Option<Speech>,
    /// Whether the agent ends the call, not the caller.
    pub(super) agent_ends: bool,
}

/// What became of asking a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They talk with the caller.
    Talks,
    /// Something else, by the short name that the call keeps.
    Not(&'static str),
}

/// The words of one language.
struct Words {
    language: Language,
    greeting: Speech,
    wants_person: Speech,
    one_moment: Speech,
    hands_over: Speech,
    nobody: Speech,
    back: Speech,
    slot: Speech,
    has_slot: Speech,
    thanks: Speech,
    goodbye: Speech,
    picks_up: Speech,
    yes: Speech,
    hello: Speech,
    change: Speech,
    done: Speech,
    mailbox: Speech,
    /// By what the model knows what it is told: the farewell, that nobody came, that the caller is back.
    told: [&'static str; 3],
}

const JAPANESE: Words = Words {
    language: Language::Japanese,
    greeting: ja::AGENT_GREETING,
    wants_person: ja::CALLER_PERSON,
    one_moment: ja::AGENT_ONE_MOMENT,
    hands_over: ja::AGENT_HANDS_OVER,
    nobody: ja::AGENT_NOBODY,
    back: ja::AGENT_BACK,
    slot: ja::CALLER_SLOT,
    has_slot: ja::AGENT_SLOT,
    thanks: ja::CALLER_THANKS,
    goodbye: ja::AGENT_GOODBYE,
    picks_up: ja::PERSON_PICKS_UP,
    yes: ja::PERSON_YES,
    hello: ja::PERSON_HELLO,
    change: ja::CALLER_CHANGE,
    done: ja::PERSON_DONE,
    mailbox: ja::AGENT_APOLOGY,
    told: ["おつなぎいたします", "つながりませんでした", "担当者との話を終え"],
};

const ENGLISH: Words = Words {
    language: Language::English,
    greeting: en::AGENT_GREETING,
    wants_person: en::CALLER_PERSON,
    one_moment: en::AGENT_ONE_MOMENT,
    hands_over: en::AGENT_HANDS_OVER,
    nobody: en::AGENT_NOBODY,
    back: en::AGENT_BACK,
    slot: en::CALLER_SLOT,
    has_slot: en::AGENT_SLOT,
    thanks: en::CALLER_THANKS,
    goodbye: en::AGENT_GOODBYE,
    picks_up: en::PERSON_PICKS_UP,
    yes: en::PERSON_YES,
    hello: en::PERSON_HELLO,
    change: en::CALLER_CHANGE,
    done: en::PERSON_DONE,
    mailbox: en::AGENT_APOLOGY,
    told: ["putting you through", "nobody took the call", "finished talking with a colleague"],
};

/// Everything that is played.
pub(super) fn all() -> Vec<Scenario> {
    vec![cold(), accepted(), declined(), voicemail(), nobody(), caller_leaves()]
}

fn cold() -> Scenario {
    let (words, asked) = (&JAPANESE, Cue::new());
    Scenario {
        name: "cold",
        title: "Cold: whoever picks up has the caller",
        caller: words.talks_with_a_person(words.asks(&asked)).say(words.thanks).hang_up(),
        people: vec![(FIRST, PhoneScript::answers(words.talks(words.picks_up()).until_alone().hang_up()))],
        begins: operator(&asked, "cold"),
        expected: Expected { legs: &[(FIRST, Fate::Talks)], resumes: None, agent_ends: false },
        ..words.scenario(words.asked_for_a_person())
    }
}

fn accepted() -> Scenario {
    let words = &ENGLISH;
    let hands_over = Answer::call("hand_over", &json!({ "to": FIRST, "reason": "to change an appointment" }));
    // Between briefing and question is a pause.
    let listens = words.picks_up().until_agent_is_silent_for(Duration::from_millis(2_500));
    let person = words.talks(listens.say(words.yes)).hang_up();
    Scenario {
        name: "warm-accepted",
        title: "Warm, begun by the model: the person listens to the briefing, says yes, and gives the caller back",
        caller: words
            .talks_with_a_person(words.asks(&Cue::new()))
            .until_alone()
            .until_hears(words.back)
            .say(words.thanks),
        people: vec![(FIRST, PhoneScript::answers(person))],
        begins: Begins::Model,
        expected: Expected { legs: &[(FIRST, Fate::Talks)], resumes: Some(words.back), agent_ends: true },
        ..words.scenario(hands_over.then(Answer::silent()))
    }
}

fn declined() -> Scenario {
    let (words, asked) = (&JAPANESE, Cue::new());
    let declines = words.picks_up().until_agent_spoke_for(Duration::from_secs(3)).press("2").until_agent_finishes();
    Scenario {
        name: "warm-declined",
        title: "Warm: the first person declines, the second one takes the call",
        caller: words.talks_with_a_person(words.asks(&asked)).say(words.thanks).hang_up(),
        people: vec![
            (FIRST, PhoneScript::answers(declines)),
            (SECOND, PhoneScript::answers(words.talks(words.takes_by_key()).until_alone().hang_up())),
        ],
        begins: operator(&asked, "warm"),
        expected: Expected {
            legs: &[(FIRST, Fate::Not("declined")), (SECOND, Fate::Talks)],
            resumes: None,
            agent_ends: false,
        },
        ..words.scenario(words.asked_for_a_person())
    }
}

fn voicemail() -> Scenario {
    let (words, asked) = (&JAPANESE, Cue::new());
    Scenario {
        name: "voicemail",
        title: "Warm: a mailbox answers, and the next person takes the call",
        caller: words.talks_with_a_person(words.asks(&asked)).say(words.thanks).hang_up(),
        people: vec![
            (FIRST, PhoneScript::machine(words.mailbox)),
            (SECOND, PhoneScript::answers(words.talks(words.takes_by_key()).until_alone().hang_up())),
        ],
        begins: operator(&asked, "warm"),
        expected: Expected {
            legs: &[(FIRST, Fate::Not("machine")), (SECOND, Fate::Talks)],
            resumes: None,
            agent_ends: false,
        },
        ..words.scenario(words.asked_for_a_person())
    }
}

fn nobody() -> Scenario {
    let (words, asked) = (&JAPANESE, Cue::new());
    Scenario {
        name: "nobody-answers",
        title: "Warm: nobody answers, the other line is busy, and the agent goes on",
        caller: words
            .asks(&asked)
            .until_hears(words.nobody)
            .say(words.slot)
            .until_hears(words.has_slot)
            .say(words.thanks),
        people: vec![(FIRST, PhoneScript::no_answer()), (SECOND, PhoneScript::busy())],
        begins: operator(&asked, "warm"),
        expected: Expected {
            legs: &[(FIRST, Fate::Not("no-answer")), (SECOND, Fate::Not("busy"))],
            resumes: Some(words.nobody),
            agent_ends: true,
        },
        ..words.scenario(words.asked_for_a_person())
    }
}

fn caller_leaves() -> Scenario {
    let (words, asked, briefed) = (&JAPANESE, Cue::new(), Cue::new());
    let listens = words.picks_up().until_agent_spoke_for(Duration::from_secs(2)).cue(&briefed);
    Scenario {
        name: "caller-leaves",
        title: "Warm: the caller hangs up while the person is briefed",
        caller: words.asks(&asked).until_cue(&briefed).hang_up(),
        people: vec![(FIRST, PhoneScript::answers(listens))],
        begins: operator(&asked, "warm"),
        expected: Expected { legs: &[(FIRST, Fate::Not("caller-gone"))], resumes: None, agent_ends: false },
        ..words.scenario(words.asked_for_a_person())
    }
}

fn operator(asked: &Cue, mode: &str) -> Begins {
    Begins::Operator(asked.clone(), json!({ "agentId": FIRST, "mode": mode, "reason": "予約の変更" }))
}

impl Words {
    /// A scenario in this language, with what the model does about a caller who wants a person.
    fn scenario(&self, about_person: Answer) -> Scenario {
        let [farewell, not_taken, returned] = self.told;
        let goodbye = Answer::say(self.goodbye).and_call(END_CALL, &json!({}));
        Scenario {
            name: "",
            title: "",
            language: self.language,
            caller: CallerScript::new(),
            model: Script::new()
                .greeting(Answer::say(self.greeting))
                .when_asked(not_taken, Answer::say(self.nobody))
                .when_asked(farewell, Answer::say(self.hands_over))
                .turn(self.wants_person, about_person)
                .turn(self.slot, Answer::say(self.has_slot))
                .turn(self.thanks, goodbye.clone()),
            returned: Script::new().when_asked(returned, Answer::say(self.back)).turn(self.thanks, goodbye),
            people: Vec::new(),
            begins: Begins::Model,
            expected: Expected { legs: &[], resumes: None, agent_ends: false },
        }
    }

    /// What the model says where an operator does the rest.
    fn asked_for_a_person(&self) -> Answer {
        Answer::say(self.one_moment)
    }

    /// A caller who wants a person, and gives the cue when that is said.
    fn asks(&self, asked: &Cue) -> CallerScript {
        CallerScript::new().patience(PATIENCE).until_agent_finishes().say(self.wants_person).cue(asked)
    }

    /// A caller who meets a person, tells what it is about, and hears the answer.
    fn talks_with_a_person(&self, caller: CallerScript) -> CallerScript {
        caller.until_together().until_agent_finishes().say(self.change).until_agent_finishes()
    }

    /// A person who picks up, as people do: with a word.
    fn picks_up(&self) -> CallerScript {
        CallerScript::new().patience(PATIENCE).pause(Duration::from_millis(300)).say(self.picks_up)
    }

    /// A person who has heard enough of the briefing.
    fn takes_by_key(&self) -> CallerScript {
        self.picks_up().until_agent_spoke_for(Duration::from_secs(3)).press("1")
    }

    /// A person who talks with the caller to the end of what there is to say.
    fn talks(&self, person: CallerScript) -> CallerScript {
        person.until_together().say(self.hello).until_agent_finishes().say(self.done)
    }
}
