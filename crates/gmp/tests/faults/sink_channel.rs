//! An event sink that sent to a channel spun for ever, since the scheduler held that channel's lock. The kind: foreign
//! code that calls gmp, whatever it calls and whatever it interrupts. The call is refused with a message that says
//! which code called what, and nothing hangs.

use crate::harness::{child, named};
use gmp::context::{Cancel, Context};
use gmp::event::{Event, EventKind, EventSink};
use gmp::sync::{Cond, Mutex, RwLock, Semaphore, WaitGroup};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_sink_that_calls_gmp_is_refused,
        a_hook_on_a_plain_thread_is_refused,
        a_policys_channel_is_refused
    ],
    named![calling_sink, sink_on_a_plain_thread, policy_sends],
);

/// Which call the sink makes, and at which kind of event: for the child.
const CALL: &str = "GMP_SINK_CALL";

/// What the sink may reach.
struct Things {
    sender: gmp::Sender<u32>,
    receiver: gmp::Receiver<u32>,
    handle: gmp::Handle,
    unparker: gmp::Unparker,
    context: Context,
    cancel: Cancel,
    timer: gmp::time::Timer,
    mutex: Mutex<u32>,
    lock: RwLock<u32>,
    units: Semaphore,
    group: WaitGroup,
    changed: Cond,
}

static THINGS: OnceLock<Things> = OnceLock::new();
static ARMED: AtomicBool = AtomicBool::new(false);

/// A call by name.
type Call = (&'static str, fn(&Things));

const CALLS: &[Call] = &[
    ("try_send", |it| _ = it.sender.try_send(7)),
    ("send", |it| _ = it.sender.send(7)),
    ("try_recv", |it| _ = it.receiver.try_recv()),
    ("recv", |it| _ = it.receiver.recv()),
    ("close", |it| _ = it.receiver.close()),
    ("select", |it| {
        gmp::select! {
            recv(it.receiver) -> _ => {},
            send(it.sender, 7) -> _ => {},
            default => {}
        }
    }),
    ("lock", |it| {
        core::mem::forget(it.mutex.lock());
        let _waits = it.mutex.lock();
    }),
    ("write", |it| {
        core::mem::forget(it.lock.read());
        let _waits = it.lock.write();
    }),
    ("acquire", |it| drop(it.units.acquire())),
    ("add_permits", |it| it.units.add_permits(1)),
    ("notify_all", |it| it.changed.notify_all()),
    ("WaitGroup::wait", |it| it.group.wait()),
    ("cancel", |it| it.cancel.cancel()),
    ("err", |it| {
        it.cancel.cancel();
        let _ = it.context.err();
    }),
    ("unpark", |it| it.unparker.unpark()),
    ("go", |_| drop(gmp::go(|| ()))),
    ("Handle::go", |it| drop(it.handle.go(|| ()))),
    ("Handle::stats", |it| _ = it.handle.stats()),
    ("Handle::num_goroutines", |it| _ = it.handle.num_goroutines()),
    ("stats", |_| _ = gmp::stats()),
    ("yield_now", |_| gmp::yield_now()),
    ("sleep", |_| gmp::sleep(Duration::from_millis(1))),
    ("blocking", |_| gmp::blocking(|| ())),
    ("lock_os_thread", |_| drop(gmp::lock_os_thread())),
    ("after", |_| drop(gmp::time::after(Duration::from_secs(1)))),
    ("Timer::stop", |it| _ = it.timer.stop()),
    ("Timer::reset", |it| _ = it.timer.reset(Duration::ZERO)),
    ("on_system_stack", |_| gmp::on_system_stack(|| ())),
    ("set_max_procs", |_| _ = gmp::set_max_procs(1)),
    ("scope", |_| gmp::scope(|_| ())),
];

const KINDS: &[EventKind] = &[
    EventKind::GoCreate,
    EventKind::GoStart,
    EventKind::GoBlock,
    EventKind::GoUnblock,
    EventKind::GoStop,
    EventKind::GoSyscallBegin,
    EventKind::GoDestroy,
    EventKind::StwBegin,
];

struct Calls(Call, EventKind);

impl EventSink for Calls {
    fn event(&self, event: &Event) {
        if event.kind == self.1
            && ARMED.swap(false, SeqCst)
            && let Some(things) = THINGS.get()
        {
            (self.0.1)(things);
            eprintln!("an event sink called {}, and that came back", self.0.0);
            std::process::exit(3);
        }
    }
}

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>())
}

fn chosen() -> (Call, EventKind) {
    let number: usize = std::env::var(CALL).unwrap().parse().unwrap();
    (CALLS[number % CALLS.len()], KINDS[number / CALLS.len() % KINDS.len()])
}

