//! The other libraries, one file each, over the same definitions.

mod corosensei;
mod crossbeam_channel;
mod may;
mod queues;
mod rayon;
mod smol;
mod tokio;

use crate::library::Library;

/// All of them, in the order of the table's columns.
pub(crate) const LIBRARIES: [Library; 9] = [
    tokio::MULTI_THREAD,
    tokio::CURRENT_THREAD,
    may::LIBRARY,
    smol::LIBRARY,
    rayon::LIBRARY,
    crossbeam_channel::LIBRARY,
    corosensei::LIBRARY,
    queues::CROSSBEAM,
    queues::ST3,
];
