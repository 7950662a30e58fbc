//! loom models of going idle and waking under Go's rule: see `suite/idle_models.rs` of gmp-core for what is modelled, the
//! bounds and the time.

gmp_core::idle_policy_models!(crate::GoIdle);
