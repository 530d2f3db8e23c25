// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signing a module, as the kernel's `scripts/sign-file` does: behind the file come a detached
//! PKCS#7 signature of it, a description of that, and a mark.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

/// What a signed module ends with: `MODULE_SIG_STRING`.
pub const SIGNATURE_MARK: &[u8] = b"~Module signature appended~\n";

/// `PKEY_ID_PKCS7` in `include/linux/module_signature.h`.
const PKCS7: u8 = 2;

/// Hash that every kernel which checks signatures knows.
const HASH: &str = "sha256";

/// Appends the signature of `module` by the private key in the file `key`, whose certificate is in
/// the file `certificate`. The machine's `openssl` makes it.
pub fn sign(module: &mut Vec<u8>, key: &Path, certificate: &Path) -> Result<()> {
    ensure!(!module.ends_with(SIGNATURE_MARK), "the module is signed already");
    let signature = openssl(module, key, certificate).with_context(|| {
        format!("failed to sign the module with {} and {}", key.display(), certificate.display())
    })?;
    let len = u32::try_from(signature.len()).context("the signature is too long")?;
    module.extend_from_slice(&signature);
    // struct module_signature: the fields before and behind the kind of the signature are of kinds
    // that are gone.
    module.extend_from_slice(&[0, 0, PKCS7, 0, 0, 0, 0, 0]);
    module.extend_from_slice(&len.to_be_bytes());
    module.extend_from_slice(SIGNATURE_MARK);
    Ok(())
}

/// The detached signature, DER.
fn openssl(module: &[u8], key: &Path, certificate: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(["cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", HASH]);
    command.args(["-outform", "DER", "-signer"]).arg(certificate).arg("-inkey").arg(key);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(
        "failed to run openssl, which does the cryptography; install the package openssl",
    )?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // What comes out is waited for meanwhile. If openssl does not read to the end, it says why.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(module)));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("openssl cms: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
