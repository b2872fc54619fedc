//! The front door: an account, and calls to its numbers.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use rustls::ClientConfig;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use twilio_twiml::{
    phone::{Address, E164},
    sid::{AccountSid, ApiKeySid, CallSid},
    webhook::{Form, signature::AuthToken},
    words::{CallStatus, Direction},
};
use uuid::Uuid;

use super::{
    account::{Account, Leg, Number, mint},
    call::{Call, Plan, Way},
    callback_plan::CallbackPlan,
    conference::Rooms,
    debugger::Alert,
    dial::Dialer,
    interpreter::check_webhook,
    phone::PhoneScript,
    phonebook::Phones,
    recordings::Recordings,
    register::{Begin, Register, lock},
    report::CallReport,
    rest::{Operation, RestFault, RestFaults, RestServer, RestSettings},
    script::CallerScript,
};

/// A simulated Twilio account. Cheap to clone: all clones are the same account.
///
/// Calls that its REST API has made end when the last clone and the last [`RestServer`] are dropped.
#[derive(Debug, Clone)]
pub struct TwilioSimulator {
    account: Arc<Account>,
    alive: Arc<Alive>,
}

/// Ends the account's own calls when it is dropped.
#[derive(Debug)]
pub(super) struct Alive {
    _stop: DropGuard,
}

/// Sets a [`TwilioSimulator`] up.
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    account_sid: Option<AccountSid>,
    auth_token: Option<AuthToken>,
    numbers: Vec<Number>,
    tls: Option<Arc<ClientConfig>>,
    api_keys: Vec<(ApiKeySid, AuthToken)>,
    settings: RestSettings,
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

    /// Lets the REST API in with this key too, besides the account and its token.
    pub fn api_key(mut self, sid: ApiKeySid, secret: impl Into<AuthToken>) -> Self {
        self.api_keys.push((sid, secret.into()));
        self
    }

    /// How long a call that the REST API makes waits in the queue. 60 ms by default.
    pub const fn dial_delay(mut self, delay: Duration) -> Self {
        self.settings.dial_delay = delay;
        self
    }

    /// From dialling to the first ring. 200 ms by default.
    pub const fn ring_delay(mut self, delay: Duration) -> Self {
        self.settings.ring_delay = delay;
        self
    }

    /// How long lists of the REST API do not know what was made: Twilio's lag behind. Not at all by default.
    pub const fn list_lag(mut self, lag: Duration) -> Self {
        self.settings.list_lag = lag;
        self
    }

    /// When a call that the REST API makes is ended if it has no `TimeLimit`, from the answer. 10 minutes by default.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.settings.time_limit = limit;
        self
    }

    /// Whether the reports of calls that the REST API makes hold what was said: 16 bytes a millisecond. Yes by default.
    pub const fn record(mut self, record: bool) -> Self {
        self.settings.record = record;
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
            api_keys: self.api_keys,
            settings: self.settings,
            register: Register::default(),
            recordings: Recordings::default(),
            phones: Phones::default(),
            rooms: Rooms::default(),
            rest_faults: RestFaults::default(),
            callback_plan: Mutex::default(),
            rest_base: OnceLock::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let alive = Arc::new(Alive { _stop: account.stop.clone().drop_guard() });
        Ok(TwilioSimulator { account: Arc::new(account), alive })
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
        let number = number.expect("only numbers of the account can be called");
        let leg = Leg {
            account_sid: self.account.sid.clone(),
            call_sid: mint("CA"),
            parent: None,
            direction: Direction::Inbound,
            from: options.from,
            to: Address::Phone(number.number.clone()),
            extra: options.parameters,
        };
        let entry = self.account.register.add(&leg, CallStatus::Ringing, number.progress());
        let plan = Plan {
            leg,
            begin: Begin::Fetch(number.voice()),
            fallback: number.fallback(),
            time_limit: options.time_limit,
            record: options.record,
            way: Way::In(options.caller),
        };
        Box::pin(Call::new(Arc::clone(&self.account), entry, plan).run()).await
    }

    /// Serves Twilio's REST API on loopback, on a free port.
    ///
    /// # Errors
    ///
    /// When there is no port to listen on.
    pub async fn serve_rest(&self) -> io::Result<RestServer> {
        self.serve_rest_on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Serves Twilio's REST API on this address.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub async fn serve_rest_on(&self, bind: SocketAddr) -> io::Result<RestServer> {
        RestServer::start(Arc::clone(&self.account), Arc::clone(&self.alive), bind).await
    }

    /// Gives a number, a client or a SIP address a telephone. What it did before is forgotten.
    ///
    /// An address without a telephone cannot be reached: SIP 404, status `failed`.
    pub fn phone(&self, address: impl Into<Address>, script: PhoneScript) {
        self.account.phones.set(address.into(), script);
    }

    /// What the telephone does once, the next time it is called that has no such plan yet.
    pub fn phone_next(&self, address: impl Into<Address>, script: PhoneScript) {
        self.account.phones.set_next(address.into(), script);
    }

    /// What every telephone does that was not given a script.
    pub fn other_phones(&self, script: PhoneScript) {
        self.account.phones.set_others(script);
    }

    /// Lets the next request of this kind go wrong. Several plans for one kind come one after the other; `None` lets a
    /// request go well.
    pub fn plan_rest(&self, operation: Operation, fault: impl Into<Option<RestFault>>) {
        self.account.rest_faults.push(operation, fault.into());
    }

    /// Lets requests without a plan go wrong by chance, so many in a hundred for each fault, the same ones for the same
    /// seed and order of requests.
    pub fn seed_rest_faults(&self, seed: u64, faults: impl IntoIterator<Item = (u8, RestFault)>) {
        self.account.rest_faults.seed(seed, faults.into_iter().collect());
    }

    /// What happens to callbacks from now on.
    pub fn plan_callbacks(&self, plan: CallbackPlan) {
        *lock(&self.account.callback_plan) = plan;
    }

    /// Every call so far, oldest first, whoever placed it.
    #[must_use]
    pub fn calls(&self) -> Vec<CallSid> {
        self.account.register.all().iter().map(|entry| entry.sid.clone()).collect()
    }

    /// What the account says of a call; `None` if it has no such call.
    #[must_use]
    pub fn status(&self, call: &CallSid) -> Option<CallStatus> {
        self.account.register.find(call).map(|entry| entry.status())
    }

    /// Waits for the end of a call that the REST API has made, and for its callbacks. `None` if there is no such call.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn report(&self, call: &CallSid) -> Option<Arc<CallReport>> {
        let entry = self.account.register.find(call)?;
        Some(entry.report().await)
    }

    /// Waits for the end of the next call that the REST API has made: the first time for the one that ends first, and so
    /// on.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no report.
    pub async fn next_report(&self) -> Arc<CallReport> {
        self.account.register.next_report().await
    }
}
