//! The suites of gmp-core on the policy `Block`. No runtime is made here, so there is no heavy fence, and owner and thieves
//! pass full ones.

use gmp_policy_block::Block;

gmp_core::policy_conformance!(Block);
