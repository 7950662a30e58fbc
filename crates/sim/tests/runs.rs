//! Runs as a whole. A simulation is exact, so these are figures and not bounds.

use gmp_core::contract::{
    IdlePolicy, IdleView, List, Policy, Popped, QueueConfig, Rules, RunQueue, SharedQueue, Slot, Spill,
    Steal, StealRound, Thief, Token,
};
use gmp_core::queue::{Coprime, SharedFifo};
use gmp_sim::{Cell, Costs, Figures, Outcome, Sim, Spread, WORKLOADS};

const POLICIES: [&str; 5] = ["go", "block", "random", "lifo", "global"];

fn cell(policy: &str, workload: &str, cores: usize) -> Cell {
    let (policy, workload) = (policy.to_owned(), workload.to_owned());
    let machine = if cores > 128 { "flat" } else { "2x64" }.to_owned();
    let n = if workload == "spawn_tree" { 8 } else { 0 };
    Cell { policy, idle: None, order: None, workload, machine, cores, n, work: 0.0, data: 0, seed: 7 }
}

fn figures(cell: &Cell) -> Figures {
    figures_at(cell, &Costs::measured())
}

fn figures_at(cell: &Cell, costs: &Costs) -> Figures {
    match Sim::new().run(cell, costs) {
        Outcome::Figures(figures) => figures,
        Outcome::Failed(why) => panic!("{cell:?}: {why}"),
    }
}

#[test]
fn every_policy_comes_to_the_end_of_every_workload() {
    for policy in POLICIES {
        for workload in WORKLOADS.iter().filter(|workload| workload.name != "trickle") {
            for cores in [1, 2, 5, 24] {
                let figures = figures(&cell(policy, workload.name, cores));
                let busy = figures["busy"] + figures["looking"];
                assert!(
                    figures["ns_per_op"] > 0.0 && busy <= 1.0,
                    "{policy}, {}, {cores}: {figures:?}",
                    workload.name
                );
            }
        }
    }
}

#[test]
fn the_same_cell_gives_the_same_bytes_and_another_seed_others() {
    let cell =
        Cell { idle: Some("eager".into()), order: Some("topology".into()), ..cell("random", "uneven", 24) };
    let (sim, costs) = (Sim::new(), Costs::measured());
    let bytes = |cell: &Cell| serde_json::to_string(&sim.run(cell, &costs)).unwrap();
    assert_eq!(bytes(&cell), bytes(&cell));
    assert_ne!(bytes(&cell), bytes(&Cell { seed: 8, ..cell.clone() }));
}

/// With one P nothing is stolen, nobody is woken, and the order is Go's: half the tree is depth first.
#[test]
fn one_processor_needs_nobody() {
    let figures = figures(&cell("go", "spawn_tree", 1));
    let zero = ["steals", "looks", "wakes", "contended", "migrations", "looking"].map(|name| figures[name]);
    assert_eq!(zero, [0.0; 6]);
    assert_eq!(figures["threads"], 1.0);
}

/// Depth first keeps a path of goroutines alive, breadth first a level: this follows from the two queues, not from the
/// costs.
#[test]
fn the_order_of_a_queue_decides_over_memory() {
    let alive = |policy| figures(&cell(policy, "spawn_tree", 1))["most_goroutines"];
    assert_eq!([alive("lifo"), alive("global")], [17.0, 511.0]);
    assert!(alive("go") > alive("lifo") && alive("go") < alive("global"));
}

/// A trickle wakes a second M for each goroutine under Go's rule and none under the frugal one (golang/go#54622).
#[test]
fn a_frugal_rule_wakes_nobody_for_a_trickle() {
    let wakes =
        |idle: &str| figures(&Cell { idle: Some(idle.into()), n: 50, ..cell("go", "trickle", 16) })["wakes"];
    // Some Ms come up so late that the next goroutine is there.
    assert!(wakes("go") > 900.0 && wakes("frugal") == 0.0, "{} and {}", wakes("go"), wakes("frugal"));
}

