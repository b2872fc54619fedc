//! The account's telephone numbers (Twilio: API, IncomingPhoneNumbers).

use futures_util::Stream;
use serde::Deserialize;

use super::{
    client::{Client, Twice},
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Private, Rfc2822,
    phone::E164,
    sid::{AccountSid, AddressSid, ApplicationSid, BundleSid, IdentitySid, PhoneNumberSid, TrunkSid},
    twiml::Url,
    value::words,
    webhook::Form,
    words::Method,
};

words! {
    /// Whether a number can be called from for emergency services.
    closed EmergencyStatus {
        /// It can.
        Active = "Active",
        /// It cannot.
        Inactive = "Inactive",
    }

    /// What an incoming call is taken for.
    closed ReceiveMode {
        /// A voice call.
        Voice = "voice",
        /// A fax.
        Fax = "fax",
    }

    /// Which addresses a number needs.
    open AddressRequirement {
        /// None.
        None = "none",
        /// Any.
        Any = "any",
        /// One near the number.
        Local = "local",
        /// One abroad.
        Foreign = "foreign",
    }
}

parameters! {
    /// What a number does when it is called or written to (Twilio: IncomingPhoneNumbers, update).
    ///
    /// The voice URL does not count while an application or a trunk is set, and setting one of those two deletes the
    /// other.
    NumberSettings;
    optional {
        /// What people call it, at most 64 characters.
        friendly_name: Private = "FriendlyName",
        /// The document for an incoming call.
        voice_url: Url = "VoiceUrl",
        /// How that one is requested; `POST` if not set.
        voice_method: Method = "VoiceMethod",
        /// A document for when the first cannot be had.
        voice_fallback_url: Url = "VoiceFallbackUrl",
        /// How that one is requested; `POST` if not set.
        voice_fallback_method: Method = "VoiceFallbackMethod",
        /// A URL to be told that an incoming call has ended.
        status_callback: Url = "StatusCallback",
        /// How that one is requested; `POST` if not set.
        status_callback_method: Method = "StatusCallbackMethod",
        /// An application instead of the voice URL.
        voice_application_sid: ApplicationSid = "VoiceApplicationSid",
        /// A trunk instead of the voice URL.
        trunk_sid: TrunkSid = "TrunkSid",
        /// Whether callers' names are looked up.
        voice_caller_id_lookup: bool = "VoiceCallerIdLookup",
        /// What an incoming call is taken for.
        voice_receive_mode: ReceiveMode = "VoiceReceiveMode",
        /// The document for an incoming message.
        sms_url: Url = "SmsUrl",
        /// How that one is requested; `POST` if not set.
        sms_method: Method = "SmsMethod",
        /// A document for when the first cannot be had.
        sms_fallback_url: Url = "SmsFallbackUrl",
        /// How that one is requested; `POST` if not set.
        sms_fallback_method: Method = "SmsFallbackMethod",
        /// An application instead of the message URL.
        sms_application_sid: ApplicationSid = "SmsApplicationSid",
        /// Whether emergency services can be called from it.
        emergency_status: EmergencyStatus = "EmergencyStatus",
        /// The address that emergency services are given.
        emergency_address_sid: AddressSid = "EmergencyAddressSid",
        /// The address that the number's country asks for.
        address_sid: AddressSid = "AddressSid",
        /// The identity that the number's country asks for.
        identity_sid: IdentitySid = "IdentitySid",
        /// The bundle of documents that the number's country asks for.
        bundle_sid: BundleSid = "BundleSid",
        /// The version of the API that calls are handled with.
        api_version: String = "ApiVersion",
        /// Another account of ours that the number moves to. Not when buying one.
        account_sid: AccountSid = "AccountSid",
    }
}

impl NumberSettings {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for NumberSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// Which number is bought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purchase {
    /// This one.
    Number(E164),
    /// Any with this area code, three digits of the United States or Canada.
    AreaCode(String),
}

parameters! {
    /// Which numbers are listed; all if nothing is set.
    NumberFilter;
    optional {
        /// That hold these digits; `*` stands for any digit.
        phone_number: String = "PhoneNumber",
        /// Of this name.
        friendly_name: Private = "FriendlyName",
        /// New to Twilio or not.
        beta: bool = "Beta",
        /// From Twilio (`twilio`) or brought along (`hosted`).
        origin: String = "Origin",
    }
}

impl NumberFilter {
    /// All numbers.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for NumberFilter {
    fn default() -> Self {
        Self::new()
    }
}

