// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pairs that look like acquire and release and are not lent, and how they are reported.

use std::collections::BTreeMap;

/// Why a pair was left out, in kinds that a summary can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// One of them cannot be a kfunc, or cannot be found.
    NotLendable,
    /// No extension could ever call it.
    NotCallable,
    /// What is acquired may not be what is released.
    Doubtful,
    /// The acquire function has a better partner.
    BetterPartner,
}

impl Why {
    fn describe(self) -> &'static str {
        match self {
            Why::NotLendable => "impossible as kfuncs",
            Why::NotCallable => "never callable",
            Why::Doubtful => "doubtful",
            Why::BetterPartner => "with a better partner",
        }
    }
}

/// A pair that looks like acquire and release and is not lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What looks like acquiring.
    pub acquire: String,
    /// What looks like releasing.
    pub release: String,
    /// The kind of reason.
    pub why: Why,
    /// The reason in words. It may end in what can be done about it, after `; `.
    pub reason: String,
}

impl LeftOut {
    fn split(&self) -> (&str, Option<&str>) {
        match self.reason.split_once("; ") {
            Some((reason, advice)) => (reason, Some(advice)),
            None => (&self.reason, None),
        }
    }
}

/// One line on all of `left_out`; `None` if there are none.
pub fn summary(left_out: &[LeftOut]) -> Option<String> {
    let mut counts = BTreeMap::new();
    left_out.iter().for_each(|pair| *counts.entry(pair.why).or_insert(0) += 1);
    let counts: Vec<_> =
        counts.into_iter().map(|(why, count)| format!("{count} {}", why.describe())).collect();
    let pairs = if left_out.len() == 1 { "pair" } else { "pairs" };
    (!left_out.is_empty()).then(|| {
        format!(
            "left out {} look-alike {pairs} (-v shows them): {}",
            left_out.len(),
            counts.join(", ")
        )
    })
}

/// A line for each of `left_out`, those with like reasons together; what can be done about one is
/// said once.
pub fn lines(left_out: &[LeftOut]) -> Vec<String> {
    let mut pairs: Vec<_> = left_out.iter().collect();
    pairs.sort_by_key(|pair| (pair.why, pair.split().1, &pair.acquire, &pair.release));
    let mut said = None;
    let mut lines = Vec::new();
    for pair in pairs {
        let (reason, advice) = pair.split();
        let advice = advice.filter(|advice| said.replace(*advice) != Some(advice));
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        lines.push(format!("left out {} and {}: {reason}{advice}", pair.acquire, pair.release));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(acquire: &str, why: Why, reason: &str) -> LeftOut {
        let (acquire, release) = (format!("{acquire}_new"), format!("{acquire}_free"));
        LeftOut { acquire, release, why, reason: reason.to_owned() }
    }

    #[test]
    fn left_out_pairs_are_counted_by_the_kind_of_reason() {
        let pairs = [
            pair("c", Why::Doubtful, "who knows"),
            pair("b", Why::NotLendable, "it is bad; make it good"),
            pair("a", Why::NotLendable, "it is worse; make it good"),
        ];
        assert_eq!(
            summary(&pairs).as_deref(),
            Some("left out 3 look-alike pairs (-v shows them): 2 impossible as kfuncs, 1 doubtful")
        );
        assert_eq!(summary(&[]), None);
        assert_eq!(
            lines(&pairs),
            [
                "left out a_new and a_free: it is worse; make it good",
                "left out b_new and b_free: it is bad",
                "left out c_new and c_free: who knows",
            ]
        );
    }
}
