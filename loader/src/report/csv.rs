// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report as veristat, the kernel's own tool for such numbers, writes it: what compares or
//! plots its CSV files reads these too.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use super::{Facts, ProgramReport, Report, Verdict};

/// The columns that veristat writes by default (`-o csv`), in its order and by its names. It
/// compares only files with the same ones.
pub const COLUMNS: [&str; 15] = [
    "file_name",
    "prog_name",
    "verdict",
    "duration",
    "total_insns",
    "total_states",
    "peak_states",
    "max_states_per_insn",
    "max_mark_read_len",
    "prog_size",
    "prog_size_jited",
    "prog_type",
    "attach_type",
    "stack_depth",
    "mem_peak",
];

/// What veristat writes for memory that it did not measure.
const NOT_MEASURED: &str = "-1";

/// Writes the header, and a row for each program of each report.
pub fn write(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    for report in reports {
        for program in &report.programs {
            let row = row(&report.object, program);
            let fields: Vec<_> = row.iter().map(|field| quoted(field)).collect();
            writeln!(out, "{}", fields.join(","))?;
        }
    }
    Ok(())
}

fn row(object: &Path, program: &ProgramReport) -> [String; COLUMNS.len()] {
    let name = object.file_name().unwrap_or(object.as_os_str());
    // What never came to a verdict is a failure to veristat too.
    let verdict = match program.verdict {
        Verdict::Accepted => "success",
        Verdict::Rejected | Verdict::Unjudged => "failure",
    };
    let statistics = program.statistics.unwrap_or_default();
    let Facts { insns, jited, program_type, attach_type } =
        program.facts.clone().unwrap_or_else(|| Facts {
            program_type: "unspec".into(),
            // What libbpf calls attach type 0, which all have that need none.
            attach_type: "cgroup_inet_ingress".into(),
            ..Facts::default()
        });
    [
        name.to_string_lossy().into_owned(),
        program.name.clone(),
        verdict.to_owned(),
        statistics.microseconds.unwrap_or_default().to_string(),
        statistics.processed_insns.to_string(),
        statistics.total_states.to_string(),
        statistics.peak_states.to_string(),
        statistics.max_states_per_insn.to_string(),
        statistics.mark_read.to_string(),
        insns.to_string(),
        jited.to_string(),
        program_type,
        attach_type,
        statistics.stack_depth.unwrap_or_default().to_string(),
        NOT_MEASURED.to_owned(),
    ]
}

/// The field in quotes where it needs them, and without what would end the line.
fn quoted(field: &str) -> Cow<'_, str> {
    if !field.contains(|char: char| char == ',' || char == '"' || char.is_control()) {
        return Cow::Borrowed(field);
    }
    let harmless = super::human::printable(field);
    Cow::Owned(format!("\"{}\"", harmless.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier_log::Statistics;

    #[test]
    fn a_row_has_veristats_columns() {
        let program = ProgramReport {
            name: "leak".into(),
            statistics: Some(Statistics {
                processed_insns: 6,
                total_states: 2,
                peak_states: 1,
                max_states_per_insn: 3,
                mark_read: 4,
                stack_depth: Some(16),
                microseconds: Some(99),
            }),
            facts: Some(Facts {
                insns: 7,
                jited: 50,
                program_type: "kprobe".into(),
                attach_type: "trace_uprobe_multi".into(),
            }),
            ..ProgramReport::empty(Verdict::Rejected)
        };
        let row = row(Path::new("bpf/leak.bpf.o"), &program).join(",");
        let expected = "leak.bpf.o,leak,failure,99,6,2,1,3,4,7,50,kprobe,trace_uprobe_multi,16,-1";
        assert_eq!(row, expected);
    }

    #[test]
    fn a_name_cannot_add_columns_or_rows() {
        assert_eq!(quoted("a.o"), "a.o");
        assert_eq!(quoted("a,\"b\"\n.o"), "\"a,\"\"b\"\"\u{fffd}.o\"");
    }
}
