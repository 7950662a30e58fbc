//! Goroutine-locals: to which goroutine they belong, when they are made and dropped, and what happens in between.

use gmp::{AtMainReturn, Builder, JoinError, g_local};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

mod modes;
mod told;

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Says so when it is dropped.
struct Tells(Log, &'static str);

impl Drop for Tells {
    fn drop(&mut self) {
        gmp::yield_now();
        self.0.lock().unwrap().push(format!("{} dropped", self.1));
    }
}

g_local! {
    static COUNT: Cell<u32> = Cell::new(7);
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
    static SHARED: Rc<Cell<u32>> = Rc::new(Cell::new(1));
    static FIRST: RefCell<Option<Tells>> = RefCell::new(None);
    static SECOND: RefCell<Option<Tells>> = RefCell::new(None);
}

#[test]
fn each_goroutine_has_its_own() {
    modes::everywhere(4, || {
        COUNT.set(1);
        let others: Vec<_> = (0..50_u32)
            .map(|i| {
                gmp::go(move || {
                    assert_eq!(COUNT.get(), 7);
                    COUNT.set(i);
                    TEXT.with_borrow_mut(|text| text.push_str(&i.to_string()));
                    let mine = SHARED.with(Rc::clone);
                    for _ in 0..20 {
                        gmp::yield_now();
                        mine.set(mine.get() + 1);
                        assert_eq!(COUNT.get(), i);
                    }
                    assert_eq!(TEXT.take(), i.to_string());
                    assert_eq!(SHARED.with(|shared| shared.get()), 21);
                    assert_eq!(Rc::strong_count(&mine), 2);
                })
            })
            .collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(COUNT.get(), 1);
    });
}

#[test]
fn a_goroutine_may_suspend_inside_with() {
    modes::everywhere(3, || {
        gmp::scope(|s| {
            for i in 0..20 {
                s.go(move || {
                    COUNT.with(|count| {
                        count.set(i);
                        gmp::yield_now();
                        gmp::scope(|t| drop(t.go(|| assert_eq!(COUNT.get(), 7))));
                        assert_eq!(count.get(), i);
                    });
                });
            }
        });
    });
}

/// The whole interface, on a goroutine and on a plain thread.
fn face() {
    assert_eq!(COUNT.replace(2), 7);
    assert_eq!(COUNT.take(), 2);
    assert_eq!(COUNT.get(), 0);
    TEXT.set("a".to_owned());
    TEXT.with_borrow_mut(|text| text.push('b'));
    TEXT.with_borrow(|text| assert_eq!(text, "ab"));
    assert_eq!(TEXT.replace("c".to_owned()), "ab");
    assert_eq!(TEXT.take(), "c");
    assert!(TEXT.try_with(|text| text.borrow().is_empty()).unwrap());
    TEXT.with_borrow(|_| assert!(catch_unwind(|| TEXT.set(String::new())).is_err()));
}

#[test]
fn the_face_of_a_local_key() {
    modes::everywhere(1, face);
    std::thread::spawn(face).join().unwrap();
    std::thread::spawn(face).join().unwrap();
}

/// `set` on a fresh value does not make the initial one.
#[test]
fn set_comes_before_init() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    g_local! { static COUNTED: Cell<usize> = Cell::new(MADE.fetch_add(1, SeqCst)); }
    fn body() {
        COUNTED.set(5);
        assert_eq!(COUNTED.get(), 5);
    }
    modes::everywhere(1, body);
    std::thread::spawn(body).join().unwrap();
    assert_eq!(MADE.load(SeqCst), 0);
}

#[test]
fn dropped_last_made_first_before_the_join() {
    modes::everywhere(4, || {
        for ending in ["return", "panic", "exit"] {
            let log = Log::default();
            let theirs = log.clone();
            let ended = gmp::go(move || {
                FIRST.set(Some(Tells(theirs.clone(), "first")));
                SECOND.set(Some(Tells(theirs, "second")));
                match ending {
                    "panic" => resume_unwind(Box::new(())),
                    "exit" => gmp::exit(),
                    _ => gmp::yield_now(),
                }
            });
            let result = ended.join();
            assert_eq!(*log.lock().unwrap(), ["second dropped", "first dropped"]);
            match ending {
                "panic" => assert!(matches!(result, Err(JoinError::Panicked(_)))),
                "exit" => assert!(matches!(result, Err(JoinError::Exited))),
                _ => result.unwrap(),
            }
        }
    });
}

