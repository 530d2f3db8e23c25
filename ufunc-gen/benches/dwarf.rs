// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long it takes to read an application's debug information: this benchmark's own, or that of
//! the file in `UFUNC_BENCH_APP`.

use std::env;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use criterion::Criterion;
use ufunc_gen::debugfile::sections::Sections;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::HostFile;
use ufunc_gen::userspace::{self, Options};

fn main() -> Result<()> {
    let app = match env::var_os("UFUNC_BENCH_APP") {
        Some(app) => PathBuf::from(app),
        None => env::current_exe()?,
    };
    let file = HostFile::open(&app)?;
    let host = file.parse()?;
    let search = Search::default();
    let files = DebugFiles::find(&host, &search)?;
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    criterion.bench_function("sections", |bench| bench.iter(|| files.load()));
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    criterion.bench_function("headers", |bench| {
        bench.iter(|| DebugInfo::new(&sections, &split).map(|debug| debug.len()));
    });
    criterion.bench_function("types", |bench| {
        bench.iter(|| {
            let debug = DebugInfo::new(&sections, &split)?;
            let options = Options { functions: true, ..Options::default() };
            let userspace = userspace::read(&debug, &options, &AtomicU64::new(0))?;
            black_box(userspace.btf(&Sections::default()).types.len());
            Ok::<_, anyhow::Error>(())
        });
    });
    criterion.bench_function("functions", |bench| {
        bench.iter(|| DebugInfo::new(&sections, &split)?.functions().map(|all| all.len()));
    });
    criterion.final_summary();
    Ok(())
}
