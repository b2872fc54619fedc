//! Where dependencies come from and under which licences, by the rules of `deny.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{
    command::{cargo, has_subcommand, root, run},
    failure::Failure,
    metadata::{Metadata, Package},
    spdx,
};

/// The part of `deny.toml` that is checked here, so that no machine goes without; `cargo deny` checks all of it.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

/// Every dependency is released in the one registry, under a licence that we allow.
pub(crate) fn check() -> Result<(), Failure> {
    let rules = rules()?;
    let metadata = Metadata::of_workspace()?;
    let dependencies: Vec<_> = metadata.packages().filter(|package| package.source.is_some()).collect();
    println!("{} dependencies, {} licences allowed", dependencies.len(), rules.licenses.allow.len());
    let found = dependencies.into_iter().filter_map(|package| problem(package, &rules.licenses.allow)).collect();
    Failure::unless_empty("dependencies have a registry and a licence that deny.toml allows:", found)?;
    if has_subcommand("deny") {
        run(&mut cargo(["deny", "--locked", "--offline", "check", "licenses", "bans", "sources"]))?;
    }
    Ok(())
}

/// The crates that no build of ours contains.
pub(crate) fn banned() -> Result<Vec<String>, Failure> {
    Ok(rules()?.bans.deny.into_iter().map(|ban| ban.name).collect())
}

fn rules() -> Result<Rules, Failure> {
    let path = root().join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|source| Failure::Read { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|source| Failure::Parse { what: path.display().to_string(), source: source.into() })
}

fn problem(package: &Package, allowed: &BTreeSet<String>) -> Option<String> {
    let Package { name, version, license, source, .. } = package;
    if !source.as_ref().is_some_and(|source| source.starts_with("registry+")) {
        return Some(format!("{name} {version}: does not come from a registry"));
    }
    match license {
        None => Some(format!("{name} {version}: its manifest names no licence")),
        Some(license) if spdx::satisfied(license, allowed) => None,
        Some(license) => Some(format!("{name} {version}: {license}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, license: &str, expected: Option<&str>) {
        let package = serde_json::from_str(&format!(
            r#"{{"id": "x", "name": "x", "version": "1.0.0", "license": {license}, "source": "{source}",
                "features": {{}}, "dependencies": [], "targets": []}}"#
        ))
        .unwrap();
        assert_eq!(problem(&package, &BTreeSet::from(["MIT".to_owned()])).as_deref(), expected);
    }

    #[test]
    fn names_what_is_wrong_with_a_dependency() {
        check("registry+index", "\"MIT\"", None);
        check("registry+index", "\"NCSA\"", Some("x 1.0.0: NCSA"));
        check("registry+index", "null", Some("x 1.0.0: its manifest names no licence"));
        check("git+https://example.com/x", "\"MIT\"", Some("x 1.0.0: does not come from a registry"));
    }

    #[test]
    fn the_rules_of_the_workspace_can_be_read() {
        let rules = rules().unwrap();
        assert!(rules.licenses.allow.contains("MIT"));
        assert!(banned().unwrap().contains(&"ring".to_owned()));
    }
}
