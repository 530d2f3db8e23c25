// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the running kernel was built.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};

use flate2::read::GzDecoder;
use rustix::system::uname;

/// Options of the kernel's build, by name.
#[derive(Clone, Debug)]
pub(crate) struct KernelConfig {
    /// The file that says it.
    pub(crate) source: String,
    options: HashMap<String, String>,
}

impl KernelConfig {
    /// Reads it from where kernels and distributions leave it; `None` if it is nowhere.
    pub(crate) fn read() -> Option<KernelConfig> {
        let release = release();
        let files = [
            "/proc/config.gz".to_owned(),
            format!("/boot/config-{release}"),
            format!("/lib/modules/{release}/config"),
            format!("/lib/modules/{release}/build/.config"),
        ];
        files.into_iter().find_map(|source| {
            let text = read_file(&source).ok()?;
            Some(KernelConfig { options: parse(&text), source })
        })
    }

    /// `y`, `m`, `n` or another value; `None` for an option that the kernel does not know.
    pub(crate) fn get(&self, option: &str) -> Option<&str> {
        self.options.get(option).map(String::as_str)
    }
}

/// The kernel's release, as `uname -r` prints it.
pub(crate) fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

fn read_file(path: &str) -> io::Result<String> {
    if !path.ends_with(".gz") {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads `CONFIG_A=y` and `# CONFIG_B is not set`.
fn parse(text: &str) -> HashMap<String, String> {
    let option = |line: &str| {
        if let Some(unset) = line.strip_prefix("# ") {
            let name = unset.strip_suffix(" is not set")?;
            return Some((name.to_owned(), "n".to_owned()));
        }
        let (name, value) = line.split_once('=')?;
        name.starts_with("CONFIG_").then(|| (name.to_owned(), value.trim_matches('"').to_owned()))
    };
    text.lines().filter_map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_and_unset_options_are_read() {
        let options = parse("#\n# Linux\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x=y\"\n");
        assert_eq!(options["CONFIG_A"], "y");
        assert_eq!(options["CONFIG_B"], "n");
        assert_eq!(options["CONFIG_C"], "x=y");
        assert_eq!(options.len(), 3);
    }
}
