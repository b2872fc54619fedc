//! `call-simulator twilio`, without the binary around it, and `twilio-api` with it.

use std::process::{ExitCode, Stdio};

use call_simulator::twilio::cli;
use clap::Parser;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use twilio_twiml::{
    rest::{Client, Config, Credentials, NewCall},
    twiml::Response,
};

use super::app::{Script, TOKEN};

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    args: cli::Args,
}

#[tokio::test]
async fn a_call_from_the_command_line_is_printed_and_saved() {
    let app = Script::default()
        .twiml("/voice", "<Connect><Stream url=\"{ws}/media\"/></Connect>")
        .stream(|mut line| async move {
            line.start().await;
            while line.text().await.is_some() {}
        })
        .start()
        .await;
    let wav = std::env::temp_dir().join(format!("call-simulator-{}.wav", std::process::id()));
    let webhook = format!("http://{}/voice", app.address);
    let line = CommandLine::parse_from([
        "twilio".as_ref(),
        "--webhook".as_ref(),
        webhook.as_ref(),
        "--auth-token".as_ref(),
        TOKEN.as_ref(),
        "--caller".as_ref(),
        "hangs-up-early".as_ref(),
        "--wav".as_ref(),
        wav.as_os_str(),
    ]);
    assert!(!format!("{line:?}").contains(TOKEN));

    let mut out = Vec::new();
    let code = cli::run(line.args, &mut out).await.unwrap();

    let out = String::from_utf8(out).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "{out}");
    assert!(out.contains("the caller hung up (on the media stream)"), "{out}");
    let samples = std::fs::metadata(&wav).unwrap().len();
    std::fs::remove_file(&wav).unwrap();
    // A second of two channels of 16 bits, and a header.
    assert!(samples > 32_000, "{samples}");
    assert!(
        CommandLine::try_parse_from(["twilio", "--webhook", &webhook, "--auth-token", "x", "--caller", "?"]).is_err()
    );
}

#[tokio::test]
async fn the_api_is_served_by_the_program() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_call-simulator"))
        .args(["twilio-api", "--auth-token", TOKEN, "--account-sid", "AC0123456789abcdef0123456789abcdef"])
        .args(["--phone", "+819012345678=busy"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let base_url = lines.next_line().await.unwrap().unwrap();
    let account = "AC0123456789abcdef0123456789abcdef".parse().unwrap();
    let config = Config::new(account, Credentials::auth_token(TOKEN)).with_base_url(base_url);
    let document = Response::new().hangup().to_inline().unwrap();
    let call = NewCall::new("+819012345678", "+815012345678", document);
    let call = Client::new(config).unwrap().calls().create(&call).await.unwrap();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.starts_with(call.sid.as_str()) {
            assert!(line.contains("busy"), "{line}");
            break;
        }
    }
}
