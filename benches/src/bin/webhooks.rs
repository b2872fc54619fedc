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
    let mut times = Vec::new();
    let mut turned_away = 0;
    while let Some(answer) = answers.join_next().await {
        let (time, taken) = answer??;
        times.push(time);
        turned_away += usize::from(!taken);
    }
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 1000).min(times.len() - 1)).copied().unwrap_or_default();
    println!("{} calls at {rate}/s, {turned_away} turned away", times.len());
    println!("p50 {:.1?}  p90 {:.1?}  p99 {:.1?}  worst {:.1?}", at(500), at(900), at(990), at(1000));
    Ok(())
}

fn new_call() -> Form {
    Form::new()
        .with("CallSid", format!("CA{}", Uuid::new_v4().simple()))
        .with("AccountSid", "AC0123456789abcdef0123456789abcdef")
        .with("From", "+14155550100")
        .with("To", "+815012345678")
        .with("CallStatus", "ringing")
        .with("Direction", "inbound")
}
