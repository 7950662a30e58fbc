//! The suites of gmp-core on the policy `Go`.

use gmp_policy_go::Go;

gmp_core::policy_conformance!(Go);
