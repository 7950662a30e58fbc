//! What programs want of the operating system beside sockets: [`fs`], [`io`], [`process`] and [`signal`].
//!
//! Names and signatures of files and processes are std's. A goroutine that waits for a process or a pipe waits as for a
//! socket; a call on a file sits in the kernel and blocks its thread, so it is declared, as by `blocking`: its P runs
//! others.

pub mod fs;
pub mod io;
pub mod process;
pub mod signal;
