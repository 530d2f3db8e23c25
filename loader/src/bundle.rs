// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bundles: a verified object as a file, for those who may not have the kernel judge it.
//!
//! ```text
//! ufunc-bundle 1
//! sha256 9f86…
//! signature ed25519 <public key> <signature>      or: signature none
//! {"object":"prog.bpf.o","verified":{…},…}
//! ```
//!
//! The digest is that of everything after the third line, and tells damage. Who can write the file
//! can make a new one, digest and all; a signature, and `--trust` where it is run, tell who did.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::run::package::{Bytes, Package};

/// The first line; the number is the format's.
const MAGIC: &str = "ufunc-bundle 1";
/// What begins the first line of any format.
const ANY_MAGIC: &str = "ufunc-bundle ";
/// No bundle comes near this size; reading a larger file would only take the memory.
const SIZE_MAX: u64 = 256 << 20;
/// The longest of the lines before the document.
const LINE_MAX: usize = 512;

/// Writes `package`, signed with the private key in the file `key`, if there is one.
pub(crate) fn write(package: &Package, key: Option<&Path>) -> Result<Vec<u8>> {
    let document = serde_json::to_vec(package).context("failed to write the bundle")?;
    let signature = match key {
        Some(path) => {
            let key = private_key(path)?;
            let signature = Bytes(key.sign(&signed(&document)).to_vec());
            format!("ed25519 {} {signature}", Bytes(key.verifying_key().to_bytes().to_vec()))
        }
        None => "none".to_owned(),
    };
    let digest = Bytes(Sha256::digest(&document).to_vec());
    let mut bytes = format!("{MAGIC}\nsha256 {digest}\nsignature {signature}\n").into_bytes();
    bytes.extend(document);
    Ok(bytes)
}

/// Reads the bundle at `path`, which must be signed with the key whose public half is in the file
/// `trusted`, if there is one.
pub(crate) fn open(path: &Path, trusted: Option<&Path>) -> Result<Package> {
    let load = || -> Result<Package> {
        let trusted = trusted.map(public_key).transpose()?;
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(SIZE_MAX).read_to_end(&mut bytes)?;
        ensure!((bytes.len() as u64) < SIZE_MAX, "it is larger than any bundle");
        read(&bytes, trusted.as_ref())
    };
    load().with_context(|| format!("cannot use the bundle {}", path.display()))
}

/// Reads what [`write`] wrote.
fn read(bytes: &[u8], trusted: Option<&VerifyingKey>) -> Result<Package> {
    let (magic, rest) = line(bytes).context("it is no bundle")?;
    if magic != MAGIC {
        match magic.strip_prefix(ANY_MAGIC) {
            Some(format) => {
                bail!("it was made by another version of loader (format {format}, known is 1)")
            }
            None => bail!("it is no bundle; loader bundle makes them"),
        }
    }
    let (digest, rest) = line(rest).context("it is cut off")?;
    let (signature, document) = line(rest).context("it is cut off")?;
    let digest = digest.strip_prefix("sha256 ").and_then(Bytes::from_hex);
    let digest = digest.context("its second line is no digest")?;
    ensure!(
        digest.0 == Sha256::digest(document).as_slice(),
        "it was changed or damaged since it was made: its digest is another one"
    );
    let signature =
        signature.strip_prefix("signature ").context("its third line is no signature")?;
    check_signature(signature, document, trusted)?;
    let package: Package = serde_json::from_slice(document).context("it is damaged")?;
    package.check().context("it is damaged")?;
    Ok(package)
}

/// The first line of `bytes`, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(b'\n', bytes.get(..LINE_MAX.min(bytes.len()))?)?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}

/// What is signed: with the format's name, so that it is no signature of anything else.
fn signed(document: &[u8]) -> Vec<u8> {
    [MAGIC.as_bytes(), b"\n", document].concat()
}

/// Fails if the signature is wrong, or is not made by who is `trusted`.
fn check_signature(signature: &str, document: &[u8], trusted: Option<&VerifyingKey>) -> Result<()> {
    if signature == "none" {
        ensure!(trusted.is_none(), "it is not signed, and --trust asks for a signature");
        return Ok(());
    }
    let parsed = || -> Option<(VerifyingKey, Signature)> {
        let (key, signature) = signature.strip_prefix("ed25519 ")?.split_once(' ')?;
        let key: [u8; 32] = Bytes::from_hex(key)?.0.try_into().ok()?;
        let signature: [u8; 64] = Bytes::from_hex(signature)?.0.try_into().ok()?;
        Some((VerifyingKey::from_bytes(&key).ok()?, Signature::from_bytes(&signature)))
    };
    let (key, signature) = parsed().context("its signature is damaged")?;
    ensure!(
        trusted.is_none_or(|trusted| *trusted == key),
        "it is signed by somebody else than --trust says"
    );
    let verified = key.verify_strict(&signed(document), &signature);
    verified.map_err(|_| anyhow!("its signature is not of these contents"))
}

