//! What the model is told: a template.

use std::path::Path;

/// The words that are built in.
const BUILT_IN: &str = include_str!("instructions.ja.md");

/// What can be filled in.
pub(super) const HOLES: [&str; 3] = ["company", "event", "representative"];

/// The longest template, in bytes: the model's instructions have a limit, and each turn pays for them.
const LONGEST: usize = 64 * 1024;

/// The template of a file, or the one that is built in. What is wrong with it is told.
pub(super) fn instructions(file: Option<&Path>, problems: &mut Vec<String>) -> String {
    let Some(file) = file else { return BUILT_IN.to_owned() };
    let name = file.display();
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| {
        problems.push(format!("SIP_INSTRUCTIONS is {name}, which cannot be read: {error}"));
        BUILT_IN.to_owned()
    });
    if text.trim().is_empty() {
        problems.push(format!("SIP_INSTRUCTIONS is {name}, which is empty"));
    }
    if text.len() > LONGEST {
        problems.push(format!("SIP_INSTRUCTIONS is {name}, which is longer than {} KiB", LONGEST / 1024));
    }
    let known: Vec<_> = HOLES.iter().map(|hole| format!("{{{hole}}}")).collect();
    for hole in unknown_holes(&text) {
        problems.push(format!(
            "SIP_INSTRUCTIONS is {name}, which has {hole}; what can be filled in is {}",
            known.join(", ")
        ));
    }
    text
}

/// The holes that nothing fills: words in braces. Other braces are the author's.
fn unknown_holes(text: &str) -> Vec<String> {
    let mut unknown = Vec::new();
    for (_, rest) in text.match_indices('{').map(|(at, _)| text.split_at(at + 1)) {
        let Some((word, _)) = rest.split_once('}') else { break };
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let hole = format!("{{{word}}}");
        if is_word && !HOLES.contains(&word) && !unknown.contains(&hole) {
            unknown.push(hole);
        }
    }
    unknown
}
