//! A cell: one workload under one policy on one virtual machine, with one seed.

use crate::costs::Costs;
use crate::figures::Figures;
use crate::machine::Machine;
use crate::opinions;
use crate::run::run;
use crate::store::Store;
use crate::workload::{Size, Workload};
use crate::world::Parts;
use gmp_core::contract::Policy;
use serde::{Deserialize, Serialize};

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The policy's name.
    pub policy: String,
    /// The idle rule, if it is not to be the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
    /// The victim order, if it is not to be the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The workload's name.
    pub workload: String,
    /// The machine's name.
    pub machine: String,
    /// How many processors.
    pub cores: usize,
    /// The workload's size; 0: its own.
    #[serde(default)]
    pub n: u64,
    /// For how many nanoseconds each goroutine computes beside its work.
    #[serde(default)]
    pub work: f64,
    /// Cache lines of data that follow each goroutine to another CPU, beside its record and stack.
    #[serde(default)]
    pub data: u32,
    /// What every random choice follows from.
    pub seed: u64,
}

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It came to its end.
    Figures(Figures),
    /// It did not, or it cannot be simulated.
    Failed(String),
}

impl Cell {
    /// Simulates it under `P`, whose name it has.
    pub(crate) fn run<P: Policy>(&self, costs: &Costs) -> Result<Figures, String> {
        let machine = Machine::named(&self.machine)?;
        let workload = Workload::named(&self.workload)?;
        let procs = self.cores;
        if procs == 0 || procs > machine.size() {
            return Err(format!("{procs} processors: {} has 1 to {}", self.machine, machine.size()));
        }
        if !(0.0..=1e9).contains(&self.work) {
            return Err(format!("{} ns of work: allowed are 0 to 1e9", self.work));
        }
        if self.n > workload.most {
            return Err(format!("n = {}: {} takes at most {}", self.n, self.workload, workload.most));
        }
        let parts = || {
            Ok(Parts {
                costs: costs.clone(),
                machine,
                procs,
                seed: self.seed,
                program: workload.start(Size { n: self.n, procs: procs as u64, work: self.work }),
                rule: opinions::idle_rule::<P::Idle>(self.idle.as_deref())?,
                order: opinions::order::<P::Order>(self.order.as_deref(), machine, procs)?,
            })
        };
        run::<P>(parts, Store::new(&costs.memory, self.data, procs))
    }
}
