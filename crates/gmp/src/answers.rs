//! What a program answers at the socket of `Builder::inspect` beyond what gmp-inspect does: its metrics, and a trace.

use gmp_inspect::Answers;

/// The answers, by the name of the request.
pub(crate) const ANSWERS: Answers = &[
    ("metrics", |handle, _| Ok(crate::metrics::Metrics::of(handle).to_string().into_bytes())),
    #[cfg(feature = "trace")]
    ("trace", trace),
];

/// The longest trace that may be asked for, in seconds.
#[cfg(feature = "trace")]
const LONGEST: u64 = 60;

/// A trace of the next seconds, in Go's format. On a thread that is no M.
#[cfg(feature = "trace")]
fn trace(handle: &gmp_core::runtime::Handle, seconds: &str) -> Result<Vec<u8>, String> {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let wanted = seconds.trim().parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
    let seconds = wanted.ok_or_else(|| format!("trace wants a number of seconds from 1 to {LONGEST}"))?;
    let kept = Kept::default();
    let recording = gmp_trace::record(handle, Box::new(kept.clone())).map_err(|error| error.to_string())?;
    std::thread::sleep(std::time::Duration::from_secs(seconds));
    recording.stop().map_err(|error| error.to_string())?;
    let bytes = core::mem::take(&mut *kept.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(bytes)
}
