//! The measure of all bridges: copies bytes between two sockets and does nothing else.
//!
//! One task a call, one buffer of 8 KiB a direction, which is written out before the next read. No allocation after the
//! call is set up, one read and one write for each message that comes.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::Failure;

pub(super) async fn copy_call(mut caller: TcpStream, model: SocketAddr) -> Result<(), Failure> {
    let mut model = TcpStream::connect(model).await?;
    model.set_nodelay(true)?;
    let (mut up, mut down) = (Copy::new(), Copy::new());
    let end = poll_fn(|cx| {
        // Either side's end is the end of the call.
        if let Poll::Ready(end) = up.poll(cx, &mut caller, &mut model) {
            return Poll::Ready(end);
        }
        down.poll(cx, &mut model, &mut caller)
    });
    Ok(end.await?)
}

struct Copy {
    buffer: Box<[u8]>,
    filled: usize,
    written: usize,
}

impl Copy {
    fn new() -> Self {
        Self { buffer: vec![0; 8 * 1024].into(), filled: 0, written: 0 }
    }

    fn poll(&mut self, cx: &mut Context<'_>, from: &mut TcpStream, to: &mut TcpStream) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.filled {
                let rest = &self.buffer[self.written..self.filled];
                self.written += ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
            }
            let mut buffer = ReadBuf::new(&mut self.buffer);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
            (self.filled, self.written) = (buffer.filled().len(), 0);
            if self.filled == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
