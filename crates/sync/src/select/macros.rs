//! The macro `select!`.

/// Waits for the first of several sends and receives, and runs its arm: Go's `select`. **Suspends**, unless it has a
/// `default`.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (numbers, from_numbers) = gmp::chan(1);
///     let (to_words, words) = gmp::chan(0);
///     let (stop, stopped) = gmp::chan::<()>(0);
///     let reader = gmp::go(move || words.recv().unwrap());
///     numbers.send(7).unwrap();
///     let (mut number, mut done) = (0, false);
///     while number == 0 || !done {
///         gmp::select! {
///             recv(from_numbers) -> n => number = n.unwrap_or(number),
///             send(to_words, "seven") -> sent => done = sent.is_ok(),
///             recv(stopped) -> _ => break,
///         }
///         if done {
///             stop.close();
///         }
///     }
///     assert_eq!(reader.join().unwrap(), "seven");
/// }).unwrap();
/// ```
///
/// | arm | comes up when | gives |
/// | --- | --- | --- |
/// | `recv(receiver) -> pattern => ...` | a value is there, or the channel is closed and empty | `Result<T, RecvError>` |
/// | `send(sender, value) -> pattern => ...` | a receiver takes the value, or the buffer has room, or the channel is closed | `Result<(), SendError<T>>` |
/// | `await(future) -> pattern => ...` | the future is ready | its output |
/// | `default => ...` | no other is ready | |
/// | `default(timeout) => ...` | no other has become ready within this [`Duration`](std::time::Duration) | |
///
/// If several are ready, each is equally likely. Arms end with a comma unless they are blocks, and all have one type,
/// as the arms of a `match` do; `break`, `continue`, `return` and `?` inside an arm mean what they mean around the
/// macro. The patterns must be irrefutable. `select! {}` without arms waits for ever, as
/// [`block_forever`](crate::select::block_forever).
///
/// Senders, receivers and values are evaluated once, from top to bottom, before anything else, and temporaries are
/// dropped after the arm; then come the futures. A value that is a plain variable is moved only if its arm comes up; the
/// value of any other expression is dropped if it was not sent. A variable must have exactly the type that the channel
/// carries.
///
/// A variable that is sent must not own what another arm uses, since its receiver may drop it before the select is over:
///
/// ```compile_fail,E0505
/// struct Message {
///     answers: gmp::Receiver<u32>,
/// }
/// let (messages, _receiver) = gmp::chan::<Message>(0);
/// let message = Message { answers: gmp::never() };
/// gmp::select! {
///     send(messages, message) -> _ => {},
///     recv(message.answers) -> _ => {},
/// }
/// ```
///
/// ```compile_fail,E0505
/// let text = String::from("on its way");
/// let (strings, _receiver) = gmp::chan::<String>(0);
/// let (borrows, _borrowed) = gmp::chan::<Vec<&str>>(0);
/// gmp::select! {
///     send(strings, text) -> _ => {},
///     send(borrows, vec![&*text]) -> _ => {},
/// }
/// ```
///
/// ```compile_fail,E0505
/// let text = String::from("on its way");
/// let (strings, _receiver) = gmp::chan::<String>(0);
/// gmp::select! {
///     send(strings, text) -> _ => {},
///     await(async { text.len() }) -> _ => {},
/// }
/// ```
///
/// A future that is given by value ends with the select: it is dropped before an arm runs. One that is to go on is given as
/// a reference, and pinned beforehand if it is not [`Unpin`]:
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// use std::pin::pin;
///
/// let (sender, numbers) = gmp::chan(0);
/// gmp::go(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
/// let mut answer = pin!(async {
///     gmp::time::sleep_async(std::time::Duration::from_millis(5)).await;
///     42
/// });
/// let (mut numbers, mut sum) = (numbers, 0);
/// let answer = loop {
///     gmp::select! {
///         recv(numbers) -> n => match n {
///             Ok(n) => sum += n,
///             Err(_) => numbers = gmp::never(),
///         },
///         await(&mut answer) -> answer => break answer,
///     }
/// };
/// assert_eq!((sum, answer), (6, 42));
/// # }).unwrap();
/// ```
///
/// It is polled by the calling goroutine, with no lock held. A select with such an arm allocates memory. Its channels are
/// looked at one by one before it waits.
///
/// A select with one arm is the plain operation, and one with an arm and `default` is the `try_` operation. A
/// goroutine that unwinds because its runtime closes waits for nothing: `default` comes up if there is one, else the
/// first arm with a channel, as if closed. If there are only futures it waits for them, as
/// [`block_on`](crate::future::block_on) does.
///
/// # Panics
/// If a future does. Also the same as for [`Sender::send`](crate::channel::Sender::send).
#[macro_export]
macro_rules! select {
    () => {
        $crate::select::block_forever()
    };
    ($($arms:tt)+) => {
        $crate::__select!(@head {$crate::select::expansion::run} [] [] $($arms)+)
    };
}

