//! The suite that judges idle rules, on these.

mod eager {
    gmp_core::idle_policy_conformance!(gmp_policy_idle::Eager);
}

mod frugal {
    gmp_core::idle_policy_conformance!(gmp_policy_idle::Frugal);
}
