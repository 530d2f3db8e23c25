// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sections that are compressed: zlib and zstd (`SHF_COMPRESSED`, and `.zdebug_*` before it).
//!
//! A section says how long it will be, and may say anything. So memory is taken in steps, as
//! contents really come, and never beyond what was said.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail, ensure};
use flate2::{Decompress, FlushDecompress, Status};
use object::{CompressedData, CompressionFormat};
use ruzstd::decoding::{DEFAULT_MAX_WINDOW_SIZE, StreamingDecoder};

/// What becomes so many times as long as the file is a trap: no debug information comes near.
const MAX_EXPANSION: u64 = 32;
/// What is always allowed, in bytes.
const ALLOWANCE: u64 = 32 << 20;
/// Memory that is taken at first, in multiples of what is compressed.
const FIRST_EXPANSION: usize = 4;
/// Most memory that is taken at first, and then at a time, in bytes.
const MIN_STEP: usize = 1 << 16;

/// Whether `data` may become as long as it says: `file_len` is the length of its file, of which
/// `made` bytes were made before, for several sections may be made of the same bytes.
pub(super) fn check_size(data: &CompressedData<'_>, made: u64, file_len: usize) -> Result<()> {
    let allowed = (file_len as u64).saturating_mul(MAX_EXPANSION).saturating_add(ALLOWANCE);
    ensure!(
        made.saturating_add(data.uncompressed_size) <= allowed,
        "it claims {} bytes once decompressed and put together, which is not credible",
        data.uncompressed_size
    );
    Ok(())
}

/// The contents of `data`, which is compressed.
///
/// Fails if they are damaged, or not exactly as long as they should be.
pub(super) fn decompress(data: &CompressedData<'_>) -> Result<Vec<u8>> {
    let size = usize::try_from(data.uncompressed_size).context("it is too large")?;
    let contents = match data.format {
        CompressionFormat::Zlib => zlib(data.data, size)?,
        CompressionFormat::Zstandard => zstd(data.data, size)?,
        format => bail!("it is compressed in a way that is not known ({format:?})"),
    };
    ensure!(
        contents.len() == size,
        "it has {} bytes once decompressed, and claims {size}",
        contents.len()
    );
    Ok(contents)
}

/// A buffer that grows in steps, up to a size.
struct Growing {
    bytes: Vec<u8>,
    size: usize,
}

impl Growing {
    fn new(compressed: usize, size: usize) -> Result<Self> {
        let mut buffer = Growing { bytes: Vec::new(), size };
        buffer.reserve(compressed.saturating_mul(FIRST_EXPANSION).max(MIN_STEP))?;
        Ok(buffer)
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.bytes.capacity().min(self.size)
    }

    fn reserve(&mut self, more: usize) -> Result<()> {
        let more = more.min(self.size - self.bytes.len());
        self.bytes.try_reserve_exact(more).context("there is not enough memory for it")
    }

    /// Makes room if there is none. Says whether there is some now.
    fn grow(&mut self) -> Result<bool> {
        if self.is_full() {
            self.reserve(self.bytes.len().max(MIN_STEP))?;
        }
        Ok(!self.is_full())
    }
}

fn zlib(input: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut decoder = Decompress::new(true);
    let mut output = Growing::new(input.len(), size)?;
    loop {
        let rest = input.get(decoder.total_in() as usize..).unwrap_or_default();
        let before = (decoder.total_in(), output.bytes.len());
        let was_full = output.is_full();
        let status = decoder
            .decompress_vec(rest, &mut output.bytes, FlushDecompress::None)
            .context("its zlib data is damaged")?;
        if status == Status::StreamEnd {
            return Ok(output.bytes);
        }
        if before == (decoder.total_in(), output.bytes.len()) {
            ensure!(was_full, "its zlib data is cut off");
            ensure!(output.grow()?, "it is longer than it claims");
        }
        output.grow()?;
    }
}

fn zstd(mut input: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut output = Growing::new(input.len(), size)?;
    // A window as long as the contents is what compressors ask for that know how long those are.
    // The decoder takes memory for it as it fills.
    let window = DEFAULT_MAX_WINDOW_SIZE.max(size as u64);
    // There may be several frames, one after the other.
    while !input.is_empty() {
        let mut decoder = StreamingDecoder::new_with_max_window_size(&mut input, window)
            .context("its zstd data is damaged")?;
        loop {
            let room = match output.grow()? {
                true => output.bytes.capacity().min(size) - output.bytes.len(),
                // What is more than was claimed is asked for too, to see that there is none.
                false => 1,
            };
            let read = (&mut decoder)
                .take(room as u64)
                .read_to_end(&mut output.bytes)
                .context("its zstd data is damaged")?;
            ensure!(output.bytes.len() <= size, "it is longer than it claims");
            if read < room {
                break;
            }
        }
    }
    Ok(output.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn zlib_of(contents: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_of(contents: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(contents, ruzstd::encoding::CompressionLevel::Fastest)
    }

    type Case = (CompressionFormat, fn(&[u8]) -> Vec<u8>);
    const FORMATS: [Case; 2] =
        [(CompressionFormat::Zlib, zlib_of), (CompressionFormat::Zstandard, zstd_of)];

    fn read(format: CompressionFormat, data: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let data = CompressedData { format, data, uncompressed_size: size as u64 };
        decompress(&data).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn contents_of_any_length_come_back() {
        for (format, compress) in FORMATS {
            for len in [0, 1, 1000, MIN_STEP, 3 * MIN_STEP + 1, 1 << 21] {
                let contents: Vec<u8> = (0..len).map(|index| (index / 7 * index) as u8).collect();
                let packed = compress(&contents);
                assert_eq!(read(format, &packed, len), Ok(contents), "{format:?} {len}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_length_is_an_error() {
        for (format, compress) in FORMATS {
            let contents: Vec<u8> =
                (0..300_000_usize).map(|index| (index / 7 * index) as u8).collect();
            let packed = compress(&contents);
            for len in [0, 1, 5, packed.len() / 2, packed.len() - 8] {
                read(format, &packed[..len], contents.len()).unwrap_err();
            }
            for claim in [0, 1, contents.len() - 1, contents.len() + 1, 1 << 24] {
                read(format, &packed, claim).unwrap_err();
            }
        }
    }
}
