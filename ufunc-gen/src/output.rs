// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing results so that nobody ever sees half of one.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, getrlimit};
use similar::{ChangeTag, TextDiff};

/// Writes `contents` to `path`, whole or not at all: to a file beside it, which then takes its
/// place. A link's target is written, and the link stays.
pub fn write_file(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let contents = contents.as_ref();
    write_file_by(path, contents.len(), |file| file.write_all(contents))
}

/// The same for `len` bytes that `write` writes.
pub fn write_file_by(
    path: &Path,
    len: usize,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<()> {
    let context = || format!("failed to write {}", path.display());
    // A device or pipe cannot be replaced, and must not be.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let written = File::create(path).and_then(|mut file| write(&mut file));
        return through_pipe(written).with_context(context);
    }
    let target = fs::canonicalize(path);
    let target = target.as_deref().unwrap_or(path);
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Writing past it would end the process, and leave the unfinished file behind.
    let limit = getrlimit(Resource::Fsize).current;
    ensure!(
        limit.is_none_or(|limit| len as u64 <= limit),
        "{}: {len} bytes are more than a file may have (ulimit -f)",
        context()
    );
    let mut file = tempfile::Builder::new()
        .prefix(".ufunc-gen.")
        .permissions(permissions(target))
        .tempfile_in(folder)
        .with_context(context)?;
    // Not synced, as compilers do not either: to wait for the disk takes longer than the rest.
    write(file.as_file_mut()).with_context(context)?;
    file.persist(target).map_err(|error| error.error).with_context(context)?;
    Ok(())
}

/// Those of the file that is replaced, or a new file's, which the umask then narrows.
fn permissions(path: &Path) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    let found = fs::metadata(path).map(|found| found.permissions());
    found.unwrap_or_else(|_| fs::Permissions::from_mode(0o666))
}

/// Writes `contents` to standard output. A reader that has seen enough is no error.
pub fn write_stdout(contents: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(contents.as_ref()).and_then(|()| stdout.flush());
    through_pipe(written).context("failed to write to standard output")
}

/// Takes it for a success that whoever reads has seen enough.
fn through_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The first `limit` changed lines from `old` to `new`, with their line numbers; `None` if there
/// are none.
pub fn short_diff(old: &str, new: &str, limit: usize) -> Option<String> {
    if old == new {
        return None;
    }
    let diff = TextDiff::from_lines(old, new);
    let mut changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let mut out = String::new();
    for change in changes.by_ref().take(limit) {
        let line = change.old_index().or(change.new_index()).unwrap_or_default() + 1;
        let _ = writeln!(out, "{}{line}: {}", change.tag(), change.value().trim_end());
    }
    let more = changes.count();
    if more > 0 {
        let _ = writeln!(out, "… and {more} more changed lines");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gen.rs");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_file(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_file(&folder.path().join("none/gen.rs"), "x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn diffs_are_short() {
        assert_eq!(short_diff("a\n", "a\n", 3), None);
        let diff = short_diff("a\nb\n", "a\nc\n", 1).unwrap();
        assert_eq!(diff, "-2: b\n… and 1 more changed lines\n");
    }
}
