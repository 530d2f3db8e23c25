// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a checked program to native code, function by function.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, UserExternalName};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{Context, FinalizedMachReloc, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;

use crate::Options;
use crate::arity;
use crate::changes::{Changes, changes};
use crate::code::{Code, CodeRange, Relocation, RelocationKind, Symbol};
use crate::context;
use crate::fault;
use crate::isa;
use crate::operation::Operation;
use crate::program::Program;
use crate::target::{Binding, Bindings, Target};
use crate::translate::{FUNCTIONS, MAY_FAULT, TARGETS, Unit, translate};

/// Every function begins at a multiple of this, as compilers have it.
const ALIGNMENT: usize = 16;

/// Compiles a program. Everything that it refers to has to be bound.
pub fn compile(program: &Program, bindings: &Bindings, options: &Options) -> Result<Code> {
    ensure!(
        options.arguments <= arity::MOST,
        "a program takes at most {} arguments, not {}",
        arity::MOST,
        options.arguments
    );
    let isa = isa::generator(options.architecture)?;
    let mut arities = arity::arities(program, bindings);
    let context = context::analyse(program, bindings, &arities);
    if let Some(main) = arities.first_mut() {
        *main = options.arguments;
    }
    let begin = options.begin.map(Target::Runtime);
    let unit = Unit {
        program,
        bindings,
        targets: targets(program, bindings, begin),
        arities,
        throwing: throwing(program, bindings)?,
        exception_callback: program.exception_callback(),
        begin,
        architecture: options.architecture,
    };
    let mut output = Output::default();
    let mut builder_context = FunctionBuilderContext::new();
    let mut context_of_function = Context::new();
    for (index, function) in program.functions().iter().enumerate() {
        context_of_function.clear();
        translate(&unit, index, function, &mut context_of_function.func, &mut builder_context)
            .and_then(|()| output.function(&mut context_of_function, &*isa, function.start))
            .with_context(|| {
                format!("failed to compile the function at instruction {}", function.start)
            })?;
    }
    let relocations = output.relocations(&unit.targets)?;
    let faulting_loads = if options.fault_table {
        fault::table(options.architecture, &output.bytes, &output.loads)?
    } else {
        Vec::new()
    };
    let calls_outside = begin.is_some()
        || unit
            .targets
            .iter()
            .any(|target| bindings.get(target).is_some_and(Binding::calls_outside));
    let own_changes = changes(options.architecture, &output.bytes, &output.functions);
    let changes = if calls_outside { Changes::all(options.architecture) } else { own_changes };
    Ok(Code {
        architecture: options.architecture,
        bytes: output.bytes,
        functions: output.functions,
        relocations,
        faulting_loads,
        context,
        changes,
        own_changes,
        calls_outside,
    })
}

/// Everything outside of the program that its code refers to, in order.
fn targets(program: &Program, bindings: &Bindings, begin: Option<Target>) -> Vec<Target> {
    let mut targets = program.targets();
    let bound = targets.iter().filter_map(|target| bindings.get(target));
    let parts: Vec<Target> = bound.flat_map(Binding::parts).collect();
    targets.extend(parts);
    targets.extend(begin);
    targets.into_iter().collect()
}

/// The functions that `bpf_throw` can end: those that call it, and those that call such ones.
fn throwing(program: &Program, bindings: &Bindings) -> Result<BTreeSet<usize>> {
    let throws = |operation: &Operation| {
        matches!(operation, Operation::Call { target }
            if bindings.get(target) == Some(&Binding::Throw))
    };
    let mut throwing: BTreeSet<usize> = BTreeSet::new();
    for (index, function) in program.functions().iter().enumerate() {
        if program.operations(function).any(|(_, operation)| throws(operation)) {
            throwing.insert(index);
        }
    }
    loop {
        let before = throwing.len();
        for (index, function) in program.functions().iter().enumerate() {
            if !function.callees.is_disjoint(&throwing) {
                throwing.insert(index);
            }
        }
        if throwing.len() == before {
            break;
        }
    }
    if let Some(callback) = program.exception_callback() {
        ensure!(!throwing.contains(&callback), "the exception callback can itself throw");
    }
    Ok(throwing)
}

