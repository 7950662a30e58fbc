//! A flow: a thread that waits for mail.
//!
//! 1. A flow's context is the address of its [`Flow`]. The thread itself keeps that alive, by the `Arc` in its
//!    thread-local, until it ends; and a suspended flow does not end.
//! 2. Mail is at most one carry. It is sent once for each time the flow is suspended (`Switch::switch`: a context is
//!    continued once), so a second letter finds the box empty.
//! 3. A sender holds an `Arc` of its own while it sends: the receiver may wake up, finish and drop the box before the
//!    sender has let go of the lock.
//! 4. The lock orders what was written before a letter was sent before what is read after it arrived (clause C4).

use std::cell::RefCell;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use gmp_core::contract::{Carry, Context, Entry};

/// A carry on its way to another thread.
struct Letter(Carry);

// SAFETY: a carry is an opaque word that core passes from flow to flow; clause C3 has it arrive on whatever thread the
// flow is, and nothing is read through it here.
unsafe impl Send for Letter {}

/// A flow's mailbox.
pub(crate) struct Flow {
    mail: Mutex<Option<Letter>>,
    arrived: Condvar,
    /// The kernel's number of its thread; 0: none, or it has not run yet. Relaxed: it is asked while the flow is suspended.
    thread_id: AtomicI32,
}

thread_local! {
    /// The flow that this thread is: given by `start`, or made when the thread first switches away.
    static OWN: RefCell<Option<Arc<Flow>>> = const { RefCell::new(None) };
}

impl Flow {
    fn new() -> Arc<Self> {
        Arc::new(Self { mail: Mutex::new(None), arrived: Condvar::new(), thread_id: AtomicI32::new(0) })
    }

    /// The calling thread's own flow.
    pub(crate) fn own() -> Arc<Self> {
        OWN.with_borrow_mut(|own| Arc::clone(own.get_or_insert_with(Self::new)))
    }

    /// The flow as a context: valid until its thread ends.
    pub(crate) fn context(self: &Arc<Self>) -> Context {
        Context(Arc::as_ptr(self).cast_mut().cast())
    }

    /// The flow behind a context.
    ///
    /// # Safety
    /// The context came from [`Flow::context`], and its thread has not been continued since.
    pub(crate) unsafe fn of(context: Context) -> Arc<Self> {
        let flow = context.0.cast_const().cast::<Self>();
        // SAFETY: the flow's thread is suspended, so its own `Arc` is alive (point 1); this one adds to the count.
        unsafe { Arc::increment_strong_count(flow) };
        // SAFETY: owns the count just added.
        unsafe { Arc::from_raw(flow) }
    }

    /// The kernel's number of its thread.
    pub(crate) fn thread_id(&self) -> Option<i32> {
        let id = self.thread_id.load(Ordering::Relaxed);
        (id != 0).then_some(id)
    }

    /// Continues the flow with this carry.
    pub(crate) fn send(&self, carry: Carry) {
        let before = self.lock().replace(Letter(carry));
        debug_assert!(before.is_none(), "a context is continued once");
        self.arrived.notify_one();
    }

    /// Waits to be continued. Only the flow's own thread calls this.
    pub(crate) fn wait(&self) -> Carry {
        let mut mail = self.lock();
        loop {
            match mail.take() {
                Some(letter) => return letter.0,
                None => mail = self.arrived.wait(mail).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Nothing panics while it is held, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, Option<Letter>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kernel's number of the calling thread, where there is one.
pub(crate) fn own_thread_id() -> Option<i32> {
    #[cfg(target_os = "linux")]
    return Some(nix::unistd::gettid().as_raw());
    #[cfg(not(target_os = "linux"))]
    None
}

/// The least stack of a flow's thread: what the standard library gives a thread. A goroutine that is a thread has no
/// other, larger stack to call into.
const LEAST_STACK: usize = 2 << 20;

/// Starts a thread that waits to be continued, calls `entry`, continues what it returns with a null carry, and ends.
///
/// A thread can be refused only for a moment, while ended ones are still being cleared away, so there are a few
/// attempts in 31 ms. No more: the caller holds a P, and has a better way to wait.
///
/// # Errors
/// What the system said to the last attempt.
pub(crate) fn start(stack_size: usize, entry: Entry) -> std::io::Result<Context> {
    const ATTEMPTS: u32 = 5;
    let mut attempt = 0;
    loop {
        let flow = Flow::new();
        let context = flow.context();
        let builder =
            thread::Builder::new().name("gmp-hosted".into()).stack_size(stack_size.max(LEAST_STACK));
        match builder.spawn(move || run(flow, entry)) {
            Ok(_) => return Ok(context),
            Err(_) if attempt < ATTEMPTS => {
                thread::sleep(Duration::from_millis(1 << attempt));
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What a flow's thread does.
fn run(flow: Arc<Flow>, entry: Entry) {
    OWN.set(Some(Arc::clone(&flow)));
    flow.thread_id.store(own_thread_id().unwrap_or(0), Ordering::Relaxed);
    let carry = flow.wait();
    // SAFETY: clause C2: this is the first switch to the flow, on a thread and stack of its own.
    let mut next = unsafe { entry(carry) };
    while next.is_null() {
        // SAFETY: as above: it is to be called again.
        next = unsafe { entry(std::ptr::null_mut()) };
    }
    // SAFETY: the entry returns a suspended context to leave to for good.
    unsafe { Flow::of(next) }.send(std::ptr::null_mut());
}
