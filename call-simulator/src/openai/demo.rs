//! The reception of a dental clinic: the model's part in the recorded conversation.

use std::time::Duration;

use serde_json::json;

use super::script::{Act, Answer, OnUpdate, Script};
use crate::audio::fixtures::{Speech, en, ja};

/// The tool that [`Script::named`] calls with `{"day":"friday","time":"10:00"}` to look an hour up.
pub const FREE_SLOTS: &str = "free_slots";

/// The tool, without arguments, that the model calls after its goodbye.
pub const END_CALL: &str = "end_call";

impl Script {
    /// The names that [`Script::named`] knows.
    pub const NAMES: &'static [&'static str] =
        &["demo-en", "demo-ja", "slow-en", "fails-en", "stalls-en", "drops-en", "never-updates"];

    /// A script by name:
    ///
    /// - `demo-en`, `demo-ja`: greets, lists the opening hours at length, answers the caller who cuts in, calls
    ///   [`FREE_SLOTS`] between "one moment" and the answer, says goodbye and calls [`END_CALL`];
    /// - `slow-en`: the same, each answer three seconds late;
    /// - `fails-en`: greets, then every answer fails with `rate_limit_exceeded`;
    /// - `stalls-en`: greets, then stops for ever in the middle of its answer;
    /// - `drops-en`: the connection is lost in the middle of the answer;
    /// - `never-updates`: never answers `session.update`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let middle = Duration::from_secs(2);
        Some(match name {
            "demo-en" => demo(ENGLISH, Duration::ZERO),
            "demo-ja" => demo(JAPANESE, Duration::ZERO),
            "slow-en" => demo(ENGLISH, Duration::from_secs(3)),
            "fails-en" => {
                let error =
                    super::ApiError::invalid("rate_limit_exceeded", "Rate limit reached. Please try again in 2s.");
                Self::new().greeting(Answer::say(en::AGENT_GREETING)).otherwise(Answer::silent().failed(error))
            }
            "stalls-en" => {
                let stalls = Answer::say(en::AGENT_HOURS).stalls_after(middle);
                Self::new().greeting(Answer::say(en::AGENT_GREETING)).turn(en::CALLER_HOURS, stalls)
            }
            "drops-en" => {
                let drops = Answer::say(en::AGENT_HOURS).broken_after(middle, Act::Drop);
                Self::new().greeting(Answer::say(en::AGENT_GREETING)).turn(en::CALLER_HOURS, drops)
            }
            "never-updates" => Self::new().on_update(OnUpdate::Ignore),
            _ => return None,
        })
    }
}

struct Lines {
    greeting: Speech,
    hours: (Speech, Speech),
    interruption: (Speech, Speech),
    slot: (Speech, Speech, Speech),
    goodbye: (Speech, Speech),
    still_there: Speech,
    apology: Speech,
}

const ENGLISH: Lines = Lines {
    greeting: en::AGENT_GREETING,
    hours: (en::CALLER_HOURS, en::AGENT_HOURS),
    interruption: (en::CALLER_INTERRUPTS, en::AGENT_FRIDAY),
    slot: (en::CALLER_SLOT, en::AGENT_ONE_MOMENT, en::AGENT_SLOT),
    goodbye: (en::CALLER_THANKS, en::AGENT_GOODBYE),
    still_there: en::AGENT_STILL_THERE,
    apology: en::AGENT_APOLOGY,
};

const JAPANESE: Lines = Lines {
    greeting: ja::AGENT_GREETING,
    hours: (ja::CALLER_HOURS, ja::AGENT_HOURS),
    interruption: (ja::CALLER_INTERRUPTS, ja::AGENT_FRIDAY),
    slot: (ja::CALLER_SLOT, ja::AGENT_ONE_MOMENT, ja::AGENT_SLOT),
    goodbye: (ja::CALLER_THANKS, ja::AGENT_GOODBYE),
    still_there: ja::AGENT_STILL_THERE,
    apology: ja::AGENT_APOLOGY,
};

fn demo(lines: Lines, late: Duration) -> Script {
    let Lines { greeting, hours, interruption, slot, goodbye, still_there, apology } = lines;
    let look_up = Answer::say(slot.1)
        .and_call(FREE_SLOTS, &json!({"day": "friday", "time": "10:00"}))
        .then(Answer::say(slot.2).delayed(late));
    Script::new()
        .greeting(Answer::say(greeting).delayed(late))
        .turn(hours.0, Answer::say(hours.1).delayed(late))
        .turn(interruption.0, Answer::say(interruption.1).delayed(late))
        .turn(slot.0, look_up.delayed(late))
        .turn(goodbye.0, Answer::say(goodbye.1).and_call(END_CALL, &json!({})).delayed(late))
        .idle(Answer::say(still_there))
        .otherwise(Answer::say(apology))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_script_exists() {
        for name in Script::NAMES {
            assert!(Script::named(name).is_some(), "{name}");
        }
        assert!(Script::named("nobody").is_none());
    }
}
