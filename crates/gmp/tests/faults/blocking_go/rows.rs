//! A row for each call that never suspends: what goes before it, and the call itself, which is made inside `blocking` when
//! the P has been taken.

use gmp::context::Context;
use gmp::net::{Pollable, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use gmp::sync::{Cond, Mutex, RwLock, Semaphore, WaitGroup, broadcast, errgroup, oneshot, watch};
use gmp::time::{Ticker, Timer, after, after_func, tick};
use gmp::{JoinHandle, Select, chan};
use std::io::{ErrorKind::WouldBlock, Read};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A function, or a function and what is special about the call, or something that is dropped.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) prepare: fn() -> Box<dyn FnOnce()>,
}

/// `name: { preparation } call`.
macro_rules! rows {
    ($($name:literal: { $($before:tt)* } $call:expr;)*) => {
        &[$(Row {
            name: $name,
            prepare: || {
                $($before)*
                Box::new(move || {
                    let _result = $call;
                })
            },
        }),*]
    };
}

const HOUR: Duration = Duration::from_secs(3600);

/// A goroutine that waits by now, for something that is about to come.
fn waits<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let handle = gmp::go(f);
    while gmp::stats().waiting == 0 {
        gmp::yield_now();
    }
    handle
}

fn pollable() -> Pollable<std::os::unix::net::UnixStream> {
    Pollable::new(std::os::unix::net::UnixStream::pair().unwrap().0).unwrap()
}

/// Polls a future once.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop()))
}

/// One that has ended, with a result that nobody has taken.
fn ended() -> JoinHandle<Box<u32>> {
    let handle = gmp::go(|| Box::new(7));
    while !handle.is_finished() {
        gmp::yield_now();
    }
    handle
}

/// A socket that another goroutine reads from by now.
fn read_by_another() -> Arc<UnixStream> {
    let (socket, other) = UnixStream::pair().unwrap();
    let socket = Arc::new(socket);
    let reader = Arc::clone(&socket);
    waits(move || _ = (&*reader).read(&mut [0]).map(|_| other));
    socket
}

fn accepted_by_another() -> Arc<TcpListener> {
    let socket = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let accepting = Arc::clone(&socket);
    waits(move || _ = accepting.accept());
    socket
}

fn nameless() -> std::os::unix::net::SocketAddr {
    use std::os::linux::net::SocketAddrExt;
    std::os::unix::net::SocketAddr::from_abstract_name(format!("gmp rows {:?}", Instant::now())).unwrap()
}

