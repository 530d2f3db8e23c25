// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was found out about applications, kept between runs.
//!
//! An entry is a file: what it is of, in words, and bytes. It is only ever a shortcut. One that is
//! damaged, of another version, or of something else whose name has the same hash, counts as none
//! and is replaced; a folder that cannot be written to is no error.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use rustix::process::geteuid;
use ufunc_gen::output;

/// Changes with the form of entries, and with how their contents are made.
const MAGIC: &[u8; 16] = b"ufunc types v1\r\n";
/// Most entries that are kept; the oldest go first.
const ENTRIES_MAX: usize = 128;
/// Most bytes of an entry: a thousand times what is usual.
const ENTRY_MAX: usize = 4 << 20;
/// How files of this cache end.
const EXTENSION: &str = "types";
/// How the files begin that become entries once they are whole.
const UNFINISHED: &str = ".ufunc-gen.";
/// When an unfinished file has been left behind.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A folder with entries.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The user's: `$XDG_CACHE_HOME/ufunc/types`, or else `~/.cache/ufunc/types`. `None` if there
    /// is no such place.
    pub(crate) fn of_user() -> Option<Cache> {
        let absolute = |name: &str| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let caches =
            absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Cache { folder: caches.join("ufunc").join("types") })
    }

    /// The bytes that were stored as those of `what`.
    pub(crate) fn load(&self, what: &str) -> Option<Vec<u8>> {
        let file = OpenOptions::new()
            .read(true)
            // Neither a link nor a FIFO, which would be waited for.
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(self.path(what))
            .ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_own(&metadata) {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(ENTRY_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
        unpack(&bytes, what).map(<[u8]>::to_vec)
    }

    /// Stores `bytes` as those of `what`, if that is possible.
    pub(crate) fn store(&self, what: &str, bytes: &[u8]) {
        let entry = pack(what, bytes);
        if entry.len() > ENTRY_MAX || !self.make_folder() {
            return;
        }
        if output::write_file(&self.path(what), entry).is_ok() {
            self.prune();
        }
    }

    fn path(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{:016x}.{EXTENSION}", hash(what.as_bytes())))
    }

    /// Whether the folder is there, if need be now.
    ///
    /// What root makes in another user's home, as under `sudo`, that user could not remove; and
    /// what others can write to is not believed.
    fn make_folder(&self) -> bool {
        let existing = self.folder.ancestors().find_map(|folder| fs::metadata(folder).ok());
        let is_trusted = existing.is_some_and(|metadata| {
            metadata.is_dir() && (metadata.uid() == geteuid().as_raw() || !geteuid().is_root())
        });
        if !is_trusted {
            return false;
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.is_ok() && fs::metadata(&self.folder).is_ok_and(|metadata| is_own(&metadata))
    }

    /// Removes the oldest entries beyond [`ENTRIES_MAX`], and what ended runs have left.
    fn prune(&self) {
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        let mut entries = Vec::new();
        for file in files.flatten() {
            let path = file.path();
            let Ok(modified) = file.metadata().and_then(|metadata| metadata.modified()) else {
                continue;
            };
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                entries.push((modified, path));
            } else if is_abandoned(&path, modified) {
                // Whoever was faster did the same.
                let _ = fs::remove_file(path);
            }
        }
        entries.sort_unstable();
        let surplus = entries.len().saturating_sub(ENTRIES_MAX);
        for (_, path) in entries.into_iter().take(surplus) {
            // As above.
            let _ = fs::remove_file(path);
        }
    }
}

fn is_abandoned(path: &Path, modified: SystemTime) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(UNFINISHED) && modified.elapsed().is_ok_and(|age| age > ABANDONED)
}

/// Whether it is this user's, and nobody else can write to it.
fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// [`MAGIC`], the hash of all that follows, the length of `what`, `what`, `bytes`.
fn pack(what: &str, bytes: &[u8]) -> Vec<u8> {
    let mut rest = (what.len() as u64).to_le_bytes().to_vec();
    rest.extend_from_slice(what.as_bytes());
    rest.extend_from_slice(bytes);
    let mut entry = MAGIC.to_vec();
    entry.extend(hash(&rest).to_le_bytes());
    entry.extend(rest);
    entry
}

/// The bytes in `entry`, if it is whole and of `what`.
fn unpack<'e>(entry: &'e [u8], what: &str) -> Option<&'e [u8]> {
    let rest = entry.strip_prefix(MAGIC)?;
    let (checksum, rest) = rest.split_first_chunk()?;
    if u64::from_le_bytes(*checksum) != hash(rest) {
        return None;
    }
    let (len, rest) = rest.split_first_chunk()?;
    let (found, bytes) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    (found == what.as_bytes()).then_some(bytes)
}

/// The same in every run and version, which the standard library does not promise of its own.
fn hash(bytes: &[u8]) -> u64 {
    // FNV-1a, by eight bytes: entries are hashed each time they are read.
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks();
    for chunk in chunks {
        hash = (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(PRIME).rotate_left(29);
    }
    for &byte in rest {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn cache(dir: &tempfile::TempDir) -> Cache {
        Cache { folder: dir.path().join("a").join("b") }
    }

    #[test]
    fn what_is_stored_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(&dir);
        assert_eq!(cache.load("x"), None);
        cache.store("x", b"types of x");
        assert_eq!(cache.load("x").as_deref(), Some(&b"types of x"[..]));
        assert_eq!(cache.load("y"), None);
        let mode = fs::metadata(&cache.folder).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn nothing_that_is_damaged_or_of_something_else_is_believed() {
        let entry = pack("x", b"types");
        assert_eq!(unpack(&entry, "x"), Some(&b"types"[..]));
        assert_eq!(unpack(&entry, "y"), None);
        for at in 0..entry.len() {
            assert_eq!(unpack(&entry[..at], "x"), None);
            let mut damaged = entry.clone();
            damaged[at] ^= 0x20;
            assert_eq!(unpack(&damaged, "x"), None, "{at}");
        }
        let longer = [entry.as_slice(), b"\0"].concat();
        assert_eq!(unpack(&longer, "x"), None);
    }

    #[test]
    fn a_folder_or_file_that_others_can_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(&dir);
        cache.store("x", b"types");
        let path = cache.path("x");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(cache.load("x"), None);
        fs::remove_file(&path).unwrap();
        fs::set_permissions(&cache.folder, fs::Permissions::from_mode(0o777)).unwrap();
        cache.store("x", b"types");
        assert!(!path.exists());
    }

    #[test]
    fn a_cache_that_cannot_be_is_no_error() {
        let cache = Cache { folder: "/proc/self/cache".into() };
        cache.store("x", b"types");
        assert_eq!(cache.load("x"), None);
        let cache = Cache { folder: "/dev/null/cache".into() };
        cache.store("x", b"types");
        assert_eq!(cache.load("x"), None);
    }

    #[test]
    fn old_entries_go() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { folder: dir.path().to_owned() };
        fs::set_permissions(&cache.folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        let old = SystemTime::now() - 2 * ABANDONED;
        let make = |name: &str, modified| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
        };
        for entry in 0..ENTRIES_MAX {
            make(&format!("{entry}.types"), old + Duration::from_secs(entry as u64));
        }
        make(".ufunc-gen.left", old);
        make(".ufunc-gen.now", SystemTime::now());
        make("mine.txt", old);
        cache.store("x", b"types");
        let exists = |name: &str| dir.path().join(name).exists();
        assert!(!exists("0.types") && exists("1.types") && cache.load("x").is_some());
        assert!(!exists(".ufunc-gen.left") && exists(".ufunc-gen.now") && exists("mine.txt"));
    }
}
