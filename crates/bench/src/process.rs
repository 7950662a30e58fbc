//! What the operating system says about this process: CPU time, memory, mappings.

use std::time::Duration;

fn usage(who: libc::c_int) -> libc::rusage {
    // SAFETY: all zeroes is a valid `rusage`: it consists of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage`. The call cannot fail with these arguments.
    unsafe { libc::getrusage(who, &mut usage) };
    usage
}

/// User and system time of all threads so far.
pub(crate) fn cpu_time() -> Duration {
    cpu_time_of(libc::RUSAGE_SELF)
}

/// User and system time of the calling thread so far.
pub(crate) fn thread_cpu_time() -> Duration {
    cpu_time_of(libc::RUSAGE_THREAD)
}

fn cpu_time_of(who: libc::c_int) -> Duration {
    let usage = usage(who);
    let time = |t: libc::timeval| Duration::from_micros(t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The most memory that was ever resident, in bytes; 0 where the system does not tell. `ru_maxrss` of `getrusage` would be
/// at least what the process had at its peak that started this one (Linux: `exec_mmap` hands it on).
pub(crate) fn peak_rss() -> u64 {
    of_status("VmHWM:")
}

/// What this process has used so far, under the names that a cell's figures carry.
pub(crate) fn used() -> [(&'static str, f64); 6] {
    let usage = usage(libc::RUSAGE_SELF);
    [
        ("used_cpu_s", cpu_time().as_secs_f64()),
        ("used_voluntary_switches", usage.ru_nvcsw as f64),
        ("used_involuntary_switches", usage.ru_nivcsw as f64),
        ("used_minor_faults", usage.ru_minflt as f64),
        ("used_major_faults", usage.ru_majflt as f64),
        ("used_peak_bytes", peak_rss() as f64),
    ]
}

/// The memory that is resident now, in bytes; 0 where the system does not tell.
pub(crate) fn rss() -> u64 {
    // The second field counts resident pages. 4 KiB a page on every x86-64 machine.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// The memory of page tables, in bytes; 0 where the system does not tell.
pub(crate) fn page_tables() -> u64 {
    of_status("VmPTE:")
}

fn of_status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// How many mappings the process has; 0 where the system does not tell.
pub(crate) fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

/// Sleeps in the kernel without telling any scheduler: what a foreign library would do.
pub(crate) fn nanosleep(time: Duration) {
    let time = libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    // SAFETY: a live timespec, and no place for the rest. A signal may cut the sleep short, which only helps the rival.
    unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
}

/// The number of the calling thread; never 0.
pub(crate) fn thread_id() -> u64 {
    // SAFETY: the call takes no arguments and cannot fail.
    unsafe { libc::gettid() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peak of the process that starts it does not count.
    #[test]
    fn a_small_process_has_a_small_peak() {
        const CHILD: &str = "GMP_BENCH_TELLS_ITS_PEAK";
        if std::env::var_os(CHILD).is_some() {
            return println!("peak {}", peak_rss());
        }
        let large = std::hint::black_box(vec![1_u8; 256 << 20]);
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--nocapture", "process::tests::a_small_process_has_a_small_peak"]);
        let out = String::from_utf8(child.env(CHILD, "1").output().unwrap().stdout).unwrap();
        drop(large);
        let told = out.split_once("peak ").and_then(|(_, rest)| rest.split_whitespace().next());
        let peak: u64 = told.unwrap_or_else(|| panic!("{out}")).parse().unwrap();
        assert!(peak > 0 && peak < 128 << 20, "{peak}");
        assert!(peak_rss() >= 256 << 20);
    }
}
