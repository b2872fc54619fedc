//! A server that answers the telephone and hands callers to people, and handovers to try it without any account.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use examples::{
    handoff::{self, demo},
    phone::{Parts, Phone, api::Api},
    program,
    records::RecordArguments,
    settings::{Arguments, Settings},
};

/// Answers the telephone and hands callers to people: the model by itself, or whoever asks for it by the API.
///
/// With accounts it serves: set OPENAI_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and PUBLIC_URL, then
/// `POST /api/calls/{id}/handoff {"agentId", "reason"}`. The people are in the database; --seed FILE
/// puts some there, --sample those of a company that does not exist.
///
/// Without any account it starts with a simulator that plays Twilio, the callers, the people and OpenAI on this machine, plays
/// handovers of every fate, prints what happened on each, and writes what each party said and heard into a folder. The exit
/// code tells whether all went as they should.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    #[command(flatten)]
    records: RecordArguments,
    /// Plays the simulated handovers, whatever accounts are set.
    #[arg(long, help_heading = "Without accounts")]
    demo: bool,
    /// Where each party of the simulated handovers is written: 16-bit, 8000 Hz, the party left, what it heard right.
    #[arg(long, value_name = "FOLDER", default_value = "handoff-calls", help_heading = "Without accounts")]
    wav: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let simulated = cli.demo || cli.arguments.names_no_account();
    program::log(simulated);
    let done = if simulated { demonstrate(&cli).await } else { serve(&cli).await };
    program::exit("handoff", done)
}

async fn serve(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let settings = Settings::check_with_api(&cli.arguments)?;
    if settings.twilio.account_sid.is_none() {
        return Err("TWILIO_ACCOUNT_SID is not set, and nobody can be called without an account".into());
    }
    let records = cli.records.read()?;
    let opened = settings.database.open().await?;
    records.plant(&*opened.directory).await?;
    let parts = Parts::new(opened, handoff::tools()).with_model_handing_over();
    let phone = Phone::new(settings.clone(), parts)?;
    let router = phone.router().merge(Api::new(phone.clone()).router());
    program::serve(&settings, phone, router).await
}

async fn demonstrate(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "No account is used: simulated callers are handed to simulated people. It takes a minute.\n")?;
    let report = Box::pin(demo::run()).await?;
    let folder = cli.wav.display();
    let files = report.save(&cli.wav).map_err(|error| format!("{folder} cannot be written: {error}"))?;
    writeln!(out, "{report}{folder} holds {} files: left a party, right what it heard", files.len())?;
    Ok(program::verdict(&mut out, "The handovers", "as they should", &report.problems())?)
}
