// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that serves loaders.
//!
//! It is an ordinary thread to the C library, so that `setuid` reaches it too, but it has a table
//! of file descriptors of its own. So the application may close whatever it likes, and a child of
//! its gets no descriptor of ours and holds no connection open. It blocks all signals but those
//! that the processor raises.
//!
//! A child after `fork` has no such thread. Its hooks stay; a loader that wants to change them
//! injects the agent, which begins another.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use std::{io, mem, ptr, thread};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ufunc_shared::channel::Channel;
use ufunc_shared::protocol::{Reply, Request, SOCKET_NAMES, VERSION, socket_name};

use crate::{extensions, memory, sys};

/// How long a loader may stop in the middle of a message.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many loaders are served at a time.
const CONNECTIONS: usize = 16;
/// Bytes of the thread's stack.
const STACK: usize = 256 << 10;
/// How often the application's handlers are looked at once it has an extension.
const RECHECK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// `CLOSE_RANGE_UNSHARE`
const UNSHARE: usize = 1 << 1;
/// The first descriptor that nobody takes for standard input or output.
const FIRST: RawFd = 3;

/// The process that the thread runs in: not a child of it.
static SERVED: AtomicI32 = AtomicI32::new(0);

/// What the application waits for before `main`.
pub(crate) type Resumed = Receiver<()>;

/// Begins to serve, if nobody does. `first` is the connection to whoever started the application,
/// a descriptor of this process, which is closed.
///
/// The receiver gets word when the application may go on, or is hung up.
pub(crate) fn begin(first: Option<OwnedFd>) -> Result<Resumed> {
    let (resume, resumed) = channel();
    let process = sys::process();
    if SERVED.swap(process, Ordering::AcqRel) == process {
        return Ok(resumed);
    }
    let started = spawn(first, resume);
    if started.is_err() {
        SERVED.store(0, Ordering::Release);
    }
    started.map(|()| resumed)
}

/// Starts the thread, and waits until it listens.
fn spawn(first: Option<OwnedFd>, resume: Sender<()>) -> Result<()> {
    // What the thread says of an error is an answer to the loader, not text for the application's
    // terminal.
    std::panic::set_hook(Box::new(|_| {}));
    let number = first.as_ref().map(OwnedFd::as_raw_fd);
    let (ready, listening) = channel();
    let serve = move || {
        let _ = catch_unwind(AssertUnwindSafe(|| serve(number, resume, &ready)));
    };
    let builder = thread::Builder::new().name("ufunc-agent".to_owned()).stack_size(STACK);
    let spawned = with_signals_blocked(|| builder.spawn(serve));
    spawned.context("failed to start a thread in the application")?;
    listening.recv().unwrap_or_else(|_| bail!("the agent's thread ended"))
    // Now `first` is closed: the thread has its own.
}

/// Runs `work` with all signals blocked that somebody sends. The C library needs two of its own,
/// which `sigfillset` leaves out.
fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    const RAISED: [libc::c_int; 5] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
    // SAFETY: a set of signals is numbers, and set by the next call.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { mem::zeroed() };
    // SAFETY: sets of this function's own.
    unsafe {
        libc::sigfillset(&raw mut all);
        for signal in RAISED {
            libc::sigdelset(&raw mut all, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
    }
    let done = work();
    // SAFETY: what was there before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    done
}

/// The thread.
fn serve(first: Option<RawFd>, resume: Sender<()>, ready: &Sender<Result<()>>) {
    let started = own_descriptors(first).and_then(|first| Ok((first, listen()?)));
    let (first, listener) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    let mut server = Server {
        loaders: Vec::new(),
        resume: first.is_some().then_some(resume),
        resuming: false,
        extended: false,
        locked: None,
        last: 0,
    };
    if let Some(first) = first {
        server.welcome(UnixStream::from(first), true);
    }
    loop {
        server.step(&listener);
    }
}

/// Gives this thread a table of descriptors of its own, with nothing in it but `keep`.
fn own_descriptors(keep: Option<RawFd>) -> Result<Option<OwnedFd>> {
    let close = |first: usize, last: usize, flags: usize| {
        // SAFETY: the table is this thread's own from the first of these calls on.
        let answer = unsafe { sys::call(libc::SYS_close_range, [first, last, flags, 0, 0, 0]) };
        let error = || io::Error::from_raw_os_error(-answer as i32);
        ensure!(answer == 0, "the application's thread may not close_range: {}", error());
        Ok(())
    };
    let highest = u32::MAX as usize;
    match keep.map(|keep| keep as usize) {
        None => close(0, highest, UNSHARE)?,
        Some(keep) => {
            close(keep + 1, highest, UNSHARE)?;
            if keep > 0 {
                close(0, keep - 1, UNSHARE)?;
            }
        }
    }
    // SAFETY: it is open, and in this table nobody else's.
    let kept = keep.map(|keep| unsafe { OwnedFd::from_raw_fd(keep) });
    // What is written to standard output or error by mistake goes nowhere.
    let kept = kept.map(|kept| move_up(&kept)).transpose()?;
    for number in 0..FIRST {
        let nowhere = UnixDatagram::unbound().context("the application may have no sockets")?;
        ensure!(nowhere.as_raw_fd() == number, "descriptors are not given in order");
        mem::forget(nowhere);
    }
    Ok(kept)
}

/// The same under a number that is not standard input's nor output's.
fn move_up(descriptor: &OwnedFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(descriptor, FIRST).context("failed to copy a descriptor")
}

/// Listens under the first name that is free.
fn listen() -> Result<UnixListener> {
    let process = sys::process().cast_unsigned();
    let mut refused = None;
    for attempt in 0..SOCKET_NAMES {
        let name = socket_name(process, attempt);
        let bound = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixListener::bind_addr(&address));
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(error),
        }
    }
    let why = refused.map_or(String::new(), |error| format!(": {error}"));
    bail!("the application can have no socket for the agent{why}")
}

