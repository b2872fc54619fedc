//! What is measured: a server on one thread that connects each caller to the model.

mod bridge;
mod copier;
mod naive;
mod transports;
mod web;

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use realtime_bridge::realtime::openai::{OpenAiClient, OpenAiConfig};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};

use crate::{
    args::{Kind, SubjectOptions},
    process,
};

type Failure = Box<dyn Error + Send + Sync>;

/// Where a call goes.
#[derive(Debug, Clone)]
struct Target {
    model: SocketAddr,
    /// The certificate (DER) to trust; TLS is used when it is there.
    certificate: Option<Vec<u8>>,
}

impl Target {
    /// A client of the model as this workspace has it.
    fn client(&self) -> Result<OpenAiClient, Failure> {
        let config = OpenAiConfig::new("sk-load");
        let port = self.model.port();
        // The certificate is for a name, not for an address.
        let config = match &self.certificate {
            Some(der) => {
                config.with_base_url(format!("https://localhost:{port}/v1")).with_root_certificate(der.clone())
            }
            None => config.with_base_url(format!("http://{}/v1", self.model)),
        };
        Ok(OpenAiClient::new(config)?)
    }

    /// TLS as anybody sets it up.
    fn tls(&self) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let Some(der) = &self.certificate else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        roots.add(der.clone().into())?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Arc::new(config)))
    }
}

/// Serves until standard input ends.
pub(crate) fn run(options: &SubjectOptions) -> Result<(), Box<dyn Error>> {
    process::pin(options.core)?;
    process::raise_file_limit()?;
    let certificate = options.trust.as_deref().map(|text| STANDARD.decode(text)).transpose()?;
    let target = Target { model: options.model, certificate };
    let (ask_to_stop, stop) = oneshot::channel::<()>();
    // A thread of its own, so that the runtime needs no pool for it. It sleeps until the input ends.
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = ask_to_stop.send(());
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        match options.kind {
            Kind::Copier => serve(listener, stop, |caller| copier::copy_call(caller, target.model)).await,
            Kind::Naive => {
                let tls = target.tls()?;
                serve(listener, stop, |caller| naive::bridge_call(caller, target.model, tls.clone())).await
            }
            Kind::Transports => {
                let client = target.client()?;
                serve(listener, stop, |caller| transports::bridge_call(caller, client.clone())).await
            }
            Kind::Bridge => {
                let (client, endings) = (target.client()?, bridge::Endings::default());
                let call = |caller| bridge::bridge_call(caller, client.clone(), endings.clone());
                serve(listener, stop, call).await?;
                Ok(writeln!(io::stdout(), "{endings}")?)
            }
        }
    });
    served.map_err(|failure| -> Box<dyn Error> { failure })
}

/// One task a call, until the runner asks to stop.
async fn serve<C>(
    listener: TcpListener,
    mut stop: oneshot::Receiver<()>,
    call: impl Fn(TcpStream) -> C,
) -> Result<(), Failure>
where
    C: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (caller, _) = accepted?;
                caller.set_nodelay(true)?;
                calls.spawn(call(caller));
            }
            // How a call ends is seen by the peers.
            _ = calls.join_next(), if !calls.is_empty() => {}
            _ = &mut stop => break,
        }
    }
    // The sockets are closed; the calls only have to see it.
    let last_words = async { while calls.join_next().await.is_some() {} };
    // A call that does not end is seen by the peers, too.
    let _ = timeout(Duration::from_secs(2), last_words).await;
    Ok(())
}
