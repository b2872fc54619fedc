//! A server that callers reach through OpenAI's SIP interface, and a call to try it without any account.

use std::{
    error::Error,
    future::pending,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use examples::{
    chain::Chain,
    settings::Problems,
    sip::{
        SipServer, demo,
        settings::{SipArguments, SipSettings},
    },
    web::shutdown_signal,
};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

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
    // The demonstration tells its story itself.
    let level = if simulated { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
    let done = if simulated { demonstrate(&cli).await } else { serve(&cli.arguments).await };
    done.unwrap_or_else(|error| {
        // Nowhere is left to report a failure of standard error to.
        let _ = writeln!(io::stderr(), "sip: {}", Chain(&*error));
        if error.is::<Problems>() {
            let _ = writeln!(
                io::stderr(),
                "Without accounts, --demo places a simulated call; --help explains each setting."
            );
        }
        ExitCode::FAILURE
    })
}

async fn serve(arguments: &SipArguments) -> Result<ExitCode, Box<dyn Error>> {
    let settings = SipSettings::check(arguments)?;
    let bound = TcpListener::bind(settings.bind).await;
    let listener = bound.map_err(|error| format!("{} cannot be listened on: {error}", settings.bind))?;
    tracing::info!(address = %listener.local_addr()?, model = settings.openai.model, "takes calls at /openai-webhook");
    let server = SipServer::open(settings).await?;
    let twice = async {
        told_to_stop().await;
        told_to_stop().await;
    };
    tokio::select! {
        served = Box::pin(server.serve(listener, told_to_stop())) => served?,
        () = twice => {
            tracing::warn!("told to stop twice: the running calls are left to the provider");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn told_to_stop() {
    if let Err(error) = shutdown_signal().await {
        tracing::error!(%error, "signals cannot be listened to, so the server runs until it is killed");
        pending::<()>().await;
    }
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
    let problems = report.problems();
    if problems.is_empty() {
        writeln!(out, "The call went as scripted.")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "The call did not go as scripted:")?;
    problems.iter().try_for_each(|problem| writeln!(out, "  - {problem}"))?;
    Ok(ExitCode::FAILURE)
}
