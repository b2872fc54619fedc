//! A server that callers reach through OpenAI's SIP interface, and a call to try it without any account.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use examples::{
    chain::Chain,
    program,
    sip::{
        SipServer, demo,
        settings::{SipArguments, SipSettings},
    },
};

/// Confirms who comes to a recruiting event, in Japanese: OpenAI takes the call over SIP, a realtime voice model talks.
///
/// With accounts it serves: set OPENAI_API_KEY and OPENAI_WEBHOOK_SECRET, and let a webhook endpoint of the project, for
/// realtime.call.incoming, lead to /openai-webhook. With TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and SMS_FROM it sends text
/// messages.
///
/// Without any account it starts with a simulator that plays OpenAI's SIP side on this machine, rings once, prints what
/// was said and done, and writes both voices to a WAV file. The exit code tells whether the call went as scripted.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    arguments: SipArguments,
    /// Places the simulated call, whatever accounts are set.
    #[arg(long, help_heading = "Without accounts")]
    demo: bool,
    /// Where the simulated call is written: 16-bit, 8000 Hz, the caller left, the agent right.
    #[arg(long, value_name = "FILE", default_value = "sip-call.wav", help_heading = "Without accounts")]
    wav: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let simulated = cli.demo || cli.arguments.names_no_account();
    program::log(simulated);
    let done = if simulated { demonstrate(&cli).await } else { serve(&cli.arguments).await };
    program::exit("sip", done)
}

async fn serve(arguments: &SipArguments) -> Result<ExitCode, Box<dyn Error>> {
    let settings = SipSettings::check(arguments)?;
    let listener = program::listen(settings.bind).await?;
    tracing::info!(address = %listener.local_addr()?, model = settings.openai.model, "takes calls at /openai-webhook");
    let server = SipServer::open(settings).await?;
    let serving = server.serve(listener, program::told_to_stop());
    program::until_told(serving, "the running calls are left to the provider").await
}

async fn demonstrate(cli: &Cli) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(
        out,
        "No account is used: a simulated caller rings the server on this machine. It takes half a minute.\n"
    )?;
    // The files of an earlier demonstration would be another story.
    let folder = std::env::temp_dir().join(format!("sip-demo-{}", std::process::id()));
    let report = demo::run(&folder).await?;
    let saved = report.telephone.recording.save_wav(&cli.wav);
    saved.map_err(|error| format!("{} cannot be written: {}", cli.wav.display(), Chain(&error)))?;
    writeln!(out, "{report}\n{} holds the call: left the caller, right the agent", cli.wav.display())?;
    writeln!(out, "{} holds the databases", folder.display())?;
    Ok(program::verdict(&mut out, "The call", "as scripted", &report.problems())?)
}
