//! A real PostgreSQL, started on loopback, and a hundred goroutines that ask it.
//!
//! `GMP_POSTGRES` names the folder of its programs, such as `/usr/lib/postgresql/15/bin`; without it nothing is tried. The
//! gate `databases` of `cargo xtask ci` sets it.

use databases::postgres::connect;
use gmp::context::{Context, ContextError};
use gmp::future::block_on_with;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;

/// A server with a folder of its own; both go when this does.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

impl Server {
    fn start() -> Option<Self> {
        let programs = PathBuf::from(std::env::var_os("GMP_POSTGRES")?);
        let folder = std::env::temp_dir().join(format!("gmp-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // It is free a moment later, too: the system gives such ports out in turn.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = Self { programs, folder, address };
        if is_root() {
            let path = server.folder.as_os_str();
            assert!(Command::new("chown").args([OsStr::new("postgres"), path]).status().unwrap().success());
        }
        server.run("initdb", &["--no-sync", "--username=gmp", "--auth=trust"]);
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=150",
            address.port(),
            server.folder.display()
        );
        let log = server.folder.join("log").display().to_string();
        server.run("pg_ctl", &["start", "--wait", "--timeout=120", "--log", &log, "--options", &options]);
        Some(server)
    }

    /// Runs a program of PostgreSQL's, which none of them lets root do.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder).arg("--pgdata").arg(self.folder.join("data")).args(arguments);
        // What `pg_ctl` starts would keep a pipe open.
        let status = command.stdout(std::process::Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}: {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "--mode=immediate"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

#[test]
fn a_hundred_goroutines_ask_postgres() {
    let Some(server) = Server::start() else {
        println!("skipped: GMP_POSTGRES does not say where PostgreSQL is");
        return;
    };
    let address = server.address;
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(move || asks(address)).unwrap();
    }
}

fn asks(address: SocketAddr) {
    let mut config = Config::new();
    config.user("gmp").dbname("postgres");
    let one = Arc::new(connect(address, &config).unwrap());
    gmp::block_on(one.batch_execute("drop table if exists sum; create table sum (who int, n int)")).unwrap();
    // Each with a connection of its own.
    let writers: Vec<_> = (0..100)
        .map(|who| {
            let config = config.clone();
            gmp::go(move || {
                let mut client = connect(address, &config).unwrap();
                gmp::block_on(async {
                    let insert = client.prepare("insert into sum values ($1, $2)").await?;
                    let change = client.transaction().await?;
                    for n in 1..=10 {
                        change.execute(&insert, &[&who, &n]).await?;
                    }
                    change.commit().await
                })
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap().unwrap());
    // All over one connection, question behind question.
    let readers: Vec<_> = (0..100)
        .map(|who| {
            let one = Arc::clone(&one);
            gmp::go(move || {
                let row =
                    gmp::block_on(one.query_one("select sum(n) from sum where who = $1", &[&who])).unwrap();
                row.get::<_, i64>(0)
            })
        })
        .collect();
    assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 55));
    // An error of the server's is an error here, and the connection goes on.
    let error = gmp::block_on(one.query("select nothing", &[])).unwrap_err();
    assert!(error.as_db_error().is_some(), "{error}");
    // A question that takes too long is given up, and its connection with it.
    let slow = connect(address, &config).unwrap();
    let (context, _cancel) = Context::background().with_timeout(Duration::from_millis(50));
    let given_up = block_on_with(&context, slow.query("select pg_sleep(600)", &[]));
    assert!(matches!(given_up, Err(ContextError::DeadlineExceeded)));
    drop(slow);
    let row = gmp::block_on(one.query_one("select count(*) from sum", &[])).unwrap();
    assert_eq!(row.get::<_, i64>(0), 1000);
}
