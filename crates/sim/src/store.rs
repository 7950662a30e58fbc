//! The memory of a runtime's goroutines: what they have, and whose cache it is in.

use crate::costs::MemoryCosts;
use crate::memory::Memory;
use crate::pool::Pool;

/// It outlives a run, as a process's memory does.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) memory: Memory,
    pub(crate) stacks: Pool,
    pub(crate) records: Pool,
}

impl Store {
    pub(crate) fn new(costs: &MemoryCosts, data: u32, procs: usize) -> Self {
        Self { memory: Memory::new(costs, data, procs), stacks: Pool::new(procs), records: Pool::new(procs) }
    }
}
