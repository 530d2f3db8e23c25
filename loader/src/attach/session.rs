// SPDX-License-Identifier: MIT OR Apache-2.0
//! The time while programs are attached.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions, ProgramInfo};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::events::Events;
use super::load::Loaded;
use super::output::Output;
use super::printk::{Line, Printer, Printk};
use super::{AttachRequest, WRITE_FAILED};

/// How long the loop sleeps at most: the kernel does not announce everything that is printed.
const NAP: Duration = Duration::from_millis(100);

/// What ends the session, and what programs print meanwhile.
#[derive(Debug)]
pub(crate) struct Session {
    signals: UnixStream,
    process: Option<OwnedFd>,
    duration: Option<Duration>,
    printk: Option<Printk>,
}

impl Session {
    /// Listens to signals and to the end of the process.
    pub(crate) fn new(request: &AttachRequest<'_>) -> Result<Session> {
        let (signals, sender) = UnixStream::pair().context("failed to listen to signals")?;
        signals.set_nonblocking(true).context("failed to listen to signals")?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let sender = sender.try_clone().context("failed to listen to signals")?;
            pipe::register(signal, sender).context("failed to listen to signals")?;
        }
        let process = request.pid.map(process).transpose()?;
        Ok(Session { signals, process, duration: request.duration, printk: None })
    }

    /// Begins to record what the programs print.
    pub(crate) fn record_printk(&mut self, loaded: &Loaded) -> Result<()> {
        let mut printk = Printk::start()?;
        printk.only(printers(loaded));
        self.printk = Some(printk);
        Ok(())
    }

    /// Shows what programs do until the end.
    pub(crate) fn run(
        &mut self,
        output: &mut Output<'_>,
        events: &mut Events,
        note: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let deadline = self.duration.map(|duration| Instant::now() + duration);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let ended = self.wait(events, left)? || left.is_some_and(|left| left.is_zero());
            if let Some(printk) = &mut self.printk {
                for line in printk.read().context("failed to read what the programs print")? {
                    output.printed(&line).context(WRITE_FAILED)?;
                }
                let lost = printk.take_lost();
                if lost > 0 {
                    note(&format!("about {lost} printed lines were lost: they came too fast"));
                }
            }
            events.show(output, note)?;
            if ended {
                return Ok(());
            }
        }
    }

    /// What was printed last, now that nothing is attached any more.
    pub(crate) fn last_lines(&mut self) -> Vec<Line> {
        // The buffers go with this; that they can be read no more hides nothing else.
        self.printk.take().and_then(|mut printk| printk.drain().ok()).unwrap_or_default()
    }

    /// Waits until there is something to do; whether it is the end.
    fn wait(&mut self, events: &Events, left: Option<Duration>) -> Result<bool> {
        let nap = left.map_or(NAP, |left| left.min(NAP));
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(self.process.as_ref().map(|process| PollFd::new(process, PollFlags::IN)));
        let ends = fds.len();
        fds.extend(self.printk.as_ref().map(|printk| {
            // A line whose stack is still to come would be announced again and again.
            let flags = if printk.is_waiting() { PollFlags::empty() } else { PollFlags::IN };
            PollFd::from_borrowed_fd(printk.as_fd(), flags)
        }));
        fds.extend(events.descriptors().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec {
            tv_sec: nap.as_secs().try_into().unwrap_or(1),
            tv_nsec: nap.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("failed to wait for events"),
        }
        let is_end = fds[..ends].iter().any(|fd| !fd.revents().is_empty());
        drop(fds);
        let mut signals = [0; 16];
        match self.signals.read(&mut signals) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(is_end),
            _ => Ok(true),
        }
    }
}

fn process(pid: i32) -> Result<OwnedFd> {
    let pid = Pid::from_raw(pid).with_context(|| format!("{pid} is no process"))?;
    let process = pidfd_open(pid, PidfdFlags::empty());
    process.with_context(|| format!("there is no process {}", pid.as_raw_nonzero()))
}

/// The loaded programs, as they appear in stacks; none if the kernel does not say that of all.
fn printers(loaded: &Loaded) -> Vec<Printer> {
    /// Listing programs ends early if one of somebody else's goes meanwhile.
    const TRIES: usize = 8;
    let ids: Vec<(u32, String)> = loaded
        .programs()
        .filter_map(|program| {
            let id = libbpf_rs::Program::id_from_fd(program.as_fd()).ok()?;
            Some((id, program.name().to_string_lossy().into_owned()))
        })
        .collect();
    let options =
        ProgInfoQueryOptions::default().include_jited_ksyms(true).include_jited_func_lens(true);
    for _ in 0..TRIES {
        let infos = ProgInfoIter::with_query_opts(options.clone());
        let found = infos.filter_map(|info| {
            let (_, name) = ids.iter().find(|(id, _)| *id == info.id)?;
            Some(printer(name, &info))
        });
        let found: Vec<Printer> = found.collect();
        if found.len() == ids.len() {
            return found;
        }
    }
    Vec::new()
}

fn printer(name: &str, info: &ProgramInfo) -> Printer {
    let tag: String = info.tag.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let starts = info.jited_ksyms.iter().map(|start| *start as u64);
    let code = starts.zip(&info.jited_func_lens).filter(|(start, _)| *start != 0);
    Printer {
        name: name.to_owned(),
        symbol: format!("bpf_prog_{tag}_{}", info.name.to_string_lossy()),
        code: code.map(|(start, length)| start..start + u64::from(*length)).collect(),
    }
}
