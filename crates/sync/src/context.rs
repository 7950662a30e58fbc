//! Contexts: who may still work, until when, and on whose behalf. Go: package `context` (context.go, Go 1.27).
//!
//! ```text
//!   Context ──► nearest node ──► parent node ──► ...      cancellation: tree.rs
//!      │             └── children: nodes, functions to call
//!      └──────► nearest value ──► value ──► ...           values: values.rs
//! ```
//!
//! A context is two pointers: one into the tree along which cancellation goes down, one into a chain of values.
//! Deriving a context adds a link to one of them, so a look along one does not pass through the other's links. Go has
//! one chain for both.

mod after_func;
mod call;
mod cancel;
mod error;
mod handle;
mod tree;
mod values;

#[cfg(all(test, not(loom)))]
mod tests;

pub use after_func::AfterFunc;
pub use cancel::Cancel;
pub use error::{Cause, ContextError, Never};
pub use handle::Context;
