//! loom models of going idle and waking under these rules: see `suite/idle_models.rs` of gmp-core for what is modelled,
//! the bounds and the time.

mod eager {
    gmp_core::idle_policy_models!(crate::Eager);
}

mod frugal {
    gmp_core::idle_policy_models!(crate::Frugal);
}
