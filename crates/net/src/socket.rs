//! What all sockets have in common, written once: a macro for each part.

/// Time-outs and deadlines, for sockets that read and write.
macro_rules! terms {
    ($name:ident $(<$param:ident: $bound:ident>)?) => {
        impl<$($param: $bound)?> $name<$($param)?> {
            /// How long each read may wait; `None`: for ever. As in std, but the error is
            /// [`TimedOut`](std::io::ErrorKind::TimedOut). Never suspends.
            ///
            /// # Errors
            /// A duration of zero.
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.0.set_timeout(Side::Read, timeout)
            }

            /// The same for writes. Never suspends.
            ///
            /// # Errors
            /// A duration of zero.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.0.set_timeout(Side::Write, timeout)
            }

            /// How long each read may wait. Never suspends.
            ///
            /// # Errors
            /// None.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.0.terms(Side::Read).timeout())
            }

            /// How long each write may wait. Never suspends.
            ///
            /// # Errors
            /// None.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.0.terms(Side::Write).timeout())
            }

            /// The moment until which reads may wait, including those that wait already; `None`: for ever. With a
            /// moment that is past, every read fails at once with [`TimedOut`](std::io::ErrorKind::TimedOut). Never
            /// suspends.
            #[doc(alias = "SetReadDeadline")]
            pub fn set_read_deadline(&self, deadline: Option<Instant>) {
                self.0.set_deadline(Side::Read, deadline);
            }

            /// The same for writes. Never suspends.
            #[doc(alias = "SetWriteDeadline")]
            pub fn set_write_deadline(&self, deadline: Option<Instant>) {
                self.0.set_deadline(Side::Write, deadline);
            }

            /// The same for both. Never suspends.
            #[doc(alias = "SetDeadline")]
            pub fn set_deadline(&self, deadline: Option<Instant>) {
                self.set_read_deadline(deadline);
                self.set_write_deadline(deadline);
            }
        }
    };
}
pub(crate) use terms;

/// What every socket has.
macro_rules! socket {
    ($name:ident, $std:ty) => {
        impl $name {
            /// Makes one from std's socket. Never suspends.
            ///
            /// # Errors
            /// The system's.
            pub fn from_std(socket: $std) -> io::Result<Self> {
                let this = Self::new(socket)?;
                this.0.set_duplicated();
                Ok(this)
            }

            fn new(socket: $std) -> io::Result<Self> {
                socket.set_nonblocking(true)?;
                Self::over(socket)
            }

            /// Makes one from a socket that is already in non-blocking mode.
            fn over(socket: $std) -> io::Result<Self> {
                Ok(Self(Endpoint::new(socket)?))
            }

            /// Gives std's socket back, in blocking mode, as all its duplicates are then. Never suspends.
            ///
            /// # Errors
            /// It was closed; or the system's.
            pub fn into_std(self) -> io::Result<$std> {
                let socket = self.0.into_io()?;
                socket.set_nonblocking(false)?;
                Ok(socket)
            }

            /// Another descriptor for the same socket, without time-outs, deadlines or a non-blocking mark. Never
            /// suspends.
            ///
            /// # Errors
            /// It was closed; or the system's: too many open files, mostly.
            pub fn try_clone(&self) -> io::Result<Self> {
                // The mark is set before the duplicate exists: from then on both are marked.
                self.0.set_duplicated();
                let twin = Self::over(self.0.call(|socket| socket.try_clone())?)?;
                twin.0.set_duplicated();
                Ok(twin)
            }

            /// Closes the socket while others use it: whoever waits is woken and gets an error, and so does every later
            /// call. Duplicates go on. When this returns, the socket is closed. Its number is free again when the owner
            /// is dropped, which also closes a socket that was not closed before. Never suspends.
            ///
            /// # Errors
            /// It was closed already; or the system's.
            #[doc(alias = "Close")]
            pub fn close(&self) -> io::Result<()> {
                self.0.close()
            }

            /// Whether calls are to fail with [`WouldBlock`](std::io::ErrorKind::WouldBlock) instead of waiting. This
            /// holds for this object alone, not for its duplicates. Never suspends.
            ///
            /// # Errors
            /// None.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.0.set_nonblocking(nonblocking);
                Ok(())
            }

            /// The socket's error, which is cleared by this. Never suspends.
            ///
            /// # Errors
            /// It was closed; or the system's.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.0.call(|socket| socket.take_error())
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.io().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.io().as_raw_fd()
            }
        }
    };
}
pub(crate) use socket;

/// Calls that are passed on to std's socket as they are.
macro_rules! passed_on {
    ($name:ident { $($(#[$doc:meta])* fn $call:ident(&self $(, $arg:ident: $type:ty)*) -> $result:ty;)* }) => {
        impl $name {
            $(
                $(#[$doc])*
                ///
                /// As in std. Never suspends.
                ///
                /// # Errors
                /// It was closed; or the system's.
                pub fn $call(&self $(, $arg: $type)*) -> io::Result<$result> {
                    self.0.call(|socket| socket.$call($($arg),*))
                }
            )*
        }
    };
}
pub(crate) use passed_on;

/// `Read` for values, `Write` for values and references, of a stream.
macro_rules! stream {
    ($name:ident) => {
        impl $name {
            /// A read for async code, awaited on a goroutine. Never suspends: the future does the waiting. It does not
            /// heed the socket's time-outs, nor a deadline that passes meanwhile: async code has timers of its own.
            ///
            /// # Errors
            /// The socket was closed, or its deadline has passed; the system's; it is awaited outside a goroutine.
            pub fn read_async<'a>(
                &'a self,
                buf: &'a mut [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                self.0.attempts(Side::Read, move |socket| crate::calls::read(socket, buf))
            }

            /// The same for a write. Never suspends: the future does the waiting.
            ///
            /// # Errors
            /// The same as for a read.
            pub fn write_async<'a>(
                &'a self,
                buf: &'a [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                self.0.attempts(Side::Write, move |socket| crate::calls::write(socket, buf))
            }
        }

        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(bufs)
            }
        }

        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&*self).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for &$name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.when_ready(Side::Write, |socket| crate::calls::write(socket, buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.when_ready(Side::Write, |mut socket| socket.write_vectored(bufs))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}
pub(crate) use stream;
