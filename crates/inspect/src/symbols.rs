//! From addresses to functions and lines, and which of the frames a reader wants to see.

use core::fmt;
use core::ops::Range;
use std::collections::HashMap;
use std::sync::Arc;

/// A function on a stack.
///
/// Like a `Sight` it has no room for a word that nobody has written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Frame {
    /// Its name, with the hash left out; `?` if there is none.
    pub function: String,
    /// Empty: it is not known.
    file: String,
    /// 0: it is not known.
    line: u64,
}

impl Frame {
    pub(crate) fn new(function: String, file: Option<String>, line: Option<u32>) -> Self {
        Self { function, file: file.unwrap_or_default(), line: line.unwrap_or(0).into() }
    }

    /// Its source file, if that is known.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        Some(&*self.file).filter(|file| !file.is_empty())
    }

    /// The line that it stands at, if that is known.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        u32::try_from(self.line).ok().filter(|&line| line != 0)
    }
}

impl fmt::Display for Frame {
    /// As Go prints it: the function, and in a line of its own the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.function)?;
        match (self.file(), self.line()) {
            (Some(file), Some(line)) => write!(f, "\n\t{file}:{line}"),
            (Some(file), None) => write!(f, "\n\t{file}"),
            _ => Ok(()),
        }
    }
}

/// Looks addresses up, each once.
#[derive(Default)]
pub(crate) struct Symbols(HashMap<usize, Arc<[Frame]>>);

impl Symbols {
    /// All frames of a stack, innermost first, inlined ones too.
    pub(crate) fn resolve(&mut self, addresses: &[usize]) -> Vec<Frame> {
        self.by_address(addresses).flat_map(|frames| frames.to_vec()).collect()
    }

    /// The frames of each address of a stack, innermost first: more than one if calls were inlined.
    pub(crate) fn by_address(&mut self, addresses: &[usize]) -> impl Iterator<Item = Arc<[Frame]>> {
        addresses.iter().enumerate().map(|(i, &address)| {
            // A return address may already belong to the next line, or to the next function.
            let address = if i == 0 { address } else { address - 1 };
            self.0.entry(address).or_insert_with(|| look_up(address)).clone()
        })
    }
}

fn look_up(address: usize) -> Arc<[Frame]> {
    let mut frames = Vec::new();
    backtrace::resolve(core::ptr::without_provenance_mut(address), |symbol| {
        let function = symbol.name().map_or_else(|| "?".into(), |name| format!("{name:#}"));
        let file = symbol.filename().map(|file| file.display().to_string());
        frames.push(Frame::new(function, file, symbol.lineno()));
    });
    if frames.is_empty() {
        frames.push(Frame::new(format!("{address:#x}"), None, None));
    }
    frames.into()
}

/// The frames between the runtime's: a goroutine that waits stands in the runtime, and every goroutine begins there. If
/// there are no others, it is all frames.
pub(crate) fn without_runtime(frames: &[Frame], suspended: bool) -> Range<usize> {
    let end =
        frames.iter().rposition(|frame| !is_runtimes(frame) && !is_std(frame)).map_or(0, |last| last + 1);
    let inner = &frames[..end];
    // Where goroutines are threads, the system's own functions come before the runtime's.
    let first = inner.iter().position(is_runtimes).unwrap_or(0);
    let leading =
        first + inner[first..].iter().take_while(|frame| is_runtimes(frame) || is_std(frame)).count();
    let start = inner[..leading].iter().rposition(is_runtimes).map_or(0, |last| last + 1);
    let shown = if suspended { start..end } else { 0..end };
    if shown.is_empty() { 0..frames.len() } else { shown }
}

/// The frames without std's in front, by which a guard is dropped; all if there are no others.
#[cfg(feature = "profile")]
pub(crate) fn without_inner_std(frames: &[Frame]) -> &[Frame] {
    let first = frames.iter().position(|frame| !is_std(frame)).unwrap_or(0);
    &frames[first..]
}

/// The crate that a name begins with: of `<a::B as c::D>::e` that is `a`.
fn crate_of(function: &str) -> &str {
    let name = function.trim_start_matches(['<', '&', '*', '(', '[']);
    let name = name.strip_prefix("mut ").or_else(|| name.strip_prefix("dyn ")).unwrap_or(name);
    name.split("::").next().unwrap_or(name)
}

