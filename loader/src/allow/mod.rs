// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one extension may use: a policy beside the kernel's verdict.
//!
//! ```text
//! ext.toml ───policy──▶ Policy ──┐
//! prog.bpf.o ──uses──▶ Uses ─────┼─▶ Limits ──▶ breaches, each with its source line
//!             SEC(), --func ──▶ Point
//! ```
//!
//! Everything but the instructions that the verifier counts is known before anything is loaded.

mod point;
mod policy;
mod propose;
mod uses;

use std::path::Path;

use anyhow::Result;

pub(crate) use point::Point;
pub use propose::{AllowRequest, propose};

use crate::attempt::Program;
use crate::object::BpfObject;
use crate::report::{Breach, ProgramReport, Stage, Verdict};
use policy::Policy;
use uses::{Kind, Use, Uses};

/// What a policy says of the programs of an object.
#[derive(Debug)]
pub(crate) struct Limits {
    policy: Policy,
    /// By the names of the programs.
    uses: Vec<(String, Uses)>,
}

impl Kind {
    /// What it is called, and the policy's key for it.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Function => ("function", "functions"),
            Kind::Variable => ("variable", "variables"),
            Kind::Helper => ("helper", "helpers"),
            Kind::Map => ("map", "maps"),
        }
    }
}

impl Limits {
    /// Reads the policy at `path` and what `programs` of `object` use.
    pub(crate) fn read(path: &Path, object: &BpfObject, programs: &[Program]) -> Result<Limits> {
        let policy = Policy::read(path)?;
        let names = programs.iter().map(|program| program.name.clone());
        let uses = names.zip(uses::read(object, programs)?).collect();
        Ok(Limits { policy, uses })
    }

    /// What `program` uses and may not, if it goes to `point`: the report that refuses it.
    pub(crate) fn judge(&self, program: &Program, point: &Point) -> Option<ProgramReport> {
        let uses = self.uses_of(program);
        let used = uses.into_iter().flat_map(|uses| &uses.all);
        let mut breaches: Vec<_> =
            used.filter(|used| !self.policy.allows(used)).map(|used| self.breach(used)).collect();
        if !self.policy.allows_point(point) {
            breaches.push(Breach {
                what: "probe",
                name: point.name().to_owned(),
                key: "probes",
                value: format!("{:?}", point.name()),
                text: format!("probe {}", point.name()),
                label: format!("probe {} is not allowed", point.name()),
                source: uses.and_then(|uses| uses.head.clone()),
            });
        }
        self.refusal(program, breaches)
    }

    /// The report that refuses `program` if the verifier `counted` too many instructions.
    pub(crate) fn judge_count(&self, program: &Program, counted: u64) -> Option<ProgramReport> {
        let max = self.policy.max_insns.filter(|max| counted > *max)?;
        let breach = Breach {
            what: "insns",
            name: counted.to_string(),
            key: "max-insns",
            value: counted.to_string(),
            text: format!("{counted} instructions, but {max} at most"),
            label: format!("the verifier counts {counted} instructions on all paths"),
            source: self.uses_of(program).and_then(|uses| uses.head.clone()),
        };
        self.refusal(program, vec![breach])
    }

    fn uses_of(&self, program: &Program) -> Option<&Uses> {
        self.uses.iter().find(|(name, _)| *name == program.name).map(|(_, uses)| uses)
    }

    fn breach(&self, used: &Use) -> Breach {
        let (what, key) = used.kind.names();
        let text = match &used.map {
            Some(map) => format!("map {map} of type {}", used.name),
            None => format!("{what} {}", used.name),
        };
        let (name, source) = (used.name.clone(), used.source.clone());
        let label = format!("{text} is not allowed");
        Breach { what, key, value: format!("{name:?}"), name, text, label, source }
    }

    fn refusal(&self, program: &Program, breaches: Vec<Breach>) -> Option<ProgramReport> {
        let first = breaches.first()?;
        let path = &self.policy.path;
        let all: Vec<&str> = breaches.iter().map(|breach| breach.text.as_str()).collect();
        Some(ProgramReport {
            name: program.name.clone(),
            section: program.section.clone(),
            stage: Some(Stage::Policy),
            reason: Some(format!("{path} does not allow {}", all.join(", "))),
            meaning: Some(first.label.clone()),
            source: first.source.clone(),
            help: Some(help(&breaches, path)),
            breaches,
            ..ProgramReport::empty(Verdict::Rejected)
        })
    }
}

/// What to write into the policy at `path`.
fn help(breaches: &[Breach], path: &str) -> String {
    let mut keys = Vec::<(&str, Vec<&str>)>::new();
    for Breach { key, value, .. } in breaches {
        match keys.iter_mut().find(|(other, _)| other == key) {
            Some((_, values)) if values.contains(&value.as_str()) => {}
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    let all = keys.into_iter().map(|(key, values)| match key {
        "max-insns" => format!("{key} = {}", values.concat()),
        key => format!("{key} = [{}]", values.join(", ")),
    });
    let all: Vec<_> = all.collect();
    format!("leave it out, or add to {path}: {}", all.join(", "))
}
