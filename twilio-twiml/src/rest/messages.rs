//! Text messages (Twilio: API, Messages).

use futures_util::Stream;
use jiff::Timestamp;

use super::{
    client::{Client, Twice},
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Count, Private, Rfc2822, Seconds,
    phone::Address,
    sid::{AccountSid, ApplicationSid, ContentSid, MessageSid, MessagingServiceSid},
    twiml::Url,
    value::words,
    webhook::{Form, MessageStatus},
};

words! {
    /// Who sent a message.
    open MessageDirection {
        /// Somebody wrote to us.
        Inbound = "inbound",
        /// A REST request.
        OutboundApi = "outbound-api",
        /// A document during a call.
        OutboundCall = "outbound-call",
        /// A document that answers a message.
        OutboundReply = "outbound-reply",
    }

    /// Whether Twilio keeps what a message says.
    closed ContentRetention {
        /// It does.
        Retain = "retain",
        /// It does not.
        Discard = "discard",
    }

    /// Whether Twilio keeps whom a message is for.
    closed AddressRetention {
        /// It does.
        Retain = "retain",
        /// Only a part.
        Obfuscate = "obfuscate",
    }

    /// Whether a message is free.
    closed TrafficType {
        /// It is.
        Free = "free",
    }

    /// Whether a message is checked for fraud.
    closed RiskCheck {
        /// It is.
        Enable = "enable",
        /// It is not.
        Disable = "disable",
    }
}

/// Who a message is from: one of these. Only a service can send later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sender {
    /// A number of ours, or a name.
    From(Address),
    /// A messaging service chooses.
    Service {
        /// The service.
        sid: MessagingServiceSid,
        /// When it is sent, 15 minutes to 35 days from now; at once if `None`.
        send_at: Option<Timestamp>,
    },
}

impl Sender {
    fn fill(&self, form: &mut Form) {
        match self {
            Self::From(from) => form.put("From", from),
            Self::Service { sid, send_at } => {
                form.put("MessagingServiceSid", sid);
                if let Some(send_at) = send_at {
                    form.push("ScheduleType", "fixed");
                    form.put("SendAt", send_at);
                }
            }
        }
    }
}

impl<T: Into<Address>> From<T> for Sender {
    fn from(from: T) -> Self {
        Self::From(from.into())
    }
}

impl From<MessagingServiceSid> for Sender {
    fn from(sid: MessagingServiceSid) -> Self {
        Self::Service { sid, send_at: None }
    }
}

/// What a message says: one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageContent {
    /// Words, at most 1600 characters.
    Text(Private),
    /// Pictures and the like, at most 10, and words if there are any.
    Media {
        /// Where they are.
        urls: Vec<Url>,
        /// The words.
        text: Option<Private>,
    },
    /// A template of the account.
    Template {
        /// The template.
        sid: ContentSid,
        /// What is filled in, as JSON.
        variables: Option<Private>,
    },
}

impl MessageContent {
    fn fill(&self, form: &mut Form) {
        match self {
            Self::Text(text) => form.put("Body", text),
            Self::Media { urls, text } => {
                urls.iter().for_each(|url| form.put("MediaUrl", url));
                if let Some(text) = text {
                    form.put("Body", text);
                }
            }
            Self::Template { sid, variables } => {
                form.put("ContentSid", sid);
                if let Some(variables) = variables {
                    form.put("ContentVariables", variables);
                }
            }
        }
    }
}

