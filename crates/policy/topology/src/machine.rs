//! `Machine`: which CPUs are near each other, according to Linux's sysfs.

use crate::cpulist::{MOST_CPUS, number, parse};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// How far one CPU is from another. Nearer ones compare as less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distance {
    /// The same CPU, or another thread of its core.
    Core,
    /// Another core with the same L2 cache.
    L2,
    /// The same L3 cache, or one further out.
    L3,
    /// The same NUMA node.
    Node,
    /// Another node: 0 for the nearest ones, 1 for those at the next greater distance, and so on. From 9 on all are
    /// the same.
    OtherNode(u8),
    /// Unknown: either one of the CPUs, or how the two are connected.
    Unknown,
}

impl Distance {
    /// How many different distances there are.
    pub(crate) const COUNT: usize = 15;
    const FURTHEST_NODE: u8 = 9;

    /// Its position among all distances, counted from 0.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Core => 0,
            Self::L2 => 1,
            Self::L3 => 2,
            Self::Node => 3,
            Self::OtherNode(order) => 4 + order.min(Self::FURTHEST_NODE),
            Self::Unknown => 14,
        }
    }
}

/// The groups that a CPU belongs to, each named by its lowest CPU or by the node's number.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    core: usize,
    l2: Option<usize>,
    l3: Option<usize>,
    node: Option<usize>,
}

/// The CPUs of a machine, and which of them are near each other.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Indexed by the CPU's number; `None`: there is no such CPU, or it is offline.
    places: Vec<Option<Place>>,
    /// For each pair of nodes for which Linux gives a distance, its position among the distances of the first node.
    node_order: BTreeMap<(usize, usize), u8>,
}

impl Machine {
    /// The machine on which this process runs. It is read at the first call, some ten files for each CPU, and then
    /// kept.
    pub fn here() -> Arc<Machine> {
        static HERE: OnceLock<Arc<Machine>> = OnceLock::new();
        HERE.get_or_init(|| Arc::new(Self::read(Path::new("/sys/devices/system")))).clone()
    }

    /// The machine that a folder like `/sys/devices/system` describes. What cannot be read or understood is unknown,
    /// which is no error.
    pub fn read(system: &Path) -> Self {
        let mut places = Vec::new();
        for (cpu, folder) in numbered(&system.join("cpu"), "cpu") {
            places.resize(places.len().max(cpu + 1), None);
            places[cpu] = place(cpu, &folder);
        }
        let nodes = numbered(&system.join("node"), "node");
        for (node, folder) in &nodes {
            for cpu in list(&folder.join("cpulist")).unwrap_or_default() {
                if let Some(Some(place)) = places.get_mut(cpu) {
                    place.node = Some(*node);
                }
            }
        }
        Self { places, node_order: node_order(&nodes) }
    }

    /// A machine that nobody has: so many nodes of so many CPUs each. The CPUs of a node share an L3 cache and nothing
    /// nearer, CPUs are numbered node by node, and all nodes are equally far apart. For simulators.
    pub fn of_nodes(nodes: usize, cpus: usize) -> Self {
        let place = |cpu| Place { core: cpu, l2: None, l3: Some(cpu / cpus * cpus), node: Some(cpu / cpus) };
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        Self {
            places: (0..nodes * cpus).map(|cpu| Some(place(cpu))).collect(),
            node_order: pairs.filter(|(from, to)| from != to).map(|pair| (pair, 0)).collect(),
        }
    }

    /// How far the CPU `to` is from the CPU `from`.
    pub fn distance(&self, from: usize, to: usize) -> Distance {
        let place = |cpu: usize| self.places.get(cpu).copied().flatten();
        let (Some(a), Some(b)) = (place(from), place(to)) else { return Distance::Unknown };
        let shared = |a: Option<usize>, b: Option<usize>| a.is_some() && a == b;
        if a.core == b.core {
            Distance::Core
        } else if shared(a.l2, b.l2) {
            Distance::L2
        } else if shared(a.l3, b.l3) {
            Distance::L3
        } else if shared(a.node, b.node) {
            Distance::Node
        } else {
            let order = a.node.zip(b.node).and_then(|nodes| self.node_order.get(&nodes));
            order.map_or(Distance::Unknown, |order| Distance::OtherNode(*order))
        }
    }
}

/// What the folder of a CPU says. `None`: the CPU is offline and has no such files.
fn place(cpu: usize, folder: &Path) -> Option<Place> {
    let group = |path: PathBuf| list(&path).filter(|cpus| cpus.contains(&cpu)).map(|cpus| cpus[0]);
    let topology = folder.join("topology");
    let siblings =
        group(topology.join("core_cpus_list")).or_else(|| group(topology.join("thread_siblings_list")));
    let caches = numbered(&folder.join("cache"), "index");
    if siblings.is_none() && caches.is_empty() && !topology.is_dir() {
        return None;
    }
    let mut place = Place { core: siblings.unwrap_or(cpu), ..Place::default() };
    for (_, cache) in caches {
        match text(&cache.join("level")).as_deref() {
            Some("2") => place.l2 = group(cache.join("shared_cpu_list")),
            // A cache further out than L3 is rare and shared by more CPUs; it counts where there is no L3.
            Some("3" | "4") => place.l3 = place.l3.or_else(|| group(cache.join("shared_cpu_list"))),
            // An L1 belongs to its core.
            _ => {}
        }
    }
    Some(place)
}

/// For each two nodes, the position of their distance among all distances from the first.
fn node_order(nodes: &[(usize, PathBuf)]) -> BTreeMap<(usize, usize), u8> {
    let mut order = BTreeMap::new();
    for (from, folder) in nodes {
        // A row has a distance for each node that is online, in rising order; the folders are of the same nodes.
        let Some(row) = text(&folder.join("distance")) else { continue };
        let row: Option<Vec<u32>> =
            row.split_ascii_whitespace().map(|distance| distance.parse().ok()).collect();
        let Some(row) = row.filter(|row| row.len() == nodes.len()) else { continue };
        let others = nodes.iter().zip(row).filter(|((to, _), _)| to != from).map(|((to, _), far)| (*to, far));
        let others: Vec<(usize, u32)> = others.collect();
        let mut steps: Vec<u32> = others.iter().map(|(_, far)| *far).collect();
        steps.sort_unstable();
        steps.dedup();
        for (to, far) in others {
            let step = steps.partition_point(|step| *step < far).min(usize::from(Distance::FURTHEST_NODE));
            order.insert((*from, to), u8::try_from(step).unwrap_or(Distance::FURTHEST_NODE));
        }
    }
    order
}

/// The folders `name0`, `name1`, ... in a folder, by their numbers.
fn numbered(folder: &Path, name: &str) -> Vec<(usize, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: PathBuf| Some((number(path.file_name()?.to_str()?.strip_prefix(name)?)?, path));
    // A number may be written in several ways. sysfs does not do that, and a folder that does is ignored.
    let found: BTreeMap<usize, PathBuf> = entries.filter_map(|entry| number(entry.path())).collect();
    found.into_iter().take(MOST_CPUS).collect()
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn list(path: &Path) -> Option<Vec<usize>> {
    parse(&text(path)?).filter(|cpus| !cpus.is_empty())
}
