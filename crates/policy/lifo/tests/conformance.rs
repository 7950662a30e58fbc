//! The suites of gmp-core on the policy `Lifo`.

use gmp_policy_lifo::Lifo;

gmp_core::policy_conformance!(Lifo);
