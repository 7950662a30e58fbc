//! Lists of CPUs as Linux prints them: `0-3,8-11`.

use std::ops::RangeInclusive;

/// One more than the highest number that is accepted for a CPU: the most that Linux can be built for. So a damaged
/// file cannot ask for gigabytes.
pub(crate) const MOST_CPUS: usize = 8192;

/// The CPUs of a list, in rising order. An empty list is valid, since a node may have memory and no CPU. `None`: this
/// is no such list, or its numbers fall or repeat.
pub(crate) fn parse(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let mut cpus = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let range = range(part)?;
        if range.is_empty() || cpus.last().is_some_and(|last| last >= range.start()) {
            return None;
        }
        cpus.extend(range);
    }
    Some(cpus)
}

fn range(part: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    Some(number(first)?..=number(last)?)
}

/// A CPU's number. Only digits: `parse` of the standard library takes a sign as well.
pub(crate) fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < MOST_CPUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn lists_as_linux_prints_them() {
        assert_eq!(parse("0\n"), Some(vec![0]));
        assert_eq!(parse("0-3,8-11\n"), Some(vec![0, 1, 2, 3, 8, 9, 10, 11]));
        assert_eq!(parse("0,2,4-5"), Some(vec![0, 2, 4, 5]));
        assert_eq!(parse("8191"), Some(vec![8191]));
        assert_eq!(parse("\n"), Some(Vec::new()));
    }

    #[test]
    fn no_lists() {
        for text in [
            "x",
            "-",
            "1-",
            "-1",
            "3-1",
            "0,,1",
            ",",
            "0,",
            "1,1",
            "2,1",
            "0-3,2-5",
            "+1",
            "0x1",
            "1 2",
            "0-1-2",
            "8192",
            "0-99999999999999999999",
            "0-31:2/4",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    /// Prints a set as Linux does, with runs of neighbours as ranges.
    fn print(set: &BTreeSet<usize>) -> String {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for &cpu in set {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => runs.push((cpu, cpu)),
            }
        }
        let shown = |&(first, last): &(usize, usize)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        runs.iter().map(shown).collect::<Vec<_>>().join(",") + "\n"
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(set in proptest::collection::btree_set(0..MOST_CPUS, 0..200)) {
            prop_assert_eq!(parse(&print(&set)), Some(set.into_iter().collect::<Vec<_>>()));
        }

        #[test]
        fn dense_sets_too(set in proptest::collection::btree_set(0..40_usize, 0..40)) {
            prop_assert_eq!(parse(&print(&set)), Some(set.into_iter().collect::<Vec<_>>()));
        }

        #[test]
        fn any_text_is_a_rising_list_or_none(text in "[0-9,\\- x\n]{0,20}|\\PC{0,20}") {
            if let Some(cpus) = parse(&text) {
                prop_assert!(cpus.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(cpus.iter().all(|cpu| *cpu < MOST_CPUS));
            }
        }
    }
}
