// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modules and kernels as distributions pack them: gzip, xz, zstd, and kernels with LZ4 as well.

use std::borrow::Cow;
use std::io::Read;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// More than any module or kernel has once it is unpacked.
const MAX_LEN: u64 = 1 << 30;
/// Memory that unpacking may take beside its result, in KiB: xz says how much it wants.
const MAX_XZ_MEMORY: u32 = 256 << 10;

/// `bytes`, unpacked if they are packed.
pub(super) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    let mut reader: Box<dyn Read + '_> = match bytes {
        [0x1f, 0x8b, ..] => Box::new(GzDecoder::new(bytes)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Box::new(XzReader::new_mem_limit(bytes, false, MAX_XZ_MEMORY))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(StreamingDecoder::new(bytes).context("failed to unpack it (zstd)")?)
        }
        [0x02, 0x21, 0x4c, 0x18, blocks @ ..] => return unpack_lz4(blocks).map(Cow::Owned),
        _ => return Ok(Cow::Borrowed(bytes)),
    };
    let mut unpacked = Vec::new();
    let len = reader.by_ref().take(MAX_LEN).read_to_end(&mut unpacked);
    if len.context("failed to unpack it")? as u64 == MAX_LEN {
        bail!("it has more than {MAX_LEN} bytes once it is unpacked, which is not credible");
    }
    Ok(Cow::Owned(unpacked))
}

/// What the blocks of LZ4's older format hold, which is the one that kernels are packed in. Each has
/// its length before it.
fn unpack_lz4(mut blocks: &[u8]) -> Result<Vec<u8>> {
    /// What each block but the last holds.
    const BLOCK_LEN: usize = 8 << 20;
    let mut unpacked = Vec::new();
    while let Some((len, rest)) = blocks.split_first_chunk() {
        // Behind a kernel comes its length once it is unpacked.
        if rest.is_empty() {
            break;
        }
        let len = u32::from_le_bytes(*len) as usize;
        let (block, rest) = rest.split_at_checked(len).context("it is cut off (LZ4)")?;
        let part = lz4_flex::block::decompress(block, BLOCK_LEN);
        unpacked.extend(part.context("failed to unpack it (LZ4)")?);
        if unpacked.len() as u64 >= MAX_LEN {
            bail!("it has more than {MAX_LEN} bytes once it is unpacked, which is not credible");
        }
        blocks = rest;
    }
    Ok(unpacked)
}

/// The kernel within a `vmlinuz` of x86, as an ELF file; `None` if `bytes` are something else.
///
/// The header is described in the kernel's `Documentation/arch/x86/boot.rst`.
pub(super) fn kernel_image(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    const MAGIC: usize = 0x202;
    const SECTORS: usize = 0x1f1;
    const PAYLOAD: usize = 0x248;
    if bytes.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Ok(None);
    }
    let word = |at: usize| {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
        word.map(|word| u32::from_le_bytes(*word) as usize)
    };
    // Before the part that runs in protected mode is the setup, and the sector with the header.
    let setup = bytes.get(SECTORS).map(|&sectors| (usize::from(sectors) + 1) * 512);
    let payload = || -> Option<&[u8]> {
        let start = setup?.checked_add(word(PAYLOAD)?)?;
        bytes.get(start..start.checked_add(word(PAYLOAD + 4)?)?)
    };
    let payload = payload().context("the kernel in it is cut off")?;
    match unpack(payload)? {
        Cow::Owned(kernel) => Ok(Some(kernel)),
        Cow::Borrowed(_) => {
            bail!("the kernel in it is packed in a way that is not known here; give its vmlinux")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_packed_stays() {
        assert!(matches!(unpack(b"\x7fELF").unwrap(), Cow::Borrowed(_)));
        assert_eq!(kernel_image(b"\x7fELF").unwrap(), None);
    }

    #[test]
    fn damage_is_an_error() {
        const LZ4: &[u8] = b"\x02\x21\x4c\x18\x09\0\0\0\xf0";
        for head in [&b"\x1f\x8b\x08"[..], b"\xfd7zXZ\0\0\x04", b"\x28\xb5\x2f\xfd\x04", LZ4] {
            assert!(unpack(head).is_err(), "{head:?}");
        }
    }

    #[test]
    fn lz4_is_unpacked_block_by_block() {
        // A block of one literal each: a token with the number of letters, and these.
        let mut packed = b"\x02\x21\x4c\x18".to_vec();
        for word in ["\x7fELF", " and"] {
            packed.extend((word.len() as u32 + 1).to_le_bytes());
            packed.push((word.len() as u8) << 4);
            packed.extend(word.as_bytes());
        }
        assert_eq!(&*unpack(&packed).unwrap(), b"\x7fELF and");
        packed.extend(8_u32.to_le_bytes());
        assert_eq!(&*unpack(&packed).unwrap(), b"\x7fELF and");
    }

    #[test]
    fn a_vmlinuz_is_unpacked() {
        use flate2::Compression;
        use flate2::write::GzEncoder;
        use std::io::Write as _;
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"\x7fELF and so on").unwrap();
        let packed = packed.finish().unwrap();
        let mut image = vec![0; 1024 + 8];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248] = 8;
        image[0x24c] = packed.len() as u8;
        image.extend_from_slice(&packed);
        assert_eq!(kernel_image(&image).unwrap().unwrap(), b"\x7fELF and so on");
        image.truncate(image.len() - 1);
        assert!(kernel_image(&image).is_err());
    }
}
