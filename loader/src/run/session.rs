// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time while an extension runs.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use ufunc_inject::Session as Agent;
use ufunc_shared::protocol::ExtensionId;

use super::deploy;
use super::events::Events;
use super::maps::Maps;
use super::{RunRequest, WRITE_FAILED};
use crate::attach::output::Output;
use crate::attach::value::Types;

/// How often it is looked whether there is something to show: programs in an application announce
/// nothing, for that would cost them a system call.
const NAP: Duration = Duration::from_millis(20);

/// Why an extension ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody wants it, by this signal.
    Signal(i32),
    /// The time is up.
    Duration,
    /// The application has ended.
    Host,
}

/// The signals that end it.
pub(super) struct Signals {
    /// For each of them, what becomes readable when it came.
    streams: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// Listens to them from now on.
    pub(super) fn listen() -> Result<Signals> {
        let listen = |signal| -> Result<(i32, UnixStream)> {
            let (stream, sender) = UnixStream::pair()?;
            stream.set_nonblocking(true)?;
            pipe::register(signal, sender)?;
            Ok((signal, stream))
        };
        let streams = [SIGINT, SIGTERM, SIGHUP].map(listen).into_iter().collect::<Result<_>>();
        Ok(Signals { streams: streams.context("failed to listen to signals")? })
    }

    /// One that has come.
    fn taken(&mut self) -> Option<i32> {
        self.streams.iter_mut().find_map(|(signal, stream)| {
            let mut bytes = [0; 16];
            match stream.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                _ => Some(*signal),
            }
        })
    }
}

/// An application with an extension in it.
pub(super) struct Session {
    agent: Agent,
    signals: Signals,
    process: OwnedFd,
    duration: Option<Duration>,
    started: bool,
}

impl Session {
    pub(super) fn new(request: &RunRequest<'_>, signals: Signals, agent: Agent) -> Result<Session> {
        let pid = Pid::from_raw(agent.pid()).context("the application has no number")?;
        let process = pidfd_open(pid, PidfdFlags::empty());
        let process = process.with_context(|| format!("process {pid:?} has ended already"))?;
        Ok(Session {
            agent,
            signals,
            process,
            duration: request.duration,
            started: request.pid.is_none(),
        })
    }

    /// Shows what programs do until the end.
    pub(super) fn run(
        &mut self,
        output: &mut Output<'_>,
        maps: &Maps,
        events: &mut Events,
        types: &Types,
        note: &mut dyn FnMut(&str),
    ) -> Result<End> {
        let deadline = self.duration.map(|duration| Instant::now() + duration);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let end = self.wait(left)?;
            show(output, maps, events, types, note)?;
            if let Some(end) = end {
                return Ok(end);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(End::Duration);
            }
        }
    }

    /// Waits until there may be something to do; the end, if it has come.
    fn wait(&mut self, left: Option<Duration>) -> Result<Option<End>> {
        let nap = left.map_or(NAP, |left| left.min(NAP));
        let timeout =
            Timespec { tv_sec: 0, tv_nsec: nap.subsec_nanos().into() };
        let mut fds = vec![PollFd::new(&self.process, PollFlags::IN)];
        let streams = self.signals.streams.iter();
        fds.extend(streams.map(|(_, stream)| PollFd::new(stream, PollFlags::IN)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("failed to wait for the application"),
        }
        let has_ended = !fds[0].revents().is_empty();
        drop(fds);
        Ok(match self.signals.taken() {
            _ if has_ended => Some(End::Host),
            signal => signal.map(End::Signal),
        })
    }

    /// Takes the extension out, if the application is still there, and waits for an application that
    /// was started here; its exit status.
    pub(super) fn finish(
        mut self,
        end: End,
        extension: ExtensionId,
        note: &mut dyn FnMut(&str),
    ) -> Result<Option<u8>> {
        let pid = self.agent.pid();
        if end != End::Host {
            let removed = deploy::remove(&mut self.agent, extension);
            match removed {
                Ok(()) => {}
                // It may have ended meanwhile, by the same signal.
                Err(_) if self.has_ended(Duration::from_millis(500))? => {}
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("the extension is still in process {pid}; loader stop may take it out")
                    });
                }
            }
        }
        if !self.started {
            if end == End::Host {
                note(&format!("process {pid} has ended"));
            }
            return Ok(None);
        }
        if let End::Signal(signal) = end {
            self.pass_on(signal);
            if !self.has_ended(Duration::ZERO)? {
                note(&format!("the extension was taken out; waiting for process {pid}"));
            }
        }
        while !self.has_ended(NAP)? {
            if let Some(signal) = self.signals.taken() {
                self.pass_on(signal);
            }
        }
        self.agent.wait().map(Some)
    }

    /// Whether the application ends within this time.
    fn has_ended(&self, within: Duration) -> Result<bool> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: within.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.process, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error).context("failed to wait for the application"),
        }
    }

    /// Gives the application the signal that came, unless it has it already: what is typed at a
    /// terminal goes to everybody there.
    fn pass_on(&self, signal: i32) {
        let is_typed = signal == SIGINT && is_in_foreground();
        let number = match signal {
            SIGINT => Signal::INT,
            SIGHUP => Signal::HUP,
            _ => Signal::TERM,
        };
        if !is_typed && let Some(pid) = Pid::from_raw(self.agent.pid()) {
            // One that has ended meanwhile needs none.
            let _ = kill_process(pid, number);
        }
    }
}

/// Whether this is one of the processes that a terminal's Ctrl-C goes to.
fn is_in_foreground() -> bool {
    let stdin = std::io::stdin();
    rustix::termios::tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Shows what has come since.
pub(super) fn show(
    output: &mut Output<'_>,
    maps: &Maps,
    events: &mut Events,
    types: &Types,
    note: &mut dyn FnMut(&str),
) -> Result<()> {
    for line in maps.printed(note) {
        output.printed(&line).context(WRITE_FAILED)?;
    }
    events.show(types, output, note)
}
