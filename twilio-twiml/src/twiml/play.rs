//! `<Play>`: recordings and keys for the caller to hear.

use super::{
    error::BuildError,
    macros::element,
    value::{Digits, Repeat, Url},
    writer::Writer,
};

element! {
    /// Plays an audio file, or presses keys (Twilio: TwiML, `<Play>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Play, Response};
    ///
    /// let xml = Response::new().play("https://bridge.example.com/hold.mp3").play(Play::digits("ww42#")).to_xml()?;
    /// assert!(xml.contains(r#"<Play>https://bridge.example.com/hold.mp3</Play><Play digits="ww42#"/>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    ///
    /// MP3 and WAV, fetched with `GET` and cached.
    Play "Play";
    check = check;
    attributes {
        /// How often; once if not set. The attribute is `loop`.
        repeat: Repeat = "loop",
        /// The keys to press instead of a file. The attribute is `digits`.
        keys: Digits = "digits",
    }
    text {
        /// Where the file is.
        url: Url
    }
}

fn check(play: &Play, writer: &mut Writer) {
    let reason = match (&play.keys, play.url.as_str()) {
        (None, "") => "there is nothing to play",
        (Some(_), url) if !url.is_empty() => "either a file or keys",
        _ => return,
    };
    writer.fail(BuildError::Content { element: "Play".into(), reason });
}

impl Play {
    /// Plays this file.
    #[must_use]
    pub fn new(url: impl Into<Url>) -> Self {
        Self::bare(url.into())
    }

    /// Presses these keys.
    #[must_use]
    pub fn digits(keys: impl Into<Digits>) -> Self {
        Self::bare(Url::default()).keys(keys)
    }
}

impl<T: Into<Url>> From<T> for Play {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}
