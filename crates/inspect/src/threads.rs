//! The list of threads.

/// The threads of this process, by the kernel's numbers.
pub(crate) fn threads() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
