//! Reading a manifest's licence expression: does it leave a choice that we allow?

use std::collections::BTreeSet;

/// Whether `expression` can be satisfied with the licences of `allowed` alone. An expression that can't be read can't.
/// `AND` binds closer than `OR`, `WITH` closer than both; `/` is the old spelling of `OR`.
pub(crate) fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader { words: spaced.split_whitespace().collect(), at: 0, allowed };
    reader.any() == Some(true) && reader.at == reader.words.len()
}

/// Each method reads one rule of the grammar and says whether it is satisfied, or nothing if it isn't there.
struct Reader<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.every()?;
        while self.take("OR") {
            satisfied |= self.every()?;
        }
        Some(satisfied)
    }

    fn every(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.any()?;
            return self.take(")").then_some(satisfied);
        }
        let licence = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Some(self.allowed.contains(&format!("{licence} WITH {exception}")));
        }
        Some(self.allowed.contains(&licence))
    }

    fn name(&mut self) -> Option<String> {
        let word = *self.words.get(self.at)?;
        if ["AND", "OR", "WITH", "(", ")"].contains(&word) {
            return None;
        }
        self.at += 1;
        Some(word.to_owned())
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
        let allowed = allowed.into_iter().map(str::to_owned).collect();
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn one_choice_is_enough() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("GPL-3.0-only OR MIT", true);
        check("MIT/Apache-2.0", true);
    }

    #[test]
    fn every_part_is_needed() {
        check("MIT AND Unicode-3.0", true);
        check("MIT AND NCSA", false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("(MIT OR Apache-2.0) AND NCSA", false);
    }

    #[test]
    fn and_binds_closer_than_or() {
        check("MIT OR MIT AND NCSA", true);
        check("NCSA AND MIT OR MIT", true);
        check("NCSA AND (MIT OR MIT)", false);
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH LLVM-exception", false);
    }

    #[test]
    fn what_cannot_be_read_is_not_allowed() {
        for expression in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "OR", "MIT WITH", "AND MIT"] {
            check(expression, false);
        }
    }
}