/// The parts of `select!`. `@head` takes one arm up to its arrow, `@body` takes the rest of it, and `@emit` writes
/// the code, with a call of `$run`, which is another function if an arm awaits a future. The names of each arm are made
/// in a step of their own, so that hygiene keeps those of different arms apart.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@head $run:tt $arms:tt $default:tt) => {
        $crate::__select!(@emit $run $arms $default)
    };
    (@head $run:tt $arms:tt $default:tt recv($receiver:expr $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(@body $run $arms $default [recv_slot slot index handle {$receiver} {} {$result}] $($rest)+)
    };
    (@head $run:tt $arms:tt $default:tt send($sender:expr, $value:ident $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(@body $run $arms $default [in_place slot index handle {$sender} {$value} {$result}] $($rest)+)
    };
    (@head $run:tt $arms:tt $default:tt send($sender:expr, $value:expr $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(@body $run $arms $default [send_slot slot index handle {$sender} {$value} {$result}] $($rest)+)
    };
    (@head $run:tt $arms:tt $default:tt await($future:expr $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(
            @body {$crate::select::expansion::awaiting} $arms $default
            [awaited slot index handle {$future} {} {$result}] $($rest)+
        )
    };
    (@head $run:tt $arms:tt [] default $(())? => $($rest:tt)+) => {
        $crate::__select!(@body $run $arms [] [default {immediate ()}] $($rest)+)
    };
    (@head $run:tt $arms:tt [] default($timeout:expr $(,)?) => $($rest:tt)+) => {
        $crate::__select!(@body $run $arms [] [default {after ($timeout)}] $($rest)+)
    };
    (@head $run:tt $arms:tt [$($default:tt)+] default $($rest:tt)*) => {
        ::core::compile_error!("`select!` has more than one `default`")
    };
    (@head $run:tt $arms:tt $default:tt $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "`select!` expects `recv(receiver) -> pattern => ...`, `send(sender, value) -> pattern => ...`, ",
            "`await(future) -> pattern => ...`, `default => ...` or `default(timeout) => ...`, but here is: ",
            ::core::stringify!($($rest)+)
        ))
    };

    (@body $run:tt $arms:tt $default:tt $head:tt $body:expr, $($rest:tt)*) => {
        $crate::__select!(@push $run $arms $default $head {$body} $($rest)*)
    };
    (@body $run:tt $arms:tt $default:tt $head:tt $body:expr) => {
        $crate::__select!(@push $run $arms $default $head {$body})
    };
    (@body $run:tt $arms:tt $default:tt $head:tt $body:block $($rest:tt)*) => {
        $crate::__select!(@push $run $arms $default $head {$body} $($rest)*)
    };
    (@body $run:tt $arms:tt $default:tt $head:tt $($rest:tt)*) => {
        ::core::compile_error!("an arm of `select!` that is no block ends with a comma")
    };

    (@push $run:tt $arms:tt [] [default $timeout:tt] $body:tt $($rest:tt)*) => {
        $crate::__select!(@head $run $arms [$timeout $body] $($rest)*)
    };
    (@push $run:tt [$($arms:tt)*] $default:tt [$($head:tt)*] $body:tt $($rest:tt)*) => {
        $crate::__select!(@head $run [$($arms)* [$($head)* $body]] $default $($rest)*)
    };

    (@emit $run:tt $arms:tt []) => {
        $crate::__select!(
            @emit $run $arms [
                {never ()}
                {::core::unreachable!("a select without a default ends with one of its cases")}
            ]
        )
    };
    (@emit $run:tt [[recv_slot $($arm:tt)*]] [{immediate ()} $default:tt]) => {
        $crate::__select!(@try [recv_slot $($arm)*] $default)
    };
    (@emit $run:tt [[send_slot $($arm:tt)*]] [{immediate ()} $default:tt]) => {
        $crate::__select!(@try [send_slot $($arm)*] $default)
    };
    (@emit $run:tt [[in_place $($arm:tt)*]] [{immediate ()} $default:tt]) => {
        $crate::__select!(@try [in_place $($arm)*] $default)
    };
    (@emit {$run:expr} [
        $([$kind:ident $slot:ident $index:ident $handle:ident
            {$channel:expr} {$($value:tt)?} {$result:pat} {$body:expr}])*
    ] [{$timeout:ident ($($time:expr)?)} {$default:expr}]) => {{
        $($crate::__select!(@prepare $kind $slot $handle {$channel} {$($value)?});)*
        let [$($index),*] = $crate::select::expansion::indexes();
        let came = {
            // Futures that were given by value are gone before the arm runs.
            $($crate::__select!(@begin $kind $slot $handle {$channel});)*
            // What is sent may be gone before this select is over, so neither a channel nor a future nor another value may
            // be a part of it: that is for the compiler to see.
            let _others = ($($crate::__select!(@borrows $kind $slot $handle),)*);
            $($crate::__select!(@apart $kind _others {$($value)?});)*
            $run([$($crate::__select!(@case $kind $slot $handle)),*],
                $crate::select::expansion::Timeout::$timeout($($time)?))
        };
        match came {
            $(::core::option::Option::Some(at) if at == $index => {
                let $result = $crate::__select!(@finish $kind $slot {$($value)?});
                $body
            })*
            _ => $default,
        }
    }};

    // One arm with a channel, and a default: the plain operation, whose type the compiler sees.
    (@try [
        $kind:ident $slot:ident $index:ident $handle:ident
            {$channel:expr} {$($value:tt)?} {$result:pat} {$body:expr}
    ] {$default:expr}) => {{
        $crate::__select!(@prepare $kind $slot $handle {$channel} {$($value)?});
        let came = {
            let _others = ($crate::__select!(@borrows $kind $slot $handle),);
            $crate::__select!(@apart $kind _others {$($value)?});
            $slot.try_it($handle)
        };
        if came {
            let $result = $crate::__select!(@finish $kind $slot {$($value)?});
            $body
        } else {
            $default
        }
    }};

    (@prepare recv_slot $slot:ident $handle:ident {$receiver:expr} {}) => {
        let $handle = &$receiver;
        let mut $slot = $crate::select::expansion::RecvSlot::new();
    };
    (@prepare send_slot $slot:ident $handle:ident {$sender:expr} {$value:expr}) => {
        let $handle = &$sender;
        let mut $slot = $crate::select::expansion::SendSlot::new($handle, $value);
    };
    (@prepare in_place $slot:ident $handle:ident {$sender:expr} {$value:ident}) => {
        let $handle = &$sender;
        // SAFETY: `@emit` makes one case of it, and `@finish` asks what became of the variable, and forgets it if it is
        // gone, before the arm runs. Until then nothing else can name it but the other arms' senders, receivers and
        // values, and those are evaluated before the select.
        let $slot = unsafe { $crate::select::expansion::InPlace::new(&$value) };
    };

    (@prepare awaited $slot:ident $handle:ident {$future:expr} {}) => {
        let mut $slot = ::core::option::Option::None;
    };

    (@begin awaited $slot:ident $handle:ident {$future:expr}) => {
        let $handle = ::core::pin::pin!(::core::future::IntoFuture::into_future($future));
        let mut $handle = $crate::select::expansion::FutureSlot::new($handle, &mut $slot);
    };
    (@begin $kind:ident $slot:ident $handle:ident {$channel:expr}) => {};

    (@case awaited $slot:ident $handle:ident) => {
        $handle.case()
    };
    (@case $kind:ident $slot:ident $handle:ident) => {
        ::core::convert::From::from($slot.case($handle))
    };

    (@borrows awaited $slot:ident $handle:ident) => {
        &$handle
    };
    (@borrows send_slot $slot:ident $handle:ident) => {
        ($handle, &$slot)
    };
    (@borrows $kind:ident $slot:ident $handle:ident) => {
        $handle
    };

    (@apart in_place $others:ident {$value:ident}) => {
        if false {
            $crate::select::expansion::sent($value);
            $crate::select::expansion::outlive(&$others);
            ::core::unreachable!()
        }
    };
    (@apart $kind:ident $others:ident {$($value:expr)?}) => {};

    (@finish recv_slot $slot:ident {}) => {
        $slot.finish()
    };
    (@finish awaited $slot:ident {}) => {
        $crate::select::expansion::finish($slot)
    };
    (@finish send_slot $slot:ident {$value:expr}) => {
        $slot.finish()
    };
    (@finish in_place $slot:ident {$value:ident}) => {
        if $slot.is_sent() {
            $crate::select::expansion::sent($value);
            ::core::result::Result::Ok(())
        } else {
            ::core::result::Result::Err($crate::channel::SendError($value))
        }
    };
}
