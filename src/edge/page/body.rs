//! Bodies of answers that come piece by piece: a part of a file, and rows that a thread writes as they are read.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::STALLED;

/// One range of a file, as first byte and end; none when it is to be sent whole.
pub(super) fn one_range(text: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(from), Some(last)) => (from, last.saturating_add(1).min(total)),
        (Some(from), None) if last.is_empty() => (from, total),
        (None, Some(count)) if first.is_empty() => (total.saturating_sub(count), total),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

/// Bytes that another thread or task hands over.
pub(super) struct Pipe(pub(super) mpsc::Receiver<Bytes>);

impl HttpBody for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|b| Ok(Frame::data(b))))
    }
}

/// A part of a file, read a block at a time; a slow disk holds up this page and nothing else.
pub(super) struct Piece {
    pub(super) file: File,
    pub(super) left: u64,
}

impl HttpBody for Piece {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut block = vec![0; self.left.min(32 * 1024) as usize];
        Poll::Ready(Some(match self.file.read(&mut block) {
            Ok(0) => {
                self.left = 0;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Ok(n) => {
                block.truncate(n);
                self.left -= n as u64;
                Ok(Frame::data(block.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Writes into a [`Pipe`] from a thread that may wait, but not for ever.
pub(super) struct Sending {
    pub(super) tx: mpsc::Sender<Bytes>,
    pub(super) handle: tokio::runtime::Handle,
    pub(super) block: Vec<u8>,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= 32 * 1024 {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = Bytes::from(std::mem::take(&mut self.block));
        match self.handle.block_on(async { timeout(STALLED, self.tx.send(block)).await }) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_within_the_file() {
        assert_eq!(one_range("bytes=0-", 10), Some((0, 10)));
        assert_eq!(one_range("bytes=3-5", 10), Some((3, 6)));
        assert_eq!(one_range("bytes=-4", 10), Some((6, 10)));
        assert_eq!(one_range("bytes=20-", 10), None);
        assert_eq!(one_range("items=0-1", 10), None);
    }
}
