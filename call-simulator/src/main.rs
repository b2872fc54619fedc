//! Twilio and OpenAI on loopback from the command line, to point any bridge or client at.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use call_simulator::{openai, twilio};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Twilio and OpenAI on loopback, with real audio.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
enum Command {
    /// Calls an application as Twilio does, and prints what was said and measured.
    Twilio(Box<twilio::cli::Args>),
    /// Serves Twilio's REST API, and answers the calls that an application places; the first line printed is its base URL.
    TwilioApi(Box<twilio::api_cli::Args>),
    /// Serves a voice model as OpenAI does; the first line printed is its base URL.
    Openai(openai::cli::Args),
    /// Rings at an application as OpenAI's SIP side does, and prints what was said and measured; the first line printed is
    /// the base URL of the REST interface and the control socket.
    OpenaiSip(openai::sip::cli::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(io::stderr).init();
    let outcome: Result<ExitCode, Box<dyn Error>> = match Command::parse() {
        Command::Twilio(args) => twilio::cli::run(*args, &mut io::stdout()).await.map_err(Into::into),
        Command::TwilioApi(args) => {
            twilio::api_cli::run(*args, &mut io::stdout()).await.map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::Openai(args) => {
            openai::cli::run(args, &mut io::stdout()).await.map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::OpenaiSip(args) => openai::sip::cli::run(args, &mut io::stdout()).await,
    };
    outcome.unwrap_or_else(|error| {
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            told.push_str(&format!(": {error}"));
            cause = error.source();
        }
        // Nowhere is left to report a failure of standard error to.
        let _ = writeln!(io::stderr(), "call-simulator: {told}");
        ExitCode::FAILURE
    })
}
