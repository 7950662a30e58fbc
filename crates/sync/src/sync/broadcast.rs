//! `broadcast`: a channel on which every receiver gets every value. Senders never wait: a receiver that is too slow is told
//! how many values it has missed.
//!
//! ```text
//!   ring, `capacity` places: │ 7 │ 8 │ 9 │     each with the number of receivers that have still to see its value
//!                              ▲ first      ▲ next: where a receiver goes on if it has seen all
//! ```
//!
//! **Invariant.** A receiver that has still to see a value has still to see all later ones. So the numbers grow from the
//! first place to the last, and the values that nobody has to see any more are those at the front. The last receiver of a
//! value takes it out, and has it to itself; a receiver that goes takes out those that it was the last to see, one by one.
//!
//! Values are cloned and dropped under no lock: they lie behind an `Arc`, of which the ring has one reference.

mod error;
mod receiver;
mod ring;
mod sender;

pub use error::{RecvError, RecvTimeoutError, TryRecvError};
pub use receiver::Receiver;
pub use sender::Sender;

/// A channel with room for `capacity` values, of which every receiver gets every one. Never suspends.
///
/// A value stays until all receivers have seen it, or until it is the oldest of `capacity` values and another is sent.
/// Receivers see the values that are sent after they were made, by [`Sender::subscribe`] or here. Values go to several
/// threads at once, so they must be `Sync` as well if the handles are to be sent.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::broadcast;
///
/// runtime.run(|| {
///     let (news, first) = broadcast::channel(16);
///     let second = news.subscribe();
///     let readers: Vec<_> = [first, second].into_iter().map(|mut reader| gmp::go(move || {
///         let mut all = Vec::new();
///         while let Ok(word) = reader.recv() {
///             all.push(word);
///         }
///         all
///     })).collect();
///     ["one", "two"].into_iter().for_each(|word| _ = news.send(word).unwrap());
///     drop(news);
///     readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap(), ["one", "two"]));
/// }).unwrap();
/// ```
///
/// # Panics
/// If `capacity` is 0, or if there is no memory for so many values.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "gmp::sync::broadcast::channel(0): a value needs room until all have seen it; 1 is the least"
    );
    let shared = ring::of(capacity);
    (Sender { shared: shared.clone() }, Receiver { shared, next: 0 })
}
