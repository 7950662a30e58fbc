//! Runs a test's code on a goroutine with a stack of the default size.

/// Runs `f` on goroutines: on main, on the thread that called `run`, and on one that another thread may have taken.
///
/// # Panics
/// As `f` does.
pub fn on_goroutines(name: &'static str, f: fn()) {
    let main = move || {
        f();
        let all: Vec<_> =
            (0..4).map(|_| gmp::spawn().name(name).go(f).expect("memory for a record")).collect();
        all.into_iter().for_each(|each| each.join().expect("the code under test does not panic"));
    };
    let runtime = gmp::Builder::new().procs(4).build();
    runtime.expect("the system gives what a runtime needs").run(main).expect("main returns");
}