/// Decides by the name; or by the file, where the name is a function's own without its crate, as it is for inlined
/// functions in a build with line tables only.
fn is_runtimes(frame: &Frame) -> bool {
    let name = crate_of(&frame.function);
    name == "gmp"
        || ["gmp_core", "gmp_sync", "gmp_inspect", "gmp_arch_amd64", "gmp_arch_hosted"].contains(&name)
        || frame.file().is_some_and(|file| is_sibling(file, file!()))
}

/// Whether a source file is of a crate beside that of `own`, which is a file of this crate: in the repository they are
/// `crates/inspect/src/` and `crates/sync/src/`, in a registry `gmp-inspect-0.1.0/src/` and `gmp-sync-0.1.0/src/`.
fn is_sibling(file: &str, own: &str) -> bool {
    let Some((folder, _)) = own.rsplit_once("/src/") else { return false };
    let (around, name) = folder.rsplit_once('/').unwrap_or(("", folder));
    let Some((before, rest)) = file.split_once(around) else { return false };
    // Crates that are built with a workspace have paths that begin at its root, while the paths in `own` begin at the
    // machine's.
    if around.is_empty() || !(before.is_empty() || before.ends_with('/')) {
        return false;
    }
    let Some((sibling, _)) = rest.strip_prefix('/').and_then(|rest| rest.split_once("/src/")) else {
        return false;
    };
    if name.starts_with("gmp-") {
        sibling.starts_with("gmp-")
    } else {
        ["inspect", "gmp-core", "sync", "gmp", "arch-amd64", "arch-hosted"].contains(&sibling)
    }
}

fn is_std(frame: &Frame) -> bool {
    let name = crate_of(&frame.function);
    let in_library = |file: &str| file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/library/");
    ["core", "alloc", "std"].contains(&name)
        || ["__rust_try", "start_thread", "clone3", "__clone3", "clone", "__clone"].contains(&name)
        || frame.file().is_some_and(in_library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<Frame> {
        names.iter().map(|&name| Frame::new(name.into(), None, None)).collect()
    }

    #[test]
    fn the_runtime_is_left_out_at_both_ends() {
        let all = frames(&[
            "gmp_core::g0::switch::leave_stack",
            "<gmp_sync::channel::handle::Receiver<T>>::recv",
            "demo::inner",
            "core::ops::function::FnOnce::call_once",
            "demo::worker",
            "<core::panic::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
            "__rust_try",
            "gmp_core::records::g::body::run",
        ]);
        assert_eq!(without_runtime(&all, true), 2..5);
        assert_eq!(without_runtime(&all, false), 0..5);
        assert_eq!(without_runtime(&all[6..], true), 0..2);
    }

    #[test]
    fn a_frame_has_no_room_for_a_word_that_nobody_has_written() {
        let Frame { function, file, line } = Frame::new(String::new(), None, None);
        let words = [size_of_val(&function), size_of_val(&file), size_of_val(&line)];
        assert_eq!(words.iter().sum::<usize>(), size_of::<Frame>());
        let known = Frame::new(String::new(), Some("a.rs".into()), Some(7));
        assert_eq!((known.file(), known.line()), (Some("a.rs"), Some(7)));
        let unknown = Frame { function, file, line };
        assert_eq!((unknown.file(), unknown.line()), (None, None));
    }

    #[test]
    fn files_of_the_runtime_are_known() {
        let here = "crates/inspect/src/symbols.rs";
        assert!(is_sibling("/home/me/gmp/crates/sync/src/sync/mutex.rs", here));
        assert!(is_sibling("crates/gmp/src/run.rs", here));
        assert!(!is_sibling("/home/me/gmp/crates/gmp/tests/basic.rs", here));
        assert!(!is_sibling("/home/me/gmp/mycrates/gmp/src/run.rs", here));
        assert!(!is_sibling("/home/me/gmp/crates/bench/src/main.rs", here));
        let here = "/cargo/registry/src/index/gmp-inspect-0.1.0/src/symbols.rs";
        assert!(is_sibling("/cargo/registry/src/index/gmp-core-0.1.0/src/lib.rs", here));
        assert!(!is_sibling("/cargo/registry/src/index/rayon-1.0.0/src/lib.rs", here));
    }
}
