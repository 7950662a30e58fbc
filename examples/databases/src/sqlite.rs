//! SQLite by rusqlite, behind a pool of goroutines: each has a connection of its own, and takes one job after another.
//!
//! SQLite's calls sit in the file system and in locks between connections, so each job is declared as one that blocks: a
//! thread is in use for as long as it takes, and no P.

use gmp::sync::oneshot;
use gmp::{Receiver, Sender};
use rusqlite::{Connection, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The pool. Its goroutines end with its last clone.
#[derive(Clone)]
pub struct Pool(Sender<Job>);

impl Pool {
    /// Opens this many connections to a database, which is made if it is not there.
    pub fn open(path: &Path, connections: usize) -> Result<Self> {
        let (jobs, to_do) = gmp::chan(0);
        for _ in 0..connections {
            let connection = gmp::blocking(|| -> Result<_> {
                let connection = Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(60))?;
                // One writes while others read.
                connection.pragma_update(None, "journal_mode", "wal")?;
                Ok(connection)
            })?;
            let to_do = to_do.clone();
            gmp::go(move || work(connection, to_do));
        }
        Ok(Self(jobs))
    }

    /// Has a goroutine of the pool do this with its connection, and waits for the result. A panic in `job` is one here.
    pub fn call<R: Send + 'static>(&self, job: impl FnOnce(&mut Connection) -> R + Send + 'static) -> R {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| _ = answer.send(job(connection));
        self.0.send(Box::new(job)).expect("the pool works until its last handle goes");
        answered.recv().expect("the job has not panicked")
    }
}

fn work(mut connection: Connection, jobs: Receiver<Job>) {
    for job in jobs {
        // Whoever asked sees that no answer comes; the connection is as good as before.
        let _ = gmp::blocking(|| catch_unwind(AssertUnwindSafe(|| job(&mut connection))));
    }
}
