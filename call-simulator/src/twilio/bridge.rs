//! A `<Dial>` that leads to people, whose URLs are resolved.

use std::time::Duration;

use twilio_twiml::{
    phone::Address,
    twiml::{Dial, Digits, Party, Target},
    words::CallEvent,
};
use url::Url;

use super::{
    debugger::Alert,
    detection::Settings,
    interpreter::{Fetch, action},
    register::Progress,
};

/// Who is dialled, all at once; the first to answer is put through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BridgePlan {
    pub(super) parties: Vec<Dialled>,
    /// The number that is shown; the leg's own if `None`.
    pub(super) caller_id: Option<Address>,
    pub(super) timeout: Duration,
    pub(super) time_limit: Option<Duration>,
    pub(super) ends_on_star: bool,
    /// Where the leg goes on; with the next verb if `None`.
    pub(super) action: Option<Fetch>,
}

/// Somebody who is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialled {
    pub(super) to: Address,
    /// What they hear before they are put through.
    pub(super) whisper: Option<Fetch>,
    pub(super) progress: Option<Progress>,
    pub(super) send_digits: Option<Digits>,
    pub(super) detection: Option<(Settings, Option<Fetch>)>,
}

impl BridgePlan {
    /// The plan of a `<Dial>`; `None` if it leads to somebody whom the simulator cannot dial.
    pub(super) fn new(base: &Url, dial: Dial) -> Result<Option<Self>, Alert> {
        let parties = match dial.target {
            Target::Text(to) => vec![Dialled::plain(to)],
            Target::Parties(parties) => {
                let dialled: Option<Vec<_>> = parties.into_iter().map(|party| Dialled::of(base, party)).collect();
                match dialled {
                    Some(dialled) => dialled.into_iter().collect::<Result<_, _>>()?,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            parties,
            caller_id: dial.caller_id,
            timeout: dial.timeout.map_or(Duration::from_secs(30), Duration::from),
            time_limit: dial.time_limit.map(Duration::from),
            ends_on_star: dial.hangup_on_star.unwrap_or(false),
            action: action(base, "dial action", dial.action.as_ref(), dial.method)?,
        }))
    }
}

impl Dialled {
    const fn plain(to: Address) -> Self {
        Self { to, whisper: None, progress: None, send_digits: None, detection: None }
    }

    /// Somebody in a `<Dial>`; `None` for a SIP address, an application and what else there is.
    fn of(base: &Url, party: Party) -> Option<Result<Self, Alert>> {
        let told = |fetch: Option<Fetch>, events: Option<Vec<CallEvent>>| {
            let events = events.unwrap_or_else(|| vec![CallEvent::Completed]);
            fetch.map(|fetch| Progress { fetch, events, is_numbered: true })
        };
        Some(match party {
            Party::Number(number) => (|| {
                let callback =
                    action(base, "call status", number.status_callback.as_ref(), number.status_callback_method)?;
                let found = action(
                    base,
                    "machine detection",
                    number.amd_status_callback.as_ref(),
                    number.amd_status_callback_method,
                )?;
                let detection = number.machine_detection.map(|mode| {
                    let mut settings = Settings::new(mode);
                    if let Some(timeout) = number.machine_detection_timeout {
                        settings.timeout = timeout.into();
                    }
                    (settings, found)
                });
                Ok(Self {
                    to: number.number,
                    whisper: action(base, "whisper", number.url.as_ref(), number.method)?,
                    progress: told(callback, number.status_callback_event),
                    send_digits: number.send_digits,
                    detection,
                })
            })(),
            Party::Client(client) => (|| {
                let callback =
                    action(base, "call status", client.status_callback.as_ref(), client.status_callback_method)?;
                Ok(Self {
                    whisper: action(base, "whisper", client.url.as_ref(), client.method)?,
                    progress: told(callback, client.status_callback_event),
                    ..Self::plain(Address::Client(client.callee.who.as_str().into()))
                })
            })(),
            _ => return None,
        })
    }
}