/// What a number can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Calls.
    pub voice: bool,
    /// Text messages.
    pub sms: bool,
    /// Messages with media.
    pub mms: bool,
    /// Faxes.
    pub fax: bool,
}

resource! {
    /// What a number is and does (Twilio: IncomingPhoneNumbers, resource).
    NumberResource;
    required {
        /// The number's SID.
        sid: PhoneNumberSid,
        /// The number.
        phone_number: E164,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// What people call it.
        friendly_name: Private,
        /// The document for an incoming call.
        voice_url: Url,
        /// How that one is requested.
        voice_method: Method,
        /// A document for when the first cannot be had.
        voice_fallback_url: Url,
        /// How that one is requested.
        voice_fallback_method: Method,
        /// A URL to be told that an incoming call has ended.
        status_callback: Url,
        /// How that one is requested.
        status_callback_method: Method,
        /// An application instead of the voice URL.
        voice_application_sid: ApplicationSid,
        /// A trunk instead of the voice URL.
        trunk_sid: TrunkSid,
        /// Whether callers' names are looked up.
        voice_caller_id_lookup: bool,
        /// What an incoming call is taken for.
        voice_receive_mode: ReceiveMode,
        /// The document for an incoming message.
        sms_url: Url,
        /// How that one is requested.
        sms_method: Method,
        /// A document for when the first cannot be had.
        sms_fallback_url: Url,
        /// How that one is requested.
        sms_fallback_method: Method,
        /// An application instead of the message URL.
        sms_application_sid: ApplicationSid,
        /// Whether emergency services can be called from it.
        emergency_status: EmergencyStatus,
        /// The address that emergency services are given.
        emergency_address_sid: AddressSid,
        /// What has become of the registration of that address.
        emergency_address_status: String,
        /// The address that the number's country asks for.
        address_sid: AddressSid,
        /// Which addresses the number needs.
        address_requirements: AddressRequirement,
        /// The identity that the number's country asks for.
        identity_sid: IdentitySid,
        /// The bundle of documents that the number's country asks for.
        bundle_sid: BundleSid,
        /// New to Twilio or not.
        beta: bool,
        /// From Twilio or brought along.
        origin: String,
        /// Whether it is in use.
        number_status: String = "status",
        /// What kind of number it is.
        number_type: String = "type",
        /// The version of the API that calls are handled with.
        api_version: String,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// A telephone number of the account.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct PhoneNumber {
    /// What it is and does.
    #[serde(flatten)]
    pub resource: NumberResource,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
}

/// The numbers of the account.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a> {
    client: &'a Client,
}

/// One number of the account.
#[derive(Debug, Clone, Copy)]
pub struct NumberHandle<'a> {
    client: &'a Client,
    sid: &'a PhoneNumberSid,
}

impl Client {
    /// The numbers of the account.
    #[must_use]
    pub fn numbers(&self) -> Numbers<'_> {
        Numbers { client: self }
    }

    /// One number of the account.
    #[must_use]
    pub fn number<'a>(&'a self, sid: &'a PhoneNumberSid) -> NumberHandle<'a> {
        NumberHandle { client: self, sid }
    }
}

impl Numbers<'_> {
    /// The numbers that fit.
    pub fn list(&self, filter: &NumberFilter) -> impl Stream<Item = Result<PhoneNumber, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["IncomingPhoneNumbers.json"], &query), "incoming_phone_numbers")
    }

    /// Buys a number.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn buy(&self, purchase: &Purchase, settings: &NumberSettings) -> Result<PhoneNumber, Error> {
        let mut form = settings.form();
        match purchase {
            Purchase::Number(number) => form.put("PhoneNumber", number),
            Purchase::AreaCode(code) => form.put("AreaCode", code),
        }
        self.client.json(self.client.post(&["IncomingPhoneNumbers.json"], &form, Twice::Different)).await
    }
}

impl NumberHandle<'_> {
    /// What the number is and does.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<PhoneNumber, Error> {
        self.client.json(self.client.get(&["IncomingPhoneNumbers", &self.file()], &Form::new())).await
    }

    /// Changes what the number does.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update(&self, settings: &NumberSettings) -> Result<PhoneNumber, Error> {
        let path = ["IncomingPhoneNumbers", &self.file()];
        self.client.json(self.client.post(&path, &settings.form(), Twice::Same)).await
    }

    /// Gives the number back.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn release(&self) -> Result<(), Error> {
        self.client.done(self.client.delete(&["IncomingPhoneNumbers", &self.file()])).await
    }

    fn file(&self) -> String {
        format!("{}.json", self.sid)
    }
}
