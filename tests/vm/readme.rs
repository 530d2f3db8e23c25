// SPDX-License-Identifier: MIT OR Apache-2.0
//! The README's `console` blocks say what really happens.

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use std::fs;

use crate::guest::{Maker, checkout, run, text, trial};

pub(crate) fn trials(maker: Maker) -> Vec<Trial> {
    vec![trial("readme::console_blocks", move || console_blocks(maker))]
}

/// A command, with the lines that follow it.
type Command = (String, Vec<String>);

fn console_blocks(maker: Maker) -> Result<()> {
    let readme = fs::read_to_string(checkout().join("README.md"))?;
    let mut blocks = blocks(&readme);
    if maker == Maker::UfuncGen {
        // The others begin with a module in Rust, or need no kernel.
        let has = |block: &[Command], text| block.iter().any(|(command, _)| command.contains(text));
        blocks.retain(|block| {
            let verifies = has(block, "ufunc-gen ko") || has(block, "loader verify");
            verifies && !has(block, "kmod/") && !has(block, "--kernels")
        });
    }
    ensure!(!blocks.is_empty(), "the README has no console blocks");
    for block in blocks {
        for (command, expected) in block {
            let output = shell(&command)?;
            compare(&expected, &output).with_context(|| format!("$ {command}\n{output}"))?;
        }
        // The next block, or test, loads a module of its own.
        shell("rmmod ufunc")?;
    }
    Ok(())
}

/// The `console` blocks.
fn blocks(readme: &str) -> Vec<Vec<Command>> {
    let mut blocks = Vec::<Vec<Command>>::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            blocks.extend(inside.then(Vec::new));
            continue;
        }
        let Some(block) = blocks.last_mut().filter(|_| inside) else { continue };
        if let Some(command) = line.strip_prefix("$ ") {
            // The machine under test has no sudo, and is root.
            block.push((command.replace("sudo ", ""), Vec::new()));
        } else if let Some((_, output)) = block.last_mut() {
            output.push(line.to_owned());
        }
    }
    blocks
}

fn shell(command: &str) -> Result<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", checkout().join("target/debug").display());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1; {command}")]);
    let output = run(shell.env("PATH", path).current_dir(checkout()))?;
    Ok(text(&output.stdout))
}

/// Compares line by line; a line `…` stands for any lines.
fn compare(expected: &[String], output: &str) -> Result<()> {
    let lines: Vec<&str> = output.lines().collect();
    let any = expected.iter().position(|line| line == "…");
    let (head, tail) = expected.split_at(any.unwrap_or(expected.len()));
    let tail = tail.get(1..).unwrap_or_default();
    let fixed = head.len() + tail.len();
    let fits = lines.len() == fixed || any.is_some() && lines.len() > fixed;
    ensure!(fits, "{} lines instead of {fixed}", lines.len());
    let of_tail = lines.iter().skip(lines.len() - tail.len());
    for (expected, line) in head.iter().zip(&lines).chain(tail.iter().zip(of_tail)) {
        ensure!(matches(expected, line), "the README has {expected:?}, here it is {line:?}");
    }
    Ok(())
}

/// Whether `line` is `pattern`, in which `…` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|head| line.strip_prefix(head)) else {
        return false;
    };
    let Some(tail) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(tail)
}
