//! Which sets of features are checked, so that each compiles alone and none needs another by accident.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{cargo, run},
    failure::Failure,
    metadata::Metadata,
};

/// Up to this many features every subset is checked; above it none, each alone, the default and all.
const EVERY_SUBSET_UP_TO: usize = 3;

type Features = BTreeMap<String, Vec<String>>;
type Set<'a> = BTreeSet<&'a str>;

/// Checks every package alone, since in a build of the whole workspace one package enables what another forgot to ask
/// for. Clippy and not `check`: it can refuse warnings without a different build of every dependency.
pub(crate) fn check() -> Result<(), Failure> {
    let metadata = Metadata::of_workspace()?;
    let mut failed = Vec::new();
    for package in metadata.members() {
        for set in combinations(&package.features) {
            let list = set.into_iter().collect::<Vec<_>>().join(",");
            let mut args = vec!["clippy", "--quiet", "--locked", "-p", &package.name, "--no-default-features"];
            if !list.is_empty() {
                args.extend(["--features", &list]);
            }
            args.extend(["--", "-D", "warnings"]);
            if run(&mut cargo(args)).is_err() {
                failed.push(format!("{} with [{list}]", package.name));
            }
        }
    }
    Failure::unless_empty("every package compiles alone, with each set of its features:", failed)
}

/// The sets worth a build, smallest first. Sets that enable the same features count once.
fn combinations(features: &Features) -> Vec<Set<'_>> {
    let names: Vec<&str> = features.keys().map(String::as_str).filter(|name| *name != "default").collect();
    let mut asked: Vec<Set<'_>> = if names.len() <= EVERY_SUBSET_UP_TO {
        subsets(&names)
    } else {
        let none = [Set::new()];
        let singles = names.iter().map(|name| Set::from([*name]));
        none.into_iter().chain(singles).chain([names.iter().copied().collect()]).collect()
    };
    asked.extend(features.get("default").map(|list| list.iter().map(String::as_str).collect()));

    let mut seen = BTreeSet::new();
    let mut sets: Vec<_> = asked.into_iter().filter(|set| seen.insert(enabled(features, set))).collect();
    sets.sort_by_key(Set::len);
    sets
}

fn subsets<'a>(names: &[&'a str]) -> Vec<Set<'a>> {
    names.iter().fold(vec![Set::new()], |mut sets, name| {
        let with: Vec<_> = sets.iter().map(|set| set.iter().copied().chain([*name]).collect()).collect();
        sets.extend(with);
        sets
    })
}

/// A set and all the features of the same package that it enables in turn.
fn enabled<'a>(features: &'a Features, set: &Set<'a>) -> Set<'a> {
    let mut all = Set::new();
    let mut open: Vec<&str> = set.iter().copied().collect();
    while let Some(name) = open.pop() {
        // `dep:name` and `name/feature` speak of dependencies.
        if let Some(implied) = features.get(name)
            && all.insert(name)
        {
            open.extend(implied.iter().map(String::as_str));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(features: &[(&str, &[&str])], expected: &[&str]) {
        let features: Features = features
            .iter()
            .map(|(name, implied)| ((*name).to_owned(), implied.iter().map(|one| (*one).to_owned()).collect()))
            .collect();
        let found: Vec<_> =
            combinations(&features).into_iter().map(|set| set.into_iter().collect::<Vec<_>>().join(",")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_package_without_features_is_checked_once() {
        check(&[], &[""]);
        check(&[("default", &[])], &[""]);
    }

    #[test]
    fn few_features_are_checked_in_every_subset() {
        check(&[("parse", &["dep:reader"]), ("rest", &[])], &["", "parse", "rest", "parse,rest"]);
    }

    #[test]
    fn sets_that_enable_the_same_count_once() {
        check(&[("twilio", &[]), ("upgrade", &["twilio", "dep:http"])], &["", "twilio", "upgrade"]);
    }

    #[test]
    fn many_features_are_checked_alone_by_default_and_together() {
        check(
            &[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &[]), ("default", &["a", "b"])],
            &["", "a", "b", "c", "d", "a,b", "a,b,c,d"],
        );
    }
}
