// SPDX-License-Identifier: MIT OR Apache-2.0
//! The README's `console` blocks say what really happens.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;

use crate::guest::{checkout, run, text, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("readme::console_blocks", console_blocks)]
}

fn console_blocks() -> Result<()> {
    let readme = fs::read_to_string(checkout().join("README.md"))?;
    let commands = commands(&readme);
    ensure!(!commands.is_empty(), "the README has no console blocks");
    for (command, expected) in commands {
        let output = shell(&command)?;
        compare(&expected, &output).with_context(|| format!("$ {command}\n{output}"))?;
    }
    // The next test loads a module of its own.
    shell("rmmod ufunc")?;
    Ok(())
}

/// The commands in `console` blocks, each with the lines that follow it.
fn commands(readme: &str) -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::<(String, Vec<String>)>::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            // The machine under test has no sudo, and is root.
            commands.push((command.replace("sudo ", ""), Vec::new()));
        } else if let (true, Some((_, output))) = (inside, commands.last_mut()) {
            output.push(line.to_owned());
        }
    }
    commands
}

fn shell(command: &str) -> Result<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", checkout().join("target/debug").display());
    let mut shell = Command::new("sh");
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
