//! The SSML elements that may stand in `<Say>` (Twilio: TwiML, `<Say>`, SSML).
//!
//! Which element may stand in which is in the types: `P::new("…").then(P::new("…"))` does not compile.

use super::{
    body::push_mixed,
    language::Language,
    macros::{children, element},
    value::BreakTime,
};
use crate::value::words;

children! {
    /// What may stand in `<Say>`, `<lang>` and `<prosody>`.
    Speech mixed Text {
        /// A pause.
        Break(Break) = "break",
        /// Stressed words.
        Emphasis(Emphasis) = "emphasis",
        /// Words of another language.
        Lang(Lang) = "lang",
        /// A paragraph.
        P(P) = "p",
        /// Words with their pronunciation.
        Phoneme(Phoneme) = "phoneme",
        /// Words spoken louder, faster or higher.
        Prosody(Prosody) = "prosody",
        /// A sentence.
        S(S) = "s",
        /// Digits, dates and the like.
        SayAs(SayAs) = "say-as",
        /// Words with others to be spoken in their place.
        Sub(Sub) = "sub",
        /// A word with its role in the sentence.
        W(W) = "w",
    }
}

children! {
    /// What may stand in a paragraph: everything but another one.
    InParagraph mixed Text {
        /// A pause.
        Break(Break) = "break",
        /// Stressed words.
        Emphasis(Emphasis) = "emphasis",
        /// Words of another language.
        Lang(Lang) = "lang",
        /// Words with their pronunciation.
        Phoneme(Phoneme) = "phoneme",
        /// Words spoken louder, faster or higher.
        Prosody(Prosody) = "prosody",
        /// A sentence.
        S(S) = "s",
        /// Digits, dates and the like.
        SayAs(SayAs) = "say-as",
        /// Words with others to be spoken in their place.
        Sub(Sub) = "sub",
        /// A word with its role in the sentence.
        W(W) = "w",
    }
}

children! {
    /// What may stand in a sentence or in stressed words: everything but paragraphs and sentences.
    InSentence mixed Text {
        /// A pause.
        Break(Break) = "break",
        /// Stressed words.
        Emphasis(Emphasis) = "emphasis",
        /// Words of another language.
        Lang(Lang) = "lang",
        /// Words with their pronunciation.
        Phoneme(Phoneme) = "phoneme",
        /// Words spoken louder, faster or higher.
        Prosody(Prosody) = "prosody",
        /// Digits, dates and the like.
        SayAs(SayAs) = "say-as",
        /// Words with others to be spoken in their place.
        Sub(Sub) = "sub",
        /// A word with its role in the sentence.
        W(W) = "w",
    }
}

children! {
    /// What may stand in a word with a role.
    InWord mixed Text {
        /// A pause.
        Break(Break) = "break",
        /// Stressed words.
        Emphasis(Emphasis) = "emphasis",
        /// Words with their pronunciation.
        Phoneme(Phoneme) = "phoneme",
        /// Words spoken louder, faster or higher.
        Prosody(Prosody) = "prosody",
        /// Digits, dates and the like.
        SayAs(SayAs) = "say-as",
        /// Words with others to be spoken in their place.
        Sub(Sub) = "sub",
    }
}

