//! Files under goroutines, and what goes wrong with them.

use gmp::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// A folder of the test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gmp-os-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_written_and_read_by_many_goroutines() {
    gmp::Builder::new()
        .procs(2)
        .build()
        .unwrap()
        .run(|| {
            let folder = Folder::new("many");
            let writers: Vec<_> = (0..50)
                .map(|n| {
                    let path = folder.0.join(format!("{n}"));
                    gmp::go(move || {
                        let mut file = File::create(&path)?;
                        writeln!(file, "line of {n}")?;
                        file.sync_all()?;
                        let mut line = String::new();
                        BufReader::new(File::open(&path)?).read_line(&mut line)?;
                        std::io::Result::Ok(line == format!("line of {n}\n"))
                    })
                })
                .collect();
            assert!(writers.into_iter().all(|writer| writer.join().unwrap().unwrap()));
            assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 50);
        })
        .unwrap();
}

#[test]
fn what_std_can_do() {
    gmp::run(|| {
        let folder = Folder::new("std");
        let path = folder.0.join("file");
        fs::write(&path, "hello, world").unwrap();
        let mut file = File::open_with(fs::OpenOptions::new().read(true).write(true), &path).unwrap();
        file.seek(SeekFrom::Start(7)).unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "world");
        file.write_at(b"W", 7).unwrap();
        let mut one = [0];
        file.read_at(&mut one, 7).unwrap();
        assert_eq!((one, file.metadata().unwrap().len()), (*b"W", 12));
        fs::rename(&path, folder.0.join("other")).unwrap();
        assert!(!fs::exists(&path).unwrap());
        assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(File::create_new(folder.0.join("other")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn a_full_disk_is_the_systems_error() {
    gmp::run(|| {
        let mut full = File::open_with(fs::OpenOptions::new().write(true), "/dev/full").unwrap();
        assert_eq!(full.write_all(b"no room").unwrap_err().kind(), ErrorKind::StorageFull);
    });
}
