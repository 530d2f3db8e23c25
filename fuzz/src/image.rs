// SPDX-License-Identifier: MIT OR Apache-2.0
//! ELF files made of sections, without an assembler.

/// An executable for x86-64 that has `sections`, and nothing else.
pub fn elf_with(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const HEADER: usize = 64;
    let mut names = b"\0".to_vec();
    let mut bytes = vec![0; HEADER];
    let mut headers = vec![[0; HEADER]];
    let mut add = |name: &str, kind: u32, contents: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut header = [0; HEADER];
        let at = names.len() as u32;
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        let contents = contents(&names);
        header[..4].copy_from_slice(&at.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(contents.len() as u64).to_le_bytes());
        header[48] = 1;
        bytes.extend_from_slice(&contents);
        headers.push(header);
    };
    const PROGBITS: u32 = 1;
    const STRTAB: u32 = 3;
    for (name, contents) in sections {
        add(name, PROGBITS, &|_| contents.to_vec());
    }
    add(".shstrtab", STRTAB, &|names| names.to_vec());
    let table = bytes.len() as u64;
    let count = headers.len() as u16;
    bytes.extend(headers.into_iter().flatten());
    // e_ident, ET_EXEC, EM_X86_64, EV_CURRENT
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..24].copy_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
    bytes[40..48].copy_from_slice(&table.to_le_bytes());
    bytes[52] = HEADER as u8;
    bytes[58] = HEADER as u8;
    bytes[60..62].copy_from_slice(&count.to_le_bytes());
    bytes[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    bytes
}
