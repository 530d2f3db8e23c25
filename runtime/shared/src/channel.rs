// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages over a socket, each with its length before it and at most one file descriptor.

use std::io::{IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::protocol::{GREETING, LONGEST, greeting, version};

/// Bytes of a message's length.
const HEADER: usize = 4;
/// How much is read at once, so that memory is taken as bytes come, not as they are promised.
const PIECE: usize = 1 << 16;

/// One end of a connection.
#[derive(Debug)]
pub struct Channel(UnixStream);

/// A message, and the file descriptor that came with it.
pub type Message = (Vec<u8>, Option<OwnedFd>);

impl Channel {
    /// The channel over `stream`. Who does not go on with a message for as long as `patience` has
    /// given up.
    pub fn new(stream: UnixStream, patience: Duration) -> Result<Self> {
        let limited = stream
            .set_read_timeout(Some(patience))
            .and_then(|()| stream.set_write_timeout(Some(patience)));
        limited.context("failed to limit how long a socket waits")?;
        Ok(Self(stream))
    }

    /// Says what this end speaks.
    pub fn greet(&self) -> Result<()> {
        self.write(&greeting(), None)
    }

    /// Reads what the other end speaks.
    pub fn greeted(&self) -> Result<u32> {
        let mut bytes = [0; GREETING];
        (&self.0).read_exact(&mut bytes).context("the other end of the socket says nothing")?;
        version(&bytes)
    }

    /// Sends a message.
    pub fn send(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
        let length = u32::try_from(message.len()).ok().filter(|length| *length <= LONGEST);
        let length =
            length.with_context(|| format!("a message of {} bytes is too long", message.len()))?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(message);
        self.write(&bytes, descriptor)
    }

    /// Waits for a message; none if the other end is closed. Waits for its beginning for as long as
    /// it takes.
    pub fn receive(&self) -> Result<Option<Message>> {
        let mut header = [0; HEADER];
        let mut read = 0;
        let mut descriptor = None;
        while read < HEADER {
            match self.read(&mut header[read..]) {
                Ok((0, _)) if read == 0 => return Ok(None),
                Ok((0, _)) => bail!("a message was cut off"),
                Ok((more, came)) => {
                    read += more;
                    descriptor = descriptor.or(came);
                }
                Err(Errno::INTR) => {}
                // What a limit on waiting ends in.
                Err(Errno::AGAIN) if read == 0 => {}
                Err(Errno::CONNRESET) => return Ok(None),
                Err(error) => return Err(error).context("failed to read a message"),
            }
        }
        let length = u32::from_le_bytes(header);
        ensure!(length <= LONGEST, "a message of {length} bytes is too long");
        let mut message = Vec::new();
        while message.len() < length as usize {
            let have = message.len();
            message.resize((length as usize).min(have + PIECE), 0);
            (&self.0).read_exact(&mut message[have..]).context("a message was cut off")?;
        }
        Ok(Some((message, descriptor)))
    }

    /// Reads what there is, and a file descriptor that comes with it.
    fn read(&self, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(bytes)];
        let received =
            rustix::net::recvmsg(&self.0, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut descriptor = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptor = descriptors.into_iter().next().or(descriptor);
            }
        }
        Ok((received.bytes, descriptor))
    }

    /// Writes all, the file descriptor with the first byte. Nobody gets SIGPIPE.
    fn write(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            let descriptors: Vec<_> = descriptor.into_iter().filter(|_| written == 0).collect();
            if !descriptors.is_empty() {
                ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
            }
            let parts = [IoSlice::new(&bytes[written..])];
            match rustix::net::sendmsg(&self.0, &parts, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(more) => written += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("failed to send a message"),
            }
        }
        Ok(())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        let patience = Duration::from_millis(200);
        (Channel::new(one, patience).unwrap(), Channel::new(other, patience).unwrap())
    }

    #[test]
    fn messages_and_descriptors_come_through() {
        let (one, other) = pair();
        one.greet().unwrap();
        assert_eq!(other.greeted().unwrap(), crate::protocol::VERSION);
        let null = File::open("/dev/null").unwrap();
        let long = vec![7; 3 * PIECE + 1];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                one.send(b"", None).unwrap();
                one.send(&long, Some(null.as_fd())).unwrap();
                one.send(b"x", None).unwrap();
                drop(one);
            });
            assert!(matches!(other.receive(), Ok(Some((message, None))) if message.is_empty()));
            let (message, descriptor) = other.receive().unwrap().unwrap();
            assert_eq!(message, long);
            assert_eq!(File::from(descriptor.unwrap()).metadata().unwrap().len(), 0);
            assert_eq!(other.receive().unwrap().unwrap().0, b"x");
            assert!(other.receive().unwrap().is_none());
        });
    }

    #[test]
    fn who_says_nonsense_or_nothing_is_an_error() {
        for nonsense in [&b"\xff\xff\xff\xff"[..], b"\x05\0\0\0abc", b"\x05\0"] {
            let (one, other) = pair();
            (&one.0).write_all(nonsense).unwrap();
            drop(one);
            assert!(other.receive().is_err(), "{nonsense:?}");
        }
        let (one, other) = pair();
        (&one.0).write_all(b"\x05\0\0\0abc").unwrap();
        assert!(other.receive().is_err(), "it waits for good");
        (&one.0).write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert!(other.greeted().is_err());
    }
}
