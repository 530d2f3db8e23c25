// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests against the kernel that the virtual machine runs: it is a real one, and so are its
//! verdicts.
//!
//! `scripts/test` builds what they need and runs them in the guest. They load and unload modules,
//! one after the other, so they must have the machine to themselves. On kernels without Rust
//! (`UFUNC_TEST_MODULES=synthesised`) all modules are those that `ufunc-gen ko` makes.

mod attach;
mod auto;
mod guest;
mod ko;
mod lifecycle;
mod modules;
mod readme;
mod run;
mod verdicts;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use guest::Maker;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // There is one kernel.
    arguments.test_threads = Some(1);
    let trials = match trials() {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("setup", move || Err(format!("{error:#}").into()))],
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    verdicts::print_table();
    conclusion.exit_code()
}

fn trials() -> anyhow::Result<Vec<Trial>> {
    guest::require()?;
    let maker = Maker::of_this_run()?;
    let mut trials = verdicts::trials(maker)?;
    trials.extend(ko::trials(maker)?);
    trials.extend(auto::trials(maker));
    trials.extend(readme::trials(maker));
    trials.extend(run::trials(maker));
    if maker == Maker::UfuncGen {
        return Ok(trials);
    }
    trials.extend(attach::trials());
    trials.extend(lifecycle::trials());
    trials.extend(modules::trials()?);
    Ok(trials)
}
