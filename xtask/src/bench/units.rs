//! Figures as people read them: three digits, and the unit beside each.

/// A figure of a workload, in the workload's unit.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "ns" => duration(value),
        _ => format!("{} {unit}", figure(value)),
    }
}

/// Nanoseconds, in the unit that suits them.
pub(crate) fn duration(ns: f64) -> String {
    match ns {
        ..999.5 => format!("{} ns", three(ns)),
        ..999.5e3 => format!("{} us", three(ns / 1e3)),
        ..999.5e6 => format!("{} ms", three(ns / 1e6)),
        _ => format!("{} s", three(ns / 1e9)),
    }
}

/// A count of bytes, in the unit that suits it.
pub(crate) fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        ..KIB => format!("{value:.0} B"),
        _ if value < KIB * KIB => format!("{} KiB", three(value / KIB)),
        _ => format!("{} MiB", three(value / KIB / KIB)),
    }
}

/// A plain number. Three digits count: more is noise.
pub(crate) fn figure(value: f64) -> String {
    if value < 1000.0 { three(value) } else { grouped(value) }
}

fn three(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// 1,234,567
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 2.5 %
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// How far a figure may be off: " ±2.1 %". If it may be off by more than itself, the text says no more than that.
pub(crate) fn give_or_take(share: f64) -> String {
    if share > 1.0 { " ±>100 %".to_owned() } else { format!(" ±{}", percent(share)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_three_digits_and_its_unit() {
        let shown = [1.234, 20.25, 374.4, 999.7, 4_128.0, 415_054_039.0, 3.2e9].map(duration);
        assert_eq!(shown, ["1.23 ns", "20.2 ns", "374 ns", "1.00 us", "4.13 us", "415 ms", "3.20 s"]);
        assert_eq!([12.0, 4_289.0, 5e6].map(bytes), ["12 B", "4.19 KiB", "4.77 MiB"]);
        assert_eq!(quantity(1234.0, "runs"), "1,234 runs");
        assert_eq!(percent(0.0213), "2.1 %");
    }
}
