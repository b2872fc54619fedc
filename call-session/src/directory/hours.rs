//! Whether somebody works now, and when they work next.

use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

use super::{Day, Shift, WorkingHours};

/// How many days ahead a shift is looked for: it comes back every week, and today's may be over.
const AHEAD: i64 = 8;

impl WorkingHours {
    /// Whether this is in one of the shifts. Always, where there are none.
    ///
    /// ```
    /// use call_session::directory::WorkingHours;
    ///
    /// let hours: WorkingHours = serde_json::from_str(
    ///     r#"{"timeZone": "Asia/Tokyo", "shifts": [{"day": "monday", "from": "09:00:00", "until": "18:00:00"}]}"#,
    /// )?;
    /// let sunday = "2026-11-22T12:00:00+09:00".parse()?;
    /// assert!(!hours.covers(sunday));
    /// assert_eq!(hours.next(sunday), Some("2026-11-23T09:00:00+09:00".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn covers(&self, now: Timestamp) -> bool {
        let local = self.local(now);
        // A shift through midnight may have begun yesterday.
        self.shifts.is_empty()
            || (-1..=0).any(|day| self.on(&local, day).any(|(from, until)| (from..until).contains(&now)))
    }

    /// When the next shift begins after this; `None` where there are none.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let local = self.local(now);
        let begins = (0..=AHEAD).flat_map(|day| self.on(&local, day)).map(|(from, _)| from);
        begins.filter(|from| *from > now).min()
    }

    /// Whether the name of the zone is known; none counts as UTC. Records that people write should be asked this, since
    /// shifts in a zone that nobody knows are [taken](Self::zone) to be in UTC.
    #[must_use]
    pub fn zone_is_known(&self) -> bool {
        self.time_zone.is_empty() || TimeZone::get(&self.time_zone).is_ok()
    }

    /// The zone of the shifts. A name that no table has counts as UTC, like none: see
    /// [`zone_is_known`](Self::zone_is_known).
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        if self.time_zone.is_empty() {
            return TimeZone::UTC;
        }
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    fn local(&self, now: Timestamp) -> Zoned {
        now.to_zoned(self.zone())
    }

    /// The shifts of a day, counted from this one: from when until when.
    fn on(&self, local: &Zoned, day: i64) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let date = local.date().checked_add(day.days()).unwrap_or(local.date());
        let zone = local.time_zone().clone();
        let today = self.shifts.iter().filter(move |shift| weekday(shift.day) == date.weekday());
        today.filter_map(move |shift| stretch(shift, date, &zone))
    }
}

fn stretch(shift: &Shift, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let last = if shift.until > shift.from { date } else { date.tomorrow().ok()? };
    // An hour that a change of clocks leaves out, or has twice, is the nearest one.
    let at = |civil: DateTime| zone.to_ambiguous_timestamp(civil).compatible().ok();
    Some((at(date.to_datetime(shift.from))?, at(last.to_datetime(shift.until))?))
}

const fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    fn hours(shifts: &[(Day, i8, i8)]) -> WorkingHours {
        let shift = |(day, from, until): &(Day, i8, i8)| Shift {
            day: *day,
            from: time(*from, 0, 0, 0),
            until: time(*until, 0, 0, 0),
        };
        WorkingHours { time_zone: "Asia/Tokyo".into(), shifts: shifts.iter().map(shift).collect() }
    }

    #[track_caller]
    fn check(hours: &WorkingHours, at: &str, covers: bool, next: Option<&str>) {
        let at = at.parse().unwrap();
        assert_eq!((hours.covers(at), hours.next(at)), (covers, next.map(|next| next.parse().unwrap())), "{at}");
    }

    #[test]
    fn a_shift_is_in_the_zone_of_whoever_works() {
        // The 23rd of November 2026 is a Monday.
        let hours = hours(&[(Day::Monday, 9, 18)]);
        check(&hours, "2026-11-23T08:59:59+09:00", false, Some("2026-11-23T09:00:00+09:00"));
        check(&hours, "2026-11-23T00:00:00Z", true, Some("2026-11-30T09:00:00+09:00"));
        check(&hours, "2026-11-23T18:00:00+09:00", false, Some("2026-11-30T09:00:00+09:00"));
    }

    #[test]
    fn a_shift_goes_through_midnight() {
        let hours = hours(&[(Day::Monday, 22, 6)]);
        check(&hours, "2026-11-24T05:00:00+09:00", true, Some("2026-11-30T22:00:00+09:00"));
        check(&hours, "2026-11-24T06:00:00+09:00", false, Some("2026-11-30T22:00:00+09:00"));
    }

    #[test]
    fn without_shifts_somebody_always_works() {
        check(&WorkingHours::default(), "2026-11-24T03:00:00Z", true, None);
    }
}
