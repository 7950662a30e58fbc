//! A crawler: pages of a small site, fetched by a bounded number of goroutines, until all are known or time is up. The
//! site is a server in the same program.

use gmp::context::Context;
use gmp::future::block_on_with;
use gmp::net::{TcpListener, TcpStream};
use gmp::{Receiver, Sender};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

const WORKERS: usize = 4;

/// The links of a page: those to pages 2n and 2n + 1, below 100.
fn links(page: u32) -> Vec<u32> {
    [2 * page, 2 * page + 1].into_iter().filter(|&next| next < 100).collect()
}

/// Serves the pages, each as a line of links; page 13 never answers.
fn site(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        gmp::go(move || {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line)?;
            match line.trim().parse() {
                Ok(13) => gmp::block_forever(),
                Ok(page) => writeln!(&stream, "{:?}", links(page)),
                Err(_) => Ok(()),
            }
        });
    }
}

/// Fetches a page, unless the context is done first.
fn fetch(context: &Context, site: SocketAddr, page: u32) -> io::Result<Vec<u32>> {
    // This page may not take longer than this, whatever is left for all of them.
    let (context, _cancel) = context.with_timeout(Duration::from_millis(300));
    let stream = block_on_with(&context, TcpStream::connect_async(site)).map_err(io::Error::other)??;
    stream.set_deadline(context.deadline());
    writeln!(&stream, "{page}")?;
    let mut text = String::new();
    (&stream).read_to_string(&mut text)?;
    let numbers = text.trim().trim_matches(['[', ']']).split(", ").filter(|number| !number.is_empty());
    numbers.map(|number| number.parse().map_err(io::Error::other)).collect()
}

type Answer = (u32, io::Result<Vec<u32>>);

fn worker(context: &Context, site: SocketAddr, pages: &Receiver<u32>, answers: &Sender<Answer>) {
    for page in pages.iter() {
        if answers.send((page, fetch(context, site, page))).is_err() {
            return;
        }
    }
}

#[gmp::main]
pub(crate) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    gmp::go(move || site(&listener));

    let (context, _cancel) = Context::background().with_timeout(Duration::from_secs(60));
    let (to_fetch, pages) = gmp::chan(0);
    let (fetched, answers) = gmp::chan(0);
    for _ in 0..WORKERS {
        let (context, pages, fetched) = (context.clone(), pages.clone(), fetched.clone());
        gmp::go(move || worker(&context, address, &pages, &fetched));
    }

    let (mut known, mut waiting) = (BTreeSet::from([1]), vec![1]);
    let (mut under_way, mut found, mut failed) = (0, 0, Vec::new());
    while under_way > 0 || !waiting.is_empty() {
        // A channel on which nothing is ready, while there is nothing to fetch.
        let mut next = gmp::Select::new();
        let answer = next.recv(&answers);
        let done = next.recv(context.done());
        if let Some(&page) = waiting.last() {
            next.send(&to_fetch, page);
        }
        let case = next.select();
        if case.index() == answer {
            let (page, links) = case.recv(&answers).map_err(io::Error::other)?;
            under_way -= 1;
            match links {
                Ok(links) => {
                    found += 1;
                    waiting.extend(links.into_iter().filter(|&page| known.insert(page)));
                }
                Err(_) => failed.push(page),
            }
        } else if case.index() == done {
            let _ = case.recv(context.done());
            println!("time is up");
            break;
        } else {
            case.send(&to_fetch).map_err(io::Error::other)?;
            waiting.pop();
            under_way += 1;
        }
    }
    println!("{found} pages of {} known; failed: {failed:?}", known.len());
    Ok(())
}
