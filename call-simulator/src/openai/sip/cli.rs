//! `call-simulator openai-sip`: rings at an application from the command line.

use std::{error::Error, io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use url::Url;

use super::{Ring, SipEnd, WebhookTarget};
use crate::{
    openai::{OpenAiSimulator, Script, cli::known_script},
    twilio::CallerScript,
};

/// What `call-simulator openai-sip` takes.
#[derive(Debug, clap::Args)]
#[non_exhaustive]
pub struct Args {
    /// Where the webhook goes.
    #[arg(long, value_name = "URL")]
    pub webhook: Url,
    /// The endpoint's secret.
    #[arg(long, value_name = "SECRET", env = "OPENAI_WEBHOOK_SECRET", hide_env_values = true)]
    pub secret: String,
    /// Address to listen on; the application's base URL has to lead there.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub bind: SocketAddr,
    /// What the model says: as for `openai`.
    #[arg(long, value_name = "NAME", default_value = "demo-ja", value_parser = known_script)]
    pub script: String,
    /// What the caller does: a name that `twilio` knows.
    #[arg(long, value_name = "NAME", default_value = "demo-ja", value_parser = known_caller)]
    pub caller: String,
    /// Milliseconds to wait before it rings, for the application to be told the base URL.
    #[arg(long, value_name = "MS", default_value = "0")]
    pub after: u64,
    /// Writes what both sides said: the caller left, the model right.
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
}

/// Rings once. Fails when the call did not end as both sides wanted.
///
/// # Errors
///
/// When the address cannot be listened on, the secret is none, or something cannot be written.
pub async fn run(args: Args, out: &mut impl Write) -> Result<ExitCode, Box<dyn Error>> {
    let script = Script::named(&args.script).expect("checked when the arguments were read");
    let caller = CallerScript::named(&args.caller).expect("checked when the arguments were read");
    let target = WebhookTarget::new(args.webhook, &args.secret)?.after(Duration::from_millis(args.after));
    let openai = OpenAiSimulator::builder().bind(args.bind).script(script).start().await?;
    writeln!(out, "{}", openai.base_url())?;
    out.flush()?;
    let report = openai.ring(Ring::new(target, caller)).ended().await;
    write!(out, "{report}")?;
    if let Some(path) = args.wav {
        report.recording.save_wav(path)?;
    }
    openai.shutdown().await;
    let fine = matches!(report.end, SipEnd::HungUp | SipEnd::CallerHungUp | SipEnd::Transferred(_));
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn known_caller(name: &str) -> Result<String, String> {
    match CallerScript::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no such caller; there are {}", CallerScript::NAMES.join(", "))),
    }
}
