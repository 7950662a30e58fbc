//! The suites of gmp-core on the policy `Random`.

use gmp_policy_random::Random;

gmp_core::policy_conformance!(Random);
