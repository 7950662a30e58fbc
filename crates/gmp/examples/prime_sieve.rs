//! The concurrent prime sieve: a chain of goroutines, each of which lets no multiple of its prime pass. It follows the
//! example in "Communicating Sequential Processes" (Hoare, 1978).

use gmp::{Receiver, chan};

/// All numbers from 2, as long as somebody receives them.
fn numbers() -> Receiver<u32> {
    let (sender, numbers) = chan(0);
    gmp::go(move || (2..).take_while(|&n| sender.send(n).is_ok()).count());
    numbers
}

/// What comes in, without the multiples of `prime`.
fn sieve(input: Receiver<u32>, prime: u32) -> Receiver<u32> {
    let (sender, output) = chan(0);
    gmp::go(move || {
        for n in input.iter().filter(|n| n % prime != 0) {
            if sender.send(n).is_err() {
                // Nobody listens any more. Our own receiver is dropped, by which the one before us finds out.
                return;
            }
        }
    });
    output
}

pub(crate) fn main() {
    let runtime = gmp::Builder::new().build().unwrap();
    let finished = runtime.run(|| {
        let mut chain = numbers();
        let mut primes = Vec::new();
        while primes.len() < 20 {
            let prime = chain.recv().expect("there is always another number");
            primes.push(prime);
            chain = sieve(chain, prime);
        }
        let at_work = gmp::num_goroutines();
        drop(chain);
        while gmp::num_goroutines() > 1 {
            gmp::yield_now();
        }
        println!("{at_work} goroutines, then 1");
        primes
    });
    println!("{:?}", finished.unwrap().value);
}
