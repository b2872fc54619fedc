//! What callers get while there is no model.

use std::{fmt, str::FromStr};

/// What a caller gets while there is no model to talk with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rung {
    /// A person who takes the call; the caller waits with music.
    Person,
    /// An apology, then the end.
    Apology,
}

/// What callers get while there is no model, the first choice first: what does not hold gives way to the next. Below all
/// others there is the apology, named or not: nobody hears silence.
///
/// ```
/// use examples::settings::{Ladder, Rung};
///
/// let ladder: Ladder = "person,apology".parse()?;
/// assert_eq!(ladder.rungs().collect::<Vec<_>>(), [Rung::Person, Rung::Apology]);
/// assert!("apology,person".parse::<Ladder>().is_err(), "nothing comes after the end of the call");
/// # Ok::<(), examples::settings::NoLadder>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladder {
    /// What is tried before the apology.
    above: Vec<Rung>,
}

/// A text that is no ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a list of person and apology, each once at most, the apology last")]
pub struct NoLadder;

impl Ladder {
    /// A person first.
    #[must_use]
    pub fn person() -> Self {
        Self { above: vec![Rung::Person] }
    }

    /// The rungs, the highest first. The last is the apology.
    pub fn rungs(&self) -> impl Iterator<Item = Rung> {
        self.above.iter().copied().chain([Rung::Apology])
    }
}

impl FromStr for Ladder {
    type Err = NoLadder;

    fn from_str(text: &str) -> Result<Self, NoLadder> {
        let mut above = Vec::new();
        let mut words = text.split(',').map(str::trim);
        for word in words.by_ref() {
            let rung = match word {
                "person" => Rung::Person,
                "apology" => break,
                _ => return Err(NoLadder),
            };
            if above.contains(&rung) {
                return Err(NoLadder);
            }
            above.push(rung);
        }
        if words.next().is_some() { Err(NoLadder) } else { Ok(Self { above }) }
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rung in &self.above {
            match rung {
                Rung::Person => f.write_str("person,")?,
                Rung::Apology => {}
            }
        }
        f.write_str("apology")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apology_is_below_everything() {
        for (text, shown) in
            [("person", "person,apology"), ("person, apology", "person,apology"), ("apology", "apology")]
        {
            assert_eq!(text.parse::<Ladder>().unwrap().to_string(), shown);
        }
        for wrong in ["", "silence", "apology,person", "person,person", "apology,apology"] {
            assert_eq!(wrong.parse::<Ladder>(), Err(NoLadder), "{wrong}");
        }
    }
}
