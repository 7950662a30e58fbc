//! The one executor of this process, and how the programs use it.

use smol::future::block_on;
use smol::{Executor, Task};
use std::future::Future;
use std::sync::OnceLock;

/// Its threads live as long as the process.
fn executor() -> &'static Executor<'static> {
    static EXECUTOR: OnceLock<Executor<'static>> = OnceLock::new();
    EXECUTOR.get_or_init(Executor::new)
}

/// Gives it a thread for each processor.
pub(super) fn start(procs: usize) {
    for _ in 0..procs {
        std::thread::spawn(|| block_on(executor().run(std::future::pending::<()>())));
    }
}

pub(super) fn go<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    executor().spawn(future)
}

/// Runs `main` on the executor and waits for it on this thread, which does no work of its own.
pub(super) fn enter<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
    block_on(go(main))
}

/// Waits for all and adds up what they return.
pub(super) async fn sum(all: Vec<Task<u64>>) -> u64 {
    let mut sum = 0u64;
    for one in all {
        sum = sum.wrapping_add(one.await);
    }
    sum
}
