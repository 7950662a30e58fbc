//! `Config`: the types that a runtime is made of.

use crate::contract::{Policy, StackAllocator, Switch};

/// What a runtime is made of.
pub trait Config: Sized + 'static {
    /// How goroutines are queued and Ms woken.
    type Policy: Policy;
    /// Where stacks come from.
    type Stacks: StackAllocator;
    /// How stacks are switched.
    type Switch: Switch;
}
