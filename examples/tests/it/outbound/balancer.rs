//! What a load balancer does, before servers that come and go.

use std::time::Duration;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Two ports that are free now.
pub(crate) async fn two_ports() -> [u16; 2] {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    [first, second].map(|listener| listener.local_addr().unwrap().port())
}

/// What a load balancer does: each connection goes to the next server that is ready, or waits for one.
pub(crate) async fn balance(listener: TcpListener, backends: [u16; 2], ready: watch::Receiver<[bool; 2]>) {
    let mut connections = JoinSet::new();
    for turn in 0_usize.. {
        let Ok((mut client, _)) = listener.accept().await else { return };
        let mut ready = ready.clone();
        connections.spawn(async move {
            loop {
                let ready_now = ready.wait_for(|ready| ready.contains(&true)).await.map(|ready| *ready).unwrap();
                let chosen = (0..2).map(|offset| (turn + offset) % 2).find(|index| ready_now[*index]).unwrap();
                match TcpStream::connect(("127.0.0.1", backends[chosen])).await {
                    // Whoever tries a port often enough that nobody listens on meets itself there.
                    Ok(mut server) if server.local_addr().unwrap() != server.peer_addr().unwrap() => {
                        return drop(copy_bidirectional(&mut client, &mut server).await);
                    }
                    // It has just died: its next check says so.
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Looks after the servers as a load balancer does.
pub(crate) async fn check_health(backends: [u16; 2], ready: watch::Sender<[bool; 2]>) {
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    loop {
        for (index, port) in backends.into_iter().enumerate() {
            let answer = http.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            ready.send_if_modified(|ready| std::mem::replace(&mut ready[index], is_ready) != is_ready);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