pub(crate) const ROWS: &[Row] = rows! {
    "go": {} gmp::go(|| ());
    "try_go": {} gmp::try_go(|| ());
    "go_pinned": {} gmp::go_pinned(|| ());
    "spawn": {} gmp::spawn();
    "Spawn::go": {} gmp::spawn().name("n").label("k", "v").stack_size(32 << 10).go(|| ());
    "Spawn::go pinned": {} gmp::spawn().pinned().go(|| ());
    "Spawn::go_on": { let handle = handle(); } gmp::spawn().name("n").go_on(&handle, || ());
    "Spawn::go_in": { let scope = leaked_scope(); } gmp::spawn().go_in(scope, || ());
    "Scope::go": { let scope = leaked_scope(); } scope.go(|| ());
    "Handle::go": { let handle = handle(); } handle.go(|| ());
    "Handle::num_goroutines": { let handle = handle(); } handle.num_goroutines();
    "Handle::max_procs": { let handle = handle(); } handle.max_procs();
    "Handle::stats": { let handle = handle(); } handle.stats();
    "current": {} gmp::current();
    "Current::unparker": {} gmp::current().unwrap().unparker();
    "lock_os_thread": {} gmp::lock_os_thread();
    "drop ThreadLock": { let lock = gmp::lock_os_thread(); } lock;
    "on_system_stack": {} gmp::on_system_stack(|| 7);
    "max_procs": {} gmp::max_procs();
    "num_goroutines": {} gmp::num_goroutines();
    "stats": {} gmp::stats();
    "read": {} gmp::metrics::read();
    "region": {} gmp::trace::region("r");
    "drop Region": { let region = gmp::trace::region("r"); } region;
    "log": {} gmp::trace::log("category", "message");
    "is_enabled": {} gmp::trace::is_enabled();
    "Handle::metrics": { let handle = handle(); } handle.metrics();
    "Unparker::unpark": { let me = gmp::current().unwrap().unparker(); } me.unpark();
    "Unparker::unpark another": { let other = parked(); } other.unpark();
    "JoinHandle::is_finished": { let handle = ended(); } assert!(handle.is_finished());
    "JoinHandle::number": { let handle = ended(); } handle.number();
    "drop JoinHandle": { let handle = ended(); } handle;
    "drop JoinHandle of a running one": { let handle = gmp::go(gmp::yield_now); } handle;
    "ScopedJoinHandle::is_finished": { let handle = leaked_scope().go(|| ()); } handle.is_finished();
    "ScopedJoinHandle::number": { let handle = leaked_scope().go(|| ()); } handle.number();
    "drop ScopedJoinHandle": { let handle = leaked_scope().go(|| Box::new(7)); } handle;
    "LocalKey::with": { gmp::g_local! { static KEY: u32 = gmp::max_procs() as u32; } } KEY.with(|procs| *procs);
    "LocalKey::set": { gmp::g_local! { static KEY: std::cell::Cell<u32> = std::cell::Cell::new(0); } } KEY.set(7);
    "chan": {} chan::<u32>(1);
    "never": {} gmp::never::<u32>();
    "Sender::try_send": { let (to, from) = chan(1); let _reader = waits(move || from.recv()); } to.try_send(7);
    "Receiver::try_recv": { let (to, from) = chan(0); let _writer = waits(move || to.send(7)); } from.try_recv();
    "Sender::send_async": { let (to, from) = chan(1); let _reader = waits(move || from.recv()); } poll(to.send_async(7));
    "Receiver::recv_async": { let (to, from) = chan(0); let _writer = waits(move || to.send(7)); } poll(from.recv_async());
    "notify": {} gmp::signal::notify(&[gmp::signal::Signal::WINDOW]).unwrap();
    "receiver": {} gmp::future::receiver(async {});
    "sleep_async": {} poll(gmp::time::sleep_async(HOUR));
    "Receiver::try_iter": {
        let (to, from) = chan(0);
        let _writer = waits(move || to.send(7));
    } assert_eq!(from.try_iter().next(), Some(7));
    "$handle::close": { let (to, from) = chan::<u32>(0); let _reader = waits(move || from.recv()); } to.close();
    "drop Sender": { let (to, from) = chan::<u32>(0); let _reader = waits(move || from.recv()); } to;
    "drop Receiver": { let (to, from) = chan(0); let _writer = waits(move || to.send(7)); } from;
    "Select::try_select": {
        let (to, from) = chan(0);
        let _writer = waits(move || to.send(7));
    } {
        let mut set = Select::new();
        set.recv(&from);
        assert!(set.try_select().is_some());
    };
    "Select::try_ready": {
        let (to, from) = chan(0);
        let _writer = waits(move || to.send(7));
    } {
        let mut set = Select::new();
        set.recv(&from);
        assert!(set.try_ready().is_some());
    };
    "select! default": { let (to, from) = chan::<u32>(0); } gmp::select! {
        recv(from) -> _ => panic!("nobody sends on {to:?}"),
        default => {}
    };
    "Context::with_cancel": {} Context::background().with_cancel();
    "Context::with_deadline": {} Context::background().with_deadline(Instant::now() + HOUR);
    "Context::with_timeout": {} Context::background().with_timeout(HOUR);
    "Context::with_timeout past": {} Context::background().with_timeout(Duration::ZERO);
    "Context::with_deadline_cause": {
        let cause = std::io::Error::other("late");
    } Context::background().with_deadline_cause(Instant::now() + HOUR, cause);
    "Context::with_timeout_cause": {
        let cause = std::io::Error::other("late");
    } Context::background().with_timeout_cause(HOUR, cause);
    "Context::after_func": { let context = cancelled(); } context.after_func(|| ());
    "Context::done": { let context = cancelled(); } context.done().is_closed();
    "Cancel::cancel": {
        let (context, cancel) = Context::background().with_timeout(HOUR);
        context.after_func(|| ());
        let _reader = waits(move || context.done().recv().is_err());
    } cancel.cancel();
    "Cancel::cancel_because": { let (_context, cancel) = Context::background().with_cancel(); }
        cancel.cancel_because("the test says so");
    "Cancel::detach": { let (_context, cancel) = Context::background().with_cancel(); } cancel.detach();
    "drop Cancel": {
        let (context, cancel) = Context::background().with_cancel();
        let _reader = waits(move || context.done().recv().is_err());
    } cancel;
    "AfterFunc::stop": {
        let (context, cancel) = Context::background().with_cancel();
        let later = context.after_func(|| ());
    } (later.stop(), &cancel).0;
    "Mutex::try_lock": { let mutex = Arc::new(Mutex::new(0)); } drop(mutex.try_lock());
    "drop MutexGuard": {
        let mutex: &'static Mutex<u32> = Box::leak(Box::default());
        let guard = mutex.lock();
        let _other = waits(|| drop(mutex.lock()));
    } guard;
    "RwLock::try_read": { let lock = RwLock::new(0); } drop(lock.try_read());
    "RwLock::try_write": { let lock = RwLock::new(0); } drop(lock.try_write());
    "drop RwLockReadGuard": {
        let lock: &'static RwLock<u32> = Box::leak(Box::default());
        let guard = lock.read();
        let _other = waits(|| drop(lock.write()));
    } guard;
    "RwLockReadGuard::unlock": {
        let lock: &'static RwLock<u32> = Box::leak(Box::default());
        let guard = lock.read();
        let _other = waits(|| drop(lock.write()));
    } guard.unlock();
    "drop RwLockWriteGuard": {
        let lock: &'static RwLock<u32> = Box::leak(Box::default());
        let guard = lock.write();
        let _other = waits(|| drop(lock.read()));
    } guard;
    "Semaphore::try_acquire": { let units = Semaphore::new(1); } drop(units.try_acquire());
    "Semaphore::try_acquire_many": { let units = Semaphore::new(2); } drop(units.try_acquire_many(2));
    "Semaphore::add_permits": {
        let units: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
        let _other = waits(|| drop(units.acquire()));
    } units.add_permits(1);
    "drop Permit": {
        let units: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1)));
        let permit = units.acquire();
        let _other = waits(|| drop(units.acquire()));
    } permit;
    "Cond::notify_one": { let changed = waited_for(); } changed.notify_one();
    "Cond::notify_all": { let changed = waited_for(); } changed.notify_all();
    "WaitGroup::add": { let group = WaitGroup::new(); } group.add(1);
    "WaitGroup::done": {
        let group = WaitGroup::new();
        group.add(1);
        let theirs = group.clone();
        let _other = waits(move || theirs.wait());
    } group.done();
    "WaitGroup::go": { let group = WaitGroup::new(); } group.go(|| ());
    "Sender::send": { let (to, from) = oneshot::channel(); let _reader = waits(move || from.recv()); } to.send(7);
    "Receiver::try_recv of a oneshot": { let (to, from) = oneshot::channel(); to.send(7).unwrap(); } from.try_recv();
    "Receiver::recv_async of a oneshot": { let (_to, from) = oneshot::channel::<u32>(); } poll(from.into_future());
    "Receiver::close": { let (_to, from) = oneshot::channel::<u32>(); } from.close();
    "drop Sender of a oneshot": {
        let (to, from) = oneshot::channel::<u32>();
        let _reader = waits(move || from.recv());
    } to;
    "Sender::closed_async": { let (mut to, _from) = oneshot::channel::<u32>(); } poll(to.closed_async());
    "drop Receiver of a oneshot": {
        let (to, from) = oneshot::channel::<u32>();
        let _waits = waits(move || to.closed());
    } from;
    "Group::with_context": {} errgroup::Group::<String>::with_context(&Context::background());
    "Group::set_limit": { let group = errgroup::Group::<String>::new(); } group.set_limit(Some(1));
    "Group::try_go": {
        let group = errgroup::Group::<String>::new();
        group.set_limit(Some(1));
    } group.try_go(|| Ok(())).is_ok();
    "Sender::send of a broadcast": {
        let (to, mut from) = broadcast::channel(1);
        let _reader = waits(move || from.recv());
    } to.send(7);
    "Receiver::try_recv of a broadcast": { let (to, mut from) = broadcast::channel(1); to.send(7).unwrap(); } from.try_recv();
    "Receiver::recv_async of a broadcast": { let (_to, mut from) = broadcast::channel::<u32>(1); } poll(from.recv_async());
    "Receiver::ready": { let (_to, from) = watch::channel(7); } from.ready();
    "Receiver::changed_async": { let (_to, mut from) = watch::channel(7); } poll(from.changed_async());
    "drop Sender of a watch": { let (to, mut from) = watch::channel(7); let _watcher = waits(move || from.changed()); } to;
    "drop Receiver of a watch": { let (to, from) = watch::channel(7); let _waits = waits(move || to.closed()); } from;
    "after": {} after(HOUR);
    "tick": {} tick(HOUR);
    "after_func": {} after_func(HOUR, || ());
    "after_func_once": {} gmp::time::after_func_once(HOUR, || ());
    "Timer::new": {} Timer::new(HOUR);
    "Timer::stop": { let timer = Timer::new(HOUR); } assert!(timer.stop());
    "Timer::reset": { let timer = Timer::new(HOUR); } assert!(timer.reset(Duration::ZERO));
    "Timer::reset of a function's": { let timer = after_func(HOUR, || ()); } assert!(timer.reset(Duration::ZERO));
    "drop Timer": { let timer = Timer::new(HOUR); } timer;
    "Ticker::new": {} Ticker::new(HOUR);
    "Ticker::stop": { let ticker = Ticker::new(HOUR); } ticker.stop();
    "Ticker::reset": { let ticker = Ticker::new(HOUR); } ticker.reset(HOUR);
    "drop Ticker": { let ticker = Ticker::new(HOUR); } ticker;
    "Runtime::run": {
        let runtime = super::builder().build().unwrap();
    } assert!(runtime.run(|| ()).is_err());
    "Runtime::handle": { let runtime = super::builder().build().unwrap(); } runtime.handle().go(|| ());
    "Builder::build": {} super::builder().build();
    "exit": {} assert!(std::panic::catch_unwind(|| gmp::exit()).is_err());
    "$name::set_read_deadline": { let socket = read_by_another(); } socket.set_read_deadline(Some(Instant::now()));
    "$name::set_write_deadline": { let socket = read_by_another(); } socket.set_write_deadline(Some(Instant::now()));
    "$name::set_deadline": { let socket = read_by_another(); } socket.set_deadline(Some(Instant::now()));
    "$name::set_nonblocking": { let socket = read_by_another(); } socket.set_nonblocking(true);
    "$name::read_async": { let socket = read_by_another(); } poll(socket.read_async(&mut [0]));
    "$name::write_async": { let socket = read_by_another(); } poll(socket.write_async(&[0]));
    "TcpListener::accept_async": { let socket = accepted_by_another(); } poll(socket.accept_async());
    "UnixListener::accept_async": { let socket = UnixListener::bind_addr(&nameless()).unwrap(); } poll(socket.accept_async());
    "UdpSocket::recv_from_async": { let socket = UdpSocket::bind("127.0.0.1:0").unwrap(); } poll(socket.recv_from_async(&mut [0]));
    "TcpStream::connect_async": { let address = accepted_by_another().local_addr().unwrap(); } poll(TcpStream::connect_async(address));
    "Pollable::read_with_async": { let io = pollable(); } poll(io.read_with_async(|_| -> std::io::Result<()> { Err(WouldBlock.into()) }));
    "Pollable::write_with_async": { let io = pollable(); } poll(io.write_with_async(|_| -> std::io::Result<()> { Err(WouldBlock.into()) }));
    "$name::close": { let socket = read_by_another(); } socket.close();
    "TcpListener::set_deadline": { let socket = accepted_by_another(); } socket.set_deadline(Some(Instant::now()));
    "UnixListener::set_deadline": { let socket = UnixListener::bind_addr(&nameless()).unwrap(); } socket.set_deadline(None);
    "Pollable::close": { let io = pollable(); } io.close();
};

