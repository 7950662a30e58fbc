//! Goroutines that a test leaves behind.

use core::time::Duration;
use std::time::Instant;

/// How long goroutines have to come to their end.
const GRACE: Duration = Duration::from_secs(1);

/// Fails unless the calling goroutine is the only one of its runtime, and shows the others, with their stacks if the crate
/// was built with its feature `dump`. Those that are just ending have a second for that. To be called at a test's end.
/// **Suspends.**
///
/// ```
/// #[gmp::test]
/// fn answers() {
///     assert_eq!(gmp::go(|| 6 * 7).join().unwrap(), 42);
///     gmp::test::leak_check();
/// }
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(gmp::test::leak_check).unwrap();
/// ```
///
/// # Panics
/// If others are left; and outside a goroutine.
#[track_caller]
pub fn leak_check() {
    let began = Instant::now();
    while crate::num_goroutines() > 1 {
        if began.elapsed() >= GRACE {
            fail();
        }
        crate::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn fail() -> ! {
    #[cfg(feature = "dump")]
    {
        let own = crate::current().map(|current| current.number);
        let mut dump = crate::dump();
        dump.groups.iter_mut().for_each(|group| group.goroutines.retain(|sight| Some(sight.number) != own));
        dump.groups.retain(|group| !group.goroutines.is_empty());
        panic!("gmp::test::leak_check: goroutines are left behind: {dump}");
    }
    #[cfg(not(feature = "dump"))]
    panic!("gmp::test::leak_check: {} goroutines are left behind", crate::num_goroutines() - 1);
}
