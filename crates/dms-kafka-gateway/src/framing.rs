//! Sees what hyper hides: a request with both `Content-Length` and `Transfer-Encoding`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{InspectReader, InspectWriter};

const NAME: &[u8] = b"content-length:";

/// Whether the head that was read last from a connection has a `Content-Length`. hyper removes it if there is a
/// `Transfer-Encoding` too, and another server in front may have used it.
///
/// A head begins when a response has been written. What a client sends before that may be the body of its last request or the
/// next head, so it is not known whether a request that was sent that early has a length.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentLengthWatch(Arc<Mutex<Head>>);

#[derive(Debug, Default)]
struct Head {
    has_length: bool,
    /// Whether its blank line was read.
    ended: bool,
    /// Whether a line was read; blank lines before it are not part of the head.
    begun: bool,
    /// The beginning of the current line.
    line: Vec<u8>,
}

impl ContentLengthWatch {
    /// Watches what is read from the stream and written to it.
    pub(crate) fn wrap<S: AsyncRead + AsyncWrite>(&self, stream: S) -> Watched<S> {
        let (read, written) = (self.clone(), self.clone());
        let read: OnBytes = Box::new(move |bytes| read.head().read(bytes));
        let written: OnBytes = Box::new(move |_| written.head().reset());
        InspectWriter::new(InspectReader::new(stream, read), written)
    }

    pub(crate) fn may_have_length(&self) -> bool {
        let head = self.head();
        head.has_length || !head.ended
    }

    fn head(&self) -> MutexGuard<'_, Head> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type OnBytes = Box<dyn FnMut(&[u8]) + Send>;
type Watched<S> = InspectWriter<InspectReader<S, OnBytes>, OnBytes>;

impl Head {
    fn reset(&mut self) {
        self.line.clear();
        (self.has_length, self.ended, self.begun) = (false, false, false);
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !self.ended && !bytes.is_empty() {
            let end = memchr(b'\n', bytes);
            let line = &bytes[..end.unwrap_or(bytes.len())];
            let room = NAME.len() - self.line.len();
            self.line.extend_from_slice(&line[..room.min(line.len())]);
            let Some(end) = end else {
                return;
            };
            bytes = &bytes[end + 1..];
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let blank = matches!(&*self.line, b"" | b"\r");
        self.has_length |= self.line.eq_ignore_ascii_case(NAME);
        self.ended = blank && self.begun;
        self.begun |= !blank;
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_length_of_a_head() {
        for (text, expected) in [
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", true),
            (
                "POST / HTTP/1.1\r\nhost: x\r\nCONTENT-LENGTH:1\r\n\r\n",
                true,
            ),
            ("\r\nPOST / HTTP/1.1\ncontent-length: 1\n\n", true),
            ("POST / HTTP/1.1\r\ncontent-length-x: 1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nx: content-length: 1\r\n\r\n", false),
            (
                "POST / HTTP/1.1\r\nx: y\r\n\r\ncontent-length: 1\r\n",
                false,
            ),
            ("", false),
        ] {
            for size in [1, 2, 3, 1000] {
                let mut head = Head::default();
                for bytes in text.as_bytes().chunks(size) {
                    head.read(bytes);
                }
                assert_eq!(head.has_length, expected, "{text:?} in pieces of {size}");
                head.reset();
                head.read(b"GET / HTTP/1.1\r\n\r\n");
                assert!(!head.has_length, "{text:?}");
            }
        }
    }
}