/// A handle on this runtime.
fn handle() -> gmp::Handle {
    super::HANDLE.get().expect("set before main").clone()
}

fn parked() -> gmp::Unparker {
    let (tell, told) = chan(1);
    gmp::go(move || {
        tell.send(gmp::current().unwrap().unparker()).unwrap();
        gmp::park();
    });
    let unparker = told.recv().unwrap();
    while gmp::stats().waiting == 0 {
        gmp::yield_now();
    }
    unparker
}

fn cancelled() -> Context {
    let (context, cancel) = Context::background().with_cancel();
    drop(cancel);
    context
}

/// A condition that a goroutine waits for.
fn waited_for() -> &'static Cond {
    let both: &'static (Mutex<()>, Cond) = Box::leak(Box::new((Mutex::new(()), Cond::new())));
    let _other = waits(|| both.1.wait(&mut both.0.lock()));
    &both.1
}

/// A scope that nobody leaves, so that its goroutines may borrow for ever.
fn leaked_scope() -> &'static gmp::Scope<'static, 'static> {
    let (tell, told) = chan(1);
    gmp::go(move || {
        gmp::scope(|scope| {
            // SAFETY: this goroutine stays in its scope for ever, and a suspended stack is never freed.
            let scope = unsafe {
                core::mem::transmute::<&gmp::Scope<'_, '_>, &'static gmp::Scope<'static, 'static>>(scope)
            };
            tell.send(scope).unwrap();
            while !super::STOP.load(std::sync::atomic::Ordering::SeqCst) {
                gmp::yield_now();
            }
        });
    });
    told.recv().unwrap()
}
