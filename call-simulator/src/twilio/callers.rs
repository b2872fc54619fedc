//! Callers who need no script: the same conversation in two languages, and people who make trouble.

use std::time::Duration;

use super::script::{CallerScript, Phase};
use crate::audio::fixtures::{Speech, en, ja};

impl CallerScript {
    /// The names that [`CallerScript::named`] knows.
    pub const NAMES: &'static [&'static str] = &["demo-en", "demo-ja", "silent", "talks-over-en", "hangs-up-early"];

    /// A caller by name:
    ///
    /// - `demo-en`, `demo-ja`: calls a dental clinic, interrupts the opening hours to ask for Friday, asks for a free
    ///   hour, says goodbye, and waits for the agent to end the call;
    /// - `silent`: says nothing for a minute, then hangs up;
    /// - `talks-over-en`: interrupts the agent each time it speaks, three times, then hangs up;
    /// - `hangs-up-early`: is gone a second after the media stream is up.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "demo-en" => demo(
                [en::CALLER_HOURS, en::CALLER_INTERRUPTS, en::CALLER_SLOT, en::CALLER_THANKS],
                [en::AGENT_GREETING, en::AGENT_FRIDAY, en::AGENT_SLOT],
            ),
            "demo-ja" => demo(
                [ja::CALLER_HOURS, ja::CALLER_INTERRUPTS, ja::CALLER_SLOT, ja::CALLER_THANKS],
                [ja::AGENT_GREETING, ja::AGENT_FRIDAY, ja::AGENT_SLOT],
            ),
            "silent" => Self::new().pause(Duration::from_secs(60)).hang_up(),
            "talks-over-en" => (0..3)
                .fold(Self::new(), |caller, _| {
                    caller.until_agent_spoke_for(Duration::from_millis(1_200)).say(en::CALLER_INTERRUPTS)
                })
                .hang_up(),
            "hangs-up-early" => Self::new().until_phase(Phase::Streaming).pause(Duration::from_secs(1)).hang_up(),
            _ => return None,
        })
    }
}

/// Silence after which an agent who follows no script counts as having answered, longer than any tool takes.
const NO_SCRIPT: Duration = Duration::from_secs(6);

fn demo([hours, interruption, slot, thanks]: [Speech; 4], [greeting, friday, found]: [Speech; 3]) -> CallerScript {
    CallerScript::new()
        .until_hears_or_silence_of(greeting, NO_SCRIPT)
        .say(hours)
        .until_agent_spoke_for(Duration::from_millis(2_500))
        .say(interruption)
        .until_hears_or_silence_of(friday, NO_SCRIPT)
        .say(slot)
        // The agent looks the hour up: "one moment" is not the answer.
        .until_hears_or_silence_of(found, NO_SCRIPT)
        .say(thanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_caller_exists() {
        for name in CallerScript::NAMES {
            assert!(CallerScript::named(name).is_some(), "{name}");
        }
        assert!(CallerScript::named("nobody").is_none());
    }
}
