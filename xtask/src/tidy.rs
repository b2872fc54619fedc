//! What no compiler checks: files stay short, and nothing in them belongs to one person's machine.

use std::io::ErrorKind;

use crate::{
    command::{program, read, root},
    failure::Failure,
};

/// Lines of a Rust file; an idea that needs more is two ideas.
const MAX_LINES: usize = 700;

/// Folders that exist on somebody's machine only. They count where a path begins, so that the path of a URL does not.
/// Written in two parts, like the hosts below, so that this file passes its own check.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Hosts of package registries: which one a build uses is for its machine to say.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.debian", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Reads every file that git tracks or would track.
pub(crate) fn check() -> Result<(), Failure> {
    let root = root();
    // A container often owns the checkout under another user id, which git refuses unless told.
    let args = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = read(&mut program("git", args))?;
    let (mut count, mut found) = (0, Vec::new());
    for name in list.split_terminator('\0') {
        let path = root.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                count += 1;
                found.extend(problems(name, &text));
            }
            // Binary, deleted but not yet committed, or a link to a folder.
            Err(error)
                if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::NotFound | ErrorKind::IsADirectory) => {}
            Err(source) => return Err(Failure::Read { path, source }),
        }
    }
    println!("{count} text files read");
    Failure::unless_empty("files are short and belong to no machine:", found)
}

fn problems(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long =
        (name.ends_with(".rs") && lines > MAX_LINES).then(|| format!("{name}: {lines} lines, of at most {MAX_LINES}"));
    let foreign = text.lines().zip(1..).flat_map(|(line, at)| {
        let paths = MACHINE_PATHS.iter().filter(|path| holds(line, path, begins_path, |_| true));
        let hosts = REGISTRIES.iter().filter(|host| holds(line, host, ends_label, ends_host));
        paths.chain(hosts).map(move |word| format!("{name}:{at}: holds {word}"))
    });
    long.into_iter().chain(foreign).collect()
}

/// Whether `line` has `word` somewhere with a neighbour on each side that passes. Nothing, at either end, passes.
fn holds(line: &str, word: &str, before: impl Fn(char) -> bool, after: impl Fn(char) -> bool) -> bool {
    line.match_indices(word).any(|(at, _)| {
        line[..at].chars().next_back().is_none_or(&before) && line[at + word.len()..].chars().next().is_none_or(&after)
    })
}

/// Whether a path that starts at the root can follow: not a host, a variable or a folder.
fn begins_path(before: char) -> bool {
    !(before.is_alphanumeric() || "._-~/}>".contains(before))
}

fn ends_label(before: char) -> bool {
    !(before.is_alphanumeric() || before == '-')
}

fn ends_host(after: char) -> bool {
    !(after.is_alphanumeric() || after == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: usize) {
        assert_eq!(problems("notes.md", line).len(), expected, "{line}");
    }

    #[test]
    fn a_file_has_at_most_so_many_lines() {
        assert!(problems("a.rs", &"\n".repeat(700)).is_empty());
        assert_eq!(problems("a.rs", &"\n".repeat(701)), ["a.rs: 701 lines, of at most 700"]);
        assert!(problems("a.json", &"\n".repeat(701)).is_empty());
    }

    #[test]
    fn names_file_line_and_path() {
        let text = format!("first\nlog = \"{}alice/log\"", MACHINE_PATHS[0]);
        assert_eq!(problems("a.toml", &text), [format!("a.toml:2: holds {}", MACHINE_PATHS[0])]);
    }

    #[test]
    fn paths_count_where_they_begin() {
        for path in MACHINE_PATHS {
            check(&format!("cd {path}x"), 1);
            check(&format!("`{path}x`"), 1);
            check(&format!("file://{path}x"), 0);
            check(&format!("https://example.com{path}x"), 0);
            check(&format!("$HOME{path}x"), 0);
            check(&format!("..{path}x"), 0);
        }
    }

    #[test]
    fn hosts_count_as_whole_names() {
        for host in REGISTRIES {
            check(&format!("https://{host}/x"), 1);
            check(&format!("see index.{host}."), 1);
            check(&format!("{host}-index"), 0);
            check(&format!("my{host}"), 0);
        }
    }
}
