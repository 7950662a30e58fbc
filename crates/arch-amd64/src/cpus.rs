//! How many processors this process may use, and how much of them a thread has used.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use std::time::Duration;

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

/// The CPU that the calling thread is on. Read from memory that the kernel shares with the process: no system call.
pub(crate) fn current_cpu() -> Option<usize> {
    nix::sched::sched_getcpu().ok()
}

/// The kernel's number of the calling thread.
pub fn thread_id() -> i32 {
    // The kernel is asked, since libc's books may be about a flow with thread-locals of its own.
    // SAFETY: takes no arguments and changes nothing.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    i32::try_from(id).unwrap_or(0)
}

/// The clock of the calling thread's CPU time, to be read on other threads.
pub(crate) fn own_clock() -> Option<i32> {
    let mut clock = 0;
    // SAFETY: the thread is the calling one, and the result goes to a live place.
    let refused = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
    (refused == 0).then_some(clock)
}

/// What such a clock says, in nanoseconds; `None` if its thread has ended. It takes 0.2 us.
pub(crate) fn time_of(clock: i32) -> Option<u64> {
    let time = nix::time::clock_gettime(nix::time::ClockId::from_raw(clock)).ok()?;
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
}

/// The CPU time of a thread of this process, by the kernel's number of it; `None`: it has ended.
pub fn cpu_time_of_thread(thread: i32) -> Option<Duration> {
    /// That the clock is of one thread, and counts the time for which it runs (`make_thread_cpuclock` of Linux).
    const OF_A_THREAD: i32 = 0b110;
    time_of((!thread << CLOCK_BITS) | OF_A_THREAD).map(Duration::from_nanos)
}

/// The kernel's number of the thread to which a clock belongs.
pub(crate) fn thread_of(clock: i32) -> i32 {
    !(clock >> CLOCK_BITS)
}

/// Linux names the clock of a thread by the number's complement, above three bits (`CPUCLOCK_PID`).
const CLOCK_BITS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_tells_another_threads_work_and_not_its_sleep() {
        let (tell, hear) = std::sync::mpsc::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let clock = own_clock().unwrap();
            let start = std::time::Instant::now();
            while time_of(clock).unwrap() < 20_000_000 {
                assert!(start.elapsed().as_secs() < 60, "the clock stands still");
            }
            tell.send((clock, thread_id())).unwrap();
            wait.recv().unwrap();
        });
        let (clock, id) = hear.recv().unwrap();
        let worked = time_of(clock).unwrap();
        assert!(worked >= 20_000_000);
        assert!(cpu_time_of_thread(id).unwrap() >= Duration::from_millis(20));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(time_of(clock).unwrap() < worked + 40_000_000, "it sleeps");
        go_on.send(()).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_bound_thread_is_on_its_cpu() {
        let first = sched_getaffinity(Pid::from_raw(0)).unwrap();
        for cpu in (0..CpuSet::count()).filter(|&cpu| first.is_set(cpu).unwrap()) {
            let found = std::thread::spawn(move || {
                let mut set = CpuSet::new();
                set.set(cpu).unwrap();
                nix::sched::sched_setaffinity(Pid::from_raw(0), &set).unwrap();
                current_cpu()
            });
            assert_eq!(found.join().unwrap(), Some(cpu));
        }
    }

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
