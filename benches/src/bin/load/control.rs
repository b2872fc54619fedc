//! Starts peers and subject for each measurement, reads what the subject used, and prints it all.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::{
    args::{Kind, Plan},
    clock,
    peers::{Report, Seen},
    process::Usage,
    report::{self, Measured},
};

/// p99 of the added delay that a core may have at its limit, in microseconds.
const LIMIT_P99: u32 = 50_000;
/// A subject that waits for its core this much of the time shares it with somebody, and what fails then says nothing.
const DISTURBED: f64 = 0.1;
/// How often a disturbed measurement is repeated.
const TRIES: u32 = 4;
/// A peer core this busy may be what delays, so nothing is said about the subject.
const PEERS_SATURATED: f64 = 0.95;

/// Measures what was asked for.
pub(crate) fn run(plan: &Plan) -> Result<(), Box<dyn Error>> {
    if plan.subject_core == plan.peer_core {
        return Err("subject and peers need a core each".into());
    }
    let mut all = Vec::new();
    if plan.find_limit {
        for kind in &plan.subjects {
            find_limit(plan, *kind, &mut all)?;
        }
    } else {
        report::head(plan)?;
        for _ in 0..plan.rounds {
            for kind in &plan.subjects {
                let measured = measure(plan, *kind, plan.calls)?;
                report::line(&measured)?;
                all.push(measured);
            }
        }
        report::summary(plan, &all)?;
    }
    if let Some(path) = &plan.json {
        fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    }
    Ok(())
}

/// Raises the calls by a quarter until the subject fails, then halves the interval down to 3 %.
fn find_limit(plan: &Plan, kind: Kind, all: &mut Vec<Measured>) -> Result<(), Box<dyn Error>> {
    let (mut carried, mut failed) = (0, None);
    let mut calls = plan.calls;
    let mut tries = 0;
    report::head(plan)?;
    loop {
        let outcome = measure(plan, kind, calls);
        let verdict = match &outcome {
            Ok(measured) => {
                report::line(measured)?;
                judge(measured)
            }
            Err(error) => Verdict::Failed(error.to_string()),
        };
        all.extend(outcome);
        match verdict {
            Verdict::Carried => carried = calls,
            Verdict::Failed(why) => {
                report::note(&format!("{} at {calls} calls: {why}", kind.name()))?;
                failed = Some(calls);
            }
            Verdict::Disturbed if tries < TRIES => {
                tries += 1;
                continue;
            }
            Verdict::Disturbed => {
                report::note("another program is on the cores: there is nothing to learn")?;
                return Ok(());
            }
            Verdict::PeersSaturated => {
                report::note(&format!(
                    "{} carries {carried} calls or more: at {calls} the peers' core is full, not the subject's",
                    kind.name()
                ))?;
                return Ok(());
            }
        }
        tries = 0;
        calls = match failed {
            None => calls + calls / 4,
            Some(failed) if failed - carried > (failed / 32).max(1) => carried + (failed - carried) / 2,
            Some(_) => break,
        };
        if calls == 0 || calls > 8_000 {
            break;
        }
    }
    report::note(&format!("{} carries {carried} calls on its core", kind.name()))
}

enum Verdict {
    Carried,
    Failed(String),
    Disturbed,
    PeersSaturated,
}

fn judge(measured: &Measured) -> Verdict {
    let Seen { up, down, counts, .. } = &measured.seen;
    let late = up.p99.max(down.p99) > LIMIT_P99;
    let lost = counts.up_lost + counts.down_lost + counts.broken > 0;
    if (late || lost) && measured.waited.max(measured.peers_waited) > DISTURBED {
        Verdict::Disturbed
    } else if (late || lost) && measured.peers_busy > PEERS_SATURATED && measured.busy < PEERS_SATURATED {
        Verdict::PeersSaturated
    } else if lost {
        Verdict::Failed(format!("{} frames lost, {} sockets broken", counts.up_lost + counts.down_lost, counts.broken))
    } else if late {
        Verdict::Failed(format!("p99 of the added delay is {:.1} ms", f64::from(up.p99.max(down.p99)) / 1_000.0))
    } else {
        Verdict::Carried
    }
}

