//! The callers and the model: one process, one thread, one epoll, so that they cost little beside the subject.

mod caller;
mod conn;
mod frame;
mod model;
mod tally;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    error::Error,
    io::{self, BufRead, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use benches::wire::{Audio, DELTA_BYTES, FRAME_BYTES};
use caller::Caller;
use conn::{Conn, for_each_frame};
use model::Model;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};
use rustls::{ServerConfig, ServerConnection};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
pub(crate) use tally::{Counts, Spread};
use tally::{Tally, micros};

use crate::{args::PeerOptions, clock, clock::ms, process};

/// Time after the last call has come up until the measurement: two answers of the model.
const WARM_UP: u64 = ms(6_000);
/// Calls are set up one after the other, 250 a second.
const RAMP: u64 = ms(4);
/// Between two frames of a caller.
const FRAME: u64 = ms(20);
/// Time for the last frames to arrive, and for the sockets to be closed.
const DRAIN: u64 = ms(1_500);
const FAREWELL: u64 = ms(3_000);

/// What the peers tell the runner, one JSON line each, in this order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Where the model listens; the certificate when it speaks TLS. Answered with the subject's address.
    Ready { port: u16, certificate: Option<String> },
    /// The measurement begins.
    Begin,
    /// It ends.
    End,
    /// What was seen.
    Done(Box<Seen>),
}

/// What the peers saw of the subject. Delays in microseconds, cut positions in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) up: Spread,
    pub(crate) down: Spread,
    pub(crate) barge_in: Spread,
    pub(crate) cut: Spread,
    pub(crate) late: Spread,
    pub(crate) counts: Counts,
}

/// Plays callers and model until the measurement is over.
pub(crate) fn run(options: &PeerOptions) -> Result<(), Box<dyn Error>> {
    process::pin(options.core)?;
    process::raise_file_limit()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let (tls, certificate) = if options.tls { tls_server()? } else { (None, None) };
    tell(&Report::Ready { port: listener.local_addr()?.port(), certificate })?;
    let mut subject = String::new();
    io::stdin().lock().read_line(&mut subject)?;
    Peers::new(options, listener, tls, subject.trim().parse()?)?.run()
}

fn tell(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

type Tls = (Option<Arc<ServerConfig>>, Option<String>);

fn tls_server() -> Result<Tls, Box<dyn Error>> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = STANDARD.encode(issued.cert.der());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())?;
    Ok((Some(Arc::new(config)), Some(certificate)))
}

/// Who speaks on a connection.
#[derive(Clone, Copy)]
enum Role {
    Caller(usize),
    Model(usize),
}

struct Peer {
    conn: Conn,
    role: Role,
    /// The WebSocket handshake is done.
    open: bool,
    /// Epoll tells us when there is room to write.
    watches_room: bool,
}

struct Peers {
    subject: SocketAddr,
    calls: usize,
    seconds: u64,
    passthrough: bool,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    epoll: rustix::fd::OwnedFd,
    peers: Vec<Peer>,
    callers: Vec<Caller>,
    /// Which peer a caller or a model is.
    caller_peers: Vec<usize>,
    models: Vec<Model>,
    model_peers: Vec<usize>,
    /// When a model's script goes on.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    tally: Tally,
    caller_audio: Audio,
    model_audio: Audio,
    /// Buffers that are used again and again.
    received: Vec<u8>,
    out: Vec<u8>,
    closing: bool,
}

const LISTENER: u64 = u64::MAX;

