//! What the demonstration has shown, for people.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use call_session::call::{CallSession, PersonLeg, Recorded};
use call_simulator::{audio::wav::WavError, twilio::CallReport};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    check,
    scenarios::{Expected, Scenario},
    timeline,
};

/// What the demonstration has shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoReport {
    /// Each scenario.
    pub scenarios: Vec<ScenarioReport>,
}

/// What a scenario has shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScenarioReport {
    /// A short name, for files.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What the caller heard and did.
    pub caller: CallReport,
    /// The people who were called, in order.
    pub people: Vec<Party>,
    /// The call as it is kept.
    pub call: CallSession,
    /// Its events, in order.
    pub history: Vec<Recorded>,
    pub(super) zero: Zero,
    pub(super) request: Option<Request>,
    pub(super) expected: Expected,
    /// How many calls there were at Twilio.
    pub(super) calls: usize,
}

/// A person who was called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Party {
    /// Who.
    pub person: String,
    /// The leg as the call keeps it.
    pub leg: PersonLeg,
    /// What they heard and did; `None` if there was no such call at Twilio, or it did not end.
    pub report: Option<Arc<CallReport>>,
}

/// The same moment on two clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zero {
    pub(super) instant: Instant,
    pub(super) timestamp: Timestamp,
}

/// What an operator asked for, and what came back.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) at: Instant,
    pub(super) wanted: Value,
    pub(super) status: u16,
}

impl DemoReport {
    /// What did not go as it should, one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.scenarios.iter().flat_map(ScenarioReport::problems).collect()
    }

    /// Writes what each party said and heard, as WAV: the party left, what it heard right. The files, in order.
    ///
    /// # Errors
    ///
    /// When the folder or a file in it cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let mut files = Vec::new();
        for scenario in &self.scenarios {
            for (party, report) in scenario.parties() {
                let file = folder.join(format!("{}-{party}.wav", scenario.name));
                report.recording.save_wav(&file).map_err(|error| match error {
                    WavError::File(error) => io::Error::other(error),
                    error => io::Error::other(error),
                })?;
                files.push(file);
            }
        }
        Ok(files)
    }
}

impl ScenarioReport {
    pub(super) fn new(
        scenario: &Scenario,
        zero: Zero,
        caller: CallReport,
        people: Vec<Party>,
        request: Option<Request>,
        (call, history): (CallSession, Vec<Recorded>),
        calls: usize,
    ) -> Self {
        let Scenario { name, title, expected, .. } = scenario;
        Self { name, title, caller, people, call, history, zero, request, expected: *expected, calls }
    }

    /// What did not go as it should, one sentence each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let problems = check::problems(self);
        problems.into_iter().map(|problem| format!("{}: {problem}", self.name)).collect()
    }

    /// Everybody who was on the line, the caller first.
    pub fn parties(&self) -> impl Iterator<Item = (&str, &CallReport)> {
        let people = self.people.iter().filter_map(|party| Some((party.person.as_str(), party.report.as_deref()?)));
        std::iter::once(("caller", &self.caller)).chain(people)
    }
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scenarios.iter().try_for_each(|scenario| writeln!(f, "{scenario}"))
    }
}

/// Made-up words and numbers, so that nothing has to be hidden.
impl fmt::Display for ScenarioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        for line in timeline::of(self) {
            writeln!(f, "  {:>6.2} s  {:<9} {}", line.at.as_secs_f64(), line.who, line.what)?;
        }
        writeln!(f)?;
        for (party, report) in self.parties() {
            let Some(silence) = report.measures.longest_silence else { continue };
            let start = timeline::since(self, report.instant(silence.start)).as_secs_f64();
            let length = silence.duration().as_secs_f64();
            writeln!(f, "  {party:<9} in silence for {length:.1} s at most, from {start:.1} s on")?;
        }
        for (stream, room) in self.caller.streams.iter().zip(&self.caller.rooms) {
            if let Some(sound) = room.first_sound {
                let gap = sound.saturating_sub(stream.ended).as_millis();
                writeln!(f, "  the room was heard {gap} ms after the agent's line was left")?;
            }
        }
        Ok(())
    }
}
