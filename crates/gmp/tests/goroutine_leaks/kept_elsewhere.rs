//! Handles in places of every kind that memory has, and in none but a register.

use super::kept::{Begun, Kept, hidden, kept, sent, shown};
use super::*;
use gmp::Sender;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::arch::asm;
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// One that is not zero at first, so that it is in a page of the program's file.
static WITH_OTHER_DATA: Mutex<(u64, Option<Sender<u32>>)> = Mutex::new((7, None));

thread_local! {
    static OF_A_THREAD: RefCell<Option<Sender<u32>>> = const { RefCell::new(None) };
}

gmp::g_local! {
    static OF_A_GOROUTINE: RefCell<Option<Sender<u32>>> = RefCell::new(None);
}

/// Keeps the value `hidden` in a place, sleeps until it is to stop, and returns the value; each by these instructions. In
/// between it makes system calls (35 is nanosleep) and reads a flag.
macro_rules! keep_until {
    ($stop:ident, $begun:ident, $hidden:ident, by $($keep:literal)*, then $($take:literal)*) => {{
        let (nap, mut value) = (libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 }, $hidden);
        // SAFETY: what is below the stack pointer is nobody else's, as these lines may use the stack; the rest is declared.
        unsafe {
            asm!(
                $($keep,)*
                "mov byte ptr [{begun}], 1",
                "2:",
                "mov eax, 35",
                "mov rdi, {nap}",
                "xor esi, esi",
                "syscall",
                "cmp byte ptr [{stop}], 0",
                "je 2b",
                $($take,)*
                value = inout(reg) value,
                nap = in(reg) &raw const nap,
                begun = in(reg) $begun.0.as_ptr(),
                stop = in(reg) $stop.as_ptr(),
                out("rax") _, out("rdi") _, out("rsi") _, out("rcx") _, out("r11") _,
            );
        }
        value
    }};
}

/// Has the handle in a register, and nowhere else, until it is to stop.
fn in_a_register(hidden: usize, begun: &Begun, stop: &AtomicBool) -> usize {
    keep_until!(stop, begun, hidden, by "not {value}", then "not {value}")
}

/// Has the handle below its stack pointer, where a function may keep what it will, and nowhere else.
fn in_the_red_zone(hidden: usize, begun: &Begun, stop: &AtomicBool) -> usize {
    keep_until!(stop, begun, hidden,
        by "not {value}" "mov [rsp - 120], {value}" "xor {value}, {value}",
        then "mov {value}, [rsp - 120]" "mov qword ptr [rsp - 120], 0" "not {value}")
}

/// A goroutine or a thread that has a hidden handle so until it is to stop, and uses it then.
fn by_one_that_runs(
    name: &str,
    stop: &Arc<AtomicBool>,
    thread: bool,
    hold: fn(usize, &Begun, &AtomicBool) -> usize,
) -> Kept {
    let stop = stop.clone();
    kept(name, |sender| {
        let (hidden, begun) = (hidden(sender), Begun::default());
        let has_begun = begun.clone();
        let main = move || {
            let held = hold(hidden, &has_begun, &stop);
            sent(&shown(held));
        };
        if thread {
            let keeper = std::thread::spawn(main);
            begun.wait();
            Box::new(move || gmp::blocking(|| keeper.join()).unwrap())
        } else {
            let keeper = gmp::go(main);
            begun.wait();
            Box::new(move || keeper.join().unwrap())
        }
    })
}

/// A page of its own in which the handle is, with these rights afterwards.
fn in_a_page(name: &str, flags: MapFlags, rights: ProtFlags) -> Kept {
    kept(name, |sender| {
        let (all, size) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, NonZeroUsize::new(4096).unwrap());
        // SAFETY: a mapping of its own.
        let page = unsafe { mmap_anonymous(None, size, all, flags) }.unwrap();
        // SAFETY: nobody else has the page.
        unsafe { page.cast::<Sender<u32>>().add(3).write(sender) };
        // SAFETY: as above.
        unsafe { mprotect(page, 4096, rights) }.unwrap();
        // Its own address is no place of a channel.
        let page = page.as_ptr().expose_provenance();
        Box::new(move || {
            let page = NonNull::new(core::ptr::with_exposed_provenance_mut::<Sender<u32>>(page)).unwrap();
            // SAFETY: it was written there, and is read once.
            sent(&unsafe { page.add(3).read() });
        })
    })
}

