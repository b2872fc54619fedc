//! What a person answered to the briefing: consent, refusal, or neither.
//!
//! Nobody has a caller whom they did not accept, so consent has to be the whole of what was said. Everything that may put it
//! in doubt outweighs it, and whoever says anything else is asked again, or presses a key.

/// What a person answered to the briefing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// They take the call.
    Accept,
    /// They do not.
    Decline,
    /// It could not be understood, or nothing was said.
    Unclear,
}

/// Sounds like a refusal, and is none. Longer ones before what they hold.
const HARMLESS: [&str; 18] = [
    "no problem",
    "not a problem",
    "no worries",
    "i'm not busy",
    "not busy",
    "why not",
    "thank you",
    "すみません",
    "問題ありません",
    "問題ないです",
    "問題ない",
    "構いません",
    "かまいません",
    "構わないです",
    "構わない",
    "かまわないです",
    "かまわない",
    "差し支えありません",
];

/// English words that refuse, or put it off.
const REFUSES: [&str; 17] = [
    "no",
    "nope",
    "nah",
    "not",
    "never",
    "cant",
    "cannot",
    "dont",
    "wont",
    "decline",
    "refuse",
    "reject",
    "busy",
    "later",
    "tomorrow",
    "unable",
    "unavailable",
];

/// Pieces of Japanese that refuse, or put it off. None of them is part of a consent once what is harmless is taken out, as
/// 「今は」 would be: 「今は大丈夫です」 says that now is a good time, and leaves in doubt what for.
const REFUSES_JA: [&str; 27] = [
    "いいえ",
    "ません",
    "ない",
    "無理",
    "だめ",
    "ダメ",
    "駄目",
    "結構",
    "けっこう",
    "遠慮",
    "後で",
    "あとで",
    "後ほど",
    "のちほど",
    "また今度",
    "明日",
    "今はちょっと",
    "いまはちょっと",
    "今ちょっと",
    "忙し",
    "いそがし",
    "不在",
    "外出",
    "会議",
    "折り返",
    "断",
    "やめ",
];

/// English words of which one is consent enough.
const CONSENTS: [&str; 10] = ["yes", "yeah", "yep", "yup", "ok", "okay", "sure", "accept", "absolutely", "certainly"];

/// English phrases that consent without such a word.
const CONSENTING: [&str; 10] = [
    "put them through",
    "put him through",
    "put her through",
    "put the caller through",
    "go ahead",
    "connect them",
    "connect us",
    "connect me",
    "i'll take",
    "i will take",
];

/// English words that may stand beside a consent. With any other it is something else that was said.
const BESIDE: [&str; 34] = [
    "a", "ahead", "and", "call", "caller", "connect", "course", "do", "fine", "go", "good", "happy", "her", "him", "i",
    "i'll", "it", "let's", "me", "now", "of", "oh", "please", "put", "right", "take", "thanks", "that", "the", "them",
    "through", "um", "us", "will",
];

/// Japanese consents, longer ones before what they begin with.
const CONSENTS_JA: [&str; 30] = [
    "お願いいたします",
    "お願い致します",
    "お願いします",
    "おねがいします",
    "つないでください",
    "つないで下さい",
    "つないで",
    "繋いでください",
    "繋いで下さい",
    "繋いで",
    "おつなぎください",
    "お繋ぎください",
    "受けます",
    "出ます",
    "代わります",
    "替わります",
    "かわります",
    "もちろんです",
    "もちろん",
    "いいですよ",
    "どうぞ",
    "オーケーです",
    "オーケー",
    "okです",
    "ok",
    "はい",
    "ハイ",
    "ええ",
    "うん",
    "yes",
];

/// What may stand beside a Japanese consent.
const BESIDE_JA: [&str; 17] = [
    "わかりました",
    "分かりました",
    "承知しました",
    "承知いたしました",
    "了解しました",
    "了解です",
    "了解",
    "ありがとうございます",
    "それでは",
    "じゃあ",
    "では",
    "今すぐ",
    "すぐに",
    "すぐ",
    "そのまま",
    "よろしく",
    "どうも",
];

impl Verdict {
    /// What a person said by keys or words, in Japanese or English. A key outweighs words. Words are consent only if nothing
    /// else was said: a refusal or a delay in them declines, and everything else is unclear, as a question is.
    ///
    /// ```
    /// use call_session::handoff::Verdict;
    ///
    /// assert_eq!(Verdict::of(Some("1"), None), Verdict::Accept);
    /// assert_eq!(Verdict::of(None, Some("はい、お願いします")), Verdict::Accept);
    /// assert_eq!(Verdict::of(None, Some("No, not now")), Verdict::Decline);
    /// assert_eq!(Verdict::of(None, Some("はい、佐藤です")), Verdict::Unclear);
    /// ```
    #[must_use]
    pub fn of(keys: Option<&str>, words: Option<&str>) -> Self {
        match keys.filter(|keys| !keys.is_empty()) {
            Some("1") => return Self::Accept,
            Some("2" | "9") => return Self::Decline,
            Some(_) => return Self::Unclear,
            None => {}
        }
        let said = words.unwrap_or_default().to_lowercase().replace('’', "'");
        let doubtful = HARMLESS.iter().fold(said.clone(), |said, harmless| said.replace(harmless, " "));
        if refuses(&doubtful) || refuses_ja(&doubtful) {
            Self::Decline
        } else if !said.contains(['?', '？']) && (consents(&doubtful) || consents_ja(&doubtful)) {
            Self::Accept
        } else {
            Self::Unclear
        }
    }
}

