//! The suites of gmp-core on the policy `Global`.

use gmp_policy_global::Global;

gmp_core::policy_conformance!(Global);