words! {
    /// How long a pause is, by feeling.
    closed Strength {
        /// No pause, also where there would be one.
        None = "none",
        /// Shorter than between words.
        XWeak = "x-weak",
        /// As between words.
        Weak = "weak",
        /// As after a comma.
        Medium = "medium",
        /// As after a sentence.
        Strong = "strong",
        /// As after a paragraph.
        XStrong = "x-strong",
    }

    /// How much words are stressed.
    closed Level {
        /// Louder and slower.
        Strong = "strong",
        /// A little louder and slower.
        Moderate = "moderate",
        /// Softer and faster.
        Reduced = "reduced",
    }

    /// The alphabet of a pronunciation.
    closed Alphabet {
        /// International Phonetic Alphabet.
        Ipa = "ipa",
        /// X-SAMPA.
        XSampa = "x-sampa",
        /// Cantonese.
        Jyutping = "x-amazon-jyutping",
        /// Mandarin.
        Pinyin = "x-amazon-pinyin",
        /// Japanese, as kana with accents.
        PronKana = "x-amazon-pron-kana",
        /// Japanese, as kana.
        Yomigana = "x-amazon-yomigana",
    }

    /// What a text is, when it isn't words.
    closed InterpretAs {
        /// Single letters.
        Characters = "characters",
        /// Single letters.
        SpellOut = "spell-out",
        /// A number.
        Cardinal = "cardinal",
        /// A number.
        Number = "number",
        /// A place in an order.
        Ordinal = "ordinal",
        /// Single digits.
        Digits = "digits",
        /// A fraction.
        Fraction = "fraction",
        /// A measurement.
        Unit = "unit",
        /// A date.
        Date = "date",
        /// A duration in minutes and seconds.
        Time = "time",
        /// A street address.
        Address = "address",
        /// A word to be beeped out.
        Expletive = "expletive",
        /// A telephone number.
        Telephone = "telephone",
    }

    /// The order of a date's parts: month, day, year.
    closed DateFormat {
        /// Month, day, year.
        Mdy = "mdy",
        /// Day, month, year.
        Dmy = "dmy",
        /// Year, month, day.
        Ymd = "ymd",
        /// Month and day.
        Md = "md",
        /// Day and month.
        Dm = "dm",
        /// Year and month.
        Ym = "ym",
        /// Month and year.
        My = "my",
        /// Day.
        D = "d",
        /// Month.
        M = "m",
        /// Year.
        Y = "y",
        /// Eight digits; question marks for unknown parts.
        Yyyymmdd = "yyyymmdd",
    }
}

element! {
    /// A pause: `<break strength="strong"/>` or `<break time="500ms"/>`.
    Break "break";
    attributes {
        /// How long, by feeling.
        strength: Strength = "strength",
        /// How long: `500ms`, `2s`, or a [`Duration`](std::time::Duration) of at most 10 seconds.
        time: BreakTime = "time",
    }
}

impl Break {
    /// A pause as after a comma.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for Break {
    fn default() -> Self {
        Self::new()
    }
}

element! {
    /// Stressed words: `<emphasis level="strong">now</emphasis>`.
    Emphasis "emphasis";
    attributes {
        /// How much; `moderate` if not set.
        level: Level = "level",
    }
    body {
        /// What is stressed.
        content: Vec<InSentence>
    }
}

element! {
    /// Words of another language: `<lang xml:lang="fr-FR">bonjour</lang>`.
    Lang "lang";
    required {
        /// The language.
        language: Language = "xml:lang",
    }
    body {
        /// What is said in it.
        content: Vec<Speech>
    }
}

impl Lang {
    /// These words are of that language.
    #[must_use]
    pub fn new(language: impl Into<Language>, text: impl Into<Speech>) -> Self {
        Self::bare(language.into(), Vec::new()).then(text)
    }
}

element! {
    /// A paragraph: `<p>First.</p>`.
    P "p";
    body {
        /// What is said in it.
        content: Vec<InParagraph>
    }
}

element! {
    /// A sentence: `<s>First</s>`.
    S "s";
    body {
        /// What is said in it.
        content: Vec<InSentence>
    }
}

element! {
    /// Words spoken louder, faster or higher: `<prosody rate="slow">with patience</prosody>`.
    Prosody "prosody";
    attributes {
        /// `default`, `silent`, `x-soft` to `x-loud`, or a change such as `+6dB`.
        volume: String = "volume",
        /// `x-slow` to `x-fast`, or a percentage such as `80%`.
        rate: String = "rate",
        /// `default`, `x-low` to `x-high`, or a change such as `+10%`.
        pitch: String = "pitch",
    }
    body {
        /// What is said so.
        content: Vec<Speech>
    }
}