fn words(said: &str) -> impl Iterator<Item = &str> {
    let part = |letter: char| !letter.is_alphanumeric() && letter != '\'';
    said.split(part).map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty())
}

fn refuses(said: &str) -> bool {
    words(said).any(|word| REFUSES.contains(&word) || word.ends_with("n't"))
}

fn refuses_ja(said: &str) -> bool {
    // 「つないで」 holds 「ない」.
    let said = said.replace("つないで", " ");
    let begins = said.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    begins.starts_with("いえ") || begins.starts_with("いや") || REFUSES_JA.iter().any(|refusal| said.contains(refusal))
}

/// Each word belongs to a consent, and there is one.
fn consents(said: &str) -> bool {
    let mut some = false;
    for word in words(said) {
        if CONSENTS.contains(&word) {
            some = true;
        } else if !BESIDE.contains(&word) {
            return false;
        }
    }
    let said = words(said).collect::<Vec<_>>().join(" ");
    some || said == "of course" || CONSENTING.iter().any(|phrase| said.contains(phrase))
}

/// One consent after the other and nothing else, written with spaces and signs between them or without.
fn consents_ja(said: &str) -> bool {
    let mut left: &str = said;
    let mut some = false;
    loop {
        left = left.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        if left.is_empty() {
            return some;
        }
        let strip = |phrases: &[&str]| phrases.iter().find_map(|phrase| left.strip_prefix(phrase));
        left = if let Some(rest) = strip(&CONSENTS_JA) {
            some = true;
            rest
        } else if let Some(rest) = strip(&BESIDE_JA) {
            rest
        } else {
            return false;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[track_caller]
    fn check(expected: Verdict, sentences: &[&str]) {
        for said in sentences {
            assert_eq!(Verdict::of(None, Some(said)), expected, "{said}");
        }
    }

    #[test]
    fn consent_is_all_that_was_said() {
        let english = [
            "yes",
            "Yes.",
            "Yeah, yeah",
            "okay",
            "OK!",
            "sure, put them through",
            "Yes, I'll take it.",
            "I’ll take the call",
            "Go ahead please",
            "Of course",
            "Sure, no problem",
            "put them through",
            "Yes, thank you",
            "Yes, no worries",
            "I'm not busy, yes",
            "Sure, I’m not busy.",
        ];
        check(Verdict::Accept, &english);
        let japanese = [
            "はい",
            "はい。",
            "はい、お願いします",
            "はいお願いします",
            "はい お願いします。",
            "お願いします",
            "つないでください",
            "はい、つないで下さい。",
            "わかりました、つないでください",
            "はい、受けます",
            "はい、問題ありません",
            "はい、構わないです",
            "かまわない、つないで",
            "問題ないです、どうぞ",
            "すみません、お願いします",
            "OKです",
            "どうぞ",
        ];
        check(Verdict::Accept, &japanese);
    }

    #[test]
    fn whoever_refuses_or_delays_is_not_connected() {
        let english = [
            "no",
            "No, not now",
            "Sorry, I can't take it now, okay?",
            "I cannot, sure…",
            "I can’t, no problem",
            "okay, later",
            "yes but not today",
            "Sure, I don't think so",
            "ok, I'm busy",
            "No, yes",
            "No worries, but not today",
            "I'm not busy, but no",
        ];
        check(Verdict::Decline, &english);
        let japanese = [
            "佐藤は今はいません",
            "今はいそがしいです",
            "後でお願いします",
            "大丈夫です、結構です",
            "はい、今は出られません",
            "いいえ",
            "いえ、お願いします",
            "すみません、今はちょっと",
            "はい、いまはちょっと",
            "構わないけど明日お願いします",
            "かまわないですが、今は忙しいです",
            "つながないでください",
            "つないでほしくない",
            "はい、でも会議中です",
            "明日お願いします",
            "お断りします",
        ];
        check(Verdict::Decline, &japanese);
    }

    #[test]
    fn anything_else_is_asked_again() {
        let english = [
            "",
            "hello?",
            "yes?",
            "okay, who is it",
            "Yes, this is Sato",
            "sure about that caller John",
            "the eyes have it",
            "I'm fine",
            "No worries",
            "I'm not busy",
            "yes, she's not busy",
        ];
        check(Verdict::Unclear, &english);
        let japanese = [
            "もしもし",
            "はい？",
            "はい、佐藤です",
            "はいはい、どなたですか",
            "大丈夫です",
            "お願いしますと言われても困ります",
            "つないでいいですか",
            "山田さんにお願いします",
            "いはい",
            "すみません",
            "はい、今は大丈夫です",
            "いまは大丈夫です",
            "構わないです",
            "かまわないでください",
        ];
        check(Verdict::Unclear, &japanese);
    }

    #[test]
    fn a_key_outweighs_words() {
        assert_eq!(Verdict::of(Some("1"), Some("no")), Verdict::Accept);
        assert_eq!(Verdict::of(Some("2"), Some("yes")), Verdict::Decline);
        assert_eq!(Verdict::of(Some("5"), Some("yes")), Verdict::Unclear);
        assert_eq!(Verdict::of(Some(""), Some("yes")), Verdict::Accept);
        assert_eq!(Verdict::of(None, None), Verdict::Unclear);
    }
}
