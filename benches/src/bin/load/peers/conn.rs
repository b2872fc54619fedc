//! One socket of a peer: never blocks, keeps what the kernel does not take.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

use rustls::ServerConnection;

use super::frame::{self, Frame};

/// One socket.
pub(super) struct Conn {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// Bytes received that are not yet a whole message.
    inbox: Vec<u8>,
    /// Bytes the kernel did not take yet.
    outbox: Vec<u8>,
    pub(super) closed: bool,
}

impl Conn {
    pub(super) fn new(socket: TcpStream, tls: Option<Box<ServerConnection>>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, tls, inbox: Vec::new(), outbox: Vec::new(), closed: false })
    }

    pub(super) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether something waits for the kernel to take it.
    pub(super) fn is_backed_up(&self) -> bool {
        !self.outbox.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends, or keeps for later what the kernel does not take.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.closed || bytes.is_empty() {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes).expect("rustls buffers without a limit by default or tells it here");
        } else {
            self.outbox.extend_from_slice(bytes);
        }
        self.flush();
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) {
        let outcome = match &mut self.tls {
            Some(tls) => loop {
                if !tls.wants_write() {
                    break Ok(());
                }
                if let Err(error) = tls.write_tls(&mut self.socket) {
                    break Err(error);
                }
            },
            None => self.socket.write(&self.outbox).map(|written| {
                self.outbox.drain(..written);
            }),
        };
        if outcome.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            self.closed = true;
        }
    }

    /// Reads what has come and appends it to what waited; empty when nothing came.
    ///
    /// The caller gives back what it did not use with [`Conn::keep`].
    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>) {
        const ROOM: usize = 64 * 1024;
        buffer.clear();
        buffer.append(&mut self.inbox);
        let start = buffer.len();
        buffer.resize(start + ROOM, 0);
        let read = match &mut self.tls {
            None => self.socket.read(&mut buffer[start..]),
            Some(tls) => receive_tls(tls, &mut self.socket, &mut buffer[start..]),
        };
        let read = match read {
            Ok(0) => {
                self.closed = true;
                0
            }
            Ok(read) => read,
            Err(error) => {
                self.closed = error.kind() != ErrorKind::WouldBlock;
                0
            }
        };
        buffer.truncate(start + read);
        if self.tls.is_some() {
            self.flush();
        }
    }

    /// Takes back bytes that are not a whole message.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.inbox.extend_from_slice(rest);
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        // An error says that the other side was faster.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn receive_tls(tls: &mut ServerConnection, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    loop {
        match tls.reader().read(&mut buffer[filled..]) {
            Ok(0) => return Ok(filled),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if filled == buffer.len() {
            return Ok(filled);
        }
        match tls.read_tls(socket) {
            Ok(0) => return Ok(filled),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && filled > 0 => return Ok(filled),
            Err(error) => return Err(error),
        }
        tls.process_new_packets().map_err(io::Error::other)?;
    }
}

/// Calls `each` with the frames at the start of `buffer` and returns how many bytes they took.
pub(super) fn for_each_frame(buffer: &mut [u8], mut each: impl FnMut(u8, &[u8])) -> usize {
    let mut at = 0;
    while let Some(Frame { opcode, payload }) = frame::parse(buffer, at) {
        at = payload.end;
        each(opcode, &buffer[payload]);
    }
    at
}
