// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time while an extension runs.

use std::io::{ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use ufunc_inject::Session as Agent;
use ufunc_shared::protocol::ExtensionId;

use super::deploy;
use super::events::Events;
use super::maps::Maps;
use crate::attach::WRITE_FAILED;
use crate::attach::output::Output;
use crate::attach::value::Types;

/// How often it is looked whether there is something to show: programs in an application announce
/// nothing, for that would cost them a system call.
const NAP: Duration = Duration::from_millis(20);
/// How long an application that ends may take to do so when it cannot be talked to any more.
pub(super) const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// Why the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody wants it, by this signal.
    Signal(i32),
    /// The time is up, or nobody looks any more.
    Here,
    /// The application has ended.
    Host(ufunc_inject::End),
}

/// The signals that end it.
pub(super) struct Signals(Vec<(i32, UnixStream)>);

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
        Ok(Signals(streams.context("failed to listen to signals")?))
    }

    /// One that has come.
    fn taken(&mut self) -> Option<i32> {
        self.0.iter_mut().find_map(|(signal, stream)| {
            let mut bytes = [0; 16];
            match stream.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                _ => Some(*signal),
            }
        })
    }
}

/// What is seen of an extension.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) maps: &'a Maps,
    pub(super) events: &'a Events<'a>,
    pub(super) types: &'a Types,
}

impl View<'_> {
    /// Shows what has come since.
    pub(super) fn show(&self, output: &mut Output<'_>, note: &mut dyn FnMut(&str)) -> Result<()> {
        for line in self.maps.printed(note) {
            output.printed(&line).context(WRITE_FAILED)?;
        }
        self.events.show(self.types, output, note)
    }
}

/// An application with an extension in it.
pub(super) struct Session {
    pub(super) agent: Agent,
    pub(super) signals: Signals,
    pub(super) extension: ExtensionId,
    pub(super) duration: Option<Duration>,
    /// Whether the application was started here.
    pub(super) started: bool,
}

impl Session {
    /// Shows what programs do until the end.
    pub(super) fn run(
        &mut self,
        view: View<'_>,
        output: &mut Output<'_>,
        note: &mut dyn FnMut(&str),
    ) -> Result<End> {
        let deadline = self.duration.map(|duration| Instant::now() + duration);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let ended = self.agent.ended(left.map_or(NAP, |left| left.min(NAP)))?;
            view.show(output, note)?;
            if let Some(end) = ended {
                return Ok(End::Host(end));
            }
            if let Some(signal) = self.signals.taken() {
                return Ok(End::Signal(signal));
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(End::Here);
            }
        }
    }

    /// Takes the extension out, if the application is still there, and waits for an application that
    /// was started here; its exit status.
    pub(super) fn finish(mut self, end: End, note: &mut dyn FnMut(&str)) -> Result<Option<u8>> {
        let pid = self.agent.pid();
        let mut ended = match end {
            End::Host(end) => Some(end),
            End::Signal(_) | End::Here => self.take_out()?,
        };
        if let (End::Signal(signal), true, None) = (end, self.started, ended) {
            self.pass_on(signal);
            ended = self.agent.ended(LAST_MOMENTS)?;
        }
        if !self.started {
            match ended {
                Some(ufunc_inject::End::Executed) => {
                    note(&format!("process {pid} executed another program, without the extension"));
                }
                Some(_) => note(&format!("process {pid} has ended")),
                None => {}
            }
            return Ok(None);
        }
        if ended.is_none() {
            note(&format!("the extension was taken out; waiting for process {pid}"));
        }
        loop {
            // One that executes another program is still ours to wait for.
            match ended {
                Some(end @ ufunc_inject::End::Status(_)) => return Ok(end.status()),
                Some(_) => return self.agent.wait_for_exit().map(|end| end.status()),
                None => ended = self.agent.ended(NAP)?,
            }
            if let Some(signal) = self.signals.taken() {
                self.pass_on(signal);
            }
        }
    }

    /// Takes the extension out; how the application ended, if it did so meanwhile.
    fn take_out(&mut self) -> Result<Option<ufunc_inject::End>> {
        let Err(error) = deploy::remove(&self.agent, self.extension) else { return Ok(None) };
        // The signal that came may have ended it.
        if let Some(end) = self.agent.ended(LAST_MOMENTS)? {
            return Ok(Some(end));
        }
        Err(error).with_context(|| {
            format!(
                "the extension is still in process {}; loader stop may take it out",
                self.agent.pid()
            )
        })
    }

    /// Gives the application the signal that came, unless it has it already: what is typed at a
    /// terminal goes to everybody there.
    fn pass_on(&self, signal: i32) {
        let number = match signal {
            SIGINT if is_in_foreground() => return,
            SIGINT => Signal::INT,
            SIGHUP => Signal::HUP,
            _ => Signal::TERM,
        };
        if let Some(pid) = Pid::from_raw(self.agent.pid()) {
            // One that has ended meanwhile needs none.
            let _ = kill_process(pid, number);
        }
    }
}

/// Whether this is one of the processes that a terminal's Ctrl-C goes to.
fn is_in_foreground() -> bool {
    tcgetpgrp(std::io::stdin().as_fd()).is_ok_and(|group| group == getpgrp())
}