pub(crate) fn all(stop: &Arc<AtomicBool>) -> Vec<Kept> {
    let (private, shared) = (MapFlags::MAP_PRIVATE, MapFlags::MAP_SHARED);
    let (read, both) = (ProtFlags::PROT_READ, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    let mut all = vec![
        by_one_that_runs("in a goroutine's register", stop, false, in_a_register),
        by_one_that_runs("in a thread's register", stop, true, in_a_register),
        by_one_that_runs("below a goroutine's stack pointer", stop, false, in_the_red_zone),
        by_one_that_runs("below a thread's stack pointer", stop, true, in_the_red_zone),
        in_a_page("in a mapping", private, both),
        in_a_page("in a mapping that may only be read", private, read),
        in_a_page("in a shared mapping", shared, both),
        in_locals("in a thread's local", true, of_a_thread),
        in_locals("in a thread-local of a goroutine", false, of_a_thread),
        in_locals("in a goroutine-local", false, of_a_goroutine),
        kept("in a global with other data", |sender| {
            WITH_OTHER_DATA.lock().unwrap().1 = Some(sender);
            Box::new(|| sent(&WITH_OTHER_DATA.lock().unwrap().1.take().unwrap()))
        }),
        kept("in a queue of std's", |sender| {
            let (put, get) = mpsc::channel();
            put.send(sender).unwrap();
            Box::new(move || sent(&get.recv().unwrap()))
        }),
        kept("behind a weak pointer", |sender| {
            let strong = Arc::new(sender);
            let weak = Arc::downgrade(&strong);
            Box::new(move || {
                sent(&weak.upgrade().unwrap());
                drop(strong);
            })
        }),
        kept("in the result of a thread", |sender| {
            let ended = std::thread::spawn(move || sender);
            Box::new(move || sent(&ended.join().unwrap()))
        }),
        kept("in the middle of much", |sender| {
            // 32 MiB, and more than is read at once before the handle.
            let mut much = vec![0_usize; 1 << 22];
            much[(1 << 22) - 100_000..].fill(1);
            much[(1 << 22) - 7] = !hidden(sender);
            Box::new(move || sent(&shown(!much[(1 << 22) - 7])))
        }),
    ];
    all.push(in_one_that_has_not_begun(stop));
    all.push(of_another_runtimes());
    all.push(lent_by_one_that_was_left_behind(stop));
    all
}

fn of_a_thread(put: Option<Sender<u32>>) -> Option<Sender<u32>> {
    OF_A_THREAD.replace(put)
}

fn of_a_goroutine(put: Option<Sender<u32>>) -> Option<Sender<u32>> {
    OF_A_GOROUTINE.replace(put)
}

/// Who puts the handle into a variable of its own, and takes it out in the end.
fn in_locals(name: &str, thread: bool, local: fn(Option<Sender<u32>>) -> Option<Sender<u32>>) -> Kept {
    kept(name, |sender| {
        let (wake, woken) = mpsc::channel::<()>();
        if thread {
            let keeper = std::thread::spawn(move || {
                local(Some(sender));
                let _ = woken.recv();
                sent(&local(None).unwrap());
            });
            return Box::new(move || {
                drop(wake);
                gmp::blocking(|| keeper.join()).unwrap();
            });
        }
        let keeper = gmp::go(move || {
            local(Some(sender));
            while woken.try_recv() == Err(mpsc::TryRecvError::Empty) {
                gmp::sleep(SHORT);
            }
            sent(&local(None).unwrap());
        });
        Box::new(move || {
            drop(wake);
            keeper.join().unwrap();
        })
    })
}

/// A goroutine of another runtime waits there, and has it on its stack.
fn of_another_runtimes() -> Kept {
    kept("of a goroutine of another runtime", |sender| {
        let (hidden, begun, (wake, woken)) = (hidden(sender), Begun::default(), chan::<()>(0));
        let has_begun = begun.clone();
        let other = std::thread::spawn(move || {
            gmp::Builder::new().procs(1).build().unwrap().run(move || {
                let sender = shown(hidden);
                has_begun.say();
                let _ = woken.recv();
                sent(&sender);
            })
        });
        begun.wait();
        Box::new(move || {
            drop(wake);
            gmp::blocking(|| other.join()).unwrap().unwrap();
        })
    })
}

/// Its only P is taken, so the goroutine that has the handle does not begin.
fn in_one_that_has_not_begun(stop: &Arc<AtomicBool>) -> Kept {
    let stop = stop.clone();
    kept("in one that has not begun", |sender| {
        let other = std::thread::spawn(move || {
            gmp::Builder::new().procs(1).build().unwrap().run(move || {
                let keeper = gmp::go(move || sent(&sender));
                while !stop.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                keeper.join().unwrap();
            })
        });
        Box::new(move || _ = gmp::blocking(|| other.join()).unwrap().unwrap())
    })
}

/// A runtime has ended, and with it a goroutine that had lent a handle on its stack to a thread.
fn lent_by_one_that_was_left_behind(stop: &Arc<AtomicBool>) -> Kept {
    let stop = stop.clone();
    kept("on a stack that was left behind", |sender| {
        let ((tell, told), hidden) = (mpsc::channel(), hidden(sender));
        let main = move || {
            gmp::go(move || {
                let lent = shown(hidden);
                // Not as a pointer, which would say by itself where that stack is.
                tell.send(!core::ptr::from_ref(&lent).expose_provenance()).unwrap();
                gmp::block_forever()
            });
            gmp::sleep(SHORT);
        };
        let ends = std::thread::spawn(move || {
            let builder = gmp::Builder::new().procs(1).at_main_return(gmp::AtMainReturn::Leak);
            builder.build().unwrap().run(main).unwrap();
            told.recv().unwrap()
        });
        let lent = gmp::blocking(|| ends.join()).unwrap();
        let keeper = std::thread::spawn(move || {
            while !stop.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            // SAFETY: its stack stays for ever, and nobody else uses it.
            sent(unsafe { &*core::ptr::with_exposed_provenance::<Sender<u32>>(!lent) });
        });
        Box::new(move || gmp::blocking(|| keeper.join()).unwrap())
    })
}
