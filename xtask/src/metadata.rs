//! What cargo knows about the packages of the workspace and of everything it stands on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    command::{cargo, read},
    failure::Failure,
};

/// The packages of one `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

/// One package, of the workspace or from a registry.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression of its manifest.
    pub(crate) license: Option<String>,
    /// Where it was downloaded from; none for a package of the workspace.
    pub(crate) source: Option<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

/// A line of a manifest's dependencies, of any kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    /// Everything the workspace can be built from, with all features.
    pub(crate) fn of_workspace() -> Result<Self, Failure> {
        Self::read(&["--all-features"])
    }

    /// The packages of another workspace, without what they depend on.
    pub(crate) fn of_manifest(path: &str) -> Result<Self, Failure> {
        Self::read(&["--no-deps", "--manifest-path", path])
    }

    fn read(args: &[&str]) -> Result<Self, Failure> {
        let text = read(cargo(["metadata", "--format-version", "1", "--locked"]).args(args))?;
        serde_json::from_str(&text)
            .map_err(|source| Failure::Parse { what: "the output of `cargo metadata`".into(), source: source.into() })
    }

    /// All packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter()
    }

    /// The packages of the workspace itself.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

impl Package {
    /// The names of its programs.
    pub(crate) fn binaries(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin")).map(|t| t.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_members_and_programs_apart() {
        let metadata: Metadata = serde_json::from_str(
            r#"{"packages": [
                {"id": "a", "name": "own", "version": "0.1.0", "license": null, "source": null, "features": {},
                 "dependencies": [{"name": "other"}],
                 "targets": [{"name": "own", "kind": ["lib"]}, {"name": "tool", "kind": ["bin"]}]},
                {"id": "b", "name": "other", "version": "1.0.0", "license": "MIT", "source": "registry",
                 "features": {}, "dependencies": [], "targets": []}],
               "workspace_members": ["a"]}"#,
        )
        .unwrap();
        let members: Vec<_> = metadata.members().collect();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].name, "own");
        assert_eq!(members[0].binaries().collect::<Vec<_>>(), ["tool"]);
        assert_eq!(metadata.packages().count(), 2);
    }
}
