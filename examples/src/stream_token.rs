//! Tokens that let a media stream in: short-lived, bound to one stream of one call, good on every server.
//!
//! Whoever can reach the server can open a media stream and say that it is any call. What proves it is a token that only
//! the signed webhook's answer carried (Twilio: Media Streams, custom parameters). Servers that share the key take each
//! other's tokens; that a token is used once is kept with the call, which lets each stream be attached once.

use std::time::Duration;

use call_session::id::StreamId;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use twilio_twiml::sid::{AccountSid, CallSid};

/// The name of the `<Parameter>` that carries the token.
pub const PARAMETER: &str = "token";

/// A token, in clear only on purpose: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamToken(String);

impl StreamToken {
    /// The token in clear, for the `<Parameter>`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for StreamToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamToken(…)")
    }
}

/// Why a media stream is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefused {
    /// The stream came too late.
    #[error("the stream's token has expired")]
    Expired,
    /// There is no token, or one that is another stream's, another call's or nobody's.
    #[error("the stream's token is wrong")]
    Wrong,
}

/// Mints and checks tokens. Time is an argument.
///
/// ```
/// use std::time::Duration;
///
/// use call_session::id::StreamId;
/// use examples::stream_token::{StreamTokens, TokenRefused};
/// use jiff::Timestamp;
///
/// let (call, account) = ("CAfedcba9876543210fedcba9876543210".parse()?, "AC0123456789abcdef0123456789abcdef".parse()?);
/// let (tokens, now, stream) = (StreamTokens::new(b"a secret", Duration::from_secs(10)), Timestamp::now(), StreamId::new());
/// let token = tokens.mint(now, stream, &call, &account);
///
/// assert_eq!(tokens.check(now, stream, "guessed", &call, &account), Err(TokenRefused::Wrong));
/// assert_eq!(tokens.check(now, stream, token.expose(), &call, &account), Ok(()));
/// # Ok::<(), twilio_twiml::sid::ParseSidError>(())
/// ```
#[derive(Clone)]
pub struct StreamTokens {
    key: Hmac<Sha256>,
    life: Duration,
}

impl StreamTokens {
    /// Tokens that live this long. Servers with the same secret take each other's.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of every length.
    #[must_use]
    pub fn new(secret: &[u8], life: Duration) -> Self {
        let mut key = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
        // The secret has other uses: what is signed for them must not be a token.
        key.update(b"media stream token v1\0");
        Self { key, life }
    }

    /// A token for a stream of this call.
    #[must_use]
    pub fn mint(&self, now: Timestamp, stream: StreamId, call: &CallSid, account: &AccountSid) -> StreamToken {
        let expires = now.saturating_add(self.life).map_or(i64::MAX, Timestamp::as_millisecond);
        let tag = self.sign(expires, stream, call, account).finalize().into_bytes();
        StreamToken(format!("{expires:x}.{}", hex(&tag)))
    }

    /// Whether this is the token of the stream.
    ///
    /// # Errors
    ///
    /// [`TokenRefused`] says why not. Tell it to the log, not to the peer.
    pub fn check(
        &self,
        now: Timestamp,
        stream: StreamId,
        token: &str,
        call: &CallSid,
        account: &AccountSid,
    ) -> Result<(), TokenRefused> {
        let (expires, tag) = token.split_once('.').ok_or(TokenRefused::Wrong)?;
        let expires = i64::from_str_radix(expires, 16).map_err(|_| TokenRefused::Wrong)?;
        let tag = unhex(tag).ok_or(TokenRefused::Wrong)?;
        // Compares in constant time.
        self.sign(expires, stream, call, account).verify_slice(&tag).map_err(|_| TokenRefused::Wrong)?;
        if now.as_millisecond() >= expires { Err(TokenRefused::Expired) } else { Ok(()) }
    }

    fn sign(&self, expires: i64, stream: StreamId, call: &CallSid, account: &AccountSid) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(&expires.to_be_bytes());
        mac.update(stream.0.as_bytes());
        mac.update(call.as_str().as_bytes());
        mac.update(account.as_str().as_bytes());
        mac
    }
}

impl std::fmt::Debug for StreamTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTokens").field("life", &self.life).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 64 {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(last: char) -> CallSid {
        format!("CAfedcba9876543210fedcba987654321{last}").parse().unwrap()
    }

    fn account(last: char) -> AccountSid {
        format!("AC0123456789abcdef0123456789abcde{last}").parse().unwrap()
    }

    #[test]
    fn a_token_is_bound_to_its_stream_call_account_and_time() {
        let tokens = StreamTokens::new(b"secret", Duration::from_secs(10));
        let (now, stream) = (Timestamp::now(), StreamId::new());
        let token = tokens.mint(now, stream, &call('0'), &account('f'));
        let check = |now, stream, call, account| tokens.check(now, stream, token.expose(), &call, &account);
        assert_eq!(check(now, stream, call('0'), account('f')), Ok(()));
        assert_eq!(check(now, StreamId::new(), call('0'), account('f')), Err(TokenRefused::Wrong));
        assert_eq!(check(now, stream, call('1'), account('f')), Err(TokenRefused::Wrong));
        assert_eq!(check(now, stream, call('0'), account('e')), Err(TokenRefused::Wrong));
        let late = now + Duration::from_secs(10);
        assert_eq!(check(late, stream, call('0'), account('f')), Err(TokenRefused::Expired));
        let longer = token.expose().replacen(|digit: char| digit.is_ascii_hexdigit(), "f", 1);
        let moved = tokens.check(late, stream, &longer, &call('0'), &account('f'));
        assert_eq!(moved, Err(TokenRefused::Wrong), "the time is signed, too");
        for broken in ["", ".", "f", "1.zz", "1.0", "1.é"] {
            assert_eq!(tokens.check(now, stream, broken, &call('0'), &account('f')), Err(TokenRefused::Wrong));
        }
    }

    #[test]
    fn servers_with_another_secret_do_not_take_it() {
        let (now, stream) = (Timestamp::now(), StreamId::new());
        let token = StreamTokens::new(b"ours", Duration::from_secs(10)).mint(now, stream, &call('0'), &account('f'));
        let theirs = StreamTokens::new(b"theirs", Duration::from_secs(10));
        let refused = theirs.check(now, stream, token.expose(), &call('0'), &account('f'));
        assert_eq!(refused, Err(TokenRefused::Wrong));
        assert!(!format!("{token:?}{theirs:?}").contains(token.expose()));
    }
}
