//! Any text as a TwiML document: it is read or refused, and what was read and can be written is the same when read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use twilio_twiml::twiml;

fuzz_target!(|text: &str| {
    for document in [text.to_owned(), format!("<Response>{text}</Response>")] {
        let Ok(parsed) = twiml::parse(&document) else { continue };
        let _ = parsed.response.to_inline();
        let Ok(written) = parsed.response.to_xml() else { continue };
        let again = twiml::parse(&written).expect("what was written can be read");
        assert_eq!(again, twiml::parse(&again.response.to_xml().expect("it was written before")).expect("and again"));
        assert_eq!(again.response, parsed.response);
        assert_eq!(again.unknown.len(), parsed.unknown.len());
    }
});
