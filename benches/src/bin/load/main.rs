//! Puts many calls over real sockets through a bridge in a process of its own and prints what they cost.
//!
//! `benches/README.md` has the method.

#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod subject;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use clap::Parser;

    let args = args::Args::parse();
    match args.role {
        Some(args::Role::Peers(options)) => peers::run(&options),
        Some(args::Role::Subject(options)) => subject::run(&options),
        None => control::run(&args.plan),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    Err("the load runner needs Linux: epoll, CPU affinity and /proc".into())
}
