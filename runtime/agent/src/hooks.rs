// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hooks that are in place.

use std::ops::Range;
use std::sync::Once;

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_shared::placement::Placement;
use ufunc_shared::plan::{INT3, Plan};
use ufunc_shared::thread::Agent;

use crate::lock::ForkLock;
use crate::near::Areas;
use crate::text::Text;
use crate::{patch, returns, sys, threads, trap};

/// `ARCH_SHSTK_STATUS`
const SHADOW_STACK_STATUS: usize = 0x5005;

/// Where functions begin, as compilers like it.
const CODE_ALIGNMENT: u64 = 16;

/// A hook that is in place, until it is detached.
#[must_use = "it stays in place until it is detached"]
#[derive(Debug)]
pub struct Hook {
    patch: u64,
}

/// What a planner has to know of this process' agent.
#[must_use]
pub fn agent() -> Agent {
    returns::agent()
}

/// How many hits no program saw: those that an extension caused itself, and returns for which a
/// thread had no cell left.
#[must_use]
pub fn missed() -> u64 {
    returns::missed()
}

/// Room for a stub of up to `size` bytes for a change at `patch`. If a stub for the same place was
/// in use before it is offered again when `again` is set: for as long as nobody knows that no thread
/// is in it, it can only serve a plan that has the very same bytes.
pub fn reserve(patch: u64, placement: &Placement, size: usize, again: bool) -> Result<u64> {
    locked(|state| {
        let fits = |plan: &&Plan| {
            plan.patch == patch && plan.code.len() <= size && placement.allows(plan.stub)
        };
        match state.retired.iter().find(fits) {
            Some(plan) if again => Ok(plan.stub),
            _ => state.areas.take(placement, size as u64),
        }
    })
}

/// Room for `size` bytes of programs, within reach of a jump from and to all of `near`, or else of
/// the agent's own functions. It is never given back, for a thread may be in it.
pub fn reserve_code(near: Option<Range<u64>>, size: usize) -> Result<u64> {
    let near = near.unwrap_or_else(|| {
        let own = agent().enter;
        own..own
    });
    let anchor = near.start & !(CODE_ALIGNMENT - 1);
    let placement = Placement::near(anchor).reaching(near.end.next_multiple_of(CODE_ALIGNMENT));
    let size = (size as u64).max(1).next_multiple_of(CODE_ALIGNMENT);
    locked(|state| state.code.take(&placement, size))
}

/// Writes programs where room was reserved for them.
///
/// # Safety
///
/// Nothing has been led there yet.
pub unsafe fn install_code(address: u64, bytes: &[u8]) -> Result<()> {
    locked(|state| {
        let end = address.checked_add(bytes.len() as u64).context("code wraps around")?;
        ensure!(state.code.is_taken(&(address..end)), "no room was reserved at {address:#x}");
        // SAFETY: as the caller vouches.
        unsafe { Text::open().write(address, bytes) }
    })
}

/// Puts a hook in place. Nothing is changed unless all of it is possible.
///
/// # Safety
///
/// The plan was made for this process, for its [`agent`] and by what is really there; its programs
/// stay where they are for good, and do as they were described.
pub unsafe fn attach(plan: &Plan) -> Result<Hook> {
    plan.check()?;
    locked(|state| {
        let range = covered(plan);
        if let Some(other) = state.installed.iter().find(|other| overlap(&covered(other), &range)) {
            bail!("{:#x} is too near to a hook at {:#x}", plan.point, other.point);
        }
        let text = Text::open();
        check_bytes(&text, plan.patch, &plan.original)?;
        prepare(plan)?;
        state.place(&text, plan)?;
        // SAFETY: the stub is there, and by what the caller vouches it does what the original
        // bytes do, which are there.
        unsafe { change(&text, plan, &plan.original, &plan.replacement) }?;
        state.installed.push(plan.clone());
        Ok(Hook { patch: plan.patch })
    })
}