impl Peers {
    fn new(
        options: &PeerOptions,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        subject: SocketAddr,
    ) -> Result<Self, Box<dyn Error>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let calls = usize::from(options.calls);
        let tally = Tally { calls: vec![tally::Call::default(); calls], ..Tally::default() };
        Ok(Self {
            subject,
            calls,
            seconds: options.seconds.into(),
            passthrough: options.passthrough,
            listener,
            tls,
            epoll,
            peers: Vec::new(),
            callers: Vec::new(),
            caller_peers: Vec::new(),
            models: Vec::new(),
            model_peers: Vec::new(),
            timers: BinaryHeap::new(),
            tally,
            caller_audio: Audio::new(FRAME_BYTES),
            model_audio: Audio::new(DELTA_BYTES),
            received: Vec::new(),
            out: Vec::new(),
            closing: false,
        })
    }

    fn run(mut self) -> Result<(), Box<dyn Error>> {
        let start = clock::now();
        let up_limit = start + RAMP * self.calls as u64 + ms(20_000);
        // Frames are numbered over all callers: number n belongs to caller n modulo calls, so that their phases are
        // spread evenly over 20 ms.
        let mut frame = 0;
        let (mut begin, mut end) = (None, None);
        loop {
            let now = clock::now();
            if self.callers.len() < self.calls && now >= start + RAMP * self.callers.len() as u64 {
                self.call()?;
            }
            if begin.is_none() && self.is_up() {
                begin = Some(now + WARM_UP);
            } else if begin.is_none() && now > up_limit {
                return Err(format!("{} of {} calls are up", self.count_up(), self.calls).into());
            }
            if let Some(at) = begin
                && self.tally.since.is_none()
                && now >= at
            {
                tell(&Report::Begin)?;
                self.tally.since = Some(clock::now());
                end = Some(clock::now() + ms(1_000) * self.seconds);
            }
            if end.is_some_and(|end| now >= end) {
                break;
            }
            let due = self.send_due_frames(start, &mut frame, now)?;
            self.go_on_with_scripts(now)?;
            let timer = self.timers.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
            let wait = due.min(timer).min(clock::now() + ms(5)).saturating_sub(clock::now());
            self.poll(wait)?;
        }
        tell(&Report::End)?;
        self.finish()
    }

    /// Sends the callers' frames that are due, some at a time, and says when the next one is.
    fn send_due_frames(&mut self, start: u64, frame: &mut u64, now: u64) -> Result<u64, Box<dyn Error>> {
        const AT_ONCE: u32 = 64;
        let due = |frame: u64| start + frame * FRAME / self.calls as u64;
        let mut next = due(*frame);
        let mut sent = 0;
        while next <= now && sent < AT_ONCE {
            let index = usize::try_from(*frame % self.calls as u64).expect("less than the calls");
            if let Some(&peer) = self.caller_peers.get(index)
                && self.peers[peer].open
            {
                self.say_frame(index, peer, next)?;
                sent += 1;
            }
            *frame += 1;
            next = start + *frame * FRAME / self.calls as u64;
        }
        Ok(next)
    }

    fn say_frame(&mut self, index: usize, peer: usize, due: u64) -> Result<(), Box<dyn Error>> {
        let now = clock::now();
        if self.tally.since.is_some() {
            self.tally.late.push(micros(due, now));
        }
        self.out.clear();
        self.callers[index].return_marks(now, &mut self.out, &mut self.tally);
        self.send(peer)?;
        self.out.clear();
        let now = clock::now();
        self.callers[index].speak(now, &self.caller_audio, &mut self.out, &mut self.tally);
        self.send(peer)
    }

    fn go_on_with_scripts(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        while let Some(&Reverse((due, index))) = self.timers.peek()
            && due <= now
        {
            self.timers.pop();
            if self.models[index].due == Some(due) {
                self.out.clear();
                self.models[index].go_on(now, &self.model_audio, &mut self.out, &mut self.tally);
                self.schedule(index);
                self.send(self.model_peers[index])?;
            }
        }
        Ok(())
    }

    /// When the script of the model behind this peer goes on.
    fn due(&self, peer: usize) -> Option<u64> {
        match self.peers[peer].role {
            Role::Model(model) => self.models[model].due,
            Role::Caller(_) => None,
        }
    }

    fn schedule(&mut self, index: usize) {
        if let Some(due) = self.models[index].due {
            self.timers.push(Reverse((due, index)));
        }
    }

    /// Sends what is in `out`.
    fn send(&mut self, peer: usize) -> Result<(), Box<dyn Error>> {
        let Peer { conn, .. } = &mut self.peers[peer];
        conn.send(&self.out);
        self.watch_room(peer)
    }

    fn watch_room(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let peer = &mut self.peers[index];
        let wanted = peer.conn.is_backed_up() && !peer.conn.closed;
        if wanted != peer.watches_room {
            peer.watches_room = wanted;
            let events = if wanted { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::modify(&self.epoll, peer.conn.socket(), epoll::EventData::new_u64(index as u64), events)?;
        }
        Ok(())
    }

    fn poll(&mut self, wait: u64) -> Result<(), Box<dyn Error>> {
        let mut events = Vec::with_capacity(128);
        let nanos = i64::try_from(wait % 1_000_000_000)?;
        let wait = Timespec { tv_sec: i64::try_from(wait / 1_000_000_000)?, tv_nsec: nanos };
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events {
            let index = event.data.u64();
            if index == LISTENER {
                self.accept()?;
                continue;
            }
            let index = usize::try_from(index)?;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.peers[index].conn.flush();
                self.watch_room(index)?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.receive(index)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        socket: TcpStream,
        role: Role,
        tls: Option<Box<ServerConnection>>,
    ) -> Result<usize, Box<dyn Error>> {
        let index = self.peers.len();
        let conn = Conn::new(socket, tls)?;
        epoll::add(&self.epoll, conn.socket(), epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        self.peers.push(Peer { conn, role, open: false, watches_room: false });
        Ok(index)
    }

    /// Sets up the next call.
    fn call(&mut self) -> Result<(), Box<dyn Error>> {
        let call = self.callers.len();
        let peer = self.add(TcpStream::connect(self.subject)?, Role::Caller(call), None)?;
        self.callers.push(Caller::new(u16::try_from(call)?));
        self.caller_peers.push(peer);
        self.out.clear();
        write!(
            self.out,
            "GET /media-stream HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.subject
        )?;
        self.send(peer)
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        while let Ok((socket, _)) = self.listener.accept() {
            let tls = match &self.tls {
                Some(config) => Some(Box::new(ServerConnection::new(Arc::clone(config))?)),
                None => None,
            };
            let index = self.models.len();
            let peer = self.add(socket, Role::Model(index), tls)?;
            self.models.push(Model::new(u16::try_from(index)?, self.passthrough));
            self.model_peers.push(peer);
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let mut received = std::mem::take(&mut self.received);
        let peer = &mut self.peers[index];
        peer.conn.receive(&mut received);
        let now = clock::now();
        self.out.clear();
        let due_before = self.due(index);
        let mut used = 0;
        if !self.peers[index].open {
            used = self.shake_hands(index, &received, now);
        }
        let peer = &mut self.peers[index];
        let mut closes = false;
        if peer.open {
            let (role, mask) = (peer.role, matches!(peer.role, Role::Caller(_)));
            let (callers, models, tally, out) = (&mut self.callers, &mut self.models, &mut self.tally, &mut self.out);
            used += for_each_frame(&mut received[used..], |opcode, payload| match (opcode, role) {
                (frame::TEXT, Role::Caller(caller)) => callers[caller].receive(now, payload, out, tally),
                (frame::TEXT, Role::Model(model)) => models[model].receive(now, payload, out, tally),
                (frame::PING, _) => frame::push(out, frame::PONG, mask, payload),
                (frame::PONG, _) => {}
                (frame::CLOSE, _) => {
                    frame::push(out, frame::CLOSE, mask, payload);
                    closes = true;
                }
                _ => tally.other("unknown frame"),
            });
        }
        self.peers[index].conn.keep(&received[used..]);
        self.received = received;
        self.send(index)?;
        if let Role::Model(model) = self.peers[index].role
            && self.due(index) != due_before
        {
            self.schedule(model);
        }
        let peer = &mut self.peers[index];
        if closes || peer.conn.closed {
            self.tally.counts.broken += u64::from(!self.closing);
            peer.open = false;
            peer.conn.close();
            epoll::delete(&self.epoll, peer.conn.socket())?;
        }
        Ok(())
    }

    /// Does the WebSocket handshake once its head has come, and returns the length of the head.
    fn shake_hands(&mut self, index: usize, received: &[u8], now: u64) -> usize {
        let Some(end) = memchr::memmem::find(received, b"\r\n\r\n") else { return 0 };
        let peer = &mut self.peers[index];
        peer.open = true;
        match peer.role {
            Role::Caller(caller) => self.callers[caller].start(&mut self.out),
            Role::Model(model) => {
                let head = String::from_utf8_lossy(&received[..end]);
                let key = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
                });
                let accept = Sha1::new()
                    .chain_update(key.unwrap_or_default())
                    .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                    .finalize();
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {}\r\n\r\n",
                    STANDARD.encode(accept)
                );
                self.out.extend_from_slice(answer.as_bytes());
                self.models[model].opened(now, &mut self.out);
            }
        }
        end + 4
    }

    fn count_up(&self) -> usize {
        self.tally.calls.iter().filter(|call| call.up.received > 0).count()
    }

    fn is_up(&self) -> bool {
        self.callers.len() == self.calls && self.count_up() == self.calls
    }

    /// Lets the last frames arrive, hangs up, waits for the sockets to be closed and reports.
    fn finish(mut self) -> Result<(), Box<dyn Error>> {
        let drained = clock::now() + DRAIN;
        while clock::now() < drained {
            self.poll(ms(5))?;
        }
        self.closing = true;
        for index in 0..self.callers.len() {
            let peer = self.caller_peers[index];
            self.out.clear();
            self.callers[index].stop(&mut self.out);
            self.send(peer)?;
            if self.passthrough {
                self.peers[peer].conn.close();
            }
        }
        let farewell = clock::now() + FAREWELL;
        while clock::now() < farewell && self.peers.iter().any(|peer| peer.open) {
            self.poll(ms(5))?;
        }
        let Tally { up, down, barge_in, cut, late, mut counts, calls, .. } = self.tally;
        counts.left_open = self.peers.iter().filter(|peer| peer.open).count() as u64;
        for call in &calls {
            let missing =
                |line: tally::Line| u64::from(line.sent.saturating_sub(line.received.max(line.first.unwrap_or(0))));
            counts.up_lost += missing(call.up);
            counts.down_lost += missing(call.down);
        }
        tell(&Report::Done(Box::new(Seen {
            up: Spread::of(up),
            down: Spread::of(down),
            barge_in: Spread::of(barge_in),
            cut: Spread::of(cut),
            late: Spread::of(late),
            counts,
        })))?;
        Ok(())
    }
}
