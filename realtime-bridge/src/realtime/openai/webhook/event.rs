//! What webhooks say.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::realtime::openai::sip::SipCallId;

/// The one event that a telephone needs.
const CALL_INCOMING: &str = "realtime.call.incoming";

/// What a webhook says.
#[derive(Clone)]
#[non_exhaustive]
pub enum WebhookEvent {
    /// Somebody is ringing (`realtime.call.incoming`).
    CallIncoming(IncomingCall),
    /// Anything else that the endpoint has subscribed to; answer 200 and forget it.
    Other {
        /// The provider's name for the event.
        kind: String,
        /// The whole event.
        json: Box<RawValue>,
    },
}

impl fmt::Debug for WebhookEvent {
    /// Without what an unknown event holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallIncoming(call) => f.debug_tuple("CallIncoming").field(call).finish(),
            Self::Other { kind, .. } => f.debug_struct("Other").field("kind", kind).finish_non_exhaustive(),
        }
    }
}

/// A call that rings until it is accepted or rejected.
///
/// The headers are those of the INVITE, written by whoever calls: what they say is no proof of anything, `From` least of
/// all. `Debug` shows their names only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncomingCall {
    /// The event's name.
    pub event_id: String,
    /// When it began to ring, by the provider's clock.
    pub created_at: SystemTime,
    /// The call.
    pub call_id: SipCallId,
    /// The headers of the INVITE, in order, repeated ones too.
    pub sip_headers: Vec<SipHeader>,
    /// Whether the audio between carrier and provider is encrypted: `srtp` or `rtp`, where the provider says so.
    pub media_security: Option<String>,
}

/// One header of an INVITE.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SipHeader {
    /// Its name, in the sender's spelling.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl IncomingCall {
    /// The first header with this name, however it is spelt.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.sip_headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.as_str())
    }

    /// Who says to be calling: the user part of `From`, such as `+14155550100`.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        sip_user(self.header("From")?)
    }

    /// What was dialled: the user part of `Diversion`, as a Twilio trunk tells it there, or else of `To`, which holds the
    /// project's id when the trunk leads to the provider directly.
    #[must_use]
    pub fn dialled(&self) -> Option<&str> {
        let diversion = self.header("Diversion").and_then(sip_user);
        diversion.or_else(|| sip_user(self.header("To")?)).filter(|user| !user.starts_with("proj_"))
    }

    /// Twilio's name for the call (`CA…`), where a Twilio trunk brought it.
    #[must_use]
    pub fn twilio_call_sid(&self) -> Option<&str> {
        self.header("X-Twilio-CallSid").map(str::trim).filter(|sid| sid.starts_with("CA"))
    }

    /// Whether it has been ringing for longer than `limit`, so that nobody waits any more. Deliveries may come late.
    #[must_use]
    pub fn is_late(&self, now: SystemTime, limit: Duration) -> bool {
        now.duration_since(self.created_at).is_ok_and(|age| age > limit)
    }
}

impl fmt::Debug for IncomingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.sip_headers.iter().map(|header| header.name.as_str()).collect();
        f.debug_struct("IncomingCall")
            .field("event_id", &self.event_id)
            .field("call_id", &self.call_id)
            .field("sip_headers", &names)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SipHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Text that is signed and still no event.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct MalformedEvent {
    what: &'static str,
    source: Option<serde_json::Error>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: String,
    created_at: Option<u64>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ringing {
    call_id: String,
    #[serde(default)]
    sip_headers: Vec<SipHeader>,
    sip_media_security: Option<String>,
}

/// Reads what is known; types of next year pass.
pub(super) fn read(body: &[u8]) -> Result<WebhookEvent, MalformedEvent> {
    let json = |what| move |source| MalformedEvent { what, source: Some(source) };
    let missing = |what| MalformedEvent { what, source: None };
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(json("it is no JSON object with a type"))?;
    if envelope.kind != CALL_INCOMING {
        let whole: Box<RawValue> = serde_json::from_slice(body).map_err(json("it is no JSON"))?;
        return Ok(WebhookEvent::Other { kind: envelope.kind, json: whole });
    }
    let data = envelope.data.ok_or_else(|| missing("a call without data"))?;
    let ringing: Ringing = serde_json::from_str(data.get()).map_err(json("a call with data of another form"))?;
    let seconds = envelope.created_at.ok_or_else(|| missing("a call without created_at"))?;
    let created_at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    Ok(WebhookEvent::CallIncoming(IncomingCall {
        event_id: envelope.id,
        created_at: created_at.ok_or_else(|| missing("a call from beyond time"))?,
        call_id: ringing.call_id.parse().map_err(|_| missing("a call whose name no URL takes"))?,
        sip_headers: ringing.sip_headers,
        media_security: ringing.sip_media_security,
    }))
}

/// The user part of the first SIP or tel URI in a header's value: `"Alice" <sip:+1415@host>;tag=1` gives `+1415`.
fn sip_user(value: &str) -> Option<&str> {
    // A display name in quotes may hold anything, also what looks like an address.
    let outside = match value.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.rsplit_once('"').map_or(value, |(_, rest)| rest),
        None => value,
    };
    let uri = outside.split_once('<').map_or(outside, |(_, rest)| rest).trim_start();
    let (scheme, rest) = uri.split_once(':')?;
    let end = rest.find(['@', '>', ';', '?', ' ', ',']).unwrap_or(rest.len());
    let user = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest[end..].starts_with('@').then(|| &rest[..end])?,
        "tel" => &rest[..end],
        _ => return None,
    };
    (!user.is_empty()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_of_an_address() {
        for (value, user) in [
            ("\"Alice\" <sip:+14155550100@pstn.example.com>;tag=as1", Some("+14155550100")),
            ("sip:+142555512112@sip.example.com", Some("+142555512112")),
            ("<tel:+81312345678>", Some("+81312345678")),
            ("<SIPS:proj_1@sip.api.openai.com;transport=tls>", Some("proj_1")),
            ("\"<sip:evil@example.com>\" <sip:good@example.com>", Some("good")),
            ("<sip:example.com>", None),
            ("anonymous", None),
            ("", None),
        ] {
            assert_eq!(sip_user(value), user, "{value}");
        }
    }

    #[test]
    fn what_is_not_known_passes_and_what_is_broken_does_not() {
        assert!(matches!(read(b"{\"type\":\"response.completed\"}"), Ok(WebhookEvent::Other { .. })));
        for broken in [
            "",
            "[]",
            "{}",
            r#"{"type":"realtime.call.incoming"}"#,
            r#"{"type":"realtime.call.incoming","created_at":1,"data":{}}"#,
            r#"{"type":"realtime.call.incoming","created_at":1,"data":{"call_id":"a/../b"}}"#,
            r#"{"type":"realtime.call.incoming","data":{"call_id":"rtc_1"}}"#,
        ] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
