//! `call-simulator twilio`: calls an application from the command line.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tokio::task::JoinSet;
use twilio_twiml::{
    phone::{Address, E164},
    sid::AccountSid,
    words::CallStatus,
};
use url::Url;

use super::{CallOptions, CallReport, CallerScript, Number, StartError, TwilioSimulator};
use crate::audio::wav::WavError;

/// What `call-simulator twilio` takes.
#[derive(Debug, clap::Args)]
#[non_exhaustive]
pub struct Args {
    /// The voice webhook of the application, such as http://127.0.0.1:3000/api/twilio/voice.
    #[arg(long, value_name = "URL")]
    pub webhook: Url,
    /// What webhooks and stream upgrades are signed with: the same token that the application checks with.
    #[arg(long, value_name = "TOKEN", env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    pub auth_token: Secret,
    /// The account; a new one if not given.
    #[arg(long, value_name = "AC…", env = "TWILIO_ACCOUNT_SID")]
    pub account_sid: Option<AccountSid>,
    /// Who calls: demo-en, demo-ja, silent, talks-over-en or hangs-up-early.
    #[arg(long, value_name = "NAME", default_value = "demo-en", value_parser = known_caller)]
    pub caller: String,
    /// The caller's number.
    #[arg(long, value_name = "NUMBER", default_value = "+14155550100")]
    pub from: E164,
    /// The number that is called.
    #[arg(long, value_name = "NUMBER", default_value = "+815012345678")]
    pub to: E164,
    /// Where to ask for a document when the webhook fails.
    #[arg(long, value_name = "URL")]
    pub fallback: Option<Url>,
    /// Whom to tell of the end of each call.
    #[arg(long, value_name = "URL")]
    pub status_callback: Option<Url>,
    /// Writes the call as stereo WAV, the caller left, the agent right. With many calls, the first.
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
    /// Calls at once.
    #[arg(long, value_name = "N", default_value = "1")]
    pub calls: usize,
    /// Seconds after which a call is ended whatever happens.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub time_limit: u64,
}

/// A token that no debug output shows.
#[derive(Clone)]
pub struct Secret(pub(super) String);

impl From<String> for Secret {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why the command line could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The account cannot be simulated.
    #[error("the calls cannot be placed")]
    Start(#[from] StartError),
    /// The WAV file cannot be written.
    #[error("{} cannot be written", path.display())]
    Wav {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: WavError,
    },
    /// What happened cannot be printed.
    #[error("the output cannot be written")]
    Output(#[from] io::Error),
}

/// Places the calls, and prints what became of each.
///
/// The exit code is a failure when a call was not completed.
///
/// # Errors
///
/// [`CliError`] when the calls cannot be placed or their record cannot be written.
pub async fn run(args: Args, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let mut number = Number::new(args.to, args.webhook);
    number.fallback_url = args.fallback;
    number.status_callback = args.status_callback;
    let mut account = TwilioSimulator::builder().auth_token(args.auth_token.0).number(number);
    if let Some(sid) = args.account_sid {
        account = account.account_sid(sid);
    }
    let twilio = account.start()?;
    let caller = CallerScript::named(&args.caller).expect("checked when the arguments were read");
    let options = CallOptions::new(caller)
        .with_from(Address::Phone(args.from))
        .with_time_limit(Duration::from_secs(args.time_limit));
    let mut calls = JoinSet::new();
    for index in 0..args.calls.max(1) {
        let (twilio, options) = (twilio.clone(), options.clone().with_record(index == 0));
        calls.spawn(async move { (index, twilio.call(options).await) });
    }
    let mut reports = calls.join_all().await;
    reports.sort_by_key(|(index, _)| *index);
    for (_, report) in &reports {
        writeln!(out, "{}\n{report}", report.timeline)?;
    }
    if let (Some(path), Some((_, first))) = (args.wav, reports.first()) {
        save(first, &path)?;
        writeln!(out, "{} holds the call: left the caller, right the agent", path.display())?;
    }
    let all_completed = reports.iter().all(|(_, report)| report.status == CallStatus::Completed);
    Ok(if all_completed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn save(report: &CallReport, path: &Path) -> Result<(), CliError> {
    report.recording.save_wav(path).map_err(|source| CliError::Wav { path: path.to_owned(), source })
}

fn known_caller(name: &str) -> Result<String, String> {
    match CallerScript::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("known callers: {}", CallerScript::NAMES.join(", "))),
    }
}
