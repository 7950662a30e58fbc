//! Stacks do not grow: whoever needs a large one says so, for all goroutines, for one, or for one call.

/// Each step takes a few hundred bytes of stack, more in a debug build.
fn depth(left: u32) -> u32 {
    let frame = std::hint::black_box([left; 64]);
    if left == 0 { 0 } else { 1 + depth(left - 1) + frame[0] - left }
}

pub(crate) fn main() {
    let builder = gmp::Builder::new();
    let runtime = builder.stack_size(32 << 10).build().unwrap();
    runtime
        .run(|| {
            let small = gmp::go(|| depth(20));
            println!("32 KiB: {} deep", small.join().unwrap());
            let large = gmp::spawn().name("deep").stack_size(16 << 20).go(|| depth(10_000)).unwrap();
            println!("16 MiB: {} deep", large.join().unwrap());
            println!("the thread's own stack: {} deep", gmp::on_system_stack(|| depth(1_000)));
        })
        .unwrap();
}
