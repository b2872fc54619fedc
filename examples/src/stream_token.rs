//! Tokens that let a media stream in: single-use, short-lived, bound to one call.
//!
//! Whoever can reach the server can open a media stream and say that it is any call. What proves it is a token that only
//! the signed webhook's answer carried (Twilio: Media Streams, custom parameters).

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq;
use twilio_twiml::sid::{AccountSid, CallSid};
use uuid::Uuid;

/// The name of the `<Parameter>` that carries the token.
pub const PARAMETER: &str = "token";

/// A secret of 122 random bits. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamToken(String);

impl StreamToken {
    /// The token in clear, for the `<Parameter>`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamToken(…)")
    }
}

/// Why a media stream is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefused {
    /// The stream is not expected: it never was, it came before, or too late.
    #[error("no such stream is expected")]
    NotExpected,
    /// The stream came too late.
    #[error("the stream's token has expired")]
    Expired,
    /// There is no token, or another one.
    #[error("the stream's token is wrong")]
    Wrong,
    /// The token is another call's.
    #[error("the stream's token belongs to another call")]
    OtherCall,
}

/// The tokens of the streams that are expected. Time is an argument.
///
/// ```
/// use std::time::Duration;
/// use examples::stream_token::{StreamTokens, TokenRefused};
/// use uuid::Uuid;
///
/// let now = tokio::time::Instant::now().into_std();
/// let (call, account) = ("CAfedcba9876543210fedcba9876543210".parse()?, "AC0123456789abcdef0123456789abcdef".parse()?);
/// let tokens = StreamTokens::new(Duration::from_secs(10));
/// let stream = Uuid::now_v7();
/// let token = tokens.mint(now, stream, &call, &account);
///
/// assert_eq!(tokens.redeem(now, stream, "guessed", &call, &account), Err(TokenRefused::Wrong));
/// assert_eq!(tokens.redeem(now, stream, token.expose(), &call, &account), Ok(()));
/// assert_eq!(tokens.redeem(now, stream, token.expose(), &call, &account), Err(TokenRefused::NotExpected));
/// # Ok::<(), twilio_twiml::sid::ParseSidError>(())
/// ```
#[derive(Debug)]
pub struct StreamTokens {
    life: Duration,
    expected: Mutex<Expected>,
}

#[derive(Debug, Default)]
struct Expected {
    grants: HashMap<Uuid, Grant>,
    /// All have the same life, so the order they were minted in is the order they expire in.
    by_age: VecDeque<(Instant, Uuid)>,
}

#[derive(Debug)]
struct Grant {
    token: StreamToken,
    call: CallSid,
    account: AccountSid,
    expires: Instant,
}

impl StreamTokens {
    /// Tokens that live this long.
    #[must_use]
    pub fn new(life: Duration) -> Self {
        Self { life, expected: Mutex::default() }
    }

    /// A token for the stream of this call, known by its name in the stream's URL.
    pub fn mint(&self, now: Instant, stream: Uuid, call: &CallSid, account: &AccountSid) -> StreamToken {
        let token = StreamToken(Uuid::new_v4().simple().to_string());
        let expires = now + self.life;
        let grant = Grant { token: token.clone(), call: call.clone(), account: account.clone(), expires };
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.forget_expired(now);
        expected.by_age.push_back((expires, stream));
        expected.grants.insert(stream, grant);
        token
    }

    /// Whether a token for this stream may still be redeemed. Says nothing about who asks.
    #[must_use]
    pub fn is_expected(&self, now: Instant, stream: Uuid) -> bool {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.grants.get(&stream).is_some_and(|grant| now < grant.expires)
    }

    /// Lets a stream in, once. What is refused leaves the token of the real one as it was.
    ///
    /// # Errors
    ///
    /// [`TokenRefused`] says why not. Tell it to the log, not to the peer.
    pub fn redeem(
        &self,
        now: Instant,
        stream: Uuid,
        token: &str,
        call: &CallSid,
        account: &AccountSid,
    ) -> Result<(), TokenRefused> {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = expected.grants.get(&stream).ok_or(TokenRefused::NotExpected)?;
        if !bool::from(grant.token.0.as_bytes().ct_eq(token.as_bytes())) {
            return Err(TokenRefused::Wrong);
        }
        if now >= grant.expires {
            return Err(TokenRefused::Expired);
        }
        if (&grant.call, &grant.account) != (call, account) {
            return Err(TokenRefused::OtherCall);
        }
        expected.grants.remove(&stream);
        Ok(())
    }
}

impl Expected {
    fn forget_expired(&mut self, now: Instant) {
        while let Some((_, stream)) = self.by_age.pop_front_if(|(expires, _)| *expires <= now) {
            self.grants.remove(&stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(10);

    fn call(last: char) -> CallSid {
        format!("CAfedcba9876543210fedcba987654321{last}").parse().unwrap()
    }

    fn account(last: char) -> AccountSid {
        format!("AC0123456789abcdef0123456789abcde{last}").parse().unwrap()
    }

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn a_token_is_bound_to_its_stream_call_and_account_and_a_refusal_does_not_use_it_up() {
        let (tokens, now, stream) = (StreamTokens::new(LIFE), now(), Uuid::now_v7());
        let token = tokens.mint(now, stream, &call('0'), &account('f'));
        let redeem = |stream, call, account| tokens.redeem(now, stream, token.expose(), &call, &account);
        assert_eq!(redeem(Uuid::now_v7(), call('0'), account('f')), Err(TokenRefused::NotExpected));
        assert_eq!(redeem(stream, call('1'), account('f')), Err(TokenRefused::OtherCall));
        assert_eq!(redeem(stream, call('0'), account('e')), Err(TokenRefused::OtherCall));
        assert_eq!(tokens.redeem(now, stream, "", &call('0'), &account('f')), Err(TokenRefused::Wrong));
        assert_eq!(redeem(stream, call('0'), account('f')), Ok(()));
    }

    #[test]
    fn a_token_expires_and_is_forgotten() {
        let (tokens, begin, stream) = (StreamTokens::new(LIFE), now(), Uuid::now_v7());
        let token = tokens.mint(begin, stream, &call('0'), &account('f'));
        let late = begin + LIFE;
        assert!(tokens.is_expected(begin, stream) && !tokens.is_expected(late, stream));
        let redeemed = tokens.redeem(late, stream, token.expose(), &call('0'), &account('f'));
        assert_eq!(redeemed, Err(TokenRefused::Expired));
        tokens.mint(late, Uuid::now_v7(), &call('1'), &account('f'));
        let expected = tokens.expected.lock().unwrap();
        assert_eq!((expected.grants.len(), expected.by_age.len()), (1, 1));
    }

    #[test]
    fn no_token_is_shown() {
        let tokens = StreamTokens::new(LIFE);
        let token = tokens.mint(now(), Uuid::now_v7(), &call('0'), &account('f'));
        assert!(!format!("{tokens:?} {token:?}").contains(token.expose()));
    }
}
