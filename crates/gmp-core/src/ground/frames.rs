//! `Stack`: a goroutine's stack in a report: addresses, which somebody else can name.

use core::fmt;
use std::sync::OnceLock;

/// Writes the frames of such addresses, each in lines of its own with a line's end before it. The flag says whether the
/// goroutine was suspended, and so stood in the runtime.
pub type Describe = fn(&[usize], bool, &mut fmt::Formatter<'_>) -> fmt::Result;

static DESCRIBE: OnceLock<Describe> = OnceLock::new();

/// Sets what names the frames of this process. The first one stays.
pub(crate) fn describe_by(describe: Describe) {
    let _ = DESCRIBE.set(describe);
}

/// A stack in a report: addresses, which its `Display` looks up.
#[derive(Clone, Default)]
pub struct Stack {
    addresses: Vec<usize>,
    suspended: bool,
}

impl Stack {
    /// The stack of a goroutine that waited.
    pub(crate) fn of_suspended(addresses: Vec<usize>) -> Self {
        Self { addresses, suspended: true }
    }

    /// The stack of a goroutine that ran.
    pub(crate) fn of_running(addresses: Vec<usize>) -> Self {
        Self { addresses, suspended: false }
    }

    /// Where it stands, and where its calls return to, innermost first. Empty if it could not be had.
    pub fn addresses(&self) -> &[usize] {
        &self.addresses
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({:#x?})", self.addresses)
    }
}

impl fmt::Display for Stack {
    /// Function and line of each frame, with a line's end before each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DESCRIBE.get().filter(|_| !self.addresses.is_empty()) {
            Some(describe) => describe(&self.addresses, self.suspended, f),
            None => Ok(()),
        }
    }
}
