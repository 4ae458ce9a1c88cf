//! As much of Kafka's protocol as it takes to ask a broker whether it serves.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// `ApiVersions`, version 0, with correlation id 1 and no client id; the length of what follows comes first.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the broker at this port of 127.0.0.1. It answers once it belongs to its cluster, not before.
///
/// # Errors
/// When nobody answers, or with an error.
pub(super) fn serves(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&API_VERSIONS)?;
    // Length, correlation id, error code.
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    if head[4..] == [0, 0, 0, 1, 0, 0] {
        return Ok(());
    }
    Err(io::Error::other("it does not answer like a Kafka broker"))
}
