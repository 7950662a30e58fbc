//! The runtime of a cell, and how its programs enter it.

use crate::cell::{Cell, Result};
use std::future::Future;
use tokio::runtime::{Builder, Runtime};
use tokio::spawn;

/// The name of the library that is tokio's single-threaded scheduler.
pub(super) const SINGLE: &str = "tokio-ct";

pub(super) fn new(cell: &Cell) -> Result<Runtime> {
    let mut builder =
        if cell.lib == SINGLE { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if cell.workload.starts_with("tcp_") {
        // Its driver for sockets takes part in every sleep of a worker, so it is on only here.
        builder.enable_io();
    }
    Ok(builder.worker_threads(cell.procs).enable_time().build()?)
}

/// Runs `main` as a spawned future, so that it competes on the same terms as what it spawns.
pub(super) fn enter<T: Send + 'static>(
    runtime: &Runtime,
    main: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    Ok(runtime.block_on(async { spawn(main).await })?)
}
