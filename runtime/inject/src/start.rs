// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starting an application with the agent in it.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use std::{io, process};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags};
use ufunc_shared::channel::Channel;
use ufunc_shared::protocol::{Reply, START};

use crate::session::{Session, end, open_life, readable, wait_for};
use crate::{connect, program};

/// What the dynamic loader preloads.
const PRELOAD: &str = "LD_PRELOAD";
/// How long an application may take to load its libraries.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may stop in a message.
const MESSAGE: Duration = Duration::from_secs(5);

impl Session {
    /// Starts `command` with the agent in it. It waits before `main`, and before the constructors of
    /// the executable itself, until [`resume`](Session::resume).
    pub fn start(mut command: Command, agent: &Path) -> Result<Self> {
        let program = program::find(&command)?;
        program::check_start(&program)?;
        let (ours, theirs) = UnixStream::pair().context("failed to make a pair of sockets")?;
        // Open until the application has loaded it.
        let library = Library::open(agent)?;
        command.env(PRELOAD, library.before(program::variable(&command, PRELOAD)));
        command.env(START, theirs.as_raw_fd().to_string());
        let keep = theirs.as_raw_fd();
        // SAFETY: in the child it only makes a system call, which allocates nothing.
        unsafe {
            command.pre_exec(move || match libc::fcntl(keep, libc::F_SETFD, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let child = command.spawn();
        let mut child = child.with_context(|| format!("failed to start {}", program.display()))?;
        drop(theirs);
        match meet(ours, &mut child) {
            Ok((channel, number)) => Session::new(channel, number, Some(child)),
            Err(error) => {
                end(&mut child);
                Err(error.context(format!("failed to start {} with the agent", program.display())))
            }
        }
    }
}

/// Waits for the agent in the child, and exchanges greetings.
fn meet(ours: UnixStream, child: &mut Child) -> Result<(Channel, i32)> {
    let number = i32::try_from(child.id()).context("the process' number is out of range")?;
    let channel = Channel::new(ours, MESSAGE)?;
    let life = open_life(number)?;
    let mut sources = [PollFd::new(&channel, PollFlags::IN), PollFd::new(&life, PollFlags::IN)];
    wait_for(&mut sources, PATIENCE)?;
    let [answers, ended] = sources.map(|source| !source.revents().is_empty());
    if ended {
        let status = child.wait().context("failed to learn how it ended")?;
        bail!("it ended before the agent was there: {status}");
    }
    ensure!(answers, "the dynamic loader did not load the agent within {PATIENCE:?}");
    connect::greet(&channel, number)?;
    // A failure is told without being asked for.
    if readable(&channel, Duration::ZERO)? {
        match channel.receive()?.map(|(message, _)| Reply::from_bytes(&message)).transpose()? {
            Some(Reply::Failed(why)) => bail!(why),
            _ => bail!("the agent ended"),
        }
    }
    Ok((channel, number))
}

/// The agent's file, as the dynamic loader can be told of it.
struct Library {
    name: OsString,
    /// Open for as long as the name goes by it.
    _file: Option<File>,
}

impl Library {
    fn open(path: &Path) -> Result<Self> {
        let absolute = path.canonicalize();
        let path =
            absolute.with_context(|| format!("failed to find the agent at {}", path.display()))?;
        let file = File::open(&path);
        let file = file.with_context(|| format!("failed to open {}", path.display()))?;
        // In the list of libraries these end a name, and cannot be escaped; `$` is expanded.
        let special = |byte: &u8| matches!(byte, b' ' | b':' | b'$');
        if !path.as_os_str().as_bytes().iter().any(special) {
            return Ok(Self { name: path.into_os_string(), _file: None });
        }
        let name = format!("/proc/{}/fd/{}", process::id(), file.as_fd().as_raw_fd());
        Ok(Self { name: name.into(), _file: Some(file) })
    }

    /// The list of libraries to preload, this one before `others`.
    fn before(&self, others: Option<OsString>) -> OsString {
        let mut list = self.name.clone();
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            list.push(":");
            list.push(others);
        }
        list
    }
}
