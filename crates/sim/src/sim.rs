//! `Sim`: the policies that can be simulated, and the program that simulates cells.

use crate::calibrate;
use crate::cell::{Cell, Outcome};
use crate::costs::{Costs, QueueCosts};
use crate::figures::Figures;
use crate::opinions::{IDLE_RULES, ORDERS};
use crate::serve;
use crate::workload::WORKLOADS;
use gmp_core::contract::Policy;
use gmp_policy_block::Block;
use gmp_policy_global::Global;
use gmp_policy_go::Go;
use gmp_policy_lifo::Lifo;
use gmp_policy_random::Random;
use std::process::ExitCode;

/// A simulator of some policies: the project's own, and any that are added by type.
///
/// ```no_run
/// use gmp_core::contract::Policy;
///
/// fn simulate<MyPolicy: Policy>() -> std::process::ExitCode {
///     gmp_sim::Sim::new().with::<MyPolicy>().main()
/// }
/// ```
#[derive(Debug)]
pub struct Sim {
    policies: Vec<Entry>,
}

/// A policy whose type is forgotten, except for what is done with it.
#[derive(Debug)]
struct Entry {
    name: &'static str,
    run: fn(&Cell, &Costs) -> Result<Figures, String>,
    calibrate: fn() -> QueueCosts,
}

impl Sim {
    /// The project's policies.
    #[allow(clippy::new_without_default)] // It is a list of policies, not an empty one.
    pub fn new() -> Self {
        Self { policies: Vec::new() }
            .with::<Go>()
            .with::<Block>()
            .with::<Random>()
            .with::<Lifo>()
            .with::<Global>()
    }

    /// Adds a policy, which is chosen by its `NAME`.
    ///
    /// # Panics
    /// If there is one of this name.
    pub fn with<P: Policy>(mut self) -> Self {
        assert!(
            self.policies.iter().all(|known| known.name != P::NAME),
            "there are two policies named {}",
            P::NAME
        );
        self.policies.push(Entry { name: P::NAME, run: Cell::run::<P>, calibrate: calibrate::queues::<P> });
        self
    }

    /// Simulates one cell. The same cell and costs give the same outcome, on any machine.
    pub fn run(&self, cell: &Cell, costs: &Costs) -> Outcome {
        let found = self.policies.iter().find(|known| known.name == cell.policy);
        let figures = match found {
            Some(policy) => (policy.run)(cell, costs),
            None => Err(format!("no policy {:?}; there are: {}", cell.policy, self.names().join(", "))),
        };
        figures.map_or_else(Outcome::Failed, Outcome::Figures)
    }

    fn names(&self) -> Vec<&'static str> {
        self.policies.iter().map(|policy| policy.name).collect()
    }

    /// The whole program: what `cargo xtask sim` starts.
    ///
    /// - `list` prints what there is, as JSON.
    /// - `run [--jobs N] [--costs FILE]` reads cells, one JSON object a line, and prints their outcomes in the same order.
    /// - `calibrate` measures this machine and each policy's queues, and prints them as a file of costs; with five
    ///   figures of the bench the scheduler's path, too.
    pub fn main(self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match self.dispatch(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("gmp-sim: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn dispatch(&self, arguments: &[String]) -> Result<(), String> {
        match arguments.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
            Some(("list", [])) => {
                println!("{}", self.list());
                Ok(())
            }
            Some(("run", rest)) => {
                serve::run(|cell, costs| self.run(cell, costs), &serve::Options::parse(rest)?)
            }
            Some(("calibrate", rest)) => {
                let bench = calibrate::Bench::parse(rest)?;
                let queues = self.policies.iter().map(|policy| (policy.name, (policy.calibrate)()));
                print!("{}", calibrate::file(&calibrate::measure(queues, bench)?)?);
                Ok(())
            }
            _ => Err(format!(
                "usage: list | run [--jobs N] [--costs FILE] | calibrate [{}]",
                calibrate::FIGURES
            )),
        }
    }

    fn list(&self) -> serde_json::Value {
        let workloads: Vec<_> = WORKLOADS
            .iter()
            .map(|w| serde_json::json!({"name": w.name, "about": w.about, "measured_as": w.measured_as}))
            .collect();
        serde_json::json!({
            "policies": self.names(),
            "idle": IDLE_RULES,
            "orders": ORDERS,
            "workloads": workloads,
        })
    }
}
