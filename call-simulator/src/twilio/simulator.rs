//! The front door: an account, and calls to its numbers.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use twilio_twiml::{
    phone::{Address, E164},
    sid::AccountSid,
    webhook::{Form, signature::AuthToken},
};
use uuid::Uuid;

use super::{
    account::{Account, Leg, Number, mint},
    call::Call,
    debugger::Alert,
    dial::Dialer,
    interpreter::check_webhook,
    report::CallReport,
    script::CallerScript,
};

/// A simulated Twilio account. Cheap to clone: all clones are the same account.
#[derive(Debug, Clone)]
pub struct TwilioSimulator {
    account: Arc<Account>,
}

/// Sets a [`TwilioSimulator`] up.
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    account_sid: Option<AccountSid>,
    auth_token: Option<AuthToken>,
    numbers: Vec<Number>,
    tls: Option<Arc<ClientConfig>>,
}

/// Why an account cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Twilio would not request this URL.
    #[error("the URL of a number cannot be requested: {0}")]
    Url(Alert),
}

impl Builder {
    /// The account. A new one if not set.
    pub fn account_sid(mut self, sid: AccountSid) -> Self {
        self.account_sid = Some(sid);
        self
    }

    /// What webhooks are signed with. A new one if not set; see [`TwilioSimulator::auth_token`].
    pub fn auth_token(mut self, token: impl Into<AuthToken>) -> Self {
        self.auth_token = Some(token.into());
        self
    }

    /// Adds a telephone number.
    pub fn number(mut self, number: Number) -> Self {
        self.numbers.push(number);
        self
    }

    /// Whom `https` and `wss` connections trust. The certificate authorities of the web if not set.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The account, ready to be called.
    ///
    /// # Errors
    ///
    /// [`StartError::Url`] when a number has a URL that Twilio would not request.
    pub fn start(self) -> Result<TwilioSimulator, StartError> {
        for number in &self.numbers {
            let urls = [Some(&number.voice_url), number.fallback_url.as_ref(), number.status_callback.as_ref()];
            urls.into_iter().flatten().try_for_each(check_webhook).map_err(StartError::Url)?;
        }
        let account = Account {
            sid: self.account_sid.unwrap_or_else(|| mint("AC")),
            token: self.auth_token.unwrap_or_else(|| AuthToken::new(Uuid::new_v4().simple().to_string())),
            numbers: self.numbers,
            dialer: self.tls.map_or_else(Dialer::new, Dialer::with_tls),
        };
        Ok(TwilioSimulator { account: Arc::new(account) })
    }
}

/// One inbound call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOptions {
    /// Who calls, and what they do.
    pub caller: CallerScript,
    /// The caller's number. `+14155550100` by default, a number that belongs to nobody.
    pub from: Address,
    /// The number that is called. The account's first by default.
    pub to: Option<E164>,
    /// When the call is ended whatever happens, from the first ring. 10 minutes by default: Twilio's own four hours are
    /// longer than a test has.
    pub time_limit: Duration,
    /// Whether both sides are recorded: 16 bytes a millisecond. Yes by default.
    pub record: bool,
    /// More parameters for the voice webhook, such as `CallerName` or `StirVerstat`. None by default.
    pub parameters: Form,
}

impl CallOptions {
    /// A call by this caller.
    #[must_use]
    pub fn new(caller: CallerScript) -> Self {
        Self {
            caller,
            from: Address::Phone("+14155550100".parse().expect("a number of the fictitious range")),
            to: None,
            time_limit: Duration::from_secs(600),
            record: true,
            parameters: Form::new(),
        }
    }

    /// Sets the caller's number.
    #[must_use]
    pub fn with_from(mut self, from: Address) -> Self {
        self.from = from;
        self
    }

    /// Sets the number that is called.
    #[must_use]
    pub fn with_to(mut self, to: E164) -> Self {
        self.to = Some(to);
        self
    }

    /// Sets when the call is ended whatever happens.
    #[must_use]
    pub const fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Sets whether both sides are recorded.
    #[must_use]
    pub const fn with_record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Adds a parameter to the voice webhook.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push(name, value);
        self
    }
}

impl TwilioSimulator {
    /// An account to be set up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The account.
    #[must_use]
    pub fn account_sid(&self) -> &AccountSid {
        &self.account.sid
    }

    /// What webhooks are signed with.
    #[must_use]
    pub fn auth_token(&self) -> &AuthToken {
        &self.account.token
    }

    /// Places a call and lives it to its end, in real time. Many calls can run at once.
    ///
    /// # Panics
    ///
    /// When the account has no such number.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the call like a network that fails: all sockets close, no goodbye is said.
    pub async fn call(&self, options: CallOptions) -> CallReport {
        let number = match &options.to {
            Some(to) => self.account.numbers.iter().find(|number| number.number == *to),
            None => self.account.numbers.first(),
        };
        let number = number.expect("only numbers of the account can be called").clone();
        let leg = Leg {
            account_sid: self.account.sid.clone(),
            call_sid: mint("CA"),
            from: options.from,
            to: Address::Phone(number.number.clone()),
            extra: options.parameters,
        };
        let account = Arc::clone(&self.account);
        let call = Call::new(account, leg, number, options.caller, options.time_limit, options.record);
        Box::pin(call.run()).await
    }
}