element! {
    /// Words with their pronunciation: `<phoneme alphabet="x-amazon-yomigana" ph="ながた">永田</phoneme>`.
    Phoneme "phoneme";
    required {
        /// What `ph` is written in.
        alphabet: Alphabet = "alphabet",
        /// The pronunciation.
        pronunciation: String = "ph",
    }
    text {
        /// The words as they are written.
        text: String
    }
}

impl Phoneme {
    /// This text is pronounced like that.
    #[must_use]
    pub fn new(alphabet: Alphabet, pronunciation: impl Into<String>, text: impl Into<String>) -> Self {
        Self::bare(alphabet, pronunciation.into(), super::value::noun_text(text))
    }
}

element! {
    /// Digits, dates and the like: `<say-as interpret-as="digits">1234</say-as>`.
    SayAs "say-as";
    required {
        /// What the text is.
        interpret_as: InterpretAs = "interpret-as",
    }
    attributes {
        /// The order of a date's parts.
        format: DateFormat = "format",
    }
    text {
        /// The text.
        text: String
    }
}

impl SayAs {
    /// This text is such a thing.
    #[must_use]
    pub fn new(interpret_as: InterpretAs, text: impl Into<String>) -> Self {
        Self::bare(interpret_as, super::value::noun_text(text))
    }
}

element! {
    /// Words with others to be spoken in their place: `<sub alias="aluminium">Al</sub>`.
    Sub "sub";
    required {
        /// What is spoken.
        alias: String = "alias",
    }
    text {
        /// What is written.
        text: String
    }
}

impl Sub {
    /// `text`, spoken as `alias`.
    #[must_use]
    pub fn new(text: impl Into<String>, alias: impl Into<String>) -> Self {
        Self::bare(alias.into(), super::value::noun_text(text))
    }
}

element! {
    /// A word with its role in the sentence: `<w role="amazon:VB">read</w>`.
    W "w";
    attributes {
        /// The role, such as `amazon:VB` for a verb.
        role: String = "role",
    }
    body {
        /// The word.
        content: Vec<InWord>
    }
}

/// The constructors and `then` of elements that hold nothing but mixed content.
macro_rules! mixed {
    ($($name:ident of $content:ident),*) => {$(
        impl $name {
            /// These words, or this element.
            #[must_use]
            pub fn new(text: impl Into<$content>) -> Self {
                Self::bare(Vec::new()).then(text)
            }
        }
    )*};
}

macro_rules! then {
    ($($name:ident of $content:ident),*) => {$(
        impl $name {
            /// And this next: a text or an element.
            #[must_use]
            pub fn then(mut self, next: impl Into<$content>) -> Self {
                push_mixed(&mut self.content, next.into());
                self
            }
        }
    )*};
}

mixed!(Emphasis of InSentence, P of InParagraph, S of InSentence, Prosody of Speech, W of InWord);
then!(Emphasis of InSentence, P of InParagraph, S of InSentence, Prosody of Speech, W of InWord, Lang of Speech);

/// `add_plain_text` for each set of children: the words without the elements.
macro_rules! plain_text {
    ($($set:ident { $($nested:ident)* } { $($leaf:ident)* })*) => {$(
        impl $set {
            pub(crate) fn add_plain_text(&self, out: &mut String) {
                match self {
                    Self::Text(text) => out.push_str(text),
                    $(Self::$nested(element) => element.content.iter().for_each(|part| part.add_plain_text(out)),)*
                    $(Self::$leaf(element) => out.push_str(&element.text),)*
                    Self::Break(_) => {}
                }
            }
        }
    )*};
}

plain_text! {
    Speech { Emphasis Lang P Prosody S W } { Phoneme SayAs Sub }
    InParagraph { Emphasis Lang Prosody S W } { Phoneme SayAs Sub }
    InSentence { Emphasis Lang Prosody W } { Phoneme SayAs Sub }
    InWord { Emphasis Prosody } { Phoneme SayAs Sub }
}
