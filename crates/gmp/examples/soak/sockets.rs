//! Sockets: messages, deadlines that move, and closes, over descriptors whose numbers are used again at once.

use crate::account::{ACCOUNT, Ticket};
use crate::work::micros;
use fastrand::Rng;
use gmp::net::UnixStream;
use std::io::{Error, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

/// Reads what another goroutine writes into one end of a pair, while a third may end the wait in other ways.
pub(crate) fn read_and_end(rng: &mut Rng) {
    // Others have all descriptors open that there may be.
    let Ok((here, there)) = UnixStream::pair() else { return };
    let (here, mark, as_task) = (Arc::new(here), rng.u8(..), rng.bool());
    let reader = {
        let (here, ticket) = (Arc::clone(&here), Ticket::new());
        gmp::go(move || {
            let _ticket = ticket;
            let mut got = [0];
            let read = match as_task {
                true => gmp::block_on(here.read_async(&mut got)),
                false => (&*here).read(&mut got),
            };
            // As above: the first read of a runtime wants descriptors to wait with.
            let refused = |error: &Error| error.raw_os_error() == Some(libc::EMFILE);
            let read = read.map(|n| (n, got[0]));
            if read.as_ref().is_err_and(refused) { None } else { Some(read.map_err(|error| error.kind())) }
        })
    };
    let how = rng.u32(..5);
    if rng.bool() {
        gmp::sleep(micros(rng, 200));
    }
    match how {
        0 => drop(there),
        // Tasks have timers of their own, and heed a deadline only when they are told of it.
        1 if as_task => here.set_read_deadline(Some(Instant::now())),
        1 => here.set_read_deadline(Some(Instant::now() + micros(rng, 300))),
        2 => here.close().unwrap(),
        _ => {
            // Twice, so that one may come to nothing.
            here.set_read_deadline(Some(Instant::now() + std::time::Duration::from_secs(600)));
            (&there).write_all(&[mark]).unwrap();
        }
    }
    let Ok(Some(got)) = reader.join() else { return };
    ACCOUNT.step();
    let right = match how {
        0 => got == Ok((0, 0)),
        1 => got == Err(ErrorKind::TimedOut),
        2 => got == Err(ErrorKind::NotConnected),
        _ => got == Ok((1, mark)),
    };
    if !right {
        ACCOUNT.complain(format!("a read that was ended in way {how} came to {got:?}"));
    }
}
