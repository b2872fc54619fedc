//! What is measured: a server on one thread that connects each caller to the model.

mod copier;
mod naive;

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ClientConfig, RootCertStore};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    args::{Kind, SubjectOptions},
    process,
};

/// Where a call goes.
#[derive(Debug, Clone)]
struct Target {
    model: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// Serves until standard input ends.
pub(crate) fn run(options: &SubjectOptions) -> Result<(), Box<dyn Error>> {
    process::pin(options.core)?;
    process::raise_file_limit()?;
    let tls = options.trust.as_deref().map(trusting).transpose()?;
    let target = Target { model: options.model, tls };
    let (ask_to_stop, stop) = oneshot::channel::<()>();
    // A thread of its own, so that the runtime needs no pool for it. It ends with the input, and it sleeps until then.
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = ask_to_stop.send(());
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        match options.kind {
            Kind::Copier => copier::serve(listener, target, stop).await,
            Kind::Naive => naive::serve(listener, target, stop).await,
            Kind::Bridge => Err("not there".into()),
        }
    })
}

fn trusting(certificate: &str) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(STANDARD.decode(certificate)?.into())?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