impl<T: Into<Private>> From<T> for MessageContent {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

parameters! {
    /// A message to be sent (Twilio: Messages, create).
    NewMessage;
    required {
        /// Who gets it.
        to: Address = "To",
    }
    with {
        /// Who it is from.
        sender: Sender,
        /// What it says.
        content: MessageContent,
    }
    optional {
        /// A URL to be told what becomes of it.
        status_callback: Url = "StatusCallback",
        /// How long it may wait to be sent, 1–36000 s.
        validity_period: Seconds = "ValidityPeriod",
        /// Whether signs that make a message longer are replaced.
        smart_encoded: bool = "SmartEncoded",
        /// Whether links are shortened.
        shorten_urls: bool = "ShortenUrls",
        /// An application to be told what becomes of it.
        application_sid: ApplicationSid = "ApplicationSid",
        /// Whether we will tell Twilio that it arrived.
        provide_feedback: bool = "ProvideFeedback",
        /// Which attempt at the message this is.
        attempt: Count = "Attempt",
        /// Whether Twilio keeps what it says.
        content_retention: ContentRetention = "ContentRetention",
        /// Whether Twilio keeps whom it is for.
        address_retention: AddressRetention = "AddressRetention",
        /// Whether it is free.
        traffic_type: TrafficType = "TrafficType",
        /// Whether it is sent as one with media.
        send_as_mms: bool = "SendAsMms",
        /// Whether it is checked for fraud.
        risk_check: RiskCheck = "RiskCheck",
        /// Who it is from if the first sender cannot.
        fallback_from: Address = "FallbackFrom",
        /// Kept by Twilio for old programs.
        force_delivery: bool = "ForceDelivery",
        /// Has no effect any more.
        max_price: f64 = "MaxPrice",
    }
    lists {
        /// What a receiver's phone does with it.
        persistent_action: String = "PersistentAction",
    }
}

impl NewMessage {
    /// A message to somebody, from a number or a service of ours.
    #[must_use]
    pub fn new(to: impl Into<Address>, sender: impl Into<Sender>, content: impl Into<MessageContent>) -> Self {
        Self::bare(to.into(), sender.into(), content.into())
    }
}

parameters! {
    /// Which messages are listed; all if nothing is set.
    MessageFilter;
    optional {
        /// To this address.
        to: Address = "To",
        /// From this address.
        from: Address = "From",
        /// Sent on this day or at this moment.
        sent_at: Timestamp = "DateSent",
        /// Sent before.
        sent_before: Timestamp = "DateSent<",
        /// Sent after.
        sent_after: Timestamp = "DateSent>",
    }
}

impl MessageFilter {
    /// All messages.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for MessageFilter {
    fn default() -> Self {
        Self::new()
    }
}

resource! {
    /// A message, as the API knows it (Twilio: Messages, resource).
    Message;
    required {
        /// The message.
        sid: MessageSid,
        /// What has become of it.
        status: MessageStatus,
    }
    optional {
        /// The account.
        account_sid: AccountSid,
        /// The service that sent it.
        messaging_service_sid: MessagingServiceSid,
        /// Who gets it.
        to: Address,
        /// Who it is from.
        from: Address,
        /// What it says.
        body: Private,
        /// How many parts it is sent in.
        num_segments: Count,
        /// How many pictures and the like it has.
        num_media: Count,
        /// Who sent it.
        direction: MessageDirection,
        /// Why it failed.
        error_code: u32,
        /// Why it failed, in words.
        error_message: String,
        /// What it costs.
        price: String,
        /// The currency of the price.
        price_unit: String,
        /// The version of the API.
        api_version: String,
        /// When it was sent.
        date_sent: Rfc2822,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// The messages of the account.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a> {
    client: &'a Client,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct MessageHandle<'a> {
    client: &'a Client,
    sid: &'a MessageSid,
}

impl Client {
    /// The messages of the account.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages { client: self }
    }

    /// One message.
    #[must_use]
    pub fn message<'a>(&'a self, sid: &'a MessageSid) -> MessageHandle<'a> {
        MessageHandle { client: self, sid }
    }
}

impl Messages<'_> {
    /// Sends a message. Whether it arrives is told by its status callback.
    ///
    /// The request is repeated only if Twilio certainly did nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send(&self, message: &NewMessage) -> Result<Message, Error> {
        self.client.json(self.client.post(&["Messages.json"], &message.form(), Twice::Different)).await
    }

    /// The messages that fit, newest first.
    pub fn list(&self, filter: &MessageFilter) -> impl Stream<Item = Result<Message, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["Messages.json"], &query), "messages")
    }
}

impl MessageHandle<'_> {
    /// What has become of the message.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<Message, Error> {
        self.client.json(self.client.get(&["Messages", &self.file()], &Form::new())).await
    }

    /// Removes what the message says.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn redact(&self) -> Result<Message, Error> {
        self.change(&Form::new().with("Body", "")).await
    }

    /// Cancels a message that waits for its time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn cancel(&self) -> Result<Message, Error> {
        self.change(&Form::new().with("Status", "canceled")).await
    }

    /// Deletes the message.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.done(self.client.delete(&["Messages", &self.file()])).await
    }

    async fn change(&self, form: &Form) -> Result<Message, Error> {
        self.client.json(self.client.post(&["Messages", &self.file()], form, Twice::Same)).await
    }

    fn file(&self) -> String {
        format!("{}.json", self.sid)
    }
}
