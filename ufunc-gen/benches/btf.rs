// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long it takes to handle a kernel's types, and as many as a large application has.
//!
//! `cargo bench -p ufunc-gen`; takes the running kernel's BTF, or the file in `UFUNC_BENCH_BTF`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ufunc_gen::btf::check::check;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::dedup::dedup;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::merge::{Before, Input, Options, Prefer, merge};
use ufunc_gen::btf::raw::Raw;
use ufunc_gen::btf::{Type, TypeId};

/// Types that all compile units of a large application might bring.
const MANY: usize = 1_000_000;

fn kernel() -> Vec<u8> {
    let path = std::env::var("UFUNC_BENCH_BTF").unwrap_or("/sys/kernel/btf/vmlinux".into());
    std::fs::read(&path).unwrap_or_else(|error| panic!("failed to read {path}: {error}"))
}

fn types(bytes: &[u8]) -> Vec<Type<'_>> {
    Btf::parse(bytes).unwrap().types().map(|item| item.unwrap().1).collect()
}

/// `types` again and again, each time with ids of its own, until there are `count`.
fn copies<'a>(types: &[Type<'a>], count: usize) -> Vec<Type<'a>> {
    let mut copies = Vec::with_capacity(count + types.len());
    while copies.len() < count {
        let offset = copies.len() as u32;
        copies.extend(types.iter().cloned().map(|mut ty| {
            ty.for_each_ref_mut(|id| {
                if *id != TypeId::VOID {
                    id.0 += offset;
                }
            });
            ty
        }));
    }
    copies
}

fn input<'a>(bytes: &'a [u8], stem: &str) -> Input<'a> {
    let btf = Raw::parse(bytes).unwrap();
    Input { label: "input", stem: stem.to_owned(), btf, before: Before::Nothing }
}

fn benchmark(criterion: &mut Criterion) {
    let kernel = kernel();
    let all = types(&kernel);
    // An application's size, though the types are the kernel's: references beyond lead to void.
    let mut part = all[..all.len().min(31_000)].to_vec();
    let count = part.len() as u32;
    for ty in &mut part {
        ty.for_each_ref_mut(|id| id.0 = if id.0 > count { 0 } else { id.0 });
    }
    let host = Encoded::new(&part, 0).unwrap().to_bytes().unwrap();

    let mut group = criterion.benchmark_group("btf");
    group.sample_size(10);
    group.bench_function("check", |bencher| bencher.iter(|| black_box(check(&all)).is_ok()));
    for dedup in [false, true] {
        let name = if dedup { "merge" } else { "merge --no-dedup" };
        let (prefer, keep_base) = (Prefer::More, Vec::new());
        let options = Options { dedup, prefer, keep_base, details: 5, ambiguous: false };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                merge(input(&kernel, "kernel"), vec![input(&host, "host")], &options).unwrap()
            });
        });
    }
    let many = copies(&all, MANY);
    group.bench_function("dedup of a million types", |bencher| {
        bencher.iter_batched(|| many.clone(), |many| dedup(many, 1), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
