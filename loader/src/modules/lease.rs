// SPDX-License-Identifier: MIT OR Apache-2.0
//! A module that is in the kernel as long as somebody here needs it.
//!
//! It goes when its [`Lease`] does, and before that if a signal ends the process
//! ([`crate::interrupt`]). What a process that was killed left, the next one takes out.

use std::borrow::Cow;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::io::Errno;
use ufunc_gen::kernel::SYSFS_BTF;

use super::owner::Owner;

/// Where the kernel lists its modules.
const SYSFS_MODULES: &str = "/sys/module";
/// What all names begin with.
const NAME: &str = "ufunc_";
/// `O_NONBLOCK`, without which the kernel does not take a module out.
const NON_BLOCKING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// How long a module may stay in use by programs that are gone: the kernel frees those later, and
/// an emulated one much later.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the first wait for that is, and the longest.
const NAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// The modules that this process has in the kernel.
static HELD: Mutex<Vec<CString>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<CString>> {
    // A list of names is valid whatever happened.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A module that was made for one call. It is taken out when this goes.
#[derive(Debug)]
pub struct Lease {
    name: CString,
}

impl Lease {
    /// A name that no module has.
    pub(super) fn free_name() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{NAME}{}_{count}", std::process::id());
            if !Path::new(SYSFS_MODULES).join(&name).exists() {
                return name;
            }
        }
    }

    /// Loads the `module`, which is called `name`.
    pub(super) fn new(module: &[u8], name: &str) -> Result<Self> {
        let name = CString::new(name).context("a module's name has a NUL in it")?;
        // Whoever ends the process waits until the kernel has it, and then takes it out.
        let mut held = held();
        if let Err(errno) = rustix::system::init_module(module, c"") {
            bail!("the kernel does not take the module: {}", refusal(errno));
        }
        held.push(name.clone());
        drop(held);
        Ok(Lease { name })
    }

    /// What the module is called.
    pub fn name(&self) -> Cow<'_, str> {
        self.name.to_string_lossy()
    }

    /// Takes the module out now, and says if that fails.
    pub fn end(self) -> Result<()> {
        let name = self.name.clone();
        std::mem::forget(self);
        end(&name)
    }

    /// Leaves the module in the kernel, for programs that stay there. When they are gone, the next
    /// call that makes a module takes it out.
    pub fn keep(self) {
        held().retain(|name| *name != self.name);
        std::mem::forget(self);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What went wrong before matters more; and the next call takes out what stays.
        let _ = end(&self.name);
    }
}

fn end(name: &CString) -> Result<()> {
    let mut held = held();
    let removed = remove_patiently(|| rustix::system::delete_module(name, NON_BLOCKING));
    held.retain(|other| other != name);
    removed.with_context(|| {
        let name = name.to_string_lossy();
        format!("failed to take out the module {name}; rmmod {name} does, when nothing uses it")
    })
}

/// Takes out all that this process has in the kernel, and keeps everybody from going on with it:
/// the process is about to end. `nudge` is called as long as something is still in use.
pub(crate) fn end_all(nudge: impl Fn()) {
    let held = held();
    for name in held.iter() {
        // Nothing is left to say it to.
        let _ = remove_patiently(|| {
            let removed = rustix::system::delete_module(name, NON_BLOCKING);
            if removed == Err(Errno::AGAIN) {
                nudge();
            }
            removed
        });
    }
    // Not given back: nobody shall find out that the modules are gone, and report that.
    std::mem::forget(held);
}

fn remove_patiently(remove: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    let deadline = Instant::now() + PATIENCE;
    let (mut nap, longest) = NAPS;
    loop {
        match remove() {
            // In use.
            Err(Errno::AGAIN | Errno::BUSY) if Instant::now() < deadline => {
                thread::sleep(nap);
                nap = (nap * 2).min(longest);
            }
            // Somebody else took it out.
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Takes out what processes have left that are gone. What is still in use stays.
pub(super) fn sweep() {
    let Ok(modules) = fs::read_dir(SYSFS_MODULES) else { return };
    for module in modules.flatten() {
        let name = module.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(NAME)) else { continue };
        let Ok(btf) = fs::read(Path::new(SYSFS_BTF).join(name)) else { continue };
        if let (Some(owner), Ok(name)) = (Owner::of(&btf), CString::new(name))
            && owner.is_gone()
        {
            // Another one may be faster, and programs that are pinned keep theirs.
            let _ = rustix::system::delete_module(&name, NON_BLOCKING);
        }
    }
}

/// The kernel's answer, with what it means.
fn refusal(errno: Errno) -> String {
    let meaning = match errno {
        Errno::PERM => "this process may not load modules, or the kernel takes signed ones only",
        Errno::NOKEY | Errno::KEYREJECTED => "it takes signed modules only",
        Errno::NOENT => "it found no types in it",
        Errno::NOEXEC => "it was made for another kernel",
        Errno::NOSYS => "it has no loadable modules (CONFIG_MODULES)",
        _ => "",
    };
    let separator = if meaning.is_empty() { "" } else { ": " };
    format!("{}{separator}{meaning} (dmesg tells more)", io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_free_and_of_this_process() {
        let (one, other) = (Lease::free_name(), Lease::free_name());
        assert_ne!(one, other);
        for name in [one, other] {
            ufunc_gen::module::object::check_name(&name).unwrap();
            assert!(name.starts_with(&format!("ufunc_{}_", std::process::id())), "{name}");
        }
    }

    #[test]
    fn what_is_in_use_is_waited_for() {
        let answers = std::cell::RefCell::new(vec![Ok(()), Err(Errno::AGAIN), Err(Errno::AGAIN)]);
        remove_patiently(|| answers.borrow_mut().pop().unwrap()).unwrap();
        assert!(answers.borrow().is_empty());
        remove_patiently(|| Err(Errno::NOENT)).unwrap();
        assert_eq!(remove_patiently(|| Err(Errno::PERM)), Err(Errno::PERM));
    }
}
