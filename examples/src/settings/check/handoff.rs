//! What is set of handing callers to people.

use std::time::Duration;

use call_session::handoff::Company;
use url::Url;

use super::{Check, given};
use crate::settings::{HandoffArguments, HandoffRules, handoff::Named};

/// Twilio rings no longer.
const MOST_RINGING: Duration = Duration::from_secs(600);

impl Check {
    pub(super) fn handoff(&mut self, arguments: &HandoffArguments) -> HandoffRules {
        let defaults = HandoffRules::default();
        let mode = self.parsed("HANDOFF_MODE", &arguments.handoff_mode, "warm or cold");
        let music = self.parsed("HANDOFF_COMPANY", &arguments.handoff_company, "agent or music");
        let after = self.parsed("HANDOFF_AFTER", &arguments.handoff_after, "return or goodbye");
        let url = self.music(arguments);
        if url.is_some() && !matches!(music, Some(Named(true))) {
            self.problem("HANDOFF_MUSIC is set, but HANDOFF_COMPANY is not music");
        }
        HandoffRules {
            mode: mode.map_or(defaults.mode, |Named(mode)| mode),
            company: if matches!(music, Some(Named(true))) { Company::Music { url } } else { defaults.company },
            after: after.map_or(defaults.after, |Named(after)| after),
            farewell: given(&arguments.handoff_farewell).map(str::to_owned),
            ring: self.seconds("HANDOFF_RING", &arguments.handoff_ring, defaults.ring, MOST_RINGING),
            from: self.parsed("HANDOFF_FROM", &arguments.handoff_from, "a number such as +81312345678"),
            notes: self.parsed("HANDOFF_NOTES", &arguments.handoff_notes, "true or false").unwrap_or(defaults.notes),
        }
    }

    fn music(&mut self, arguments: &HandoffArguments) -> Option<String> {
        let text = given(&arguments.handoff_music)?;
        let fits = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !fits {
            self.problem(format!("HANDOFF_MUSIC is {text:?}, but should be the URL of an MP3 or WAV file"));
        }
        fits.then(|| text.to_owned())
    }
}
