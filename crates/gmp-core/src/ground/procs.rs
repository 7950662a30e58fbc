//! How many Ps by default: `GOMAXPROCS`, else CPUs by affinity and cgroup quota.
//!
//! Go: `defaultGOMAXPROCS`, `adjustCgroupGOMAXPROCS` (Go 1.25 and later): the smaller of the CPUs that the process may
//! use and its cgroup's CPU quota, rounded up but not below 2. Unlike Go (golang/go#81180), the limits of *all* ancestor
//! groups count, since the tightest one throttles.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// More Ps than any machine has CPUs; the idle word counts this far.
pub const MAX_PROCS: usize = 1 << 20;

/// A quota never lowers the number below this. Go: 2, so that a small quota still runs two goroutines at once.
const QUOTA_FLOOR: usize = 2;

/// The value of `GOMAXPROCS` is no number of Ps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadGomaxprocs(pub OsString);

impl fmt::Display for BadGomaxprocs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the environment says GOMAXPROCS={:?}, which is no number of Ps: it must be a whole number from 1 to {}; \
             correct it or unset it",
            self.0, MAX_PROCS
        )
    }
}

impl std::error::Error for BadGomaxprocs {}

/// The number of Ps for a process with this many CPUs by affinity, this environment value, and the cgroups of the
/// process as found under `/`.
///
/// # Errors
/// [`BadGomaxprocs`].
#[doc(alias = "defaultGOMAXPROCS")]
pub fn default_procs(cpus: usize, gomaxprocs: Option<&OsStr>) -> Result<usize, BadGomaxprocs> {
    default_procs_in(Path::new("/"), cpus, gomaxprocs)
}

/// How many CPUs the process may use, as it was when first asked. Go: `numCPUStartup`.
pub(crate) fn cpus() -> usize {
    static CPUS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    // Unknown: as if there were others.
    *CPUS.get_or_init(|| std::thread::available_parallelism().map_or(2, Into::into))
}

fn default_procs_in(root: &Path, cpus: usize, gomaxprocs: Option<&OsStr>) -> Result<usize, BadGomaxprocs> {
    if let Some(value) = gomaxprocs.filter(|value| !value.is_empty()) {
        return match value.to_str().map(|value| value.trim().parse::<usize>()) {
            Some(Ok(procs)) if (1..=MAX_PROCS).contains(&procs) => Ok(procs),
            _ => Err(BadGomaxprocs(value.to_owned())),
        };
    }
    let cpus = cpus.max(1);
    Ok(match quota(root) {
        Some(quota) => cpus.min((quota.ceil() as usize).max(QUOTA_FLOOR)),
        None => cpus,
    })
}

/// The tightest CPU quota over the process's cgroup and its ancestors, in CPUs.
fn quota(root: &Path) -> Option<f64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let quotas = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        if controllers.is_empty() {
            tightest(&root.join("sys/fs/cgroup"), path, quota_v2)
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            tightest(&root.join("sys/fs/cgroup/cpu"), path, quota_v1)
        } else {
            None
        }
    });
    quotas.min_by(f64::total_cmp)
}

/// The smallest of a group's quota and its ancestors'.
fn tightest(mount: &Path, group: &str, read: fn(&Path) -> Option<f64>) -> Option<f64> {
    let group = PathBuf::from(group.trim_start_matches('/'));
    group.ancestors().filter_map(|group| read(&mount.join(group))).min_by(f64::total_cmp)
}

/// `cpu.max`: quota and period in microseconds, or `max`.
fn quota_v2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut words = text.split_ascii_whitespace();
    ratio(words.next()?, words.next()?)
}

/// `cpu.cfs_quota_us` (-1 for none) and `cpu.cfs_period_us`.
fn quota_v1(group: &Path) -> Option<f64> {
    let quota = fs::read_to_string(group.join("cpu.cfs_quota_us")).ok()?;
    let period = fs::read_to_string(group.join("cpu.cfs_period_us")).ok()?;
    ratio(quota.trim(), period.trim())
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period) = (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(all(test, not(loom)))]
mod tests;