/// Near-first thieves fetch fewer goroutines over the link between nodes. On a machine whose wakes are slow there are too
/// few thieves for that to be seen, so they are quick here.
#[test]
fn a_near_first_order_leaves_the_link_alone() {
    let mut costs = Costs::measured();
    let machine = &mut costs.machine;
    (machine.wake_call, machine.futex_wake, machine.wake_latency, machine.wake_beside) =
        (1_500.0, Spread(vec![1_500.0]), Spread(vec![5_000.0]), Spread(vec![5_000.0]));
    let far = |order: &str| {
        let cell = Cell { order: Some(order.into()), work: 20_000.0, ..cell("go", "uneven", 128) };
        figures_at(&cell, &costs)["far_migrations"]
    };
    assert!(1.5 * far("topology") < far("coprime"), "{} and {}", far("topology"), far("coprime"));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let why = |change: fn(&mut Cell)| {
        let mut cell = cell("go", "uneven", 4);
        change(&mut cell);
        match Sim::new().run(&cell, &Costs::measured()) {
            Outcome::Failed(why) => why,
            Outcome::Figures(_) => panic!("{cell:?} ran"),
        }
    };
    assert!(why(|cell| cell.policy = "gone".into()).contains("go, block, random, lifo, global"));
    assert!(why(|cell| cell.workload = "even".into()).contains("uneven"));
    assert!(why(|cell| cell.machine = "3d".into()).contains("NODESxCPUS"));
    assert!(why(|cell| cell.cores = 129).contains("2x64 has 1 to 128"));
    assert!(why(|cell| cell.cores = 0).contains("1 to 128"));
    assert!(why(|cell| cell.idle = Some("lazy".into())).contains("frugal"));
    assert!(why(|cell| cell.order = Some("far".into())).contains("topology"));
    assert!(why(|cell| cell.work = f64::NAN).contains("allowed are 0 to"));
    assert!(why(|cell| cell.n = u64::MAX).contains("at most"));
}

/// A policy that keeps a goroutine for itself.
struct Keeper;

struct Kept<T>(Vec<T>);

#[derive(Clone)]
struct Nothing;

impl Policy for Keeper {
    const NAME: &'static str = "keeper";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = Kept<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = Sleepy;
    type Order = Coprime;
}

#[derive(Default)]
struct Sleepy;

impl IdlePolicy for Sleepy {
    const NAME: &'static str = "sleepy";
    const STRONG: bool = false;

    fn may_spin(&self, _: IdleView) -> bool {
        false
    }

    fn wake_on_submit(&self, _: IdleView, _: impl Fn() -> usize) -> bool {
        false
    }
}

impl<T: Token> RunQueue<T> for Kept<T> {
    type Thief = Nothing;
    const CAPACITY: Option<usize> = Some(1);

    fn new(_: &QueueConfig) -> (Self, Nothing) {
        (Self(Vec::new()), Nothing)
    }

    fn push(&mut self, token: T, _: Slot, spill: &mut dyn Spill<T>) {
        if self.0.len() < 5 && token.number() > 3 {
            self.0.push(token);
        } else {
            spill.spill([token].into_iter().collect());
        }
    }

    fn push_batch(&mut self, _: &mut List<T>) {}

    fn pop(&mut self) -> Option<Popped<T>> {
        None
    }

    fn is_empty(&self) -> bool {
        true
    }
}

impl<T: Token> Thief<T> for Nothing {
    type Queue = Kept<T>;

    fn steal_into(&self, _: &mut Kept<T>, _: StealRound) -> Steal<T> {
        Steal::Empty
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        0
    }
}

/// Nothing hangs: the run reports that the policy keeps goroutines.
#[test]
fn a_policy_that_keeps_goroutines_is_named() {
    let sim = Sim::new().with::<Keeper>();
    for cores in [1, 4] {
        let outcome = sim.run(&cell("keeper", "spawn_tree", cores), &Costs::measured());
        assert!(
            matches!(&outcome, Outcome::Failed(why) if why.contains("the policy keeps some of")),
            "{outcome:?}"
        );
    }
    assert!(SharedQueue::<gmp_core::suite::Probe>::is_empty(&SharedFifo::default()));
}
