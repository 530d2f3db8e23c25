// SPDX-License-Identifier: MIT OR Apache-2.0
//! A conversation with the agent in an application.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use ufunc_shared::channel::Channel;
use ufunc_shared::placement::Placement;
use ufunc_shared::plan::Plan;
use ufunc_shared::protocol::{ExtensionId, Faulting, Hello, HookId, MapAddress, Reply, Request};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long another loader may keep the agent to itself.
const LOCKED: Duration = Duration::from_secs(10);
/// How long a process may take from closing its descriptors to its end.
const CLOSING: Duration = Duration::from_millis(500);
/// How often the agent is asked whether it does no more.
const PAUSE: Duration = Duration::from_millis(20);

/// A conversation with the agent in an application. Its end changes nothing in the application,
/// unless that was started by it and never reached `main`: then it is ended.
#[derive(Debug)]
pub struct Session {
    channel: Channel,
    process: i32,
    /// Tells when the process ends.
    life: OwnedFd,
    child: Option<Child>,
    /// Whether the application waits before `main`.
    waits: bool,
}

/// How an application ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself or by a signal, as its parent knows.
    Status(ExitStatus),
    /// Somehow: it was started by somebody else, who alone gets to know.
    Unknown,
    /// It executed another program, without the agent.
    Executed,
}

impl End {
    /// The status that a shell would show, if it is known.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        let Self::Status(status) = self else { return None };
        // A status has 8 bits, and there are 64 signals.
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        code.map(|code| code as u8)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the application ended: {status}"),
            Self::Unknown => write!(f, "the application ended"),
            Self::Executed => write!(f, "the application executed another program"),
        }
    }
}

impl Session {
    pub(crate) fn new(channel: Channel, process: i32, child: Option<Child>) -> Result<Self> {
        let life = open_life(process)?;
        let waits = child.is_some();
        Ok(Self { channel, process, life, child, waits })
    }

    /// Finds the agent that is in the process already, if it is.
    pub fn connect(process: i32) -> Result<Option<Self>> {
        let channel = crate::connect::connect(process)?;
        channel.map(|channel| Self::new(channel, process, None)).transpose()
    }

    /// Puts the agent into a process that runs, unless it is there already. Every register of the
    /// thread that is borrowed for that is put back.
    pub fn inject(process: i32, agent: &Path) -> Result<Self> {
        if let Some(session) = Self::connect(process)? {
            return Ok(session);
        }
        crate::trace::inject(process, agent)
            .with_context(|| format!("failed to put the agent into process {process}"))?;
        Self::connect(process)?
            .with_context(|| format!("the agent in process {process} has ended again"))
    }

