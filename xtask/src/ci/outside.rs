//! The gates that look at the crates as others get them: `package` and `msrv`; and `stacks`, which checks that ordinary
//! crates fit.

use crate::root;
use anyhow::{Context, Result, bail};
use std::fs::{self, read_to_string};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::Table;

/// Packs every crate that may be published, and builds each from its package alone. If everything is cached, that is
/// enough.
pub(super) fn package() -> Result<bool> {
    let arguments =
        ["package", "--workspace", "--exclude", "gmp-bench", "--exclude", "xtask", "--allow-dirty"];
    let home = home_without_sources(&cargo_home()?, &root::target().join("package-home"))?;
    if root::succeeds(root::cargo(&arguments).arg("--offline").env("CARGO_HOME", &home))? {
        return Ok(true);
    }
    println!("-- once more, with the network");
    root::succeeds(root::cargo(&arguments).env("CARGO_HOME", &home))
}

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(std::env::home_dir().context("neither CARGO_HOME nor HOME is set")?.join(".cargo"))
}

/// A home for cargo at `new` that shares everything with the one at `old` but the folder of unpacked sources.
///
/// Cargo unpacks our own packages there, under a name made of the workspace's path, our crate and its version, and
/// takes what lies there the next time: a second run at the same path would judge the sources of the first.
fn home_without_sources(old: &Path, new: &Path) -> Result<PathBuf> {
    if new.exists() {
        fs::remove_dir_all(new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    fs::create_dir_all(new.join("registry")).with_context(|| format!("cannot make {}", new.display()))?;
    for shared in ["config", "config.toml", "credentials.toml", "registry/cache", "registry/index"] {
        let (from, to) = (old.join(shared), new.join(shared));
        if from.exists() {
            symlink(&from, &to).with_context(|| format!("cannot link {}", to.display()))?;
        }
    }
    Ok(new.to_owned())
}

/// The facade builds with the oldest compiler that the manifest names.
pub(super) fn msrv() -> Result<bool> {
    let manifest: Table = read_to_string(root::root().join("Cargo.toml"))?.parse()?;
    let oldest = rust_version(&manifest).context("Cargo.toml has a rust-version")?;
    if is_of(&version_of(&mut Command::new("rustc"))?, oldest) {
        println!("the compiler of all gates is the oldest, {oldest}");
        return Ok(true);
    }
    let toolchain = format!("{oldest}.0");
    let rustup = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.current_dir(root::root()).args(["run", &toolchain]).args(arguments);
        command
    };
    if !rustup(&["rustc", "--version"]).status().is_ok_and(|status| status.success()) {
        bail!("there is no compiler {oldest} here: rustup toolchain install {toolchain}");
    }
    let mut check = rustup(&["cargo", "check", "-p", "gmp", "--all-features"]);
    root::succeeds(check.env("CARGO_TARGET_DIR", root::target().join("msrv")))
}

fn rust_version(manifest: &Table) -> Option<&str> {
    manifest.get("workspace")?.get("package")?.get("rust-version")?.as_str()
}

fn version_of(rustc: &mut Command) -> Result<String> {
    let output = rustc.arg("--version").output().context("cannot start rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_of(rustc: &str, version: &str) -> bool {
    rustc.strip_prefix("rustc ").is_some_and(|rest| rest.starts_with(&format!("{version}.")))
}

/// Checks that ordinary crates fit on stacks of the default size, and that a call on the system stack spares the
/// goroutine's. This is done in a debug build, whose frames are large, and in a release build, which merges them.
pub(super) fn stacks() -> Result<bool> {
    let manifest = "examples/ordinary-crates/Cargo.toml";
    let crates = |profile: &[&str]| {
        let mut test = root::cargo(&["test", "--manifest-path", manifest]);
        test.args(profile).env("CARGO_TARGET_DIR", root::target());
        root::succeeds(&mut test)
    };
    Ok(crates(&[])? & crates(&["--release"])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_shares_all_but_what_was_unpacked() {
        let folder = std::env::temp_dir().join(format!("gmp-xtask-home-{}", std::process::id()));
        let (old, new) = (folder.join("old"), folder.join("new"));
        for part in ["registry/cache", "registry/src/-0/gmp-core-0.1.0"] {
            fs::create_dir_all(old.join(part)).unwrap();
        }
        fs::write(old.join("config.toml"), "# settings").unwrap();
        for _ in 0..2 {
            let home = home_without_sources(&old, &new).unwrap();
            assert_eq!(read_to_string(home.join("config.toml")).unwrap(), "# settings");
            assert!(home.join("registry/cache").exists() && !home.join("registry/src").exists());
            assert!(!home.join("credentials.toml").exists());
            fs::create_dir_all(home.join("registry/src/-0/gmp-core-0.1.0")).unwrap();
        }
        assert!(old.join("config.toml").exists(), "what was shared is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_compiler_is_known_by_its_minor_version() {
        assert!(is_of("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(
            !is_of("rustc 1.950.0", "1.95") && !is_of("rustc 1.96.0-nightly", "1.95") && !is_of("", "1.95")
        );
    }

    #[test]
    fn the_workspace_names_its_oldest_compiler() {
        let manifest: Table = read_to_string(root::root().join("Cargo.toml")).unwrap().parse().unwrap();
        assert!(rust_version(&manifest).is_some_and(|version| version.split('.').count() == 2));
    }
}
