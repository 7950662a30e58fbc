//! Go's tests of the default `GOMAXPROCS` (runtime/cgroup_linux_test.go, Go 1.27), over made-up file trees.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file tree that is removed at the end.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("gmp-procs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree(std::env::temp_dir().join(unique));
        for (path, text) in files {
            let path = tree.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn procs(&self, cpus: usize) -> usize {
        default_procs_in(&self.0, cpus, None).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const V2: (&str, &str) = ("proc/self/cgroup", "0::/a/b\n");

/// Go: TestCgroupGOMAXPROCSNoLimit.
#[test]
fn without_a_limit_the_cpus_count() {
    assert_eq!(Tree::new(&[]).procs(6), 6);
    assert_eq!(Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n")]).procs(6), 6);
    let v1 = ("proc/self/cgroup", "3:cpu,cpuacct:/a\n2:memory:/a\n");
    let files = [
        v1,
        ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1"),
        ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000"),
    ];
    assert_eq!(Tree::new(&files).procs(6), 6);
}

/// Go: TestCgroupGOMAXPROCS.
#[test]
fn a_quota_counts_in_both_versions() {
    assert_eq!(Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", "300000 100000\n")]).procs(6), 3);
    let v1 = ("proc/self/cgroup", "3:cpu,cpuacct:/a\n2:memory:/a\n");
    let files = [
        v1,
        ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000"),
        ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000"),
    ];
    assert_eq!(Tree::new(&files).procs(6), 4);
}

/// Go: TestCgroupGOMAXPROCSHigherThanNumCPU.
#[test]
fn a_quota_above_the_cpus_changes_nothing() {
    assert_eq!(Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", "1200000 100000\n")]).procs(6), 6);
}

/// Go: TestCgroupGOMAXPROCSRound.
#[test]
fn quotas_round_up_and_not_below_two() {
    for (quota, procs) in [("250000", 3), ("200001", 3), ("200000", 2), ("150000", 2), ("50000", 2)] {
        let text = format!("{quota} 100000");
        assert_eq!(Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", &text)]).procs(6), procs, "{quota}");
    }
    assert_eq!(
        Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", "50000 100000")]).procs(1),
        1,
        "CPUs still count"
    );
}

/// golang/go#81180: Go looks at the process's own group only.
#[test]
fn the_tightest_ancestor_counts() {
    let files =
        [V2, ("sys/fs/cgroup/a/b/cpu.max", "max 100000"), ("sys/fs/cgroup/a/cpu.max", "300000 100000")];
    assert_eq!(Tree::new(&files).procs(8), 3);
}

/// Go: TestCgroupGOMAXPROCSEnvironment.
#[test]
fn the_environment_wins() {
    let tree = Tree::new(&[V2, ("sys/fs/cgroup/a/b/cpu.max", "300000 100000")]);
    assert_eq!(default_procs_in(&tree.0, 6, Some("5".as_ref())), Ok(5));
    assert_eq!(default_procs_in(&tree.0, 6, Some("".as_ref())), Ok(3));
}

#[test]
fn a_bad_environment_value_is_named() {
    for bad in ["0", "-1", "four", "1.5", "99999999999999999999"] {
        let error =
            default_procs_in(Path::new("/nonexistent"), 4, Some(bad.as_ref())).unwrap_err().to_string();
        assert!(error.contains(bad) && error.contains("from 1 to"), "{error}");
    }
}

/// It was taken for no value at all.
#[test]
fn an_environment_value_that_is_no_text_is_bad() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"4\xff");
    let error = default_procs_in(Path::new("/nonexistent"), 4, Some(value)).unwrap_err();
    assert_eq!(error, BadGomaxprocs(value.to_owned()));
    assert!(error.to_string().contains(r#"GOMAXPROCS="4\xFF""#), "{error}");
}
