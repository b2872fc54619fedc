//! `call-simulator openai` as a process.

use std::{process::Stdio, time::Duration};

use call_simulator::openai::Script;
use realtime_bridge::realtime::{
    RealtimeClient, RealtimeSession, SessionConfig,
    openai::{OpenAiClient, OpenAiConfig},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-simulator"));
    command.arg("openai").stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_first_line_printed_is_where_clients_find_it() {
    let mut process = command().args(["--script", "demo-ja", "--brisk"]).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let base_url = timeout(Duration::from_secs(60), lines.next_line()).await.unwrap().unwrap().unwrap();
    let client = OpenAiClient::new(OpenAiConfig::new("sk-any").with_base_url(base_url)).unwrap();
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    assert!(session.info().id.starts_with("sess_"));
}

#[tokio::test]
async fn a_script_that_does_not_exist_is_answered_with_those_that_do() {
    let output = command().args(["--script", "nobody"]).output().await.unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(Script::NAMES.iter().all(|name| told.contains(name)), "{told}");
}
