//! Libraries that are loaded while goroutines live, with thread-locals of both kinds: found through the vector (general
//! dynamic), and at a fixed distance from the base (initial exec).

use crate::builder;
use crate::harness::{Named, child, named};
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicPtr, Ordering};

pub(crate) const TESTS: &[Named] = named![a_library_loaded_late_finds_its_thread_locals];

pub(crate) const CHILDREN: &[Named] = named![load];

/// Counts from 41 in a thread-local.
const SOURCE: &str = "static __thread int count = 41; static __thread char room[100]; \
    int next(void) { room[count % 100]++; return ++count; } \
    int fresh(void) { for (int i = 0; i < 100; i++) if (room[i]) return 0; return count == 41; }";

fn a_library_loaded_late_finds_its_thread_locals() {
    for model in ["global-dynamic", "initial-exec"] {
        let library = build(model);
        child("load").env("GMP_TEST_LIBRARY", &library).run().code(0);
        std::fs::remove_file(library).unwrap();
    }
}

/// Builds the library with the linker's own compiler, which whoever builds Rust programs has.
fn build(model: &str) -> PathBuf {
    let directory = std::env::temp_dir();
    let source = directory.join(format!("gmp-{model}-{}.c", std::process::id()));
    let library = source.with_extension("so");
    std::fs::write(&source, SOURCE).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", &format!("-ftls-model={model}"), "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(built.success());
    std::fs::remove_file(source).unwrap();
    library
}

static NEXT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static FRESH: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

fn call(function: &AtomicPtr<c_void>) -> c_int {
    // SAFETY: stored below, of this type.
    unsafe {
        let function: extern "C" fn() -> c_int = std::mem::transmute(function.load(Ordering::Acquire));
        function()
    }
}

fn use_it() {
    assert_eq!(call(&FRESH), 1, "it begins as the library says");
    for count in 42..50 {
        assert_eq!(call(&NEXT), count);
        gmp::yield_now();
    }
}

fn load() {
    let path = CString::new(std::env::var("GMP_TEST_LIBRARY").unwrap()).unwrap();
    let runtime = builder().procs(2).build().unwrap();
    let main = move || {
        // These have run and wait, so they have their blocks, when the library comes.
        let (open, opened) = gmp::chan::<()>(0);
        let earlier: Vec<_> = (0..20)
            .map(|_| {
                let opened = opened.clone();
                gmp::go(move || {
                    let _ = opened.recv();
                    use_it();
                })
            })
            .collect();
        (0..100).for_each(|_| gmp::yield_now());
        let symbol = |library, name: &std::ffi::CStr| {
            // SAFETY: looks a name up.
            let found = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!found.is_null());
            found
        };
        // SAFETY: a library of our own.
        let library = unsafe { libc::dlopen(path.as_ptr().cast::<c_char>(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        FRESH.store(symbol(library, c"fresh"), Ordering::Release);
        NEXT.store(symbol(library, c"next"), Ordering::Release);
        drop(open);
        use_it();
        earlier.into_iter().for_each(|handle| handle.join().unwrap());
        // And those that come later, on blocks that were used by others.
        for _ in 0..20 {
            let handles: Vec<_> = (0..30).map(|_| gmp::go(use_it)).collect();
            handles.into_iter().for_each(|handle| handle.join().unwrap());
        }
    };
    runtime.run(main).unwrap();
}
