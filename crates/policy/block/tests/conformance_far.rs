//! The suites of gmp-core on the policy `Block`, as in `conformance.rs`, but with a far fence: a program of its own, since
//! once there is one all queues made later rely on it.

use gmp_arch_amd64::Amd64;
use gmp_core::contract::{Policy, Rules, Token};
use gmp_policy_block::Block;

/// `Block`, whose queues are made after the process has got its far fence.
struct Far;

gmp_core::policy_conformance!(Far);
