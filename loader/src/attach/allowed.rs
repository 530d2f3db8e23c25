// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy of an extension that is to be loaded for good.

use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::AttachError;
use super::load::Loaded;
use super::plan::Plan;
use super::raw;
use crate::allow::Limits;
use crate::attempt::Program;
use crate::object::BpfObject;
use crate::report::{ProgramReport, Report};

/// What a policy says of the programs of a plan.
pub(crate) struct Allowed<'a> {
    object: &'a BpfObject,
    plan: &'a Plan,
    limits: Limits,
}

impl<'a> Allowed<'a> {
    /// Reads the policy at `path`. Refuses the programs of `plan` if it does not allow what they
    /// use, or where they go.
    pub(crate) fn read(
        path: &Path,
        object: &'a BpfObject,
        plan: &'a Plan,
    ) -> Result<Self, AttachError> {
        let programs: Vec<Program> =
            plan.programs.iter().map(|planned| planned.program.clone()).collect();
        let limits = Limits::read(path, object, &programs)?;
        let allowed = Allowed { object, plan, limits };
        let refused = plan
            .programs
            .iter()
            .filter_map(|planned| allowed.limits.judge(&planned.program, &planned.point()));
        allowed.check(refused.collect())?;
        Ok(allowed)
    }

    /// Refuses the programs if the verifier counted too many instructions.
    pub(crate) fn check_counts(&self, loaded: &Loaded) -> Result<(), AttachError> {
        let mut refused = Vec::new();
        for planned in &self.plan.programs {
            let Some(program) = loaded.program(&planned.program.name) else { continue };
            let counted = raw::verified_insns(program.as_fd()).with_context(|| {
                format!("failed to ask how program {} was verified", planned.program.name)
            })?;
            refused.extend(self.limits.judge_count(&planned.program, counted));
        }
        self.check(refused)
    }

    fn check(&self, refused: Vec<ProgramReport>) -> Result<(), AttachError> {
        if refused.is_empty() {
            return Ok(());
        }
        let report = Report { programs: refused, ..Report::new(&self.object.path, &[]) };
        Err(AttachError::Refused(vec![report]))
    }
}