/// A scope ends after its goroutines' locals.
#[test]
fn dropped_before_the_scope_ends() {
    modes::everywhere(3, || {
        let log = Log::default();
        gmp::scope(|s| {
            s.go(|| FIRST.set(Some(Tells(log.clone(), "child's"))));
        });
        assert_eq!(log.lock().unwrap().len(), 1);
        // The first half suspends, so the second one is a goroutine.
        gmp::join(gmp::yield_now, || FIRST.set(Some(Tells(log.clone(), "b's"))));
        assert_eq!(*log.lock().unwrap(), ["child's dropped", "b's dropped"]);
    });
}

#[test]
fn records_are_reused_without_what_was_in_them() {
    modes::everywhere(2, || {
        let alive = Arc::new(AtomicUsize::new(0));
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_sub(1, SeqCst);
            }
        }
        g_local! { static VALUE: RefCell<Option<Counted>> = RefCell::new(None); }
        for i in 0..500 {
            let theirs = alive.clone();
            let goroutine = gmp::go(move || {
                VALUE.with_borrow_mut(|value| {
                    assert!(value.is_none());
                    theirs.fetch_add(1, SeqCst);
                    *value = Some(Counted(theirs.clone()));
                });
            });
            if i % 3 == 0 {
                goroutine.join().unwrap();
            }
            gmp::go(|| assert_eq!(COUNT.get(), 7)).join().unwrap();
        }
        while gmp::num_goroutines() > 1 {
            gmp::yield_now();
        }
        assert_eq!(alive.load(SeqCst), 0);
    });
}

/// Names and labels, which lie beside the locals, are untouched by them, and locals are not inherited.
#[test]
fn names_stay_and_locals_are_not_inherited() {
    modes::everywhere(2, || {
        let named = gmp::spawn().name("named").label("k", "v").go(|| {
            COUNT.set(3);
            let child = gmp::go(|| (COUNT.get(), gmp::current().unwrap().labels.len()));
            assert_eq!(child.join().unwrap(), (7, 1));
            assert_eq!(COUNT.get(), 3);
            gmp::current().unwrap().name
        });
        assert_eq!(named.unwrap().join().unwrap().as_deref(), Some("named"));
    });
}

#[test]
fn a_panic_in_init_leaves_nothing() {
    static FAILS: AtomicUsize = AtomicUsize::new(0);
    g_local! {
        static FRAIL: u32 = {
            if FAILS.fetch_add(1, SeqCst).is_multiple_of(2) {
                resume_unwind(Box::new("init"));
            }
            9
        };
    }
    fn body() {
        assert!(catch_unwind(|| FRAIL.with(|_| ())).is_err());
        assert_eq!(FRAIL.with(|value| *value), 9);
    }
    modes::everywhere(1, body);
    std::thread::spawn(body).join().unwrap();
}

/// An initial expression may use other locals, and even its own: the value made first stays.
#[test]
fn init_may_use_locals() {
    g_local! {
        static OUTER: u32 = COUNT.get() + 1;
        static DEPTH: Cell<u32> = Cell::new(0);
        static ITSELF: u32 = {
            DEPTH.set(DEPTH.get() + 1);
            if DEPTH.get() == 1 { ITSELF.with(|inner| *inner) + 100 } else { 5 }
        };
    }
    fn body() {
        assert_eq!(OUTER.with(|value| *value), 8);
        assert_eq!(ITSELF.with(|value| *value), 5);
    }
    modes::everywhere(1, body);
    std::thread::spawn(body).join().unwrap();
}

