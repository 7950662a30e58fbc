//! The virtual machine: how many CPUs, and which are near each other.

use serde::{Deserialize, Serialize};

/// CPUs in nodes. A node shares a cache; between nodes there is a link. CPUs are numbered node by node, and M number `m`
/// stays on CPU `m`, so a runtime with few Ps has all of them in one node, as Linux would place threads that wake each
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// How many nodes.
    pub nodes: usize,
    /// CPUs of each.
    pub cpus: usize,
}

/// The most virtual processors: one word of 64 bits for each 64 CPUs that may share a line.
pub const MOST: usize = 256;

impl Machine {
    /// The machine of this name: `flat` (256 CPUs that are equally near), or nodes and CPUs of each: `2x64`, `8x16`.
    ///
    /// # Errors
    /// If the name says neither, or the machine would be too large.
    pub fn named(name: &str) -> Result<Self, String> {
        let machine = match name.split_once('x') {
            None if name == "flat" => Some(Self { nodes: 1, cpus: MOST }),
            None => None,
            Some((nodes, cpus)) => {
                nodes.parse().ok().zip(cpus.parse().ok()).map(|(nodes, cpus)| Self { nodes, cpus })
            }
        };
        let fits = |m: &Self| {
            m.nodes > 0 && m.cpus > 0 && m.nodes.checked_mul(m.cpus).is_some_and(|all| all <= MOST)
        };
        machine.filter(fits).ok_or_else(|| {
            format!("{name:?} is no machine: allowed are flat, and NODESxCPUS such as 2x64 with at most {MOST} CPUs")
        })
    }

    /// How many CPUs it has.
    pub fn size(&self) -> usize {
        self.nodes * self.cpus
    }

    /// Whether two CPUs are of one node.
    pub(crate) fn is_near(&self, a: usize, b: usize) -> bool {
        a / self.cpus == b / self.cpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_near() {
        let machine = Machine::named("8x16").unwrap();
        assert_eq!((machine.size(), machine.is_near(0, 15), machine.is_near(15, 16)), (128, true, false));
        assert!(Machine::named("flat").unwrap().is_near(0, 255));
        for wrong in ["", "2x", "0x4", "2x200", "torus", "99999999999999x99999999999999"] {
            assert!(Machine::named(wrong).unwrap_err().contains("NODESxCPUS"), "{wrong}");
        }
    }
}
