//! The REST client, against a server on loopback.

mod behaviour;
mod operations;
mod requests;

use futures_util::TryStreamExt;
use twilio_twiml::{
    rest::{Client, Config},
    webhook::signature::AuthToken,
};
use wiremock::MockServer;

/// A client that talks to the server, and creates as fast as it is asked to.
fn client(server: &MockServer) -> Client {
    Client::new(config(server)).unwrap()
}

fn config(server: &MockServer) -> Config {
    Config::new(AC.parse().unwrap(), AuthToken::new("secret"))
        .with_base_url(server.uri())
        .with_creates_per_second(std::num::NonZeroU32::MAX)
}

async fn all<T, E: std::fmt::Debug>(list: impl futures_util::Stream<Item = Result<T, E>>) -> Vec<T> {
    list.try_collect().await.unwrap()
}

const AC: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CA: &str = "CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CF: &str = "CFaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const RE: &str = "REaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PN: &str = "PNaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SM: &str = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