#[test]
fn a_panic_in_a_destructor_is_the_goroutines() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            resume_unwind(Box::new("badly dropped"));
        }
    }
    g_local! { static BAD: RefCell<Option<Bad>> = RefCell::new(None); }
    modes::everywhere(2, || {
        let log = Log::default();
        let theirs = log.clone();
        let value = Tells(log.clone(), "result");
        let panicked = gmp::go(move || {
            FIRST.set(Some(Tells(theirs, "first")));
            BAD.set(Some(Bad));
            value
        });
        let Err(JoinError::Panicked(payload)) = panicked.join() else { panic!("no panic") };
        assert_eq!(payload.text().as_deref(), Some("badly dropped"));
        assert_eq!(*log.lock().unwrap(), ["first dropped", "result dropped"]);
        // In a scope the panic is the child's.
        let caught = catch_unwind(AssertUnwindSafe(|| gmp::scope(|s| drop(s.go(|| BAD.set(Some(Bad)))))));
        assert!(caught.is_err());
        // One that nobody waits for ends as well.
        drop(gmp::go(|| BAD.set(Some(Bad))));
    });
}

#[test]
fn access_while_being_dropped() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            let own = LOOKS.try_with(|_| ()).map_err(|error| error.to_string());
            let older = COUNT.try_with(Cell::get).ok();
            let fresh = FRESH.try_with(|fresh| fresh.0);
            SEEN.lock().unwrap().push(format!("{own:?} {older:?} {fresh:?}"));
        }
    }
    struct Fresh(u32);
    impl Drop for Fresh {
        fn drop(&mut self) {
            SEEN.lock().unwrap().push("fresh dropped".to_owned());
        }
    }
    g_local! {
        static LOOKS: Looks = Looks;
        static FRESH: Fresh = Fresh(4);
    }
    modes::everywhere(1, || {
        SEEN.lock().unwrap().clear();
        let ended = gmp::go(|| {
            COUNT.set(2);
            LOOKS.with(|_| ());
        });
        ended.join().unwrap();
        let gone = "the goroutine ends, and its value of this goroutine-local has been dropped already";
        let expected = [format!("Err({gone:?}) Some(2) Ok(4)"), "fresh dropped".to_owned()];
        assert_eq!(*SEEN.lock().unwrap(), expected);
    });
}

/// On the thread's own stack the goroutine's values are still its own.
#[test]
fn on_the_system_stack() {
    modes::everywhere(2, || {
        COUNT.set(11);
        assert_eq!(gmp::on_system_stack(|| COUNT.get()), 11);
        assert_eq!(gmp::on_system_stack(|| TEXT.with_borrow(String::len)), 0);
    });
}

/// What a closing runtime unwinds drops its locals; what it abandons keeps them, like its stack.
#[test]
fn at_the_end_of_a_runtime() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Counts;
    impl Drop for Counts {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }
    g_local! { static COUNTS: Counts = Counts; }
    for (at, expected) in [(AtMainReturn::Unwind, 10), (AtMainReturn::Leak, 0)] {
        DROPPED.store(0, SeqCst);
        let builder = told::moving(Builder::new());
        let runtime = builder.procs(2).at_main_return(at).build().unwrap();
        let finished = runtime.run(|| {
            let ready = Arc::new(AtomicUsize::new(0));
            for _ in 0..10 {
                let ready = ready.clone();
                gmp::go(move || {
                    COUNTS.with(|_| {
                        ready.fetch_add(1, SeqCst);
                        gmp::park();
                    });
                });
            }
            while ready.load(SeqCst) < 10 || gmp::stats().waiting < 10 {
                gmp::sleep(std::time::Duration::from_millis(1));
            }
        });
        assert_eq!(finished.unwrap().left.suspended, 10 - expected);
        // `run` does not wait for one that is still on its way out.
        let start = std::time::Instant::now();
        while DROPPED.load(SeqCst) < expected && start.elapsed() < std::time::Duration::from_secs(60) {
            std::thread::yield_now();
        }
        assert_eq!(DROPPED.load(SeqCst), expected);
    }
}
