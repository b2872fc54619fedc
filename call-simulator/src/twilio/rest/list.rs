//! Pages of a list.

use serde_json::{Value, json};
use twilio_twiml::{
    jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone},
    webhook::Form,
};

use super::{error::Refusal, parameters::Parameters};

/// The parameters that every list takes.
pub(super) const PAGING: [&str; 3] = ["PageSize", "Page", "PageToken"];

/// How a list is asked for.
#[derive(Debug)]
pub(super) struct Paging {
    size: usize,
    page: usize,
    /// The item that the page follows.
    after: Option<String>,
}

impl Paging {
    pub(super) fn read(parameters: &Parameters<'_>) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match parameters.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Refusal::bad(20_001, format!("Invalid {name}: {text}"))),
        };
        let size = number("PageSize", 50)?;
        if !(1..=1_000).contains(&size) {
            return Err(Refusal::bad(20_007, "Page size must be between 1 and 1000"));
        }
        Ok(Self { size, page: number("Page", 0)?, after: parameters.text("PageToken").map(str::to_owned) })
    }

    /// The page of these items, each with its SID, under the name of the resource.
    pub(super) fn body(&self, path: &str, query: &Form, name: &str, items: &[(String, Value)]) -> Value {
        // A token says after which item the page begins: items that have come meanwhile shift nothing.
        let begin = match &self.after {
            Some(token) => {
                items.iter().position(|(sid, _)| token.strip_prefix("PA") == Some(sid)).map_or(0, |at| at + 1)
            }
            None => (self.page * self.size).min(items.len()),
        };
        let end = (begin + self.size).min(items.len());
        let shown = &items[begin..end];
        let next = shown.last().filter(|_| end < items.len()).map(|(sid, _)| {
            let kept = query.iter().filter(|(name, _)| !["Page", "PageToken"].contains(name));
            let next: Form =
                kept.chain([("Page", &*(self.page + 1).to_string()), ("PageToken", &*format!("PA{sid}"))]).collect();
            format!("{path}?{}", next.encode())
        });
        let uri = |query: &Form| if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.encode()) };
        let first: Form = query.iter().filter(|(name, _)| !["Page", "PageToken"].contains(name)).collect();
        let mut body = json!({
            "page": self.page,
            "page_size": self.size,
            "start": begin,
            "end": end.saturating_sub(1),
            "uri": uri(query),
            "first_page_uri": uri(&first),
            "next_page_uri": next,
            "previous_page_uri": null,
        });
        body[name] = shown.iter().map(|(_, item)| item.clone()).collect();
        body
    }
}

/// A filter by date: `Name`, `Name<` or `Name>`, a day or a moment.
pub(super) fn dates(
    parameters: &Parameters<'_>,
    name: &str,
) -> Result<impl Fn(Option<Timestamp>) -> bool + use<>, Refusal> {
    let read = |suffix: &str| {
        let name = format!("{name}{suffix}");
        parameters
            .text(&name)
            .map(|text| Moment::read(text).ok_or_else(|| Refusal::bad(20_001, format!("Invalid {name}: {text}"))))
            .transpose()
    };
    let (on, before, after) = (read("")?, read("<")?, read(">")?);
    Ok(move |at: Option<Timestamp>| {
        let Some(at) = at else { return on.is_none() && before.is_none() && after.is_none() };
        on.as_ref().is_none_or(|moment| moment.from <= at && at < moment.to)
            && before.as_ref().is_none_or(|moment| at <= moment.from)
            && after.as_ref().is_none_or(|moment| at >= moment.from)
    })
}

/// A day of UTC, or a second.
#[derive(Debug)]
struct Moment {
    from: Timestamp,
    to: Timestamp,
}

impl Moment {
    fn read(text: &str) -> Option<Self> {
        if let Ok(day) = text.parse::<Date>().ok().filter(|_| text.len() == 10).ok_or(()) {
            let from = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
            return Some(Self { from, to: from.checked_add(24.hours()).ok()? });
        }
        let from: Timestamp = text.parse().ok()?;
        Some(Self { from, to: from.checked_add(1.second()).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(numbers: std::ops::Range<u32>) -> Vec<(String, Value)> {
        numbers.rev().map(|number| (format!("X{number}"), json!(number))).collect()
    }

    fn ask(query: &Form, items: &[(String, Value)]) -> (Value, Option<Form>) {
        let parameters = Parameters::new(query, &PAGING).unwrap();
        let body = Paging::read(&parameters).unwrap().body("/things.json", query, "things", items);
        let next = body["next_page_uri"].as_str().map(|uri| Form::parse(uri.split_once('?').unwrap().1.as_bytes()));
        (body["things"].clone(), next)
    }

    #[test]
    fn items_that_come_meanwhile_shift_nothing() {
        let (page, next) = ask(&Form::new().with("PageSize", "3"), &items(0..7));
        assert_eq!(page, json!([6, 5, 4]));
        let (page, next) = ask(&next.unwrap(), &items(0..9));
        assert_eq!(page, json!([3, 2, 1]));
        let (page, next) = ask(&next.unwrap(), &items(0..9));
        assert_eq!((page, next), (json!([0]), None));
    }

    #[test]
    fn pages_have_a_limit() {
        for (size, code) in [("0", 20_007), ("1001", 20_007), ("x", 20_001)] {
            let query = Form::new().with("PageSize", size);
            let parameters = Parameters::new(&query, &PAGING).unwrap();
            assert_eq!(Paging::read(&parameters).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_date_is_a_day_or_a_moment() {
        let query = Form::new().with("StartTime>", "2026-01-02T03:04:05Z");
        let parameters = Parameters::new(&query, &["StartTime>"]).unwrap();
        let fits = dates(&parameters, "StartTime").unwrap();
        assert!(fits("2026-01-02T03:04:05Z".parse().ok()));
        assert!(!fits("2026-01-02T03:04:04Z".parse().ok()));
        assert!(!fits(None));
        let query = Form::new().with("StartTime", "2026-01-02");
        let parameters = Parameters::new(&query, &["StartTime"]).unwrap();
        let fits = dates(&parameters, "StartTime").unwrap();
        assert!(fits("2026-01-02T23:59:59Z".parse().ok()));
        assert!(!fits("2026-01-03T00:00:00Z".parse().ok()));
    }
}
