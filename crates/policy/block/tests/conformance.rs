//! The suites of gmp-core on the policy `Block`: without a far fence, where owner and thieves pass full ones.

use gmp_policy_block::Block;

gmp_core::policy_conformance!(Block);
