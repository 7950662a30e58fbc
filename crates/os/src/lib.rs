//! What programs want from the operating system beside sockets: [`fs`], [`io`], [`process`] and [`signal`].
//!
//! Names and signatures of files and processes are std's. A goroutine waits for a process or a pipe as for a socket. A
//! call on a file sits in the kernel and blocks its thread, so it is declared as `blocking` does: its P runs other
//! goroutines.

pub mod fs;
pub mod io;
pub mod process;
pub mod signal;
