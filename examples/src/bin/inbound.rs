//! A server that answers the telephone, and a call to try it without any account.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use examples::{
    chain::Chain,
    conversation::Language,
    inbound::{self, demo},
    phone::{Parts, Phone},
    program,
    settings::{Arguments, Settings},
};

/// Answers the telephone: Twilio calls, a realtime voice model talks.
///
/// With accounts it serves: set OPENAI_API_KEY, TWILIO_AUTH_TOKEN and PUBLIC_URL, and let the voice webhook of a Twilio
/// number lead to PUBLIC_URL/api/twilio/voice.
///
/// Without any account it starts with a simulator that plays Twilio and OpenAI on this machine, places one call, prints
/// what was said and measured, and writes both voices to a WAV file. The exit code tells whether the call went as
/// scripted. The call is in English, or with `--language ja-JP` in Japanese.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    /// Places the simulated call, whatever accounts are set.
    #[arg(long, help_heading = "Without accounts")]
    demo: bool,
    /// Where the simulated call is written: 16-bit, 8000 Hz, the caller left, the agent right.
    #[arg(long, value_name = "FILE", default_value = "inbound-call.wav", help_heading = "Without accounts")]
    wav: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let simulated = cli.demo || cli.arguments.names_no_account();
    program::log(simulated);
    let done = if simulated { demonstrate(&cli).await } else { serve(&cli.arguments).await };
    program::exit("inbound", done)
}

async fn serve(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let settings = Settings::check(arguments)?;
    let opened = settings.database.open().await?;
    let phone = Phone::new(settings.clone(), Parts::new(opened, inbound::tools()))?;
    let router = phone.router();
    program::serve(&settings, phone, router).await
}

async fn demonstrate(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout();
    let language = match cli.arguments.conversation.language.as_deref() {
        None | Some("") => Language::English,
        Some(text) => text.parse()?,
    };
    writeln!(
        out,
        "No account is used: a simulated caller rings the server on this machine. It takes half a minute.\n"
    )?;
    let report = demo::run(language).await?;
    let saved = report.telephone.recording.save_wav(&cli.wav);
    saved.map_err(|error| format!("{} cannot be written: {}", cli.wav.display(), Chain(&error)))?;
    writeln!(out, "{report}\n{} holds the call: left the caller, right the agent", cli.wav.display())?;
    Ok(program::verdict(&mut out, "The call", "as scripted", &report.problems())?)
}
