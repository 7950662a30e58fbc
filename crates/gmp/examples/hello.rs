//! The first program: one goroutine starts another and waits for it.

#[gmp::main]
pub(crate) fn main() {
    let answer = gmp::go(|| 6 * 7).join().unwrap();
    println!("{answer}");
}
