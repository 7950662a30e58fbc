//! How many processors this process may use.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// How many processors the calling thread may run on; at least 1.
///
/// Asks for the affinity mask, as Go does. On a machine with more processors than a mask holds (1,024) the standard
/// library is asked instead.
#[doc(alias = "getproccount")]
pub fn available_cpus() -> usize {
    match sched_getaffinity(Pid::from_raw(0)) {
        Ok(set) => (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).count().max(1),
        Err(_) => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_mask_allows() {
        let all = available_cpus();
        let one = std::thread::spawn(|| {
            let mut set = CpuSet::new();
            let first = sched_getaffinity(Pid::from_raw(0)).unwrap();
            let cpu = (0..CpuSet::count()).find(|&cpu| first.is_set(cpu).unwrap()).unwrap();
            set.set(cpu).unwrap();
            nix::sched::sched_setaffinity(Pid::from_raw(0), &set).unwrap();
            available_cpus()
        });
        assert_eq!(one.join().unwrap(), 1);
        assert!(all >= 1 && available_cpus() == all, "the mask belongs to the thread");
    }
}
