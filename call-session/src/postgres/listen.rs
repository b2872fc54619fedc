//! News between servers.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    raw_sql,
};
use tokio::{
    sync::{Mutex, Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::Channel;

/// How long nothing may come until it is asked whether the connection is still there. It may be gone without a word.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long an answer to that, or a connection, may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The wait between attempts to connect.
const AGAIN: Duration = Duration::from_secs(1);

/// How much of what is told becomes one message to others. Messages are sent after a commit and not with it: commits that
/// notify wait for each other, all over the server.
const TOGETHER: Duration = Duration::from_millis(10);

/// How often others are looked at by those who are told of them, and by those who are not.
const TOLD: Duration = Duration::from_secs(2);
const UNTOLD: Duration = Duration::from_millis(250);

/// What was told on a channel.
#[derive(Debug)]
pub(crate) struct News {
    told: watch::Receiver<u64>,
    listening: watch::Receiver<bool>,
}

impl News {
    /// What was told until now is old.
    pub(crate) fn seen(&mut self) {
        self.told.mark_unchanged();
    }

    /// Waits until something is told. Who tells is there as long as the database is open, otherwise this waits for ever.
    pub(crate) async fn come(&mut self) {
        if self.told.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How long one may rely on being told.
    pub(crate) fn look_again(&self) -> Duration {
        if *self.listening.borrow() { TOLD } else { UNTOLD }
    }
}

/// Listens, and tells others.
#[derive(Debug)]
pub(super) struct Listener {
    channels: Vec<Told>,
    listening: watch::Receiver<bool>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug, Clone)]
struct Told {
    channel: Channel,
    here: watch::Sender<u64>,
    there: std::sync::Arc<Notify>,
}

impl Told {
    fn bump(&self) {
        self.here.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Listener {
    pub(super) fn new(pool: PgPool, direct: Option<PgConnectOptions>) -> Self {
        let told = |channel| Told { channel, here: watch::Sender::new(0), there: std::sync::Arc::default() };
        let channels: Vec<_> = Channel::ALL.into_iter().map(told).collect();
        let (tell, listening) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for told in &channels {
            tasks.spawn(pass_on(pool.clone(), told.clone()));
        }
        if let Some(direct) = direct {
            tasks.spawn(listen(direct, channels.clone(), tell));
        }
        Self { channels, listening, tasks: Mutex::new(tasks) }
    }

    pub(super) async fn close(&self) {
        self.tasks.lock().await.shutdown().await;
    }

    pub(super) fn news(&self, channel: Channel) -> News {
        let told = self.told(channel);
        News { told: told.here.subscribe(), listening: self.listening.clone() }
    }

    pub(super) fn tell(&self, channel: Channel) {
        let told = self.told(channel);
        told.bump();
        told.there.notify_one();
    }

    fn told(&self, channel: Channel) -> &Told {
        let told = self.channels.iter().find(|told| told.channel == channel);
        told.expect("there is one for each channel")
    }
}

/// Tells other servers what this one was told. What does not get through is found by looking.
async fn pass_on(pool: PgPool, told: Told) {
    let sql = format!("notify {}", told.channel.name());
    loop {
        told.there.notified().await;
        // It has a connection meanwhile, or waits for one.
        match timeout(ANSWER, raw_sql(sqlx::AssertSqlSafe(sql.as_str())).execute(&pool)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(error = &error as &dyn std::error::Error, "others were not told"),
            Err(_) => tracing::debug!("others were not told in time"),
        }
        sleep(TOGETHER).await;
    }
}

/// Listens for as long as the database is open.
async fn listen(options: PgConnectOptions, channels: Vec<Told>, tell: watch::Sender<bool>) {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_lazy_with(options);
    loop {
        if let Err(error) = hear(&pool, &channels, &tell).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "nobody listens to other servers");
        }
        tell.send_replace(false);
        sleep(AGAIN).await;
    }
}

/// Listens until the connection is lost.
async fn hear(pool: &PgPool, channels: &[Told], tell: &watch::Sender<bool>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all(channels.iter().map(|told| told.channel.name())).await?;
    tell.send_replace(true);
    // What was told before is not told again.
    channels.iter().for_each(Told::bump);
    loop {
        match timeout(HEARTBEAT, listener.try_recv()).await {
            Ok(heard) => {
                let Some(heard) = heard? else { return Ok(()) };
                channels.iter().filter(|told| told.channel.name() == heard.channel()).for_each(Told::bump);
            }
            Err(_) => {
                let answer = timeout(ANSWER, raw_sql("select 1").execute(&mut listener)).await;
                answer.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
