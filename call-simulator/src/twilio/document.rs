//! Which answers Twilio takes for a document, and what it makes of them.

use twilio_twiml::twiml::{self, ReadError, ReadProblem, Response, Say};

use super::debugger::{Alert, AlertCode};

/// The longest document, in bytes (Twilio: error 11750).
pub(super) const LIMIT: usize = 64 * 1024;

/// The answer to a request for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// Read up to one byte over [`LIMIT`].
    pub(super) body: Vec<u8>,
}

/// A document that can be carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// As it came.
    pub(super) text: String,
    pub(super) response: Response,
    pub(super) warnings: Vec<Alert>,
}

impl Answer {
    /// The document in the answer, or why there is none.
    ///
    /// Stricter than Twilio in one place: where Twilio warns of bad nesting or a bad value (12200) and guesses on, the
    /// simulator refuses the document.
    pub(super) fn document(&self) -> Result<Document, Alert> {
        if !(200..300).contains(&self.status) {
            return Err(Alert::new(AlertCode::HttpRetrieval, format!("status {}", self.status)));
        }
        if self.body.len() > LIMIT {
            return Err(Alert::new(AlertCode::BodyTooLarge, format!("more than {LIMIT} bytes")));
        }
        if self.body.is_empty() {
            return Err(Alert::new(AlertCode::EmptyBody, format!("status {}", self.status)));
        }
        let kind = self.content_type.as_deref().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/xml" | "application/xml" | "text/html" => self.twiml(),
            "text/plain" => self.twiml().or_else(|_| self.spoken()),
            "" => Err(Alert::new(AlertCode::ContentType, "no Content-Type")),
            audio if audio.starts_with("audio/") => {
                Err(Alert::new(AlertCode::ContentType, format!("{audio}: the simulator plays no audio files")))
            }
            other => Err(Alert::new(AlertCode::ContentType, other)),
        }
    }

    fn text(&self) -> Result<String, Alert> {
        String::from_utf8(self.body.clone()).map_err(|_| Alert::new(AlertCode::DocumentParse, "not UTF-8"))
    }

    fn twiml(&self) -> Result<Document, Alert> {
        let text = self.text()?;
        let parsed = twiml::parse(&text).map_err(|error| Alert::new(code_of(&error), error.to_string()))?;
        let warnings = parsed
            .unknown
            .iter()
            .map(|unknown| match &unknown.attribute {
                Some(attribute) => format!("line {}: <{}> has no attribute {attribute}", unknown.line, unknown.element),
                None => format!("line {}: there is no <{}>", unknown.line, unknown.element),
            })
            .map(|detail| Alert::new(AlertCode::Schema, detail))
            .collect();
        Ok(Document { response: parsed.response, warnings, text })
    }

    /// Plain text that is no TwiML is read aloud, and the call hangs up.
    fn spoken(&self) -> Result<Document, Alert> {
        let text = self.text()?;
        let response = Response::new().say(Say::new(text.clone())).hangup();
        Ok(Document { response, warnings: Vec::new(), text })
    }
}

fn code_of(error: &ReadError) -> AlertCode {
    match error.problem {
        ReadProblem::Xml { .. } | ReadProblem::TooDeep { .. } => AlertCode::DocumentParse,
        ReadProblem::Root { .. } => AlertCode::DocumentRoot,
        ReadProblem::TooLong { .. } => AlertCode::BodyTooLarge,
        _ => AlertCode::Schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, content_type: Some(content_type.into()), body: body.into() }
    }

    #[track_caller]
    fn refused(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> u32 {
        answer(status, content_type, body).document().unwrap_err().code.number()
    }

    #[test]
    fn refuses_what_twilio_refuses() {
        let hangup = "<Response><Hangup/></Response>";
        assert_eq!(refused(404, "text/xml", hangup), 11_200);
        assert_eq!(refused(200, "text/xml", ""), 11_770);
        assert_eq!(refused(204, "text/xml", ""), 11_770);
        assert_eq!(refused(200, "application/json", "{}"), 12_300);
        assert_eq!(refused(200, "audio/mpeg", "x"), 12_300);
        assert_eq!(refused(200, "text/xml", format!("<Response><!--{}--></Response>", "x".repeat(LIMIT))), 11_750);
        assert_eq!(refused(200, "text/xml", "<Response>"), 12_100);
        assert_eq!(refused(200, "text/xml", " <?xml version=\"1.0\"?><Response/>"), 12_100);
        assert_eq!(refused(200, "text/xml", vec![0xFF, 0xFE]), 12_100);
        assert_eq!(refused(200, "text/xml", "<html/>"), 12_102);
        assert_eq!(refused(200, "text/xml", "<Response><Stream url=\"wss://x/\"/></Response>"), 12_200);
        let missing = Answer { content_type: None, ..answer(200, "", hangup) };
        assert_eq!(missing.document().unwrap_err().code, AlertCode::ContentType);
    }

    #[test]
    fn takes_the_content_types_that_twilio_takes() {
        for content_type in ["text/xml", "application/xml; charset=utf-8", "TEXT/HTML", "text/plain"] {
            let document = answer(200, content_type, "<Response><Hangup/></Response>").document().unwrap();
            assert_eq!(document.response, Response::new().hangup(), "{content_type}");
        }
    }

    #[test]
    fn reads_plain_text_aloud_and_hangs_up() {
        let document = answer(200, "text/plain", "Internal error").document().unwrap();
        assert_eq!(document.response, Response::new().say("Internal error").hangup());
    }

    #[test]
    fn unknown_attributes_are_warnings() {
        let document = answer(200, "text/xml", "<Response><Say tone=\"b\">Hi</Say></Response>").document().unwrap();
        assert_eq!(document.warnings.len(), 1);
        assert_eq!(document.warnings[0].code.number(), 12_200);
    }
}
