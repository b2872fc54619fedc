//! A server that answers the telephone and hands callers to people.

use std::{error::Error, process::ExitCode};

use call_session::directory::Seed;
use clap::Parser;
use examples::{
    handoff,
    phone::{Parts, Phone, api::Api},
    program,
    settings::{Arguments, Settings},
};

/// Answers the telephone and hands callers to people: the model by itself, or whoever asks for it by the API.
///
/// It serves with accounts: set OPENAI_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and PUBLIC_URL, then
/// `POST /api/calls/{id}/handoff {"agentId", "reason"}`. The people are in the database; --sample puts some there.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    /// Puts the agents and customers of a sample company into the database first.
    #[arg(long, help_heading = "Server")]
    sample: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    program::log(false);
    program::exit("handoff", serve(&cli).await)
}

async fn serve(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let settings = Settings::check(&cli.arguments)?;
    if settings.twilio.account_sid.is_none() {
        return Err("TWILIO_ACCOUNT_SID is not set, and nobody can be called without an account".into());
    }
    let opened = settings.database.open().await?;
    if cli.sample {
        let planted = Seed::sample().plant(&*opened.directory).await?;
        tracing::info!(added = planted.added, present = planted.present, "the sample company is there");
    }
    let parts = Parts::new(opened, handoff::tools()).with_model_handing_over();
    let phone = Phone::new(settings.clone(), parts)?;
    let router = phone.router().merge(Api::new(phone.clone()).router());
    program::serve(&settings, phone, router).await
}
