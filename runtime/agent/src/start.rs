// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the agent begins in an application: as a preloaded library, or when it is called.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::time::Duration;

use ufunc_shared::channel::Channel;
use ufunc_shared::protocol::{Reply, START};

use crate::serve;

/// What the dynamic loader preloads.
const PRELOAD: &str = "LD_PRELOAD";
/// How long a failure takes at most to be told.
const PATIENCE: Duration = Duration::from_secs(1);

/// The loader runs it when the object is there, before the application's own.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // Nothing may unwind into the application. What went wrong was told, if it could be.
    let _ = catch_unwind(preloaded);
}

/// Begins if a loader started this application for that, and waits until it may go on.
fn preloaded() {
    let Some(number) = env::var_os(START) else { return };
    forget();
    let Some(number) = number.to_str().and_then(|number| number.parse::<RawFd>().ok()) else {
        return;
    };
    // SAFETY: fcntl takes numbers only, and says whether there is such a descriptor.
    if number < 0 || unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return;
    }
    // SAFETY: it is open, and was given to this process for its agent; the variable that named it
    // is gone, so nobody else takes it.
    let first = unsafe { OwnedFd::from_raw_fd(number) };
    let Ok(copy) = first.try_clone() else { return };
    match serve::begin(Some(first)) {
        Ok(resumed) => {
            drop(copy);
            // Hung up, too, is a reason to go on.
            let _ = resumed.recv();
        }
        Err(error) => tell(copy, &format!("{error:#}")),
    }
}

/// Leaves nothing in the environment that children of the application would take up.
fn forget() {
    let rest = env::var_os(PRELOAD).and_then(|list| without_first(&list));
    // SAFETY: the dynamic loader runs constructors one after the other, before the application has
    // any thread that could read its environment.
    unsafe {
        env::remove_var(START);
        match rest {
            Some(rest) => env::set_var(PRELOAD, rest),
            None => env::remove_var(PRELOAD),
        }
    }
}

/// What the list of libraries was before the loader put the agent first.
fn without_first(list: &OsStr) -> Option<OsString> {
    let mut parts = list.as_bytes().splitn(2, |byte| matches!(byte, b':' | b' '));
    let rest = parts.nth(1)?;
    (!rest.is_empty()).then(|| OsString::from_vec(rest.to_vec()))
}

/// Says why there is no agent.
fn tell(connection: OwnedFd, why: &str) {
    if let Ok(channel) = Channel::new(UnixStream::from(connection), PATIENCE) {
        let _ = channel.greet();
        let _ = channel.send(&Reply::Failed(why.to_owned()).to_bytes(), None);
    }
}

/// Begins in a process that is running already. 0 if loaders are served now; else the address of
/// the reason, a text that ends in 0.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "it is reached by its name in the shared object")]
pub extern "C" fn ufunc_agent_begin() -> *const libc::c_char {
    let begun = catch_unwind(|| serve::begin(None).map(|_| ()));
    let why = match begun {
        Ok(Ok(())) => return std::ptr::null(),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "the agent has a bug".to_owned(),
    };
    // It is read at leisure, by another process.
    std::ffi::CString::new(why)
        .map_or(c"it cannot be said why".as_ptr(), |why| why.into_raw().cast_const())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_preloaded_libraries_are_kept() {
        let rest = |list: &str| without_first(OsStr::new(list));
        assert_eq!(rest("/a/libufunc_agent.so"), None);
        assert_eq!(rest("/a/libufunc_agent.so:"), None);
        assert_eq!(rest("/a/agent.so:/b.so c.so"), Some("/b.so c.so".into()));
        assert_eq!(rest("/a/agent.so /b.so"), Some("/b.so".into()));
    }
}
