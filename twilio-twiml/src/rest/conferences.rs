//! Conferences (Twilio: API, Conferences).

use futures_util::Stream;
use jiff::civil::Date;

use super::{
    client::{Client, Twice},
    error::Error,
    page::PAGE_SIZE,
    parameters::parameters,
    resource::resource,
};
use crate::{
    Rfc2822,
    sid::{AccountSid, CallSid, ConferenceSid},
    twiml::Url,
    value::words,
    webhook::{Form, WhyEnded},
    words::Method,
};

words! {
    /// What has become of a conference.
    open ConferenceStatus {
        /// Nobody has started it yet.
        Init = "init",
        /// It goes on.
        InProgress = "in-progress",
        /// It is over.
        Completed = "completed",
    }
}

parameters! {
    /// A change to a conference (Twilio: Conferences, update). [`ConferenceHandle::end`] ends it.
    ConferenceUpdate;
    optional {
        /// What everybody hears now: an MP3 or WAV file, or a document of `Play`, `Say`, `Pause` and `Redirect`.
        announce_url: Url = "AnnounceUrl",
        /// How that one is requested; `POST` if not set.
        announce_method: Method = "AnnounceMethod",
    }
}

impl ConferenceUpdate {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for ConferenceUpdate {
    fn default() -> Self {
        Self::new()
    }
}

parameters! {
    /// Which conferences are listed; all if nothing is set.
    ConferenceFilter;
    optional {
        /// Of exactly this name. Many that are over may have it, and at most one that is not.
        friendly_name: String = "FriendlyName",
        /// What has become of them.
        status: ConferenceStatus = "Status",
        /// Created on this day.
        created_on: Date = "DateCreated",
        /// Created before this day.
        created_before: Date = "DateCreated<",
        /// Created after this day.
        created_after: Date = "DateCreated>",
        /// Changed on this day.
        updated_on: Date = "DateUpdated",
        /// Changed before this day.
        updated_before: Date = "DateUpdated<",
        /// Changed after this day.
        updated_after: Date = "DateUpdated>",
    }
}

impl ConferenceFilter {
    /// All conferences.
    #[must_use]
    pub fn new() -> Self {
        Self::bare()
    }
}

impl Default for ConferenceFilter {
    fn default() -> Self {
        Self::new()
    }
}

resource! {
    /// A conference, as the API knows it (Twilio: Conferences, resource).
    Conference;
    required {
        /// The conference.
        sid: ConferenceSid,
        /// What has become of it.
        status: ConferenceStatus,
    }
    optional {
        /// The room's name.
        friendly_name: String,
        /// The account.
        account_sid: AccountSid,
        /// Where it is mixed; `unknown` until somebody is in it.
        region: String,
        /// Why it ended.
        reason_conference_ended: WhyEnded,
        /// The leg that ended it.
        call_sid_ending_conference: CallSid,
        /// The version of the API.
        api_version: String,
        /// When it was created.
        date_created: Rfc2822,
        /// When it last changed.
        date_updated: Rfc2822,
        /// Where it is in the API.
        uri: String,
    }
}

/// The conferences of the account.
#[derive(Debug, Clone, Copy)]
pub struct Conferences<'a> {
    client: &'a Client,
}

/// One conference.
#[derive(Debug, Clone, Copy)]
pub struct ConferenceHandle<'a> {
    pub(super) client: &'a Client,
    /// Its SID; for the creation of a participant the room's name does as well.
    pub(super) sid: &'a str,
}

impl Client {
    /// The conferences of the account.
    #[must_use]
    pub fn conferences(&self) -> Conferences<'_> {
        Conferences { client: self }
    }

    /// One conference.
    #[must_use]
    pub fn conference<'a>(&'a self, sid: &'a ConferenceSid) -> ConferenceHandle<'a> {
        ConferenceHandle { client: self, sid: sid.as_str() }
    }
}

impl Conferences<'_> {
    /// The conferences that fit, newest first.
    pub fn list(&self, filter: &ConferenceFilter) -> impl Stream<Item = Result<Conference, Error>> + Send + use<> {
        let query = filter.form().with("PageSize", PAGE_SIZE);
        self.client.list(self.client.get(&["Conferences.json"], &query), "conferences")
    }
}

impl ConferenceHandle<'_> {
    /// What has become of the conference.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self) -> Result<Conference, Error> {
        self.client.json(self.client.get(&["Conferences", &self.file()], &Form::new())).await
    }

    /// Ends the conference: every leg leaves, and goes on after its `<Dial>`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn end(&self) -> Result<Conference, Error> {
        self.change(&Form::new().with("Status", "completed"), Twice::Same).await
    }

    /// Plays something to everybody: an MP3 or WAV file, or a document of `Play`, `Say`, `Pause` and `Redirect`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn announce(&self, url: impl Into<Url>) -> Result<Conference, Error> {
        self.update(&ConferenceUpdate::new().announce_url(url)).await
    }

    /// Changes the conference.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update(&self, update: &ConferenceUpdate) -> Result<Conference, Error> {
        // An announcement would be heard twice.
        self.change(&update.form(), Twice::Different).await
    }

    async fn change(&self, form: &Form, twice: Twice) -> Result<Conference, Error> {
        self.client.json(self.client.post(&["Conferences", &self.file()], form, twice)).await
    }

    fn file(&self) -> String {
        format!("{}.json", self.sid)
    }
}
