//! The first program: one goroutine starts another and waits for it.

pub(crate) fn main() {
    // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
    let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
    let answer = runtime.run(|| gmp::go(|| 6 * 7).join().unwrap()).unwrap().value;
    println!("{answer}");
}
