//! How fast a running server answers the voice webhook: signed requests for new calls at a steady rate, from outside.
//!
//! See the section "Voice webhook" of the README.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on the terminal")]

use std::{error::Error, time::Duration};

use clap::Parser;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use twilio_twiml::webhook::{Form, signature::AuthToken};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// Posts the voice webhooks of new calls to a server and measures its answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server's PUBLIC_URL.
    #[arg(long)]
    url: String,
    /// What its webhooks are signed with.
    #[arg(long, env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    auth_token: String,
    /// New calls in a second.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Arguments { url, auth_token, rate, seconds } = Arguments::parse();
    let (url, token) = (format!("{url}/api/twilio/voice"), AuthToken::new(auth_token));
    let http = reqwest::Client::new();
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    // A call that is late is placed all the same.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut answers = JoinSet::new();
    for _ in 0..rate * seconds {
        ticks.tick().await;
        let form = new_call();
        let request = http
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", token.sign_form(&url, &form))
            .body(form.encode());
        answers.spawn(async move {
            let began = Instant::now();
            let answer = request.send().await?.error_for_status()?.text().await?;
            Ok::<_, reqwest::Error>((began.elapsed(), answer.contains("<Stream")))
        });
    }
    // Those that connect a stream, and those that the server answers without a model.
    let (mut taken, mut without) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.join_next().await {
        let (time, streams) = answer??;
        if streams { &mut taken } else { &mut without }.push(time);
    }
    println!("{} calls at {rate}/s", taken.len() + without.len());
    report("given to the model", &mut taken);
    report("given to the ladder", &mut without);
    Ok(())
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 1000).min(times.len().saturating_sub(1)));
    let [p50, p90, p99, worst] = [500, 900, 990, 1000].map(|share| at(share).copied().unwrap_or_default());
    println!("{what}: {}  p50 {p50:.1?}  p90 {p90:.1?}  p99 {p99:.1?}  worst {worst:.1?}", times.len());
}

/// A call of somebody who has not called before, which makes a customer, too.
fn new_call() -> Form {
    let name = Uuid::new_v4();
    Form::new()
        .with("CallSid", format!("CA{}", name.simple()))
        .with("AccountSid", "AC0123456789abcdef0123456789abcdef")
        .with("From", format!("+1415{:07}", name.as_u128() % 10_000_000))
        .with("To", "+815012345678")
        .with("CallStatus", "ringing")
        .with("Direction", "inbound")
}
