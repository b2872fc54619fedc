//! A server that calls people, and calls to try it without any account.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use examples::{
    database::Database,
    outbound::{self, demo},
    phone::{Parts, Phone, api::Api},
    program,
    records::RecordArguments,
    settings::{Arguments, Settings},
};
use secrecy::ExposeSecret;

/// Calls people: a request names a customer and an agent, a realtime voice model talks.
///
/// With accounts it serves: set OPENAI_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and PUBLIC_URL, then
/// `POST /api/calls/start {"customerId", "agentId"}`. Customers and agents are in the database; --seed FILE
/// puts some there, --sample those of a company that does not exist.
///
/// Without any account it starts with a simulator that plays Twilio and OpenAI on this machine, calls four people (one who
/// talks, one who is busy, a machine, one who does not pick up) and prints their sessions. The exit code tells whether the
/// calls went as they should. The calls are kept in memory, or where --database-url says.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    /// Makes the simulated calls, whatever accounts are set.
    #[arg(long, help_heading = "Without accounts")]
    demo: bool,
    #[command(flatten)]
    records: RecordArguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let simulated = cli.demo || cli.arguments.names_no_account();
    program::log(simulated);
    let done = if simulated { Box::pin(demonstrate(&cli)).await } else { serve(&cli).await };
    program::exit("outbound", done)
}

async fn serve(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let settings = Settings::check_with_api(&cli.arguments)?;
    if settings.twilio.account_sid.is_none() {
        return Err("TWILIO_ACCOUNT_SID is not set, and nobody can be called without an account".into());
    }
    let records = cli.records.read()?;
    let opened = settings.database.open().await?;
    records.plant(&*opened.directory).await?;
    let phone = Phone::new(settings.clone(), Parts::new(opened, outbound::tools()).with_keys())?;
    let router = phone.router().merge(Api::new(phone.clone()).router());
    program::serve(&settings, phone, router).await
}

async fn demonstrate(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout();
    let database = match &cli.arguments.server.database_url {
        Some(url) if !url.expose_secret().is_empty() => url.expose_secret().parse()?,
        _ => Database::Memory,
    };
    writeln!(out, "No account is used: simulated people are called on this machine. It takes half a minute.\n")?;
    let report = Box::pin(demo::run(&database)).await?;
    writeln!(out, "{report}")?;
    Ok(program::verdict(&mut out, "The calls", "as they should", &report.problems())?)
}
