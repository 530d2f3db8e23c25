// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of several applications and libraries run together.
//!
//! Two executables never do: they are versions of an application, or different ones, and each is
//! judged. Nor do two libraries of one SONAME; libraries of different ones do.

use anyhow::{Result, ensure};

use crate::host::App;

/// More combinations than anybody means to have judged.
const MAX: usize = 64;

/// Every combination of one executable and one library of each name among `apps`.
pub(crate) fn combinations(apps: &[App]) -> Result<Vec<Vec<&App>>> {
    if let [app] = apps {
        return Ok(vec![vec![app]]);
    }
    let groups = groups(apps.iter().map(|app| (app, app.library())));
    let count = groups.iter().try_fold(1_usize, |count, group| count.checked_mul(group.len()));
    ensure!(
        count.is_some_and(|count| count <= MAX),
        "the files given with --app make more than {MAX} combinations; judge some of them at a time"
    );
    let mut combinations = vec![Vec::new()];
    for group in groups {
        let with = |combination: &Vec<_>| {
            let mut extended = Vec::new();
            for &app in &group {
                extended.push([combination.as_slice(), &[app]].concat());
            }
            extended
        };
        combinations = combinations.iter().flat_map(with).collect();
    }
    // Of libraries alone there may be no other order than the given one.
    for combination in &mut combinations {
        combination.sort_by_key(|app| apps.iter().position(|other| std::ptr::eq(*app, other)));
    }
    Ok(combinations)
}

/// What are alternatives to each other, in order: executables, and libraries of one name.
fn groups<T>(all: impl Iterator<Item = (T, Option<String>)>) -> Vec<Vec<T>> {
    let mut groups = Vec::<(Option<String>, Vec<T>)>::new();
    for (item, name) in all {
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, group)) => group.push(item),
            None => groups.push((name, vec![item])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_and_libraries_of_one_name_are_alternatives() {
        let all = [("app", None), ("libx-1", Some("libx")), ("liby", Some("liby"))];
        let all = all.into_iter().chain([("app-2", None), ("libx-2", Some("libx"))]);
        let groups = groups(all.map(|(item, name)| (item, name.map(str::to_owned))));
        assert_eq!(groups, [vec!["app", "app-2"], vec!["libx-1", "libx-2"], vec!["liby"]]);
    }
}
