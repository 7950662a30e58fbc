//! SQLite behind its pool, with guests that are plain threads.

use databases::{book, sqlite::Pool};
use gmp::net::TcpListener;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

/// A folder of the test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gmp-databases-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap().value
}

#[test]
fn guests_write_into_the_book() {
    for procs in [1, 2] {
        let folder = Folder::new(&format!("book-{procs}"));
        let path = folder.0.join("book.db");
        run(procs, move || {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            let (address, closer) = (listener.local_addr().unwrap(), Arc::clone(&listener));
            let guests = std::thread::spawn(move || {
                let guests: Vec<_> = (0..8)
                    .map(|guest| {
                        std::thread::spawn(move || {
                            let mut stream = TcpStream::connect(address).unwrap();
                            let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
                            let mut ask = |line: String| -> u32 {
                                stream.write_all(line.as_bytes()).unwrap();
                                answers.next().unwrap().unwrap().parse().unwrap()
                            };
                            let numbers: Vec<_> = (0..20).map(|n| ask(format!("{n} of {guest}\n"))).collect();
                            assert!(numbers.is_sorted() && ask("\n".into()) >= 20);
                            numbers
                        })
                    })
                    .collect();
                let mut all: Vec<_> = guests.into_iter().flat_map(|guest| guest.join().unwrap()).collect();
                all.sort_unstable();
                assert_eq!(all, (1..=160).collect::<Vec<_>>(), "each entry has a number of its own");
                closer.close().unwrap();
            });
            book::serve(&listener, &Pool::open(&path, 4).unwrap()).unwrap();
            gmp::blocking(|| guests.join()).unwrap();
        });
    }
}

/// A hundred goroutines share four connections, whose transactions wait for each other; a job that panics harms no other.
#[test]
fn a_hundred_goroutines_share_four_connections() {
    for procs in [1, 2] {
        let folder = Folder::new(&format!("pool-{procs}"));
        let path = folder.0.join("pool.db");
        run(procs, move || {
            let pool = Pool::open(&path, 4).unwrap();
            pool.call(|db| db.execute_batch("create table sum (n integer); insert into sum values (0)"))
                .unwrap();
            let adders: Vec<_> = (1..=100)
                .map(|n| {
                    let pool = pool.clone();
                    gmp::go(move || {
                        pool.call(move |db| {
                            let change =
                                db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                            let sum: i64 = change.query_row("select n from sum", (), |row| row.get(0))?;
                            change.execute("update sum set n = ?1", [sum + n])?;
                            change.commit()
                        })
                    })
                })
                .collect();
            let worse = pool.clone();
            let panics = gmp::go(move || worse.call(|_| std::panic::resume_unwind(Box::new("a bad job"))));
            adders.into_iter().for_each(|adder| adder.join().unwrap().unwrap());
            assert!(matches!(panics.join(), Err::<(), _>(gmp::JoinError::Panicked(_))));
            let sum: i64 = pool.call(|db| db.query_row("select n from sum", (), |row| row.get(0))).unwrap();
            assert_eq!(sum, 5050);
        });
    }
}
