// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding the agent that is in a process already.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use ufunc_shared::channel::Channel;
use ufunc_shared::protocol::{SOCKET_NAMES, VERSION, socket_name};

/// How long an agent may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The channel to the agent in the process, if there is one.
pub(crate) fn connect(process: i32) -> Result<Option<Channel>> {
    let own = own_number(process)?;
    for attempt in 0..SOCKET_NAMES {
        let name = socket_name(own, attempt);
        let stream = match in_network_of(process, || open(&name)) {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
            Err(error) => {
                return Err(error).context(format!("failed to connect to the agent of {process}"));
            }
        };
        // Anybody may take a name: who listens is what counts.
        let peer = rustix::net::sockopt::socket_peercred(&stream);
        if peer.is_ok_and(|peer| peer.pid.as_raw_nonzero().get() == process) {
            let channel = Channel::new(stream, PATIENCE)?;
            greet(&channel, process)?;
            return Ok(Some(channel));
        }
    }
    Ok(None)
}

/// Exchanges greetings with an agent.
pub(crate) fn greet(channel: &Channel, process: i32) -> Result<()> {
    let greeted = channel.greeted().with_context(|| {
        format!(
            "the agent of {process} does not answer: the process is stopped, or belongs to \
             somebody else (it answers its own user and root)"
        )
    });
    let version = greeted?;
    ensure!(
        version == VERSION,
        "the agent in {process} is of another version of this software (it speaks {version}, not \
         {VERSION}): use the loader that put it there, or start the application anew"
    );
    channel.greet()
}

fn open(name: &str) -> std::io::Result<UnixStream> {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)
}

/// The number that the process itself has for itself.
fn own_number(process: i32) -> Result<u32> {
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else {
        bail!("there is no process {process}");
    };
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let number = numbers.and_then(|numbers| numbers.split_whitespace().last());
    number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("/proc/{process}/status has no NSpid"))
}

/// Runs `work` where the process has its abstract sockets.
fn in_network_of<T: Send>(
    process: i32,
    work: impl FnOnce() -> std::io::Result<T> + Send,
) -> std::io::Result<T> {
    let network = format!("/proc/{process}/ns/net");
    let [theirs, ours] = [&*network, "/proc/self/ns/net"].map(fs::read_link);
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) if theirs != ours => {}
        // Who may not look is not allowed to enter either.
        _ => return work(),
    }
    let network = File::open(network)?;
    // A thread of its own, which nobody uses afterwards.
    thread::scope(|scope| {
        let entered = scope.spawn(move || {
            move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&network),
                Some(LinkNameSpaceType::Network),
            )?;
            work()
        });
        entered.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()))
    })
}