    /// The application's process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process
    }

    /// What there is in the application.
    pub fn hello(&self) -> Result<Hello> {
        match self.ask(&Request::Hello)? {
            Reply::Hello(hello) => Ok(*hello),
            other => misunderstood(&other),
        }
    }

    /// Lets an application that was started go on to `main`.
    pub fn resume(&mut self) -> Result<()> {
        self.done(&Request::Resume)?;
        self.waits = false;
        Ok(())
    }

    /// Keeps other loaders from changing anything until [`unlock`](Self::unlock) or the end of the
    /// session. Waits for a while if another one does that.
    pub fn lock(&self) -> Result<()> {
        self.done(&Request::Lock)
    }

    /// Lets other loaders change things again.
    pub fn unlock(&self) -> Result<()> {
        self.done(&Request::Unlock)
    }

    /// Begins an extension. `description` is for loaders that come later.
    pub fn begin(&self, name: &str, description: &[u8]) -> Result<ExtensionId> {
        let description = description.to_vec();
        self.number(&Request::Begin { name: name.to_owned(), description })
    }

    /// Says something else of an extension.
    pub fn describe(&self, extension: ExtensionId, description: &[u8]) -> Result<()> {
        self.done(&Request::Describe { extension, description: description.to_vec() })
    }

    /// Maps a map in the application.
    pub fn add_map(&self, extension: ExtensionId, map: BorrowedFd<'_>) -> Result<MapAddress> {
        match self.ask_with(&Request::AddMap { extension }, Some(map))? {
            Reply::Map(address) => Ok(address),
            other => misunderstood(&other),
        }
    }

    /// Says where the code of the program of that number is.
    pub fn set_program(&self, extension: ExtensionId, number: u64, address: u64) -> Result<()> {
        self.done(&Request::SetProgram { extension, number, address })
    }

    /// Finds room for a program of `size` bytes, within reach of a jump from and to all of `near`,
    /// or else of the agent.
    pub fn reserve_code(
        &self,
        extension: ExtensionId,
        size: usize,
        near: Option<Range<u64>>,
    ) -> Result<u64> {
        self.number(&Request::ReserveCode { extension, size: size as u64, near })
    }

    /// Puts a program where room was reserved for it.
    pub fn install_code(&self, address: u64, bytes: &[u8], faulting: &[Faulting]) -> Result<()> {
        let (bytes, faulting) = (bytes.to_vec(), faulting.to_vec());
        self.done(&Request::InstallCode { address, bytes, faulting })
    }

    /// Finds room for a stub, see `ufunc_agent::reserve`.
    pub fn reserve_stub(
        &self,
        patch: u64,
        placement: &Placement,
        size: usize,
        again: bool,
    ) -> Result<u64> {
        let (placement, size) = (*placement, size as u64);
        self.number(&Request::ReserveStub { patch, placement, size, again })
    }

    /// Puts a hook in place that runs programs of these extensions.
    pub fn attach(&self, owners: &[ExtensionId], plan: &Plan) -> Result<HookId> {
        self.number(&Request::Attach { owners: owners.to_vec(), plan: plan.clone() })
    }

    /// Puts another plan for the same point in the place of a hook's.
    pub fn replace(&self, hook: HookId, owners: &[ExtensionId], plan: &Plan) -> Result<()> {
        self.done(&Request::Replace { hook, owners: owners.to_vec(), plan: plan.clone() })
    }

    /// Takes a hook away.
    pub fn detach(&self, hook: HookId) -> Result<()> {
        self.done(&Request::Detach { hook })
    }

    /// Ends an extension: takes all its hooks away, or none. A hook that others own too has to be
    /// replaced before.
    pub fn remove(&self, extension: ExtensionId) -> Result<()> {
        self.done(&Request::Remove { extension })
    }

    /// How many hits no program saw.
    pub fn missed(&self) -> Result<u64> {
        self.number(&Request::Missed)
    }

    /// Waits until the application ends.
    pub fn wait(&mut self) -> Result<End> {
        loop {
            if let Some(end) = self.ended(PATIENCE)? {
                return Ok(end);
            }
        }
    }

    /// Waits for at most `patience` until the application ends; how, if it did.
    pub fn ended(&mut self, patience: Duration) -> Result<Option<End>> {
        let (life, hung_up) = self.poll(patience)?;
        if life {
            let status = self.child.as_mut().map(Child::wait).transpose();
            let status = status.context("failed to learn how the application ended")?;
            return Ok(Some(status.map_or(End::Unknown, End::Status)));
        }
        if !hung_up {
            return Ok(None);
        }
        // A process that ends closes its descriptors a moment before it has ended.
        if readable(&self.life, CLOSING)? {
            self.ended(Duration::ZERO)
        } else {
            Ok(Some(End::Executed))
        }
    }

    /// Waits until an application that was started here ends, whatever it executes meanwhile.
    pub fn wait_for_exit(&mut self) -> Result<End> {
        let status = self.child.as_mut().map(Child::wait).transpose();
        let status = status.context("failed to learn how the application ended")?;
        Ok(status.map_or(End::Unknown, End::Status))
    }

    /// Ends the session, and lets the application go on in any case.
    pub fn leave(mut self) {
        self.child = None;
    }

    /// Whether the process has ended, and whether the connection is closed or has something.
    fn poll(&self, patience: Duration) -> Result<(bool, bool)> {
        let mut sources =
            [PollFd::new(&self.life, PollFlags::IN), PollFd::new(&self.channel, PollFlags::IN)];
        wait_for(&mut sources, patience)?;
        let [life, channel] = sources.map(|source| !source.revents().is_empty());
        Ok((life, channel))
    }

    /// Asks, and has no other answer than that it is done.
    fn done(&self, request: &Request) -> Result<()> {
        match self.ask(request)? {
            Reply::Done => Ok(()),
            other => misunderstood(&other),
        }
    }

    fn number(&self, request: &Request) -> Result<u64> {
        match self.ask(request)? {
            Reply::Number(number) => Ok(number),
            other => misunderstood(&other),
        }
    }

    fn ask(&self, request: &Request) -> Result<Reply> {
        self.ask_with(request, None)
    }

    /// Asks, again and again if another loader has locked the agent.
    fn ask_with(&self, request: &Request, descriptor: Option<BorrowedFd<'_>>) -> Result<Reply> {
        let start = Instant::now();
        loop {
            match self.ask_once(request, descriptor)? {
                Reply::Busy => {}
                Reply::Failed(why) => bail!(why),
                reply => return Ok(reply),
            }
            ensure!(
                start.elapsed() < LOCKED,
                "another loader is changing the extensions of {}: try again when it is done",
                self.process
            );
            sleep(PAUSE);
        }
    }

    fn ask_once(&self, request: &Request, descriptor: Option<BorrowedFd<'_>>) -> Result<Reply> {
        let answer = self.channel.send(&request.to_bytes(), descriptor).and_then(|()| {
            // The connection's end, too, can be read.
            ensure!(readable(&self.channel, PATIENCE)?, "it does not answer: it is stopped");
            self.channel.receive()
        });
        let answer = answer.with_context(|| format!("failed to ask the agent of {}", self.process));
        match answer? {
            Some((message, _)) => Reply::from_bytes(&message),
            None => bail!("{} has ended, or has executed another program", self.process),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut().filter(|_| self.waits) {
            end(child);
        }
    }
}

/// Ends an application that was just started.
pub(crate) fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// What tells when the process ends.
pub(crate) fn open_life(process: i32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(process).with_context(|| format!("{process} is no process"))?;
    pidfd_open(pid, PidfdFlags::empty()).with_context(|| format!("there is no process {process}"))
}

/// Waits until there is something at one of the sources.
pub(crate) fn wait_for(sources: &mut [PollFd<'_>], patience: Duration) -> Result<()> {
    let limit = Timespec::try_from(patience).context("that is too long to wait")?;
    match poll(sources, Some(&limit)) {
        // The caller sees that nothing is there, and asks again.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("failed to wait for an application"),
    }
}

/// Waits until there is something to read, or an end.
pub(crate) fn readable(source: &impl AsFd, patience: Duration) -> Result<bool> {
    let mut sources = [PollFd::new(source, PollFlags::IN)];
    wait_for(&mut sources, patience)?;
    Ok(!sources[0].revents().is_empty())
}

fn misunderstood<T>(reply: &Reply) -> Result<T> {
    bail!("the agent answers {reply:?} to another question")
}
