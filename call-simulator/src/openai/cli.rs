//! `call-simulator openai`: a voice model on loopback from the command line.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use super::{OpenAiSimulator, Profile, Script, Settings, Timing};

/// What `call-simulator openai` takes.
#[derive(Debug, clap::Args)]
#[non_exhaustive]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub bind: SocketAddr,
    /// What the model says: demo-en, demo-ja, slow-en, fails-en, stalls-en, drops-en or never-updates.
    #[arg(long, value_name = "NAME", default_value = "demo-en", value_parser = known_script)]
    pub script: String,
    /// The number that ids and sizes of audio pieces follow from.
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub seed: u64,
    /// Seconds of audio the model sends in one second.
    #[arg(long, value_name = "FACTOR", default_value = "4", value_parser = positive)]
    pub audio_speed: f64,
    /// Leaves out the time a real model takes to think.
    #[arg(long)]
    pub brisk: bool,
    /// Keeps no record of events and audio: for load, with many sessions.
    #[arg(long)]
    pub no_record: bool,
    /// Which service is played: openai, azure or compatible.
    #[arg(long, value_name = "NAME", default_value = "openai", value_parser = known_profile)]
    pub profile: Profile,
    /// Seconds after which a session is expired.
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    pub session_limit: u64,
}

/// Serves until the process is interrupted; the first line written is the base URL.
///
/// # Errors
///
/// When the address cannot be listened on, or the line cannot be written.
pub async fn run(args: Args, out: &mut impl Write) -> io::Result<()> {
    let script = Script::named(&args.script).expect("checked when the arguments were read");
    let timing = if args.brisk { Timing::brisk() } else { Timing::realistic() };
    let settings = Settings::default()
        .with_seed(args.seed)
        .with_timing(timing.with_audio_speed(args.audio_speed))
        .with_record(!args.no_record)
        .with_profile(args.profile)
        .with_session_limit(std::time::Duration::from_secs(args.session_limit));
    let builder = OpenAiSimulator::builder().bind(args.bind).script(script).settings(settings);
    let mut openai = builder.start().await?;
    writeln!(out, "{}", openai.base_url())?;
    out.flush()?;
    tokio::select! {
        ended = openai.run() => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    openai.shutdown().await;
    Ok(())
}

pub(super) fn known_script(name: &str) -> Result<String, String> {
    match Script::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no such script; there are {}", Script::NAMES.join(", "))),
    }
}

fn known_profile(name: &str) -> Result<Profile, String> {
    match name {
        "openai" => Ok(Profile::OpenAi),
        "azure" => Ok(Profile::Azure),
        "compatible" => Ok(Profile::Compatible),
        _ => Err("no such service; there are openai, azure and compatible".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("a number greater than 0 is needed".to_owned()),
    }
}
