//! The traits of the async world for our streams: `futures-io`'s, tokio's, hyper's.

use crate::calls;
use crate::endpoint::Endpoint;
use crate::task::WHOLE;
use crate::{TcpStream, UnixStream};
use gmp_core::contract::Side;
use std::io;
use std::mem::MaybeUninit;
use std::net::{self, Shutdown};
use std::os::unix::net as unix;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Reads from a stream whose reads give all that there is.
fn poll_read_tcp(
    endpoint: &Endpoint<net::TcpStream>,
    context: &Context<'_>,
    buf: &mut [MaybeUninit<u8>],
) -> Poll<io::Result<usize>> {
    let asked = buf.len();
    endpoint.poll(Side::Read, WHOLE, context.waker(), |socket, ticket| {
        endpoint.read_unless_drained(ticket, asked, || calls::read_uninit(socket, buf))
    })
}

/// The same for local streams, where a short read does not mean that there is no more.
fn poll_read_unix(
    endpoint: &Endpoint<unix::UnixStream>,
    context: &Context<'_>,
    buf: &mut [MaybeUninit<u8>],
) -> Poll<io::Result<usize>> {
    endpoint.poll(Side::Read, WHOLE, context.waker(), |socket, _| calls::read_uninit(socket, buf))
}

/// A buffer as memory that need not be initialized.
#[cfg(feature = "futures-io")]
fn as_uninit(buf: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same bytes, and `read_uninit` writes initialized ones only.
    unsafe { &mut *(core::ptr::from_mut(buf) as *mut [MaybeUninit<u8>]) }
}

/// The writing half of such a trait. The traits differ in the name of the call that ends it, and in what else they ask
/// for.
macro_rules! write_as {
    ($stream:ident, $write:path, $end:ident $(, $more:item)?) => {
        impl $write for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_some(context, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_all_of(context, bufs)
            }

            $($more)?

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn $end(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.end_writing()
            }
        }
    };
}

macro_rules! adapt {
    ($stream:ident, $poll_read:ident) => {
        impl $stream {
            fn poll_write_some(&self, context: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.0.poll(Side::Write, WHOLE, context.waker(), |socket, _| calls::write(socket, buf))
            }

            fn poll_write_all_of(
                &self,
                context: &Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.0.poll(Side::Write, WHOLE, context.waker(), |socket, _| {
                    Ok(rustix::io::writev(socket, bufs)?)
                })
            }

            fn end_writing(&self) -> Poll<io::Result<()>> {
                match self.shutdown(Shutdown::Write) {
                    // The other side has gone already.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
                    ended => Poll::Ready(ended),
                }
            }
        }

        #[cfg(feature = "futures-io")]
        impl futures_io::AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                $poll_read(&self.0, context, as_uninit(buf))
            }
        }

        #[cfg(feature = "futures-io")]
        write_as!($stream, futures_io::AsyncWrite, poll_close);

        #[cfg(feature = "tokio")]
        impl tokio::io::AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: nothing in it is made uninitialized.
                let got = std::task::ready!($poll_read(&self.0, context, unsafe { buf.unfilled_mut() }))?;
                // SAFETY: `read_uninit` has initialized this many.
                unsafe { buf.assume_init(got) };
                buf.advance(got);
                Poll::Ready(Ok(()))
            }
        }

        #[cfg(feature = "tokio")]
        write_as!(
            $stream,
            tokio::io::AsyncWrite,
            poll_shutdown,
            fn is_write_vectored(&self) -> bool {
                true
            }
        );

        #[cfg(feature = "hyper")]
        impl hyper::rt::Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                mut buf: hyper::rt::ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: nothing in it is made uninitialized.
                let got = std::task::ready!($poll_read(&self.0, context, unsafe { buf.as_mut() }))?;
                // SAFETY: `read_uninit` has initialized this many.
                unsafe { buf.advance(got) };
                Poll::Ready(Ok(()))
            }
        }

        #[cfg(feature = "hyper")]
        write_as!(
            $stream,
            hyper::rt::Write,
            poll_shutdown,
            fn is_write_vectored(&self) -> bool {
                true
            }
        );
    };
}

adapt!(TcpStream, poll_read_tcp);
adapt!(UnixStream, poll_read_unix);
