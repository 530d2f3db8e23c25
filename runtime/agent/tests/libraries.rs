// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real libraries at work, with hooks on whatever of their functions chance picks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

mod common;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use common::{Library, hook, in_child, load, random, seed, trash, trashed};
use ufunc_agent::Hook;
use ufunc_hook::program::When;
use ufunc_hook::site;

/// How many functions of one library are hooked at once.
const HOOKS: usize = 400;
const ROUNDS: u64 = 4;

/// Where the loader finds a library of the system.
fn system(name: &str) -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found =
        folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: the test needs it"))
}

/// Hooks of any kind on up to [`HOOKS`] functions of `library`.
fn hook_many(library: &Library, state: &mut u64) -> Result<Vec<Hook>> {
    let mut functions: Vec<_> = library.functions.iter().collect();
    for index in (1..functions.len()).rev() {
        functions.swap(index, random(state) as usize % (index + 1));
    }
    let (mut hooks, mut traps) = (Vec::new(), 0);
    for function in functions.into_iter().take(HOOKS) {
        let kinds = [When::Entry, When::Return, When::Session];
        let programs: Vec<_> = (0..1 + random(state) % 2)
            .map(|_| trash(kinds[random(state) as usize % kinds.len()]))
            .collect();
        traps += usize::from(site::find(&function.planned(), 0)?.trap.is_some());
        hooks.push(hook(function, 0, &programs).with_context(|| function.name.clone())?);
    }
    println!("{} hooks, {traps} of them traps", hooks.len());
    ensure!(traps * 4 < hooks.len(), "{traps} traps of {}", hooks.len());
    Ok(hooks)
}

/// `work` gives the same with hooks and without, and the library is what it was.
fn same_with_hooks(name: &str, work: impl Fn(&Library) -> Result<String>) {
    let seed = seed();
    for round in 0..ROUNDS {
        in_child(|| {
            let mut state = (seed + round * 2) | 1;
            let library = load(&system(name));
            let expected = work(&library)?;
            let hooks = hook_many(&library, &mut state)?;
            let before = trashed();
            let got = work(&library)?;
            ensure!(got == expected, "{got} rather than {expected}");
            let hits = trashed() - before;
            println!("{hits} hits");
            for hook in hooks {
                hook.detach()?;
            }
            ensure!(hits > 0, "nothing was hit");
            ensure!(work(&library)? == expected, "detached it does something else");
            for function in &library.functions {
                ensure!(function.bytes() == function.original, "{} was changed", function.name);
            }
            Ok(())
        });
    }
}

type Callback = extern "C" fn(*mut c_void, c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;

/// Adds the fields of a row to a text.
extern "C" fn row(
    text: *mut c_void,
    count: c_int,
    values: *mut *mut c_char,
    _: *mut *mut c_char,
) -> c_int {
    // SAFETY: sqlite gives what it was given, and as many texts as it says.
    unsafe {
        let text = &mut *text.cast::<String>();
        for index in 0..count as usize {
            let value = *values.add(index);
            if !value.is_null() {
                text.push_str(&CStr::from_ptr(value).to_string_lossy());
            }
            text.push('|');
        }
    }
    0
}

const SQL: &str = "
    create table t(a integer primary key, b text, c real);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)
        insert into t select i, printf('%05d-%s', i * 7919 % 1000, hex(i)), i / 7.0 from n;
    create index i on t(b);
    begin; update t set c = c * 2 where a % 3 = 0; delete from t where b like '%9-%'; rollback;
    update t set b = upper(b) || substr(b, 2) where a between 100 and 200;
    select count(*), sum(a), round(avg(c), 6), min(b), max(b), total(length(b)) from t;
    select a, b, round(sqrt(c), 5), typeof(c) from t where b > '005' order by b desc, a limit 40;
    select x.a, y.a from t x join t y on x.a = y.a * 2 where x.a % 17 = 0 group by x.a having y.a > 3;
    select json_extract('{\"a\": [1, 2.5, \"x\"]}', '$.a[1]'), strftime('%Y', 0, 'unixepoch');
    select glob('a*', 'abc'), replace('hello', 'l', 'L'), quote(x'00ff'), abs(-5), 1e300 * 10;
    pragma integrity_check;";

