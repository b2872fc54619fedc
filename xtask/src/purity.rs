//! What builds must not contain: whoever wants only TwiML compiles only TwiML.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{cargo, read},
    failure::Failure,
    metadata::Metadata,
    supply,
};

/// A build that a user may choose, and what it is free of.
struct Pure {
    /// The build, in words.
    build: &'static str,
    /// The build, as arguments for `cargo tree`.
    args: &'static [&'static str],
    absent: &'static [&'static str],
}

const PURE: &[Pure] = &[
    Pure {
        build: "twilio-twiml by default",
        args: &["-p", "twilio-twiml"],
        absent: &["tokio", "hyper", "reqwest", "axum", "rustls", "tungstenite"],
    },
    Pure {
        build: "realtime-bridge without features",
        args: &["-p", "realtime-bridge", "--no-default-features"],
        absent: &["tungstenite", "tokio-tungstenite", "rustls", "tokio-rustls", "hyper", "reqwest", "axum"],
    },
    Pure {
        build: "call-session by default",
        args: &["-p", "call-session"],
        absent: &["reqwest", "hyper", "rustls", "sqlx", "tungstenite", "axum"],
    },
    Pure { build: "twilio-twiml with everything", args: &["-p", "twilio-twiml", "--all-features"], absent: &["axum"] },
    Pure {
        build: "realtime-bridge with everything",
        args: &["-p", "realtime-bridge", "--all-features"],
        absent: &["axum", "reqwest"],
    },
    Pure {
        build: "call-session with everything",
        args: &["-p", "call-session", "--all-features"],
        absent: &["axum", "tungstenite"],
    },
];

/// The web framework, and the only packages that may name it in their manifests.
const FRAMEWORK: &str = "axum";
const MAY_USE_FRAMEWORK: &[&str] = &["call-simulator", "examples"];

/// Two versions of one of these would mean two TLS stacks or two WebSocket stacks in one program.
const ONE_VERSION: &[&str] = &["rustls", "tungstenite", "tokio", "hyper"];

/// Reads `cargo tree` and the manifests, and compiles nothing.
pub(crate) fn check() -> Result<(), Failure> {
    let mut found = Vec::new();
    for Pure { build, args, absent } in PURE {
        let tree = Tree::read(args, "normal,build")?;
        println!("{build}: {} crates", tree.versions.len());
        found.extend(tree.contained(absent).map(|name| format!("{build} contains {name}")));
    }

    let whole = Tree::read(&["--workspace", "--all-features"], "normal,build,dev")?;
    println!("the whole workspace, tests included: {} crates", whole.versions.len());
    found.extend(whole.contained(&supply::banned()?).map(|name| format!("the workspace contains {name}")));
    found.extend(whole.repeated(ONE_VERSION));
    found.extend(users_of_framework(&Metadata::of_workspace()?));
    Failure::unless_empty("builds contain only what they are for:", found)
}

fn users_of_framework(metadata: &Metadata) -> Vec<String> {
    metadata
        .members()
        .filter(|package| !MAY_USE_FRAMEWORK.contains(&package.name.as_str()))
        .filter(|package| package.dependencies.iter().any(|dependency| dependency.name == FRAMEWORK))
        .map(|package| format!("{} depends on {FRAMEWORK}", package.name))
        .collect()
}

/// The crates of a build, with their versions.
struct Tree {
    versions: BTreeMap<String, BTreeSet<String>>,
}

impl Tree {
    fn read(args: &[&str], edges: &str) -> Result<Self, Failure> {
        let common = ["tree", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}", "--edges", edges];
        Ok(Self::parse(&read(cargo(common).args(args))?))
    }

    /// Each line is `name vVERSION`, then perhaps a path or `(*)`.
    fn parse(text: &str) -> Self {
        let mut versions = BTreeMap::<_, BTreeSet<_>>::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some(name), Some(version)) = (words.next(), words.next()) {
                versions.entry(name.to_owned()).or_default().insert(version.to_owned());
            }
        }
        Self { versions }
    }

    fn contained<'a, S: AsRef<str>>(&'a self, names: &'a [S]) -> impl Iterator<Item = &'a str> {
        names.iter().map(AsRef::as_ref).filter(|name| self.versions.contains_key(*name))
    }

    fn repeated(&self, names: &[&str]) -> Vec<String> {
        let versions = |name: &&str| Some((name.to_string(), self.versions.get(*name)?));
        names
            .iter()
            .filter_map(versions)
            .filter(|(_, versions)| versions.len() > 1)
            .map(|(name, versions)| {
                let versions = versions.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
                format!("the workspace contains {name} {versions}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "realtime-bridge v0.1.0 (/somewhere/realtime-bridge)\nrustls v0.23.1\nbytes v1.0.0\n\
                        rustls v0.22.0 (*)\ntokio v1.54.0\n\ntokio v1.54.0 (*)\n";

    #[test]
    fn finds_what_must_be_absent() {
        let tree = Tree::parse(TREE);
        assert_eq!(tree.contained(&["axum", "rustls"]).collect::<Vec<_>>(), ["rustls"]);
        assert_eq!(tree.contained(&["rust"]).count(), 0);
    }

    #[test]
    fn finds_two_versions_of_one_crate() {
        assert_eq!(
            Tree::parse(TREE).repeated(&["tokio", "rustls", "absent"]),
            ["the workspace contains rustls v0.22.0 and v0.23.1"]
        );
    }

    #[test]
    fn only_servers_use_the_framework() {
        let package = |name| {
            format!(
                r#"{{"id": "{name}", "name": "{name}", "version": "0.1.0", "license": null, "source": null,
                    "features": {{}}, "dependencies": [{{"name": "axum"}}], "targets": []}}"#
            )
        };
        let text = format!(
            r#"{{"packages": [{}, {}], "workspace_members": ["examples", "realtime-bridge"]}}"#,
            package("examples"),
            package("realtime-bridge")
        );
        assert_eq!(users_of_framework(&serde_json::from_str(&text).unwrap()), ["realtime-bridge depends on axum"]);
    }
}