/// What was compiled so far.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    functions: Vec<CodeRange>,
    /// With the names that functions have while they are compiled.
    references: Vec<Reference>,
    /// Where loads that may fault are.
    loads: Vec<u32>,
}

struct Reference {
    offset: u32,
    kind: RelocationKind,
    name: UserExternalName,
    addend: i64,
}

impl Output {
    /// Compiles what `context` holds, and appends it.
    fn function(
        &mut self,
        context: &mut Context,
        isa: &dyn TargetIsa,
        instruction: usize,
    ) -> Result<()> {
        let mut control = ControlPlane::default();
        if let Err(error) = context.compile(isa, &mut control) {
            bail!("Cranelift refuses it: {:?}", error.inner);
        }
        let compiled = context.compiled_code().context("Cranelift gives no code")?;
        let padding = self.bytes.len().next_multiple_of(ALIGNMENT) - self.bytes.len();
        // Never reached; int3 on x86-64, and no valid instruction on AArch64.
        self.bytes.extend(std::iter::repeat_n(0xcc, padding));
        let base = u32::try_from(self.bytes.len()).context("the code is too large")?;
        let code = compiled.code_buffer();
        let length = u32::try_from(code.len()).context("the code is too large")?;
        let end = base.checked_add(length);
        ensure!(end.is_some_and(|end| end <= i32::MAX as u32), "the code is too large");
        self.bytes.extend_from_slice(code);
        self.functions.push(CodeRange { instruction, offset: base, length });
        let traps = compiled.buffer.traps().iter().filter(|trap| trap.code == MAY_FAULT);
        self.loads.extend(traps.map(|trap| base + trap.offset));
        let names = context.func.params.user_named_funcs();
        for relocation in compiled.buffer.relocs() {
            let FinalizedMachReloc { offset, kind, target, addend } = relocation;
            let name = match target {
                FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => names.get(*name),
                _ => None,
            };
            let Some(name) = name else {
                bail!("Cranelift refers to {target:?}, which is unknown")
            };
            self.references.push(Reference {
                offset: base + offset,
                kind: relocation_kind(*kind)?,
                name: name.clone(),
                addend: *addend,
            });
        }
        Ok(())
    }

    /// Fills in what is known by now, and says what is not.
    fn relocations(&mut self, targets: &[Target]) -> Result<Vec<Relocation>> {
        let mut remaining = Vec::new();
        for reference in &self.references {
            let Reference { offset, kind, ref name, addend } = *reference;
            let index = usize::try_from(name.index)?;
            let symbol = match name.namespace {
                FUNCTIONS => self.functions.get(index).map(|range| Symbol::Inside(range.offset)),
                TARGETS => targets.get(index).copied().map(Symbol::Outside),
                _ => None,
            };
            let symbol = symbol.with_context(|| format!("there is nothing called {name}"))?;
            let relocation = Relocation { offset, kind, symbol, addend };
            match (symbol, kind) {
                // Distances within the code are the same wherever it is.
                (Symbol::Inside(target), RelocationKind::Relative32 | RelocationKind::Call26) => {
                    relocation.apply(&mut self.bytes, 0, target.into())?;
                }
                _ => remaining.push(relocation),
            }
        }
        Ok(remaining)
    }
}

fn relocation_kind(kind: Reloc) -> Result<RelocationKind> {
    Ok(match kind {
        Reloc::Abs8 => RelocationKind::Absolute64,
        Reloc::X86PCRel4 | Reloc::X86CallPCRel4 => RelocationKind::Relative32,
        Reloc::Arm64Call => RelocationKind::Call26,
        _ => bail!("Cranelift's relocation {kind} is unknown"),
    })
}
