//! The events that come many times a second, read where they lie.

use memchr::memchr2;

/// A delta of speech or words, borrowed from the text of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delta<'a> {
    pub(super) kind: DeltaKind,
    /// Empty where the caller speaks.
    pub(super) response_id: &'a str,
    pub(super) item_id: &'a str,
    pub(super) content_index: u32,
    /// Base64 of speech, not yet checked, or words.
    pub(super) delta: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeltaKind {
    Audio,
    Transcript,
    UserTranscript,
}

impl DeltaKind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "response.output_audio.delta" => Some(Self::Audio),
            "response.output_audio_transcript.delta" => Some(Self::Transcript),
            "conversation.item.input_audio_transcription.delta" => Some(Self::UserTranscript),
            _ => None,
        }
    }
}

/// Reads a delta event in one pass, without a copy.
///
/// Takes flat objects of strings without escapes and of small numbers, members in any order, with or without space
/// between them. Anything else is `None`, which means "ask the full parser", not "wrong".
pub(super) fn scan(json: &str) -> Option<Delta<'_>> {
    let mut members = Members { json, at: 0 };
    members.expect(b'{')?;
    let (mut kind, mut response_id, mut item_id, mut content_index, mut delta) = (None, None, None, None, None);
    let mut rare = [false; 3];
    loop {
        let key = members.string()?;
        members.expect(b':')?;
        let twice = match key {
            "type" => kind.replace(DeltaKind::named(members.string()?)?).is_some(),
            "response_id" => response_id.replace(members.plain_string()?).is_some(),
            "item_id" => item_id.replace(members.plain_string()?).is_some(),
            "delta" => delta.replace(members.string()?).is_some(),
            "content_index" => content_index.replace(members.number()?).is_some(),
            "event_id" => members.plain_string().map(|_| std::mem::replace(&mut rare[0], true))?,
            "output_index" => members.number().map(|_| std::mem::replace(&mut rare[1], true))?,
            "obfuscation" => members.plain_string().map(|_| std::mem::replace(&mut rare[2], true))?,
            _ => return None,
        };
        if twice {
            return None;
        }
        match members.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let (kind, delta) = (kind?, delta?);
    // Base64 is checked when the frame is made; words must not hold what JSON forbids.
    if !members.is_done() || (kind != DeltaKind::Audio && !is_plain(delta)) {
        return None;
    }
    let response_id = match kind {
        DeltaKind::UserTranscript => response_id.unwrap_or_default(),
        DeltaKind::Audio | DeltaKind::Transcript => response_id?,
    };
    Some(Delta { kind, response_id, item_id: item_id?, content_index: content_index.unwrap_or(0), delta })
}

struct Members<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    fn skip_space(&mut self) {
        while matches!(self.json.as_bytes().get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is not space.
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = *self.json.as_bytes().get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A string without escapes; may hold control characters, which JSON forbids.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let rest = &self.json[self.at..];
        let end = memchr2(b'"', b'\\', rest.as_bytes())?;
        if rest.as_bytes()[end] == b'\\' {
            return None;
        }
        self.at += end + 1;
        Some(&rest[..end])
    }

    fn plain_string(&mut self) -> Option<&'a str> {
        self.string().filter(|text| is_plain(text))
    }

    /// A whole number of at most nine digits.
    fn number(&mut self) -> Option<u32> {
        self.skip_space();
        let rest = &self.json[self.at..];
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
        let digits = &rest[..end];
        if digits.len() > 9 || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        self.at += end;
        digits.parse().ok()
    }

    fn is_done(&mut self) -> bool {
        self.skip_space();
        self.at == self.json.len()
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: &str = r#"{"type":"response.output_audio.delta","event_id":"event_1","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":2,"delta":"//8="}"#;

    #[test]
    fn members_come_in_any_order_and_with_any_space() {
        let expected =
            Delta { kind: DeltaKind::Audio, response_id: "resp_1", item_id: "item_1", content_index: 2, delta: "//8=" };
        assert_eq!(scan(AUDIO), Some(expected));
        let other = r#" { "delta" : "//8=" , "item_id":"item_1",
            "content_index": 2, "response_id": "resp_1", "type": "response.output_audio.delta" } "#;
        assert_eq!(scan(other), Some(expected));
    }

    #[test]
    fn surprises_go_to_the_full_parser() {
        let audio = |from: &str, to: &str| {
            let json = AUDIO.replacen(from, to, 1);
            scan(&json).map(|found| found.delta.to_owned())
        };
        assert_eq!(audio("resp_1", r"resp\u005f1"), None, "an escape");
        assert_eq!(audio("event_1", "event\n1"), None, "a control character");
        assert_eq!(audio(r#""output_index":0"#, r#""output_index":[0]"#), None, "an array");
        assert_eq!(audio(r#""output_index":0"#, r#""output_index":00"#), None, "not a JSON number");
        assert_eq!(audio(r#""output_index":0"#, r#""item_id":"item_2""#), None, "a member twice");
        assert_eq!(audio(r#""response_id":"resp_1","#, ""), None, "a member that must be there");
        assert_eq!(audio(r#""event_id""#, r#""new_member""#), None, "a new member");
        assert_eq!(scan(&format!("{AUDIO} x")), None, "more behind the end");
        for end in 0..AUDIO.len() {
            assert_eq!(scan(&AUDIO[..end]), None, "cut after {end}");
        }
    }

    #[test]
    fn words_may_be_of_any_language_but_hold_no_control_characters() {
        let words = |delta: &str| {
            let json = format!(
                r#"{{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":"{delta}"}}"#
            );
            scan(&json).map(|found| found.delta.to_owned())
        };
        assert_eq!(words("お電話ありがとうございます").as_deref(), Some("お電話ありがとうございます"));
        assert_eq!(words("line\nbreak"), None);
    }
}