impl Hook {
    /// Puts another plan for the same point in its place. Each call is seen by the programs of one
    /// of them.
    ///
    /// # Safety
    ///
    /// As for [`attach`].
    pub unsafe fn replace(&mut self, plan: &Plan) -> Result<()> {
        plan.check()?;
        ensure!(
            plan.patch == self.patch,
            "the plan is for {:#x}, not {:#x}",
            plan.patch,
            self.patch
        );
        locked(|state| {
            let index = state.index(self.patch)?;
            let old = state.installed.get(index).context("the hook is gone")?.clone();
            ensure!(
                old.original == plan.original && old.interior() == plan.interior(),
                "the plan for {:#x} was made for other bytes",
                plan.point
            );
            let text = Text::open();
            let now = hooked_bytes(&text, &old)?;
            prepare(plan)?;
            state.place(&text, plan)?;
            let new = under_breakpoint(&now, &old, &plan.replacement);
            // SAFETY: as in `attach`; the bytes of the old hook are there.
            unsafe { change(&text, plan, &now, &new) }?;
            if let Some(installed) = state.installed.get_mut(index) {
                *installed = plan.clone();
            }
            state.retired.push(old);
            Ok(())
        })
    }

    /// Puts the original bytes back.
    pub fn detach(self) -> Result<()> {
        self.take_away()
    }

    /// Puts the original bytes back, unless that fails. The hook is in place no more, then.
    pub(crate) fn take_away(&self) -> Result<()> {
        locked(|state| {
            let index = state.index(self.patch)?;
            let plan = state.installed.get(index).context("the hook is gone")?.clone();
            let text = Text::open();
            let now = hooked_bytes(&text, &plan)?;
            threads::take_traps(&trap::SIGNALS)?;
            let new = under_breakpoint(&now, &plan, &plan.original);
            // SAFETY: the stub stays, and the original bytes are the application's own.
            unsafe { change(&text, &plan, &now, &new) }?;
            for moved in &plan.moved {
                trap::lead(moved.from, moved.from);
            }
            if let Some(amid) = plan.amid_first() {
                trap::lead(amid, plan.patch);
            }
            state.installed.remove(index);
            state.retired.push(plan);
            Ok(())
        })
    }
}

/// What there is in this process.
struct State {
    installed: Vec<Plan>,
    /// Plans that were in place. Threads may still be in their stubs.
    retired: Vec<Plan>,
    areas: Areas,
    /// Room for programs.
    code: Areas,
}

impl State {
    fn index(&self, patch: u64) -> Result<usize> {
        let found = self.installed.iter().position(|plan| plan.patch == patch);
        found.with_context(|| format!("there is no hook at {patch:#x}"))
    }

    /// Writes the stub, unless it is there.
    fn place(&mut self, text: &Text, plan: &Plan) -> Result<()> {
        let range = plan.stub..plan.stub + plan.code.len() as u64;
        ensure!(self.areas.is_taken(&range), "no room was reserved at {:#x}", plan.stub);
        let stub = |other: &Plan| other.stub..other.stub + other.code.len() as u64;
        if let Some(other) = self.installed.iter().find(|other| overlap(&stub(other), &range)) {
            bail!("the stub at {:#x} is in use for {:#x}", plan.stub, other.point);
        }
        match self.retired.iter().position(|other| overlap(&stub(other), &range)) {
            Some(index) => {
                let same = self.retired.get(index).is_some_and(|other| {
                    other.stub == plan.stub && other.code == plan.code && other.moved == plan.moved
                });
                ensure!(same, "another stub was at {:#x}: a thread may be in it", plan.stub);
                self.retired.swap_remove(index);
            }
            // SAFETY: nobody has been led there yet.
            None => unsafe { text.write(plan.stub, &plan.code) }?,
        }
        for moved in &plan.moved {
            trap::remember(moved.from, moved.to);
        }
        Ok(())
    }
}

