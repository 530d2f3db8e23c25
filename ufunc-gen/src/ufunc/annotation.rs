// SPDX-License-Identifier: MIT OR Apache-2.0
//! Annotations that `examples/include/ufunc.h` leaves in the application, as ELF notes.
//!
//! Section `.note.ufunc`, owner `ufunc`, type 1; the contents are strings `key=value`, each with
//! its NUL: `role=acquire`, `fn=my_alloc_data`, and maybe `family=pool`.

use anyhow::{Context as _, Result, bail, ensure};

use super::{Origin, Request};
use crate::elf::Host;
use crate::metadata::Role;

const SECTION: &str = ".note.ufunc";
const OWNER: &[u8] = b"ufunc";
/// Version of the format, which is the note's type.
const FORMAT: u32 = 1;

/// The annotations in `host`, in order; a function annotated twice alike counts once.
pub fn read(host: &Host<'_>) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for note in host.notes(SECTION)? {
        let shown = host.path().display();
        if note.name != OWNER {
            continue;
        }
        ensure!(
            note.kind == FORMAT,
            "an annotation in {shown} has format {}, known is {FORMAT}; use the ufunc.h of this version",
            note.kind
        );
        let request = parse(note.desc)
            .with_context(|| format!("bad annotation in section {SECTION} of {shown}"))?;
        if !requests.contains(&request) {
            requests.push(request);
        }
    }
    Ok(requests)
}

fn parse(desc: &[u8]) -> Result<Request> {
    let (mut role, mut function, mut family) = (None, None, None);
    for string in desc.split(|&byte| byte == 0).filter(|string| !string.is_empty()) {
        let string = str::from_utf8(string).context("it is not UTF-8")?;
        let (key, value) =
            string.split_once('=').with_context(|| format!("{string:?} has no '='"))?;
        let place = match key {
            "role" => &mut role,
            "fn" => &mut function,
            "family" => &mut family,
            _ => bail!("key {key:?} is not known"),
        };
        ensure!(place.replace(value).is_none(), "key {key:?} stands twice");
    }
    let (Some(role), Some(function)) = (role, function) else {
        bail!("it lacks a role or a function");
    };
    let Some(role) = Role::from_name(role) else { bail!("role {role:?} is not known") };
    if let Some(family) = family {
        super::policy::check_family(family)?;
    }
    Ok(Request {
        function: function.to_owned(),
        role,
        family: family.map(str::to_owned),
        source: None,
        arguments: Vec::new(),
        sleepable: false,
        origin: Origin::Annotation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read() {
        let request = parse(b"role=acquire\0fn=ns::make\0family=pool\0\0\0").unwrap();
        assert_eq!(request.function, "ns::make");
        assert_eq!(request.role, Role::Acquire);
        assert_eq!(request.family.as_deref(), Some("pool"));
    }

    #[test]
    fn damaged_notes_are_refused() {
        for bad in [
            &b""[..],
            b"role=acquire\0",
            b"role=borrow\0fn=f\0",
            b"role=acquire\0role=release\0fn=f\0",
            b"role=acquire\0fn=f\0what=1\0",
            b"nonsense\0",
            b"fn=\xff\0role=plain\0",
            b"role=acquire\0fn=f\0family=a b\0",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
