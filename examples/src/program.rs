//! What the programs have in common: logs on standard error, serving until told to stop, errors for people.

use std::{
    error::Error,
    future::{Future, pending},
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
};

use axum::Router;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::{
    chain::Chain,
    phone::Phone,
    settings::{Problems, Settings},
    web::shutdown_signal,
};

/// Logs to standard error: as `RUST_LOG` says, else warnings only for a demonstration, which tells its story itself.
pub fn log(simulated: bool) {
    let level = if simulated { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
}

/// The exit code, and on standard error what went wrong.
#[must_use]
pub fn exit(name: &str, done: Result<ExitCode, Box<dyn Error>>) -> ExitCode {
    done.unwrap_or_else(|error| {
        // Nowhere is left to report a failure of standard error to.
        let _ = writeln!(io::stderr(), "{name}: {}", Chain(&*error));
        if error.is::<Problems>() {
            let _ = writeln!(
                io::stderr(),
                "Without accounts, --demo plays everything on this machine; --help explains each setting."
            );
        }
        ExitCode::FAILURE
    })
}

/// Serves with this telephone until told to stop; told twice, it stops at once.
///
/// # Errors
///
/// When the address cannot be listened on.
pub async fn serve(settings: &Settings, phone: Phone, router: Router) -> Result<ExitCode, Box<dyn Error>> {
    let listener = listen(settings.bind).await?;
    tracing::info!(
        address = %listener.local_addr()?,
        voice_webhook = settings.public_url.to("/api/twilio/voice"),
        model = settings.openai.model,
        database = %settings.database,
        "takes calls"
    );
    until_told(phone.serve(listener, router, told_to_stop()), "the running calls are cut off").await
}

/// Listens on an address, and names it if that fails.
///
/// # Errors
///
/// When the address cannot be listened on.
pub async fn listen(bind: SocketAddr) -> Result<TcpListener, Box<dyn Error>> {
    let bound = TcpListener::bind(bind).await;
    bound.map_err(|error| format!("{bind} cannot be listened on: {error}").into())
}

/// Serves to the end. Whoever is told to stop twice stops at once, and says what becomes of the calls then.
///
/// # Errors
///
/// When serving fails.
pub async fn until_told(
    serving: impl Future<Output = io::Result<()>>,
    calls: &'static str,
) -> Result<ExitCode, Box<dyn Error>> {
    let twice = async {
        told_to_stop().await;
        told_to_stop().await;
    };
    tokio::select! {
        served = Box::pin(serving) => served?,
        () = twice => {
            tracing::warn!("told to stop twice: {calls}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Resolves when the process is told to stop; never, where that cannot be known.
pub async fn told_to_stop() {
    if let Err(error) = shutdown_signal().await {
        tracing::error!(%error, "signals cannot be listened to, so the server runs until it is killed");
        pending::<()>().await;
    }
}

/// The end of a demonstration: whether `what`, such as "The call", went `how`, such as "as scripted", and the exit code
/// that says so.
///
/// # Errors
///
/// When it cannot be written.
pub fn verdict(out: &mut impl Write, what: &str, how: &str, problems: &[String]) -> io::Result<ExitCode> {
    if problems.is_empty() {
        writeln!(out, "{what} went {how}.")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{what} did not go {how}:")?;
    problems.iter().try_for_each(|problem| writeln!(out, "  - {problem}"))?;
    Ok(ExitCode::FAILURE)
}
