//! Folders that look like `/sys/devices/system` on one machine or another.

use gmp_policy_topology::Machine;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// A fake folder; gone when dropped.
pub(crate) struct Sysfs(TempDir);

impl Sysfs {
    /// Nothing in it.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// Writes a file, with the line end that sysfs gives.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.bytes(path, format!("{text}\n").as_bytes())
    }

    /// Writes a file of any bytes.
    pub(crate) fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
        fs::write(path, bytes).expect("a file can be written");
        self
    }

    /// A CPU with a core, and caches given as level, type, and who shares it.
    pub(crate) fn cpu(self, cpu: usize, core: &str, caches: &[(u32, &str, &str)]) -> Self {
        let mut fake = self.file(&format!("cpu/cpu{cpu}/topology/core_cpus_list"), core);
        for (index, (level, kind, shared)) in caches.iter().enumerate() {
            let cache = format!("cpu/cpu{cpu}/cache/index{index}");
            fake = fake
                .file(&format!("{cache}/level"), &level.to_string())
                .file(&format!("{cache}/type"), kind)
                .file(&format!("{cache}/shared_cpu_list"), shared);
        }
        fake
    }

    /// A NUMA node.
    pub(crate) fn node(self, node: usize, cpus: &str, distance: &str) -> Self {
        self.file(&format!("node/node{node}/cpulist"), cpus)
            .file(&format!("node/node{node}/distance"), distance)
    }

    pub(crate) fn read(&self) -> Arc<Machine> {
        Arc::new(Machine::read(self.0.path()))
    }
}

/// One CPU, with its caches to itself.
pub(crate) fn one_core() -> Sysfs {
    let caches = [(1, "Data", "0"), (1, "Instruction", "0"), (2, "Unified", "0"), (3, "Unified", "0")];
    Sysfs::empty().cpu(0, "0", &caches).node(0, "0", "10")
}

/// Two CPUs of which only the cores and the node are told, as some virtual machines do.
pub(crate) fn two_cores_without_caches() -> Sysfs {
    Sysfs::empty().cpu(0, "0", &[]).cpu(1, "1", &[]).node(0, "0-1", "10")
}

/// Two sockets of four cores of two threads; the second threads have the numbers 8 to 15, as on most servers.
pub(crate) fn two_sockets() -> Sysfs {
    let mut fake = Sysfs::empty()
        .node(0, "0-3,8-11", "10 21")
        .node(1, "4-7,12-15", "21 10")
        // What stands beside them in the real folder and is no CPU.
        .file("cpu/cpufreq/policy0/related_cpus", "0")
        .file("cpu/cpuidle/current_driver", "none")
        .file("cpu/online", "0-15");
    for cpu in 0..16 {
        let core = cpu % 8;
        let pair = format!("{core},{}", core + 8);
        let socket = if core < 4 { "0-3,8-11" } else { "4-7,12-15" };
        let l1 = pair.as_str();
        let caches = [(1, "Data", l1), (1, "Instruction", l1), (2, "Unified", l1), (3, "Unified", socket)];
        fake = fake.cpu(cpu, &pair, &caches);
    }
    fake
}

/// One socket, one node, two complexes of four cores, each with an L3 of its own, as AMD builds them.
pub(crate) fn two_complexes() -> Sysfs {
    let mut fake = Sysfs::empty().node(0, "0-7", "10");
    for cpu in 0..8 {
        let own = cpu.to_string();
        let complex = if cpu < 4 { "0-3" } else { "4-7" };
        fake = fake.cpu(cpu, &own, &[(1, "Data", &own), (2, "Unified", &own), (3, "Unified", complex)]);
    }
    fake
}

/// Two fast cores of two threads, and four small ones that share an L2, all with one L3.
pub(crate) fn fast_and_small() -> Sysfs {
    let mut fake = Sysfs::empty().node(0, "0-7", "10");
    for (cpu, core, l2) in [
        (0, "0-1", "0-1"),
        (1, "0-1", "0-1"),
        (2, "2-3", "2-3"),
        (3, "2-3", "2-3"),
        (4, "4", "4-7"),
        (5, "5", "4-7"),
        (6, "6", "4-7"),
        (7, "7", "4-7"),
    ] {
        fake = fake.cpu(cpu, core, &[(2, "Unified", l2), (3, "Unified", "0-7")]);
    }
    fake
}

/// Four nodes in a ring, one CPU each, with gaps in the nodes' numbers, and a fifth with memory only.
pub(crate) fn ring_of_nodes() -> Sysfs {
    let mut fake = Sysfs::empty()
        .node(0, "0", "10 16 22 16 28")
        .node(2, "1", "16 10 16 22 28")
        .node(4, "2", "22 16 10 16 28")
        .node(6, "3", "16 22 16 10 28")
        .node(7, "", "28 28 28 28 10");
    for cpu in 0..4 {
        fake = fake.cpu(cpu, &cpu.to_string(), &[]);
    }
    fake
}

/// Four CPUs, of which 1 and 3 are offline: their folders are there, with nothing about caches or cores.
pub(crate) fn some_offline() -> Sysfs {
    Sysfs::empty()
        .cpu(0, "0", &[(3, "Unified", "0,2")])
        .cpu(2, "2", &[(3, "Unified", "0,2")])
        .file("cpu/cpu1/online", "0")
        .file("cpu/cpu3/online", "0")
        .node(0, "0,2", "10")
}

/// Every file is there and none makes sense; two CPUs are at least CPUs.
pub(crate) fn garbage() -> Sysfs {
    Sysfs::empty()
        .cpu(0, "zero", &[(2, "Unified", "5-1"), (3, "??", "0-4294967295"), (9, "Unified", "0-1")])
        .cpu(1, "", &[(3, "Unified", "0,,1"), (2, "Unified", "7")])
        .bytes("cpu/cpu1/cache/index2/level", &[0xff, 0xfe, 0])
        .bytes("cpu/cpu0/cache/index9", b"no folder")
        .file("cpu/cpu99999999999999999999/topology/core_cpus_list", "0")
        .file("cpu/cpu-1/topology/core_cpus_list", "0-1")
        .node(0, "0-1,", "ten")
        .node(1, "1", "21 10 7")
        .file("node/nodeX/cpulist", "0-1")
        .file("node/node3", "no folder")
}
