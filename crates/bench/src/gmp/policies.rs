//! The policies that cells name. A new one is added here, to the list and to the `match`; a test compares the two.

use gmp::contract::Policy;
use gmp::policy::{Block, Global, Go, Lifo, Random};

/// Their names, in the order of the table's columns.
pub(super) const NAMES: &[&str] = &[Go::NAME, Random::NAME, Block::NAME, Lifo::NAME, Global::NAME];

/// Evaluates an expression with `$policy` standing for the type that a cell's policy names. A name without a type is an
/// error: no other policy may take its place.
macro_rules! for_policy {
    ($cell:expr, $policy:ident => $run:expr) => {{
        macro_rules! with {
            ($type:ident) => {{
                type $policy = gmp::policy::$type;
                $run
            }};
        }
        match $cell.policy.as_str() {
            "go" => with!(Go),
            "random" => with!(Random),
            "block" => with!(Block),
            "lifo" => with!(Lifo),
            "global" => with!(Global),
            other => {
                Err(format!("no type stands for policy {other:?}: it is to be added in policies.rs").into())
            }
        }
    }};
}
pub(super) use for_policy;
