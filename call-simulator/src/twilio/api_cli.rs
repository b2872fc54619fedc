//! `call-simulator twilio-api`: Twilio's REST API from the command line, for an application that places calls.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use twilio_twiml::{phone::E164, sid::AccountSid};
use url::Url;

use super::{CallbackPlan, Number, PhoneScript, StartError, TwilioSimulator, cli::Secret};

/// What `call-simulator twilio-api` takes.
#[derive(Debug, clap::Args)]
#[non_exhaustive]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub bind: SocketAddr,
    /// What requests must show and webhooks are signed with.
    #[arg(long, value_name = "TOKEN", env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    pub auth_token: Secret,
    /// The account that requests are about; a new one if not given.
    #[arg(long, value_name = "AC…", env = "TWILIO_ACCOUNT_SID")]
    pub account_sid: Option<AccountSid>,
    /// A number of the account, to call from.
    #[arg(long, value_name = "NUMBER", default_value = "+815012345678")]
    pub from: E164,
    /// What telephones do when they are called: busy, no-answer, unreachable, machine-en, machine-ja, or a caller of the
    /// command `twilio` who answers.
    #[arg(long, value_name = "NAME", default_value = "demo-en", value_parser = known_phone)]
    pub phones: String,
    /// What one telephone does, such as +819012345678=busy; may be repeated.
    #[arg(long, value_name = "NUMBER=NAME", value_parser = numbered_phone)]
    pub phone: Vec<(E164, String)>,
    /// Delivers callbacks in another order, a quarter of them twice; the number decides which.
    #[arg(long, value_name = "SEED")]
    pub permute_callbacks: Option<u64>,
}

/// Why the command line could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The account cannot be simulated.
    #[error("the account cannot be set up")]
    Start(#[from] StartError),
    /// The address cannot be listened on, or what happened cannot be printed.
    #[error("the API cannot be served")]
    Serve(#[from] io::Error),
}

/// Serves until the process is interrupted. The first line written is the base URL, then comes each call when it is over.
///
/// # Errors
///
/// [`CliError`] when the address cannot be listened on or a line cannot be written.
pub async fn run(args: Args, out: &mut impl Write) -> Result<(), CliError> {
    // Nobody calls this number: its voice URL is never requested.
    let nowhere = Url::parse("http://127.0.0.1:9/").expect("a URL that is written here");
    let mut account = TwilioSimulator::builder().auth_token(args.auth_token.0).number(Number::new(args.from, nowhere));
    if let Some(sid) = args.account_sid {
        account = account.account_sid(sid);
    }
    let twilio = account.start()?;
    twilio.other_phones(PhoneScript::named(&args.phones).expect("checked when the arguments were read"));
    for (number, name) in args.phone {
        twilio.phone(number, PhoneScript::named(&name).expect("checked when the arguments were read"));
    }
    if let Some(seed) = args.permute_callbacks {
        twilio.plan_callbacks(CallbackPlan::seeded(seed, Duration::from_secs(2), 25, 0));
    }
    let mut server = twilio.serve_rest_on(args.bind).await?;
    writeln!(out, "{}", server.base_url())?;
    out.flush()?;
    loop {
        tokio::select! {
            ended = server.run() => match ended? {},
            interrupted = tokio::signal::ctrl_c() => break interrupted?,
            report = twilio.next_report() => {
                writeln!(out, "{}\n{report}", report.timeline)?;
                out.flush()?;
            }
        }
    }
    server.shutdown().await;
    Ok(())
}

fn known_phone(name: &str) -> Result<String, String> {
    match PhoneScript::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err("busy, no-answer, unreachable, machine-en, machine-ja, or a caller who answers".to_owned()),
    }
}

fn numbered_phone(text: &str) -> Result<(E164, String), String> {
    let (number, name) = text.split_once('=').ok_or("a number, an equals sign and a name are needed")?;
    Ok((number.parse().map_err(|_| format!("{number} is no E.164 number"))?, known_phone(name)?))
}