fn private_key(path: &Path) -> Result<SigningKey> {
    let read = || -> Result<SigningKey> {
        SigningKey::from_pkcs8_pem(&fs::read_to_string(path)?).map_err(|error| {
            anyhow!("{error}; openssl genpkey -algorithm ed25519 -out FILE makes one")
        })
    };
    read().with_context(|| format!("{} is no ed25519 private key", path.display()))
}

fn public_key(path: &Path) -> Result<VerifyingKey> {
    let read = || -> Result<VerifyingKey> {
        VerifyingKey::from_public_key_pem(&fs::read_to_string(path)?).map_err(|error| {
            anyhow!("{error}; openssl pkey -in KEY -pubout -out FILE makes it of the private one")
        })
    };
    read().with_context(|| format!("{} is no ed25519 public key", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::package::tests::package;

    fn sign(document: &[u8], key: &SigningKey) -> String {
        let signature = Bytes(key.sign(&signed(document)).to_vec());
        format!("ed25519 {} {signature}", Bytes(key.verifying_key().to_bytes().to_vec()))
    }

    fn refused(bytes: &[u8], trusted: Option<&VerifyingKey>) -> String {
        format!("{:#}", read(bytes, trusted).unwrap_err())
    }

    #[test]
    fn a_bundle_reads_what_was_written() {
        let bytes = write(&package(), None).unwrap();
        assert_eq!(read(&bytes, None).unwrap(), package());
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let bytes = write(&package(), None).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(read(&changed, None).is_err(), "byte {place}");
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], None).is_err(), "{length} bytes");
        }
    }

    /// With a digest that fits, nothing but the contents can be wrong: they are refused or make
    /// sense, and nothing panics.
    #[test]
    fn contents_that_make_no_sense_are_refused() {
        let document = serde_json::to_vec(&package()).unwrap();
        let seal = |document: &[u8]| {
            let digest = Bytes(Sha256::digest(document).to_vec());
            let mut bytes = format!("{MAGIC}\nsha256 {digest}\nsignature none\n").into_bytes();
            bytes.extend(document);
            bytes
        };
        let mut refused = 0;
        for place in 0..document.len() {
            for byte in [b'0', b'9', b'-', b'"', b'}', 0, 0xff] {
                let mut changed = document.clone();
                changed[place] = byte;
                refused += usize::from(read(&seal(&changed), None).is_err());
            }
        }
        assert!(refused > document.len(), "{refused}");
        for length in 0..document.len() {
            assert!(read(&seal(&document[..length]), None).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn only_who_is_trusted_is_believed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let unsigned = write(&package(), None).unwrap();
        let (_, rest) = line(&unsigned).unwrap();
        let (_, rest) = line(rest).unwrap();
        let (_, document) = line(rest).unwrap();
        let digest = Bytes(Sha256::digest(document).to_vec());
        let bundle = |signature: &str| {
            let head = format!("{MAGIC}\nsha256 {digest}\nsignature {signature}\n");
            [head.as_bytes(), document].concat()
        };
        let signed = bundle(&sign(document, &key));
        let trusted = key.verifying_key();
        assert_eq!(read(&signed, Some(&trusted)).unwrap(), package());
        assert_eq!(read(&signed, None).unwrap(), package());
        assert!(refused(&signed, Some(&other)).contains("somebody else"));
        assert!(refused(&unsigned, Some(&trusted)).contains("not signed"));
        let forged = bundle(&sign(b"something else", &key));
        assert!(refused(&forged, Some(&trusted)).contains("not of these contents"));
        assert!(refused(&bundle("ed25519 00 11"), None).contains("damaged"));
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert!(refused(b"", None).contains("no bundle"));
        assert!(refused(b"\x7fELF\x02\x01\n", None).contains("no bundle"));
        assert!(refused(b"ufunc-bundle 2\n", None).contains("another version"));
        assert!(refused(b"ufunc-bundle 1\nsha256 00", None).contains("cut off"));
    }
}
