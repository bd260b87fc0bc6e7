//! Reading what test runners print.

use std::fmt;
use std::ops::Add;

/// How many held and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// A check that holds.
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0 };
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Sums the `test result:` lines of `cargo test`.
pub(super) fn cargo_test(text: &str) -> Counts {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("test result: "))
        .map(|line| {
            let number_before = |word: &str| {
                let before = line.split_once(word).map_or("", |(before, _)| before);
                before.split_whitespace().next_back().and_then(|n| n.parse().ok()).unwrap_or(0)
            };
            Counts { passed: number_before(" passed"), failed: number_before(" failed") }
        })
        .fold(Counts::default(), Add::add)
}

/// What tests have measured: the rest of each line after `measured: `.
pub(super) fn measured(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| Some(line.split_once("measured: ")?.1.trim().to_owned()))
        .collect()
}

/// Sums the closing `# pass N`, `# fail N` and `# cancelled N` lines of Node's TAP reporter.
pub(super) fn node_test(text: &str) -> Counts {
    let sum = |word: &str| -> u64 {
        text.lines()
            .filter_map(|line| {
                line.strip_prefix("# ")?.strip_prefix(word)?.trim().parse::<u64>().ok()
            })
            .sum()
    };
    Counts { passed: sum("pass "), failed: sum("fail ") + sum("cancelled ") }
}

#[cfg(test)]
mod tests {
    use super::{Counts, cargo_test, measured, node_test};

    #[test]
    fn every_binary_and_the_doc_tests_count() {
        let text = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests banter_shared
test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
error: 1 target failed:
";
        assert_eq!(cargo_test(text), Counts { passed: 15, failed: 2 });
        assert_eq!(cargo_test("error: could not compile"), Counts::default());
    }

    #[test]
    fn what_is_measured_may_stand_behind_a_tests_name() {
        let text = "running 1 test\ntest a ... measured: 200 kills\nok\nmeasured: 3 ms\n";
        assert_eq!(measured(text), ["200 kills", "3 ms"]);
    }

    #[test]
    fn cancelled_browser_tests_have_failed() {
        let text = "# Subtest: # pass 9\nok 1 - x\n1..4\n# tests 6\n# suites 0\n# pass 3\n# fail 1\n# cancelled 2\n# skipped 0\n";
        assert_eq!(node_test(text), Counts { passed: 3, failed: 3 });
        assert_eq!(node_test(""), Counts::default());
    }

    #[test]
    fn the_last_line_is_what_ci_reads() {
        let sum = Counts::ONE + Counts { passed: 1, failed: 3 };
        assert_eq!(sum.to_string(), "2 passed, 3 failed");
    }
}
