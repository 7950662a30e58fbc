//! The names of virtual machines.

use anyhow::{Result, ensure};

/// The most CPUs that the simulator's machines have.
const MOST: u64 = 256;

/// A machine's name, if there can be such a machine: this gives one refusal instead of one for each cell.
pub(super) fn named(text: &str) -> Result<String> {
    let size = size(text);
    ensure!(
        text == "flat" || size.is_some_and(|size| (1..=MOST).contains(&size)),
        "allowed are flat, and NODESxCPUS such as 2x64 with at most {MOST} CPUs"
    );
    Ok(text.to_owned())
}

/// How many processors a machine of nodes has; `None`: its name is not of that kind.
pub(super) fn size(machine: &str) -> Option<u64> {
    let (nodes, cpus) = machine.split_once('x')?;
    nodes.parse::<u64>().ok()?.checked_mul(cpus.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_refused_before_there_are_cells() {
        for right in ["flat", "2x64", "8x16", "1x256"] {
            assert_eq!(named(right).unwrap(), right);
        }
        for wrong in ["", "2x", "0x4", "2x200", "torus", "99999999999999x99999999999999"] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
