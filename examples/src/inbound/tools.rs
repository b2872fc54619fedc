//! What the model may do for the caller of a dental clinic.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use realtime_bridge::tool::{Filler, Tool, ToolContext, ToolError, ToolOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Looks up free appointments. Its diary is made up; yours would ask a database.
#[derive(Debug, Clone)]
pub struct FreeSlots {
    diary: BTreeMap<Day, Vec<&'static str>>,
}

impl Default for FreeSlots {
    fn default() -> Self {
        Self {
            diary: BTreeMap::from([
                (Day::Monday, vec!["9:30", "11:00", "16:30"]),
                (Day::Tuesday, vec!["14:00"]),
                (Day::Wednesday, vec!["10:30", "17:00"]),
                (Day::Thursday, vec![]),
                (Day::Friday, vec!["10:00", "15:30"]),
                (Day::Saturday, vec!["9:00", "12:00"]),
            ]),
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What [`FreeSlots`] has to be told.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WhichSlots {
    /// The day the caller asks for.
    pub day: Day,
    /// The hour the caller asks for, as HH:MM on a clock of 24 hours. Leave it out to get all of the day.
    pub time: Option<String>,
}

/// What [`FreeSlots`] gives back.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// The day.
    pub day: Day,
    /// Whether the hour that was asked for is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<bool>,
    /// All that is free on that day.
    pub times: Vec<&'static str>,
}

#[async_trait]
impl Tool for FreeSlots {
    type Arguments = WhichSlots;
    type Output = Slots;

    fn name(&self) -> &'static str {
        "free_slots"
    }

    fn description(&self) -> &'static str {
        "Looks up which appointments are free on a day of this week. Say briefly that you are looking, then call it."
    }

    /// A diary that takes its time is bridged by a tone, so that the line does not seem dead.
    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_filler(Filler::HoldTone { after: Duration::from_millis(1_500) })
    }

    async fn call(&self, _context: &ToolContext, which: WhichSlots) -> Result<Slots, ToolError> {
        self.look_up(&which)
    }
}

impl FreeSlots {
    fn look_up(&self, WhichSlots { day, time }: &WhichSlots) -> Result<Slots, ToolError> {
        let times = self.diary.get(day).ok_or_else(|| ToolError::new("the practice is closed on that day"))?;
        // Models write 09:30 as well as 9:30.
        let asked = time.as_ref().map(|time| time.trim().trim_start_matches('0'));
        Ok(Slots { day: *day, free: asked.map(|time| times.contains(&time)), times: times.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(day: Day, time: Option<&str>, free: Option<bool>) {
        let slots = FreeSlots::default().look_up(&WhichSlots { day, time: time.map(str::to_owned) }).unwrap();
        assert_eq!((slots.day, slots.free), (day, free), "{time:?}");
    }

    #[test]
    fn an_hour_is_free_if_the_diary_has_it() {
        check(Day::Friday, Some("10:00"), Some(true));
        check(Day::Friday, Some("11:00"), Some(false));
        check(Day::Monday, Some(" 09:30"), Some(true));
        check(Day::Thursday, None, None);
    }

    #[test]
    fn a_closed_day_is_told_in_words_for_the_model() {
        let closed = FreeSlots::default().look_up(&WhichSlots { day: Day::Sunday, time: None });
        assert_eq!(closed.unwrap_err().to_string(), "the practice is closed on that day");
    }
}
