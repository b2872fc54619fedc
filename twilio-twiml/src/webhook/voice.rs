//! The requests that fetch a document for a call.

use super::form::webhook;
use crate::{
    Millis, Private,
    phone::Address,
    sid::{AccountSid, CallSid},
    words::{AnsweredBy, CallStatus, Direction},
};

webhook! {
    /// What every request about a call says (Twilio: TwiML for Programmable Voice, request parameters).
    CallContext;
    required {
        /// This leg.
        call_sid: CallSid = "CallSid",
        /// The account it belongs to.
        account_sid: AccountSid = "AccountSid",
        /// Who calls; on an outgoing leg, our own number.
        from: Address = "From",
        /// Who is called.
        to: Address = "To",
        /// What has become of the leg.
        status: CallStatus = "CallStatus",
    }
    optional {
        /// Who began the leg.
        direction: Direction = "Direction",
        /// The version of Twilio's API, `2010-04-01`.
        api_version: String = "ApiVersion",
        /// `From` once more.
        caller: Address = "Caller",
        /// `To` once more.
        called: Address = "Called",
        /// The leg that dialled this one.
        parent_call_sid: CallSid = "ParentCallSid",
        /// Who forwarded the call, if the carrier says so.
        forwarded_from: Address = "ForwardedFrom",
        /// The name of the caller, if the number looks names up.
        caller_name: Private = "CallerName",
        /// The caller's city, as far as the number tells.
        from_city: Private = "FromCity",
        /// The caller's state or province.
        from_state: String = "FromState",
        /// The caller's postal code.
        from_zip: Private = "FromZip",
        /// The caller's country, two letters.
        from_country: String = "FromCountry",
        /// The called number's city.
        to_city: String = "ToCity",
        /// The called number's state or province.
        to_state: String = "ToState",
        /// The called number's postal code.
        to_zip: String = "ToZip",
        /// The called number's country, two letters.
        to_country: String = "ToCountry",
    }
}

webhook! {
    /// A call wants a document: the voice URL of a number, the `Url` of an outgoing call, a `<Redirect>`, or the
    /// fallback of one of them.
    ///
    /// ```
    /// use twilio_twiml::{phone::Address, webhook::{Form, VoiceRequest, Webhook}, words::CallStatus};
    ///
    /// let form = Form::parse(
    ///     b"CallSid=CAfedcba9876543210fedcba9876543210&AccountSid=AC0123456789abcdef0123456789abcdef\
    ///       &From=%2B14155550100&To=%2B442071838750&CallStatus=ringing&Direction=inbound&Brand=new",
    /// );
    /// let request = VoiceRequest::from_form(&form)?;
    /// assert_eq!(request.call.status, CallStatus::Ringing);
    /// assert!(matches!(request.call.from, Address::Phone(_)));
    /// assert_eq!(request.other.get("Brand"), Some("new"));
    /// # Ok::<(), twilio_twiml::webhook::FormError>(())
    /// ```
    VoiceRequest;
    part {
        /// Which call.
        call: CallContext
    }
    optional {
        /// Lets a new call show the original caller's number: give it to create-call.
        call_token: Private = "CallToken",
        /// What the carrier says of the caller's number, such as `TN-Validation-Passed-A`.
        stir_verstat: String = "StirVerstat",
        /// Who picked up, on an outgoing call with synchronous detection.
        answered_by: AnsweredBy = "AnsweredBy",
        /// How long the detection took, in milliseconds.
        machine_detection_duration: Millis = "MachineDetectionDuration",
        /// The SIP domain that was called.
        sip_domain: String = "SipDomain",
        /// The `Call-ID` of a SIP leg.
        sip_call_id: String = "SipCallId",
        /// Where a SIP leg comes from.
        sip_source_ip: String = "SipSourceIp",
        /// The answers of add-ons, as JSON.
        add_ons: Private = "AddOns",
        /// Why the fallback URL is asked.
        error_code: u32 = "ErrorCode",
        /// Which URL failed before.
        error_url: String = "ErrorUrl",
    }
}

impl VoiceRequest {
    /// A header of the SIP request that brought the call, by its name without `SipHeader_`.
    #[must_use]
    pub fn sip_header(&self, name: &str) -> Option<&str> {
        let mut headers = self.other.iter().filter_map(|(key, value)| Some((key.strip_prefix("SipHeader_")?, value)));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
