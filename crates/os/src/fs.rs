//! Files: [`std::fs`], with each call declared as one that blocks.
//!
//! A file is always ready as far as epoll knows, so nobody can wait for one without a thread. Beside the system call
//! itself, such a call costs what `blocking` costs, some 50 ns, and a thread for as long as it takes; other goroutines
//! run meanwhile. What is in the page cache is read in less time than a slice lasts, so reading large files in large
//! pieces is as fast as in std. `BufReader` and `BufWriter` work over [`File`] as they do over std's.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! use gmp::fs;
//! use std::io::Write;
//!
//! let path = std::env::temp_dir().join(format!("gmp-fs-{}", std::process::id()));
//! fs::File::create(&path)?.write_all(b"hello")?;
//! assert_eq!(fs::read_to_string(&path)?, "hello");
//! fs::remove_file(&path)?;
//! # std::io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```

use gmp_core::blocking;
use gmp_net::RawConn;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

pub use std::fs::{DirEntry, FileTimes, FileType, Metadata, OpenOptions, Permissions};

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            $(#[$doc])*
            ///
            /// As in std. **Suspends**, as `blocking` does.
            ///
            /// # Errors
            /// The system's.
            #[track_caller]
            pub fn $name($($arg: $type),*) -> io::Result<$result> {
                blocking(|| std::fs::$name($($arg),*))
            }
        )*
    };
}

calls! {
    /// A whole file.
    read(path: impl AsRef<Path>) -> Vec<u8>;
    /// A whole file of text.
    read_to_string(path: impl AsRef<Path>) -> String;
    /// Makes a file of these bytes, in the place of one that is there.
    write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> ();
    /// Copies a file.
    copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> u64;
    /// Gives a file another name.
    rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> ();
    /// Gives a file a second name.
    hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> ();
    /// Removes a file.
    remove_file(path: impl AsRef<Path>) -> ();
    /// Makes a folder.
    create_dir(path: impl AsRef<Path>) -> ();
    /// Makes a folder, and those above it.
    create_dir_all(path: impl AsRef<Path>) -> ();
    /// Removes an empty folder.
    remove_dir(path: impl AsRef<Path>) -> ();
    /// Removes a folder and all that is in it.
    remove_dir_all(path: impl AsRef<Path>) -> ();
    /// The metadata of a file.
    metadata(path: impl AsRef<Path>) -> Metadata;
    /// The metadata of a link itself.
    symlink_metadata(path: impl AsRef<Path>) -> Metadata;
    /// Sets the permissions of a file.
    set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> ();
    /// The path without links and dots.
    canonicalize(path: impl AsRef<Path>) -> PathBuf;
    /// Where a link leads.
    read_link(path: impl AsRef<Path>) -> PathBuf;
    /// Whether there is something at a path.
    exists(path: impl AsRef<Path>) -> bool;
}

/// What is in a folder, read all at once, since std's iterator asks the system in between. **Suspends**, as `blocking`
/// does.
///
/// # Errors
/// The system's.
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<std::vec::IntoIter<io::Result<DirEntry>>> {
    blocking(|| Ok(std::fs::read_dir(path)?.collect::<Vec<_>>().into_iter()))
}

/// An open file; see [`std::fs::File`]. Dropping it closes it, on the thread that drops it.
#[derive(Debug)]
pub struct File(std::fs::File);

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        impl File {
            $(
                $(#[$doc])*
                ///
                /// As in std. **Suspends**, as `blocking` does.
                ///
                /// # Errors
                /// The system's.
                #[track_caller]
                pub fn $name(&self $(, $arg: $type)*) -> io::Result<$result> {
                    blocking(|| self.0.$name($($arg),*))
                }
            )*
        }
    };
}

methods! {
    /// Makes everything that was written reach the disk.
    sync_all() -> ();
    /// The same, but the file's metadata need not reach the disk.
    sync_data() -> ();
    /// Cuts the file off, or lengthens it with zeros.
    set_len(size: u64) -> ();
    /// Its metadata.
    metadata() -> Metadata;
    /// Sets its permissions.
    set_permissions(permissions: Permissions) -> ();
    /// Sets the times at which it was read and changed.
    set_times(times: FileTimes) -> ();
}

impl File {
    /// Opens a file for reading. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        blocking(|| std::fs::File::open(path)).map(Self)
    }

    /// Makes a file, or empties the one that is there, for writing. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        blocking(|| std::fs::File::create(path)).map(Self)
    }

    /// Makes a file that is not there yet, for reading and writing. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// It is there; or the system's.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        blocking(|| std::fs::File::create_new(path)).map(Self)
    }

    /// Opens a file as the options say. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> io::Result<Self> {
        blocking(|| options.open(path)).map(Self)
    }

    /// Makes one from std's file. Never suspends.
    pub fn from_std(file: std::fs::File) -> Self {
        Self(file)
    }

    /// Gives std's file back. Never suspends.
    pub fn into_std(self) -> std::fs::File {
        self.0
    }

    /// Another descriptor for the same file, which shares its position. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Reads at an offset of the file, without moving its position. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        blocking(|| std::os::unix::fs::FileExt::read_at(&self.0, buf, offset))
    }

    /// Writes at an offset of the file, without moving its position. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        blocking(|| std::os::unix::fs::FileExt::write_at(&self.0, buf, offset))
    }
}

impl RawConn for File {
    fn read_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        blocking(|| call(self.as_fd()))
    }

    fn write_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        blocking(|| call(self.as_fd()))
    }
}

macro_rules! through {
    ($($file:ty),*) => {
        $(
            impl Read for $file {
                fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                    blocking(|| (&self.0).read(buf))
                }

                fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                    blocking(|| (&self.0).read_vectored(bufs))
                }

                fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                    blocking(|| (&self.0).read_to_end(buf))
                }

                fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                    blocking(|| (&self.0).read_to_string(buf))
                }
            }

            impl Write for $file {
                fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                    blocking(|| (&self.0).write(buf))
                }

                fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                    blocking(|| (&self.0).write_vectored(bufs))
                }

                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }

            impl Seek for $file {
                fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                    (&self.0).seek(to)
                }
            }
        )*
    };
}

through!(File, &File);

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> OwnedFd {
        file.0.into()
    }
}
