//! `<Sms>`: a text message during a call.

use super::{
    macros::element,
    value::{Url, noun_text},
};
use crate::{phone::Address, words::Method};

element! {
    /// Sends a text message (Twilio: TwiML, `<Sms>`). Not every account has it; REST messages do the same and more.
    ///
    /// ```
    /// use twilio_twiml::twiml::{Response, Sms};
    ///
    /// let xml = Response::new().sms(Sms::new("Your table is booked.").to("+14155550100")).to_xml()?;
    /// assert!(xml.contains(r#"<Sms to="+14155550100">Your table is booked.</Sms>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Sms "Sms";
    attributes {
        /// Who gets it; the caller if not set.
        to: Address = "to",
        /// Who it is from; the number that was called if not set.
        from: Address = "from",
        /// Where to go on; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// A URL to be told what becomes of the message.
        status_callback: Url = "statusCallback",
    }
    text {
        /// The message, without blanks around it.
        message: String
    }
}

impl Sms {
    /// This message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::bare(noun_text(message))
    }
}

impl<T: Into<String>> From<T> for Sms {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}
