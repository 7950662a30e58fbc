//! Names: the numbers of events, and the words that Go's tools know.

use gmp_core::WaitReason;

/// The numbers of events (`internal/trace/tracev2`).
pub(super) mod ev {
    pub(crate) const PROCS_CHANGE: u8 = 9;
    pub(crate) const PROC_START: u8 = 10;
    pub(crate) const PROC_STOP: u8 = 11;
    pub(crate) const PROC_STEAL: u8 = 12;
    pub(crate) const PROC_STATUS: u8 = 13;
    pub(crate) const GO_CREATE: u8 = 14;
    pub(crate) const GO_START: u8 = 16;
    pub(crate) const GO_DESTROY: u8 = 17;
    pub(crate) const GO_STOP: u8 = 19;
    pub(crate) const GO_BLOCK: u8 = 20;
    pub(crate) const GO_UNBLOCK: u8 = 21;
    pub(crate) const GO_SYSCALL_BEGIN: u8 = 22;
    pub(crate) const GO_SYSCALL_END: u8 = 23;
    pub(crate) const GO_SYSCALL_END_BLOCKED: u8 = 24;
    pub(crate) const STW_BEGIN: u8 = 26;
    pub(crate) const STW_END: u8 = 27;
    pub(crate) const GO_LABEL: u8 = 39;
    pub(crate) const REGION_BEGIN: u8 = 42;
    pub(crate) const REGION_END: u8 = 43;
    pub(crate) const LOG: u8 = 44;
    pub(crate) const GO_CREATE_BLOCKED: u8 = 47;
    pub(crate) const GO_STATUS_STACK: u8 = 48;
}

/// Go's word for what a goroutine waits for, which its tools know, and the call that waits.
pub(super) fn words(reason: WaitReason) -> (&'static str, &'static str) {
    match reason {
        WaitReason::Sleep => ("sleep", "gmp.sleep"),
        WaitReason::Join => ("sync", "gmp.JoinHandle::join"),
        WaitReason::ChanSend => ("chan send", "gmp.Sender::send"),
        WaitReason::ChanReceive => ("chan receive", "gmp.Receiver::recv"),
        WaitReason::Select => ("select", "gmp.select"),
        WaitReason::SelectNoCases => ("forever", "gmp.block_forever"),
        WaitReason::Mutex => ("sync", "gmp.sync.Mutex::lock"),
        WaitReason::RwLockRead => ("sync", "gmp.sync.RwLock::read"),
        WaitReason::RwLockWrite => ("sync", "gmp.sync.RwLock::write"),
        WaitReason::WaitGroup => ("sync", "gmp.sync.WaitGroup::wait"),
        WaitReason::Cond => ("sync.(*Cond).Wait", "gmp.sync.Cond::wait"),
        WaitReason::Once => ("sync", "gmp.sync.Once::call_once"),
        WaitReason::Semaphore => ("sync", "gmp.sync.Semaphore::acquire"),
        WaitReason::Barrier => ("sync", "gmp.sync.Barrier::wait"),
        WaitReason::Scope => ("sync", "gmp.scope"),
        WaitReason::Io => ("network", "gmp.net"),
        WaitReason::Future => ("sync", "gmp.block_on"),
        WaitReason::Park => ("sync", "gmp.park"),
        WaitReason::LockedThread | WaitReason::Thread => ("system goroutine wait", "gmp.thread"),
        _ => ("sync", "gmp.wait"),
    }
}
