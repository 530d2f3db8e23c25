// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a struct's name in a policy to its definition.

use anyhow::{Result, bail};

use super::grant::ObjectName;
use crate::dwarf::definitions::TagClass;
use crate::dwarf::{DebugInfo, DieRef};
use crate::nearest;

/// Where the struct called `name` is defined, or the typedef of one.
///
/// Fails if there is none, or several that differ.
pub(crate) fn object(debug: &DebugInfo<'_>, name: &ObjectName) -> Result<DieRef> {
    for class in classes(name) {
        let variants = debug.find_variants(*class, &name.name)?;
        match variants.as_slice() {
            [] => {}
            [places] => return places.first().copied().map_or_else(|| missing(debug, name), Ok),
            several => {
                let firsts = several.iter().filter_map(|places| places.first());
                let places = firsts.map(|place| match debug.source_of(*place) {
                    Ok(Some(source)) => source.to_string().escape_debug().to_string(),
                    _ => debug.place(*place),
                });
                bail!(
                    "the application has {} different types called '{name}', and an object does not say of which it is: {}; rename all but one",
                    several.len(),
                    places.collect::<Vec<_>>().join(", ")
                )
            }
        }
    }
    missing(debug, name)
}

/// As what `name` may be defined.
fn classes(name: &ObjectName) -> &'static [TagClass] {
    if name.is_tag { &[TagClass::Struct] } else { &[TagClass::Struct, TagClass::Typedef] }
}

fn missing<T>(debug: &DebugInfo<'_>, name: &ObjectName) -> Result<T> {
    let mut message = format!("the application defines no '{name}'");
    let mut names = Vec::new();
    for class in classes(name) {
        names.extend(debug.type_names(*class)?);
    }
    message += &nearest::hint(&name.name, names.iter().map(String::as_str));
    if let Some(note) = debug.missing_note() {
        message += &format!(" ({note})");
    }
    bail!(message)
}
