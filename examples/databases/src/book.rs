//! A guest book: lines over TCP, kept by SQLite.

use crate::sqlite::Pool;
use gmp::net::{TcpListener, TcpStream};
use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

/// Serves until the listener is closed: a goroutine for each guest.
pub fn serve(listener: &TcpListener, pool: &Pool) -> Result<(), Box<dyn Error + Send + Sync>> {
    pool.call(|book| book.execute("create table if not exists entry (line text not null)", ()))?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let pool = pool.clone();
                gmp::go(move || talk(stream, &pool));
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
            // Too many open files: one of the guests may leave soon.
            Err(error) if error.raw_os_error().is_some() => gmp::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn talk(stream: TcpStream, pool: &Pool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(&stream).lines() {
        let line = line?;
        let number = pool.call(move |book| {
            if line.is_empty() {
                return book.query_row("select count(*) from entry", (), |row| row.get(0));
            }
            book.execute("insert into entry (line) values (?1)", [line])?;
            Ok(book.last_insert_rowid())
        });
        match number {
            Ok(number) => writeln!(&stream, "{number}")?,
            Err(error) => writeln!(&stream, "error: {error}")?,
        }
    }
    Ok(())
}
