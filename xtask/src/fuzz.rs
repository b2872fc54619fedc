//! Fuzzing on the stable toolchain, without a tool to install.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    command::{cargo, program, read, root, run},
    failure::Failure,
    metadata::Metadata,
};

const MANIFEST: &str = "fuzz/Cargo.toml";

/// What tells libFuzzer which code an input reached: the flags of `cargo fuzz --sanitizer none`. No address sanitizer,
/// since unsafe code is forbidden here. Debug assertions also make overflows panic.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
                        -Cdebug-assertions -Ccodegen-units=1";

/// Checks the format of every target, compiles it and refuses warnings. Nothing is linked, so the fuzzer's C++ library
/// isn't built either: a C compiler is enough.
pub(crate) fn check() -> Result<(), Failure> {
    if !exists() {
        println!("{MANIFEST} does not exist");
        return Ok(());
    }
    run(&mut cargo(["fmt", "--manifest-path", MANIFEST, "--check"]))?;
    let args = ["clippy", "--locked", "--manifest-path", MANIFEST, "--all-targets", "--", "-D", "warnings"];
    run(cargo(args).env("CUSTOM_LIBFUZZER_PATH", root().join(MANIFEST)))
}

/// Formats every target. They are a workspace of their own, which `cargo fmt --all` doesn't reach.
pub(crate) fn fmt() -> Result<(), Failure> {
    if exists() { run(&mut cargo(["fmt", "--manifest-path", MANIFEST])) } else { Ok(()) }
}

fn exists() -> bool {
    root().join(MANIFEST).is_file()
}

/// Runs one target, or all of them one after the other, each for `time`. Needs a C++ compiler. Inputs that reached new
/// code gather in `fuzz/corpus`, those that failed in `fuzz/artifacts`; committed ones in `fuzz/seeds` are read first.
/// A file named in `rest` is run alone, once: that repeats a failure.
pub(crate) fn fuzz(target: Option<&str>, time: Duration, rest: &[String]) -> Result<(), Failure> {
    let known = targets()?;
    let chosen: Vec<_> = known.iter().filter(|name| target.is_none_or(|target| target == *name)).collect();
    if let (Some(target), []) = (target, chosen.as_slice()) {
        return Err(Failure::NoSuchTarget { name: target.to_owned(), known });
    }
    // Naming the host keeps the flags away from build scripts, which could not be linked with them.
    let host = host()?;
    let build = ["build", "--locked", "--release", "--manifest-path", MANIFEST, "--target", &host];
    let programs = chosen.iter().flat_map(|name| ["--bin", name.as_str()]);
    run(cargo(build).args(programs).env("RUSTFLAGS", COVERAGE))?;
    for name in chosen {
        run_target(name, &host, time, rest)?;
    }
    Ok(())
}

fn run_target(name: &str, host: &str, time: Duration, rest: &[String]) -> Result<(), Failure> {
    let fuzz = root().join("fuzz");
    let corpus = created(fuzz.join("corpus").join(name))?;
    let artifacts = created(fuzz.join("artifacts").join(name))?;
    let seeds = fuzz.join("seeds").join(name);

    let binary = fuzz.join("target").join(host).join("release").join(name);
    let mut command = program(binary, rest);
    // libFuzzer runs single files only when it is given no folder.
    if rest.iter().all(|arg| arg.starts_with('-')) {
        command
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(corpus)
            .args(seeds.is_dir().then_some(seeds));
    }
    run(&mut command)
}

fn targets() -> Result<Vec<String>, Failure> {
    let metadata = Metadata::of_manifest(MANIFEST)?;
    Ok(metadata.members().flat_map(|package| package.binaries().map(str::to_owned)).collect())
}

fn host() -> Result<String, Failure> {
    let text = read(&mut program("rustc", ["--version", "--verbose"]))?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).ok_or_else(|| Failure::Parse {
        what: "the output of `rustc --version --verbose`".into(),
        source: "it names no host".into(),
    })
}

fn created(path: PathBuf) -> Result<PathBuf, Failure> {
    fs::create_dir_all::<&Path>(&path)
        .map_err(|source| Failure::Start { command: format!("mkdir -p {}", path.display()), source })?;
    Ok(path)
}