struct Server {
    loaders: Vec<Loader>,
    /// Kept until the application may go on.
    resume: Option<Sender<()>>,
    /// Whether it may go on when that was said to whoever asked for it.
    resuming: bool,
    /// Whether a loader has ever changed anything.
    extended: bool,
    /// Who alone may change something.
    locked: Option<u64>,
    /// The last number given to a loader.
    last: u64,
}

/// A connection.
struct Loader {
    number: u64,
    channel: Channel,
    /// Whether it has said which version it speaks.
    greeted: bool,
    /// Whether it started the application, which waits for it.
    starter: bool,
}

impl Server {
    /// Waits for something to do, and does it.
    fn step(&mut self, listener: &UnixListener) {
        let mut sources: Vec<PollFd<'_>> =
            self.loaders.iter().map(|loader| PollFd::new(&loader.channel, PollFlags::IN)).collect();
        sources.push(PollFd::new(listener, PollFlags::IN));
        let patience = self.extended.then_some(&RECHECK);
        if poll(&mut sources, patience).is_err() {
            return;
        }
        let mut ready: Vec<bool> =
            sources.iter().map(|source| !source.revents().is_empty()).collect();
        // The application may have set a handler of faults past us. There is nobody to tell of a
        // failure; the next try comes.
        let _ = memory::recheck();
        let knocked = ready.pop().unwrap_or(false);
        for (index, _) in ready.iter().enumerate().filter(|(_, ready)| **ready).rev() {
            if !self.serve(index) {
                self.farewell(index);
            }
        }
        if knocked && let Ok((stream, _)) = listener.accept() {
            self.accept(stream);
        }
    }

    /// Lets a loader in that may trace this process anyway.
    fn accept(&mut self, stream: UnixStream) {
        // SAFETY: takes nothing; it is asked anew since an application may change it.
        let own = unsafe { sys::call(libc::SYS_geteuid, [0; 6]) };
        let allowed = rustix::net::sockopt::socket_peercred(&stream).is_ok_and(|peer| {
            let user = peer.uid.as_raw();
            user == 0 || usize::try_from(own).is_ok_and(|own| own == user as usize)
        });
        if allowed && self.loaders.len() < CONNECTIONS {
            self.welcome(stream, false);
        }
    }

    fn welcome(&mut self, stream: UnixStream, starter: bool) {
        let Ok(channel) = Channel::new(stream, PATIENCE) else { return };
        if channel.greet().is_ok() {
            self.last += 1;
            self.loaders.push(Loader { number: self.last, channel, greeted: false, starter });
        }
    }

    /// Does one thing that a loader asks for. Whether it is to be kept.
    fn serve(&mut self, index: usize) -> bool {
        let Some(loader) = self.loaders.get_mut(index) else { return true };
        if !loader.greeted {
            loader.greeted = true;
            // It has ours already, and knows what to say.
            return loader.channel.greeted().is_ok_and(|version| version == VERSION);
        }
        let Ok(Some((message, descriptor))) = loader.channel.receive() else { return false };
        let number = loader.number;
        let done = catch_unwind(AssertUnwindSafe(|| self.answer(number, &message, descriptor)));
        let reply = done.unwrap_or_else(|_| Reply::Failed("the agent has a bug".to_owned()));
        let Some(loader) = self.loaders.get(index) else { return true };
        let told = loader.channel.send(&reply.to_bytes(), None).is_ok();
        if self.resuming {
            // Not before it was told: an application may execute another program at once.
            self.resume();
        }
        told
    }

    fn answer(&mut self, from: u64, message: &[u8], descriptor: Option<OwnedFd>) -> Reply {
        let request = match Request::from_bytes(message) {
            Ok(request) => request,
            Err(error) => return Reply::Failed(format!("{error:#}")),
        };
        if request.changes() && self.locked.is_some_and(|holder| holder != from) {
            return Reply::Busy;
        }
        self.extended |= request.changes();
        match request {
            Request::Lock => self.locked = Some(from),
            Request::Unlock => self.unlock(from),
            Request::Resume => self.resuming = true,
            request => {
                let mut reply = extensions::answer(request, descriptor);
                if let Reply::Hello(hello) = &mut reply {
                    hello.waits = self.resume.is_some();
                }
                return reply;
            }
        }
        Reply::Done
    }

    fn unlock(&mut self, from: u64) {
        if self.locked == Some(from) {
            self.locked = None;
        }
    }

    /// Lets the application go on to `main`.
    fn resume(&mut self) {
        if let Some(resume) = self.resume.take() {
            // Nobody waits in an application that was not started by a loader.
            let _ = resume.send(());
        }
    }

    /// Forgets a loader. An application goes on without the one who started it.
    fn farewell(&mut self, index: usize) {
        let loader = self.loaders.remove(index);
        self.unlock(loader.number);
        if loader.starter {
            self.resume();
        }
    }
}