/// A process we started; killed when we are done with it.
struct Started {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Started {
    fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, stdin, stdout })
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(format!("a process of the runner ended early: {}", self.child.wait()?).into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn report(&mut self) -> Result<Report, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn measure(plan: &Plan, kind: Kind, calls: u16) -> Result<Measured, Box<dyn Error>> {
    let tls = plan.tls && kind != Kind::Copier;
    let mut arguments = vec!["peers".to_owned()];
    let mut say = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
    say("calls", calls.to_string());
    say("seconds", plan.seconds.to_string());
    say("core", plan.peer_core.to_string());
    arguments.extend((kind == Kind::Copier).then(|| "--passthrough".to_owned()));
    arguments.extend(tls.then(|| "--tls".to_owned()));
    let mut peers = Started::new(&arguments)?;
    let Report::Ready { port, certificate } = peers.report()? else { return Err("the peers are not ready".into()) };

    let mut arguments = vec!["subject".to_owned()];
    let mut say = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
    say("kind", kind.name().to_owned());
    say("core", plan.subject_core.to_string());
    say("model", format!("127.0.0.1:{port}"));
    if let Some(certificate) = certificate {
        say("trust", certificate);
    }
    let mut subject = Started::new(&arguments)?;
    let address = subject.line()?;
    let pid = subject.child.id();
    let idle = Usage::of(pid)?;
    writeln!(peers.stdin.as_mut().ok_or("no input")?, "{address}")?;

    let Report::Begin = peers.report()? else { return Err("the measurement did not begin".into()) };
    let (before, peers_before, started) = (Usage::of(pid)?, Usage::of(peers.child.id())?, clock::now());
    let mut observer = plan.observe.as_deref().map(|command| observe(command, pid)).transpose()?;
    let Report::End = peers.report()? else { return Err("the measurement did not end".into()) };
    let (after, peers_after, elapsed) =
        (Usage::of(pid)?, Usage::of(peers.child.id())?, Duration::from_nanos(clock::now() - started));
    if let Some(observer) = &mut observer {
        observer.wait()?;
    }
    let Report::Done(seen) = peers.report()? else { return Err("the peers saw nothing".into()) };
    drop(subject.stdin.take());
    let mut said = String::new();
    while subject.stdout.read_line(&mut said)? > 0 {}

    let seconds = elapsed.as_secs_f64();
    let share = |later: u64, earlier: u64| (later - earlier) as f64 / 1e9 / seconds;
    let ticks = |later: u64, earlier: u64| (later - earlier) as f64;
    let (user, system) = (ticks(after.user_ticks, before.user_ticks), ticks(after.system_ticks, before.system_ticks));
    Ok(Measured {
        kind,
        calls,
        tls,
        busy: share(after.cpu, before.cpu),
        waited: share(after.waited, before.waited),
        system_share: system / (user + system).max(1.0),
        peers_busy: share(peers_after.cpu, peers_before.cpu),
        peers_waited: share(peers_after.waited, peers_before.waited),
        cpu_us_per_call_second: share(after.cpu, before.cpu) * 1e6 / f64::from(calls),
        sleeps_per_second: (after.sleeps - before.sleeps) as f64 / seconds,
        memory_per_call: (after.resident.saturating_sub(idle.resident)) / u64::from(calls),
        resident: after.resident,
        seen: *seen,
        said: said.trim().to_owned(),
    })
}

/// Starts a command that looks at the subject; what it prints goes to our output.
fn observe(command: &str, pid: u32) -> Result<Child, Box<dyn Error>> {
    Ok(Command::new("sh").arg("-c").arg(command.replace("{pid}", &pid.to_string())).stdin(Stdio::null()).spawn()?)
}
