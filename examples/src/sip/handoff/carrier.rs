//! The second way to move a caller: by the carrier, where it is Twilio and the account is ours.
//!
//! Twilio's documentation does not say whether it redirects the legs of an Elastic SIP Trunk. Where a number of the account
//! dials the provider (`<Dial><Sip>`), it redirects the caller's leg, and has nobody to pass the provider's REFER on to. So
//! the provider is asked first, and Twilio when the provider certainly does nothing.
//!
//! Twilio takes the caller away from the agent before anybody picks up, and gives nobody back: after a talk, and when nobody
//! took the call, it says goodbye and ends it.

use call_session::{handoff::LineError, id::SessionId};
use twilio_twiml::{
    phone::Address,
    rest::{Error, Problem},
    twiml::{Dial, Number, Party, Response, Sip},
};

use crate::{
    chain::Chain,
    conversation::{Conversation, Language},
    sip::SipServer,
};

impl SipServer {
    /// Has Twilio connect the caller to somebody. The provider's leg ends by that, as by its own transfer.
    pub(super) async fn ask_carrier(&self, session: SessionId, to: &Address) -> Result<(), LineError> {
        let Some(client) = self.0.settings.sms.client() else { return Err(LineError::NotDone) };
        let summary = self.0.store.summary(session).await.ok().flatten().ok_or(LineError::NotDone)?;
        let Some(sid) = summary.call_sid else { return Err(LineError::NotDone) };
        let leg = client.call(&sid).fetch().await.map_err(|error| told(&error))?;
        // The name came with the INVITE, and is the caller's word: it must be the call of this caller.
        if leg.from.as_ref() != Some(&summary.from) {
            tracing::warn!(call = %session, "the name of the call at Twilio is another caller's");
            return Err(LineError::NotDone);
        }
        // Where the account dials the provider, this leg is the provider's, and the caller's is behind it.
        let caller = leg.parent_call_sid.unwrap_or(sid);
        let party = match to {
            Address::Sip(uri) => Party::from(Sip::new(&**uri)),
            number => Party::from(Number::new(number.clone())),
        };
        let dial = Dial::to(party).timeout(self.0.settings.people.patience());
        // Also after a talk: the document does not know whether there was one, and its end is the end of the call.
        let goodbye = Conversation::new(Language::Japanese).handoff_goodbye();
        let document = Response::new().dial(dial).say(goodbye).to_inline().map_err(|error| {
            tracing::error!(error = %Chain(&error), "nobody can be dialled like this");
            LineError::NotDone
        })?;
        client.call(&caller).run(document).await.map_err(|error| told(&error))?;
        tracing::info!(call = %session, "the carrier moves the caller");
        Ok(())
    }
}

fn told(error: &Error) -> LineError {
    tracing::warn!(error = %Chain(error), "the carrier does not move the caller");
    match error.problem() {
        Some(Problem::CallNotInProgress) => LineError::NotInProgress,
        _ if error.was_not_processed() => LineError::NotDone,
        _ => LineError::Unknown,
    }
}
