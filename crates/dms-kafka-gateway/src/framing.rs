//! Sees what hyper hides: a request with both `Content-Length` and `Transfer-Encoding`, and the fragment of a request target.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{InspectReader, InspectWriter};

const NAME: &[u8] = b"content-length:";

/// Whether the head that was read last from a connection has a `Content-Length` and a fragment. hyper removes the first if there
/// is a `Transfer-Encoding` too, and the second always; another server in front may have used both.
///
/// A head begins when a response has been written. What a client sends before that may be the body of its last request or the
/// next head, so it is not known whether a request that was sent that early has a length or a fragment.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadWatch(Arc<Mutex<Head>>);

#[derive(Debug, Default)]
struct Head {
    has_length: bool,
    has_fragment: bool,
    read: Read,
    /// The beginning of the current line.
    line: Vec<u8>,
}

/// How much of a head was read. Blank lines before it are not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Read {
    #[default]
    Nothing,
    RequestLine,
    Everything,
}

impl HeadWatch {
    /// Watches what is read from the stream and written to it.
    pub(crate) fn wrap<S: AsyncRead + AsyncWrite>(&self, stream: S) -> Watched<S> {
        let (read, written) = (self.clone(), self.clone());
        let read: OnBytes = Box::new(move |bytes| read.head().read(bytes));
        let written: OnBytes = Box::new(move |_| written.head().reset());
        InspectWriter::new(InspectReader::new(stream, read), written)
    }

    pub(crate) fn may_have_length(&self) -> bool {
        let head = self.head();
        head.has_length || head.read != Read::Everything
    }

    pub(crate) fn has_fragment(&self) -> bool {
        self.head().has_fragment
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
        (self.has_length, self.has_fragment) = (false, false);
        self.read = Read::Nothing;
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while self.read != Read::Everything && !bytes.is_empty() {
            let end = memchr(b'\n', bytes);
            let line = &bytes[..end.unwrap_or(bytes.len())];
            // No method of the API has this character.
            self.has_fragment |= self.read == Read::Nothing && memchr(b'#', line).is_some();
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
        self.read = match (self.read, blank) {
            (Read::Nothing, true) => Read::Nothing,
            (_, false) => Read::RequestLine,
            (_, true) => Read::Everything,
        };
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
