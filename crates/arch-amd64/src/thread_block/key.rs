//! A pthread key to experiment with.

use core::ptr;

use super::missing::Missing;
use super::symbols::Symbols;

/// A pthread key for the time of an experiment.
pub(super) struct Key(libc::pthread_key_t);

impl Key {
    /// Makes one, and sees that glibc's table of keys is what we take it for.
    pub(super) fn make(symbols: Symbols) -> Result<Self, Missing> {
        unsafe extern "C" fn destructor(_: *mut core::ffi::c_void) {}
        let mut key = 0;
        // SAFETY: a valid place and a function that does nothing.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) };
        if error != 0 {
            return Err(Missing::for_now(format!(
                "no pthread key: {}",
                std::io::Error::from_raw_os_error(error)
            )));
        }
        let key = Self(key);
        // SAFETY: the table has an entry for each key.
        let entry = unsafe { symbols.keys.add(key.0 as usize).as_ref() };
        let same = entry
            .destructor
            .is_some_and(|found| ptr::fn_addr_eq(found, destructor as unsafe extern "C" fn(_)));
        if same && entry.sequence & 1 == 1 {
            return Ok(key);
        }
        Err(Missing::new("glibc's table of pthread keys is not what it was"))
    }

    pub(super) fn number(&self) -> libc::pthread_key_t {
        self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: made by `make`, and nobody else knows it.
        unsafe { libc::pthread_key_delete(self.0) };
    }
}
