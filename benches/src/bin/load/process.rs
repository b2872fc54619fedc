//! What the kernel knows about a process: CPU time, memory, wake-ups.

use std::{error::Error, fs, io};

use rustix::{
    process::{Resource, Rlimit},
    thread::{CpuSet, sched_setaffinity},
};

/// A process's use of the machine up to now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time on a core, user and system, in nanoseconds.
    pub(crate) cpu: u64,
    /// Time ready to run and waiting for the core, in nanoseconds: shows that something else wanted the core.
    pub(crate) waited: u64,
    /// User part of the time, in ticks of 10 ms.
    pub(crate) user_ticks: u64,
    /// System part of the time, in ticks of 10 ms.
    pub(crate) system_ticks: u64,
    /// How often it went to sleep.
    pub(crate) sleeps: u64,
    /// Resident memory of its own in bytes: without the program text and the kernel's socket buffers.
    pub(crate) resident: u64,
}

impl Usage {
    /// Reads the use of process `pid` from `/proc`.
    pub(crate) fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        let mut usage = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            let schedstat = fs::read_to_string(task.join("schedstat"))?;
            let mut numbers = schedstat.split_ascii_whitespace();
            let mut number =
                || -> Result<u64, Box<dyn Error>> { Ok(numbers.next().ok_or("short schedstat")?.parse()?) };
            usage.cpu += number()?;
            usage.waited += number()?;
            usage.sleeps += field(&fs::read_to_string(task.join("status"))?, "voluntary_ctxt_switches:")?;
        }
        usage.resident = field(&fs::read_to_string(format!("/proc/{pid}/status"))?, "RssAnon:")? * 1024;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name may hold spaces; what follows its closing parenthesis does not. utime and stime are fields 14, 15.
        let (_, rest) = stat.rsplit_once(')').ok_or("unknown form of stat")?;
        let mut ticks = rest.split_ascii_whitespace().skip(11);
        usage.user_ticks = ticks.next().ok_or("short stat")?.parse()?;
        usage.system_ticks = ticks.next().ok_or("short stat")?.parse()?;
        Ok(usage)
    }
}

/// Binds the process to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Allows as many open files as the system lets us have.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    Ok(rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

fn field(status: &str, name: &str) -> Result<u64, Box<dyn Error>> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("missing field of status")?;
    Ok(line.split_ascii_whitespace().next().ok_or("empty field of status")?.parse()?)
}
