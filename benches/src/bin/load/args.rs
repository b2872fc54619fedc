//! What the user and the runner itself can ask for.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Puts many calls over real sockets through a bridge in a process of its own and prints what they cost.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// What is to be measured.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Plan {
    /// Calls at the same time.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=8000))]
    pub(crate) calls: u16,
    /// Length of one measurement, after a warm-up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) seconds: u16,
    /// How often each subject is measured, in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub(crate) rounds: u8,
    /// What is measured, each in a process of its own.
    #[arg(long, value_delimiter = ',', default_value = "bridge,copier")]
    pub(crate) subjects: Vec<Kind>,
    /// Raise the calls until frames are lost or p99 of the added delay passes 50 ms, for each subject.
    #[arg(long)]
    pub(crate) find_limit: bool,
    /// TLS between the bridge and the model (not for the copier).
    #[arg(long)]
    pub(crate) tls: bool,
    /// Write the results there as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// The core of the subject.
    #[arg(long, default_value_t = 1)]
    pub(crate) subject_core: usize,
    /// The core of the callers and the model.
    #[arg(long, default_value_t = 0)]
    pub(crate) peer_core: usize,
    /// A command to run during the measurement, `{pid}` is the subject: `perf trace -s -p {pid} -- sleep 5`. The
    /// numbers of such a run are disturbed.
    #[arg(long)]
    pub(crate) observe: Option<String>,
}

/// The processes the runner starts; not for people.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The callers and the model.
    #[command(hide = true)]
    Peers(PeerOptions),
    /// What is measured.
    #[command(hide = true)]
    Subject(SubjectOptions),
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PeerOptions {
    #[arg(long)]
    pub(crate) calls: u16,
    #[arg(long)]
    pub(crate) seconds: u16,
    #[arg(long)]
    pub(crate) core: usize,
    /// Callers and model talk to each other directly, through a subject that does not know the protocol.
    #[arg(long)]
    pub(crate) passthrough: bool,
    #[arg(long)]
    pub(crate) tls: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SubjectOptions {
    #[arg(long)]
    pub(crate) kind: Kind,
    #[arg(long)]
    pub(crate) core: usize,
    /// Where the model listens.
    #[arg(long)]
    pub(crate) model: SocketAddr,
    /// Base64 of the certificate to trust; TLS is used when it is there.
    #[arg(long)]
    pub(crate) trust: Option<String>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// This workspace's bridge with everything on.
    Bridge,
    /// A program that only copies bytes between the two sockets.
    Copier,
    /// The bridge one writes in an afternoon: tungstenite, JSON values, channels, four tasks a call.
    Naive,
    /// This workspace's two transports without the relay between them.
    Transports,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Copier => "copier",
            Self::Naive => "naive",
            Self::Transports => "transports",
        }
    }
}
