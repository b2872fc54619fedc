//! Text messages: through Twilio, or for nobody where there is no account.

use twilio_twiml::{
    phone::{Address, E164},
    rest::{Client, NewMessage},
};

/// Sends text messages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Sms {
    /// Through Twilio, from this number.
    Twilio {
        /// The account.
        client: Client,
        /// A number of the account that can write.
        from: E164,
    },
    /// Nowhere: that there was one is logged, without its words and number.
    Logged,
}

/// A message was not sent, or nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
#[error("the message was not sent")]
pub struct NotSent(#[from] twilio_twiml::rest::Error);

impl NotSent {
    /// Whether it may have been sent all the same.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        !self.0.was_not_processed()
    }
}

impl Sms {
    /// The account, if there is one.
    pub(super) const fn client(&self) -> Option<&Client> {
        match self {
            Self::Twilio { client, .. } => Some(client),
            Self::Logged => None,
        }
    }

    /// Sends a message. Gives its name at Twilio, or `logged`.
    ///
    /// # Errors
    ///
    /// [`NotSent`]; it [may have been](NotSent::may_have_happened) sent all the same.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may have sent it.
    pub async fn send(&self, to: &E164, body: &str) -> Result<String, NotSent> {
        match self {
            Self::Twilio { client, from } => {
                let message = NewMessage::new(Address::from(to.as_str()), Address::from(from.as_str()), body);
                Ok(client.messages().send(&message).await?.sid.to_string())
            }
            Self::Logged => {
                tracing::info!(characters = body.chars().count(), "a message would be sent");
                Ok("logged".into())
            }
        }
    }
}