fn sqlite(library: &Library) -> Result<String> {
    // SAFETY: these are their prototypes.
    let (open, exec, close): (
        extern "C" fn(*const c_char, *mut *mut c_void) -> c_int,
        extern "C" fn(*mut c_void, *const c_char, Callback, *mut c_void, *mut *mut c_char) -> c_int,
        extern "C" fn(*mut c_void) -> c_int,
    ) = unsafe {
        (
            std::mem::transmute(library.address("sqlite3_open")),
            std::mem::transmute(library.address("sqlite3_exec")),
            std::mem::transmute(library.address("sqlite3_close")),
        )
    };
    let mut database = std::ptr::null_mut();
    ensure!(open(c":memory:".as_ptr(), &raw mut database) == 0, "failed to open");
    let (mut text, sql) = (String::new(), CString::new(SQL)?);
    let code = exec(database, sql.as_ptr(), row, (&raw mut text).cast(), std::ptr::null_mut());
    ensure!(code == 0, "sqlite says {code}");
    ensure!(close(database) == 0, "failed to close");
    ensure!(text.ends_with("ok|"), "{text}");
    Ok(text)
}

#[test]
fn sqlite_with_hooks() {
    same_with_hooks("libsqlite3.so.0", sqlite);
}

fn zlib(library: &Library) -> Result<String> {
    type Pack = extern "C" fn(*mut u8, *mut u64, *const u8, u64, c_int) -> c_int;
    type Unpack = extern "C" fn(*mut u8, *mut u64, *const u8, u64) -> c_int;
    type Sum = extern "C" fn(u64, *const u8, u32) -> u64;
    // SAFETY: these are their prototypes.
    let (pack, unpack, crc, adler): (Pack, Unpack, Sum, Sum) = unsafe {
        (
            std::mem::transmute(library.address("compress2")),
            std::mem::transmute(library.address("uncompress")),
            std::mem::transmute(library.address("crc32")),
            std::mem::transmute(library.address("adler32")),
        )
    };
    let mut state = 12_345;
    let data: Vec<u8> =
        (0..60_000).map(|index| (random(&mut state) as usize % 7 * index / 999) as u8).collect();
    let mut sums = String::new();
    for level in 0..=9 {
        let mut packed = vec![0; 80_000];
        let mut length = packed.len() as u64;
        let code = pack(packed.as_mut_ptr(), &raw mut length, data.as_ptr(), 60_000, level);
        ensure!(code == 0, "level {level}: {code}");
        let mut back = vec![0; 60_000];
        let mut back_length = 60_000;
        let code = unpack(back.as_mut_ptr(), &raw mut back_length, packed.as_ptr(), length);
        ensure!(code == 0 && back == data, "level {level}: {code}");
        sums += &format!("{length} {:x} ", crc(0, packed.as_ptr(), length as u32));
        sums += &format!("{:x};", adler(1, packed.as_ptr(), length as u32));
    }
    Ok(sums)
}

#[test]
fn zlib_with_hooks() {
    same_with_hooks("libz.so.1", zlib);
}

/// C++, with exceptions of the library's own: numbers that cannot be read.
#[test]
fn the_cpp_library_with_hooks() {
    let program = |library: &Library| {
        // SAFETY: that is its prototype.
        let run: extern "C" fn(c_int) -> c_int =
            unsafe { std::mem::transmute(library.address("exceptions")) };
        run(300)
    };
    let seed = seed();
    for round in 0..ROUNDS {
        in_child(|| {
            let mut state = (seed + round * 2) | 1;
            let fixture = common::compile("g++", "returns.cpp", &["-O2"]);
            ensure!(program(&fixture) == 0, "without hooks");
            let library = load(&system("libstdc++.so.6"));
            let hooks = hook_many(&library, &mut state)?;
            let code = program(&fixture);
            ensure!(code == 0, "with hooks: {code}");
            for hook in hooks {
                hook.detach()?;
            }
            ensure!(program(&fixture) == 0, "detached");
            Ok(())
        });
    }
}