/// The bytes that a plan changes or displaces the instructions of.
fn covered(plan: &Plan) -> Range<u64> {
    plan.patch..plan.patch + plan.original.len() as u64
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn check_bytes(text: &Text, address: u64, expected: &[u8]) -> Result<()> {
    let there = text.read(address, expected.len())?;
    ensure!(
        there == expected,
        "at {address:#x} there is {there:02x?} rather than {expected:02x?}: somebody else changed it"
    );
    Ok(())
}

/// What is in the place of the hook that `plan` put there. A probe of the kernel may have a breakpoint
/// over the first byte, or have put the file's there when it went.
fn hooked_bytes(text: &Text, plan: &Plan) -> Result<Vec<u8>> {
    let there = text.read(plan.patch, plan.replacement.len())?;
    let as_file = plan.original.first().copied();
    let is_known = |first: &u8| *first == INT3 || as_file == Some(*first);
    let expected: Vec<u8> = there.iter().take(1).filter(|first| is_known(first)).copied().collect();
    let known = expected.len();
    let expected = [&expected, plan.replacement.get(known..).unwrap_or_default()].concat();
    check_bytes(text, plan.patch, &expected)?;
    Ok(there)
}

/// The bytes `new`, in the place of `now`, of which a breakpoint of somebody else stays.
fn under_breakpoint(now: &[u8], plan: &Plan, new: &[u8]) -> Vec<u8> {
    let mut new = new.to_vec();
    if let (Some(INT3), Some(first), false) = (now.first().copied(), new.first_mut(), plan.traps())
    {
        *first = INT3;
    }
    new
}

/// Sees to what a change needs.
fn prepare(plan: &Plan) -> Result<()> {
    ensure!(
        !(plan.writes_return_addresses && has_shadow_stack()),
        "the processor keeps a shadow stack for the application, so return addresses cannot be \
         replaced: start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off"
    );
    threads::take_traps(&trap::SIGNALS)?;
    trap::install()?;
    patch::prepare()
}

/// # Safety
///
/// The plan's stub is in place and `old` at the patch; both do the same but for the programs.
unsafe fn change(text: &Text, plan: &Plan, old: &[u8], new: &[u8]) -> Result<()> {
    for (index, moved) in plan.moved.iter().enumerate() {
        // The first leads into the hook.
        trap::lead(moved.from, if index == 0 { plan.stub } else { moved.to });
    }
    // Should the first byte become that of a prefix again.
    if let Some(amid) = plan.amid_first() {
        trap::lead(amid, plan.stub);
    }
    // SAFETY: all places where instructions begin are known to the handlers now.
    let changed = unsafe { patch::change(text, plan.patch, old, new, &plan.interior()) };
    changed.with_context(|| format!("failed to change the code at {:#x}", plan.patch))
}

/// Whether the processor checks return addresses.
fn has_shadow_stack() -> bool {
    let mut features = 0u64;
    let arguments = [SHADOW_STACK_STATUS, (&raw mut features).addr(), 0, 0, 0, 0];
    // SAFETY: the kernel writes to `features`, or does not know the question.
    let answer = unsafe { sys::call(libc::SYS_arch_prctl, arguments) };
    answer == 0 && features & 1 != 0
}

static STATE: ForkLock<State> = ForkLock::new(State {
    installed: Vec::new(),
    retired: Vec::new(),
    areas: Areas::new(),
    code: Areas::new(),
});

unsafe extern "C" fn lock() {
    STATE.acquire();
}

unsafe extern "C" fn unlock() {
    // SAFETY: only called by `fork`, which has called `lock`.
    unsafe { STATE.release() };
}

/// Runs `work` on the state while nobody else does. `work` does not fork, nor run hooks.
fn locked<T>(work: impl FnOnce(&mut State) -> T) -> T {
    prepare_forks();
    STATE.locked(work)
}

/// Has every `fork` take the lock. Locks that are held while this one is taken are prepared later.
pub(crate) fn prepare_forks() {
    static FORKS: Once = Once::new();
    FORKS.call_once(|| ForkLock::<State>::with_forks(lock, unlock));
}
