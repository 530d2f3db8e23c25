// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `attach` writes: lines for people, or one JSON object per line.
//!
//! Every line is flushed: who reads a pipe wants to see it when it happens.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::AttachRequest;
use super::dump::{Entry, EntryValue};
use super::hooks::{self, Attached};
use super::lines::Lines;
use super::plan::{Planned, Target};
use super::printk::Line;
use super::symbols::Place;
use super::value::Value;
use crate::report::human::printable;

/// How many functions of one program are listed for people.
const PLACES_SHOWN: usize = 10;

/// Where the lines go.
pub(crate) struct Output<'a> {
    out: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Output { out, json }
    }

    /// A program is attached.
    pub(crate) fn attached(
        &mut self,
        request: &AttachRequest<'_>,
        planned: &Planned,
        attached: &Attached,
        lines: &[(PathBuf, Lines)],
    ) -> io::Result<()> {
        if self.json {
            let document = attached_json(request, planned, attached, lines);
            return self.json(&document);
        }
        let (name, kind) = (&planned.program.name, &planned.section.kind);
        let targets = match &planned.target {
            Target::Places { binary, places } => {
                let mut shown: Vec<String> = places
                    .iter()
                    .take(PLACES_SHOWN)
                    .map(|place| describe(&binary.path, place, line_of(lines, &binary.path, place)))
                    .collect();
                let more = places.len() - shown.len();
                shown.extend((more > 0).then(|| format!("and {more} more functions")));
                shown
            }
            Target::Usdt { file, provider, name } => {
                vec![format!("{}:{provider}:{name}", file.display())]
            }
            Target::Kernel { completed } => {
                vec![completed.clone().unwrap_or_else(|| planned.section.target.clone())]
            }
            Target::Clock => {
                vec![format!("{} Hz on {} processors", request.frequency, hooks::cpu_count())]
            }
            Target::TailCalled => vec!["(loaded for tail calls)".to_owned()],
        };
        for target in targets {
            self.line(&format!("attached  {name}  {kind}  {target}"))?;
        }
        Ok(())
    }

    /// What only one command has to say: `text` for people, `document` for programs.
    pub(crate) fn say(&mut self, text: &str, document: &Json) -> io::Result<()> {
        if self.json { self.json(document) } else { self.line(text) }
    }

    /// Everything is pinned.
    pub(crate) fn pinned(&mut self, folder: &Path) -> io::Result<()> {
        match self.json {
            true => self.json(&json!({ "type": "pinned", "path": folder.to_string_lossy() })),
            false => self.line(&format!("pinned in {}", folder.display())),
        }
    }

    /// A program printed.
    pub(crate) fn printed(&mut self, line: &Line) -> io::Result<()> {
        if self.json {
            return self.json(&json!({
                "type": "printk",
                "program": line.program,
                "comm": line.comm,
                "pid": line.pid,
                "cpu": line.cpu,
                "time": line.time,
                "text": line.text,
            }));
        }
        for text in line.text.split('\n') {
            self.line(&format!("{}-{}  {text}", line.comm, line.pid))?;
        }
        Ok(())
    }

    /// An iterator's program wrote a line.
    pub(crate) fn listed(&mut self, program: &str, text: &str) -> io::Result<()> {
        match self.json {
            true => self.json(&json!({ "type": "iter", "program": program, "text": text })),
            false => self.line(text),
        }
    }

    /// An event came.
    pub(crate) fn event(&mut self, map: &str, cpu: Option<i32>, value: &Value) -> io::Result<()> {
        match self.json {
            true => {
                // The order of its fields is kept, which a map of JSON would not do.
                #[derive(serde::Serialize)]
                struct Event<'a> {
                    r#type: &'a str,
                    map: &'a str,
                    cpu: Option<i32>,
                    value: &'a Value,
                }
                self.json(&Event { r#type: "event", map, cpu, value })
            }
            false => self.line(&format!("{map}  {value}")),
        }
    }

    /// The contents of a map.
    pub(crate) fn map(&mut self, name: &str, entries: &[Entry]) -> io::Result<()> {
        #[derive(serde::Serialize)]
        struct JsonEntry<'a> {
            key: &'a Value,
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<&'a Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            values: Option<&'a [Value]>,
        }
        #[derive(serde::Serialize)]
        struct Map<'a> {
            r#type: &'a str,
            map: &'a str,
            entries: Vec<JsonEntry<'a>>,
        }
        if self.json {
            let entries = entries.iter().map(|entry| match &entry.value {
                EntryValue::One(value) => {
                    JsonEntry { key: &entry.key, value: Some(value), values: None }
                }
                EntryValue::PerCpu(values) => {
                    JsonEntry { key: &entry.key, value: None, values: Some(values) }
                }
            });
            return self.json(&Map { r#type: "map", map: name, entries: entries.collect() });
        }
        let entries_word = if entries.len() == 1 { "entry" } else { "entries" };
        self.line(&format!("{name}: {} {entries_word}", entries.len()))?;
        for entry in entries {
            match &entry.value {
                EntryValue::One(value) => self.line(&format!("  {} = {value}", entry.key))?,
                EntryValue::PerCpu(values) => {
                    for (cpu, value) in values.iter().enumerate() {
                        self.line(&format!("  {} on cpu {cpu} = {value}", entry.key))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// All is over.
    pub(crate) fn ended(&mut self) -> io::Result<()> {
        if self.json { self.json(&json!({ "type": "end" })) } else { self.out.flush() }
    }

    fn json(&mut self, document: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, document)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Names and what programs print are nobody's promise: a terminal is not to obey them.
    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))?;
        self.out.flush()
    }
}

fn line_of<'a>(lines: &'a [(PathBuf, Lines)], path: &Path, place: &Place) -> Option<&'a str> {
    let (_, lines) = lines.iter().find(|(file, _)| file == path)?;
    lines.get(&place.address).map(String::as_str)
}

/// `./app:add_test+0x4 (0x11c4, app.c:12)`.
fn describe(path: &Path, place: &Place, line: Option<&str>) -> String {
    let line = line.map(|line| format!(", {line}")).unwrap_or_default();
    format!("{}:{} ({:#x}{line})", path.display(), place.name(), place.address)
}

fn attached_json(
    request: &AttachRequest<'_>,
    planned: &Planned,
    attached: &Attached,
    lines: &[(PathBuf, Lines)],
) -> Json {
    let places = match &planned.target {
        Target::Places { binary, places } => places
            .iter()
            .map(|place| {
                json!({
                    "file": binary.path.to_string_lossy(),
                    "symbol": place.symbol,
                    "offset": place.offset,
                    "address": format!("{:#x}", place.address),
                    "file_offset": format!("{:#x}", place.file_offset),
                    "source": line_of(lines, &binary.path, place),
                })
            })
            .collect(),
        _ => Vec::new(),
    };
    let target = match &planned.target {
        Target::Usdt { file, provider, name } => {
            Some(format!("{}:{provider}:{name}", file.display()))
        }
        Target::Kernel { completed } => {
            Some(completed.clone().unwrap_or_else(|| planned.section.target.clone()))
        }
        Target::Clock => Some(format!("{} Hz", request.frequency)),
        Target::Places { .. } | Target::TailCalled => None,
    };
    json!({
        "type": "attached",
        "program": planned.program.name,
        "section": planned.program.section,
        "kind": planned.section.kind,
        "links": attached.ids,
        "target": target,
        "places": places,
        "pid": request.pid,
        "cookie": request.cookie,
    })
}
