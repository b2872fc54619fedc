//! Speech: `<Say>` and the SSML elements that shape it.

use super::{body::push_mixed, language::Language, macros::element, ssml::Speech, value::Repeat, voice::Voice};

element! {
    /// Speaks a text (Twilio: TwiML, `<Say>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Language, Response, Say, Voice};
    ///
    /// let apology = Say::new("申し訳ございません。").language(Language::JaJp).voice(Voice::polly("Mizuki"));
    /// let xml = Response::new().say(apology).to_xml()?;
    /// assert!(xml.contains(r#"<Say voice="Polly.Mizuki" language="ja-JP">申し訳ございません。</Say>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// SSML stands among the text:
    ///
    /// ```
    /// use twilio_twiml::{Millis, twiml::{Response, Say, ssml::{Break, InterpretAs, SayAs}}};
    ///
    /// let code = Say::new("Your code is ").then(SayAs::new(InterpretAs::Digits, "1234")).then(Break::new().time(Millis(500)));
    /// let xml = Response::new().say(code).to_xml()?;
    /// assert!(xml.contains(r#"Your code is <say-as interpret-as="digits">1234</say-as><break time="500ms"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// Twilio warns of texts that are too long (13521), and this crate does not check it, since only Twilio knows which
    /// voice an account has for which language: 4096 bytes for the basic voices, 3000 characters for Polly, 5000 for
    /// Google with its SSML, and with every voice 4500 characters once the text is URL-encoded, which is 500 of Japanese.
    /// A longer text is spoken by several `<Say>`.
    Say "Say";
    attributes {
        /// Who speaks; `man` if not set.
        voice: Voice = "voice",
        /// In which language; `en-US` if not set.
        language: Language = "language",
        /// How often; once if not set. The attribute is `loop`.
        repeat: Repeat = "loop",
    }
    body {
        /// What is spoken.
        content: Vec<Speech>
    }
}

impl Say {
    /// Speaks this text.
    #[must_use]
    pub fn new(text: impl Into<Speech>) -> Self {
        Self::bare(Vec::new()).then(text)
    }

    /// Speaks this next: a text or an SSML element.
    #[must_use]
    pub fn then(mut self, next: impl Into<Speech>) -> Self {
        push_mixed(&mut self.content, next.into());
        self
    }

    /// What is spoken, without the SSML around it.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let mut text = String::new();
        for part in &self.content {
            part.add_plain_text(&mut text);
        }
        text
    }
}

impl<T: Into<Speech>> From<T> for Say {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twiml::ssml::{Emphasis, Sub};

    #[test]
    fn the_plain_text_is_what_is_heard() {
        let say = Say::new("This is ").then(Emphasis::new("very ").then(Sub::new("W3C", "important"))).then(".");
        assert_eq!(say.plain_text(), "This is very W3C.");
    }

    #[test]
    fn texts_that_meet_are_one_text() {
        assert_eq!(Say::new("a").then("").then("b"), Say::new("ab"));
    }
}
