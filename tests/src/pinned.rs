// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that stays attached after the command that attached it, and the array that it counts
//! in, mapped into this process' own memory.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::MapHandle;
use memmap2::MmapOptions;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::Setup;
use crate::attached::run_host;

/// Fails unless `mmapable`, pinned, counts on its own until it is detached.
pub fn check(setup: &Setup) -> Result<()> {
    own_bpf_file_system()?;
    let folder = Path::new("/sys/fs/bpf/ufunc-pinned");
    let host = setup.host("btf-base");
    let object = setup.objects.join("mmapable.bpf.o");
    let loader = |arguments: &[&Path]| run(Command::new(&setup.loader).args(arguments));
    let path = Path::new;
    loader(&[path("attach"), &object, path("--app"), &host, path("--pin"), folder])?;

    let map = find(folder, "calls")?;
    let map = MapHandle::from_pinned_path(&map).context("failed to open the pinned map")?;
    let memory = MmapOptions::new().len(size_of::<u64>()).map_raw_read_only(&map.as_fd());
    let memory = memory.context("failed to map the array into memory")?;
    // SAFETY: the array has one element of 8 bytes, at the beginning of the page; that a program
    // writes to it meanwhile is what volatile reads are for.
    let count = || unsafe { memory.as_ptr().cast::<u64>().read_volatile() };

    let before = count();
    run_host(&host)?;
    ensure!(count() == before + 1, "the pinned program counted from {before} to {}", count());
    loader(&[path("detach"), folder])?;
    run_host(&host)?;
    ensure!(count() == before + 1, "it counts although it is detached");
    ensure!(!folder.exists(), "{} is left over", folder.display());
    Ok(())
}

/// Gives this thread, and what it starts, a BPF file system that nobody else sees.
fn own_bpf_file_system() -> Result<()> {
    // SAFETY: only the thread's view of mounts and its current folder become its own.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.context("failed to leave the mounts")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("failed to keep mounts to itself")?;
    mount("bpf", "/sys/fs/bpf", "bpf", MountFlags::empty(), None).context("failed to mount bpffs")
}

/// The pinned map of that name, somewhere in `folder`.
fn find(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if entry.file_name() == name {
                return Ok(entry.path());
            }
        }
    }
    anyhow::bail!("no map {name} is pinned in {}", folder.display())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {errors}");
    Ok(())
}