/// All kinds of events, in the middle of all kinds of things.
fn calling_sink() {
    let (call, kind) = chosen();
    let procs = std::env::var(CALL).unwrap().len().min(2);
    let runtime = builder().procs(procs).events(Arc::new(Calls(call, kind))).build().unwrap();
    let handle = runtime.handle();
    let ran = runtime.run(move || {
        let (sender, receiver) = gmp::chan(1 << 10);
        let (context, cancel) = Context::background().with_cancel();
        let things = Things {
            sender,
            receiver: receiver.clone(),
            handle,
            unparker: gmp::current().unwrap().unparker(),
            context,
            cancel,
            timer: gmp::time::Timer::new(Duration::from_secs(3600)),
            mutex: Mutex::new(0),
            lock: RwLock::new(0),
            units: Semaphore::new(0),
            group: WaitGroup::new(),
            changed: Cond::new(),
        };
        things.group.add(1);
        let _ = THINGS.set(things);
        ARMED.store(true, SeqCst);
        // The sink's own channel, in whose lock this goroutine falls asleep.
        let reader = gmp::go(move || receiver.recv());
        gmp::yield_now();
        gmp::blocking(|| std::thread::sleep(Duration::from_millis(1)));
        gmp::set_max_procs(3);
        _ = THINGS.get().map(|it| it.sender.send(1));
        reader.join().is_ok()
    });
    println!("{:?}", ran.map(|finished| finished.value));
}

fn a_sink_that_calls_gmp_is_refused() {
    // Each call at some kind of event.
    for number in 0..CALLS.len() {
        let kind = number % KINDS.len();
        let number = kind * CALLS.len() + number;
        is_refused(number);
    }
    // The lock of the channel is held when its reader falls asleep.
    for call in 0..12 {
        let block = KINDS.iter().position(|&kind| kind == EventKind::GoBlock).unwrap();
        is_refused(block * CALLS.len() + call);
    }
}

/// Some events do not happen in every run: then the next one is looked at.
fn is_refused(call: usize) {
    let mut runs = (0..20).map(|_| child("calling_sink").env(CALL, call.to_string()).run());
    let done = runs.find(|done| !done.status.success()).expect("its event happens in one of 20 runs");
    done.aborted().says("an event sink").never_says("that came back");
}

/// The plain thread that starts a goroutine from outside calls the sink, too.
fn sink_on_a_plain_thread() {
    struct Outside(OnceLock<gmp::Handle>);
    impl EventSink for Outside {
        fn event(&self, event: &Event) {
            if let Some(handle) = self.0.get().filter(|_| event.kind == EventKind::GoCreate) {
                drop(handle.go(|| ()));
            }
        }
    }
    let sink = Arc::new(Outside(OnceLock::new()));
    let runtime = builder().events(sink.clone()).build().unwrap();
    sink.0.set(runtime.handle()).unwrap();
    drop(runtime.handle().go(|| ()));
}

fn a_hook_on_a_plain_thread_is_refused() {
    child("sink_on_a_plain_thread").run().aborted().says("gmp::Handle::go").says("an event sink");
}

/// A policy that readies a goroutine by way of a channel.
fn policy_sends() {
    use gmp::contract::{IdlePolicy, IdleView, Policy, WithIdle};
    static CHANNEL: OnceLock<gmp::Sender<u32>> = OnceLock::new();

    #[derive(Default)]
    struct Sends;
    impl IdlePolicy for Sends {
        const NAME: &'static str = "sends";
        const STRONG: bool = true;
        fn may_spin(&self, _: IdleView) -> bool {
            true
        }
        fn wake_on_submit(&self, _: IdleView, _: impl Fn() -> usize) -> bool {
            CHANNEL.get().is_some_and(|channel| channel.try_send(7).is_ok())
        }
    }
    assert_eq!(<WithIdle<gmp::policy::Go, Sends> as Policy>::NAME, "go");
    let runtime = builder().procs(2).policy::<WithIdle<gmp::policy::Go, Sends>>().build().unwrap();
    let ran = runtime.run(|| {
        let (sender, receiver) = gmp::chan(0);
        let reader = gmp::go(move || receiver.recv());
        while gmp::stats().waiting == 0 {
            gmp::yield_now();
        }
        let _ = CHANNEL.set(sender);
        // A policy is asked only while some P is idle.
        while !reader.is_finished() {
            gmp::go(|| ()).join().unwrap();
        }
        reader.join().is_ok()
    });
    println!("{ran:?}");
}

fn a_policys_channel_is_refused() {
    child("policy_sends").run().aborted().says("policy go").says("readied a goroutine");
}
