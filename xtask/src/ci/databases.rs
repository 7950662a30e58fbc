//! The gate `databases`: databases and clients of others, used by goroutines. It installs PostgreSQL where it can.

use crate::root;
use anyhow::Result;
use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts PostgreSQL: a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

pub(super) fn run() -> Result<bool> {
    let programs = installed(Path::new(VERSIONS)).or_else(install);
    let mut test = root::cargo(&["test", "--manifest-path", "examples/databases/Cargo.toml"]);
    test.env("CARGO_TARGET_DIR", root::target());
    match programs {
        Some(programs) => test.env("GMP_POSTGRES", programs),
        None => {
            println!(
                "-- skipped: a real PostgreSQL. There is none in {VERSIONS}, and apt-get could not install one"
            );
            test.env_remove("GMP_POSTGRES")
        }
    };
    root::succeeds(&mut test)
}

/// The programs of some version.
fn installed(versions: &Path) -> Option<PathBuf> {
    let folders = read_dir(versions).ok()?.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|programs| programs.join("initdb").exists()).max()
}

/// Installs Debian's package, for users who may do so.
fn install() -> Option<PathBuf> {
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "postgresql"]] {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        if !root::succeeds(&mut command).unwrap_or(false) {
            break;
        }
    }
    installed(Path::new(VERSIONS))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_without_programs_is_none() {
        let folder = std::env::temp_dir().join(format!("gmp-xtask-postgres-{}", std::process::id()));
        assert_eq!(super::installed(&folder), None);
        for (version, program) in [("14", "psql"), ("15", "initdb")] {
            std::fs::create_dir_all(folder.join(version).join("bin")).unwrap();
            std::fs::write(folder.join(version).join("bin").join(program), "").unwrap();
        }
        assert_eq!(super::installed(&folder), Some(folder.join("15/bin")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
