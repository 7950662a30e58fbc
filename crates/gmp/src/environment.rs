//! What the environment says where a builder does not: `GMP_SEED` and `GMP_STACK_SIZE`. (`GOMAXPROCS` is core's.)
//!
//! An empty value says nothing.

use crate::BuildError;
use gmp_stack::{LEAST_SIZE, MOST_SIZE};
use std::ffi::OsString;

/// The seed of `GMP_SEED`.
pub(crate) fn seed() -> Result<Option<u64>, BuildError> {
    read("GMP_SEED", |text| text.parse().ok(), BuildError::Seed)
}

/// The bytes of `GMP_STACK_SIZE`, within the allowed range.
pub(crate) fn stack_size() -> Result<Option<usize>, BuildError> {
    read("GMP_STACK_SIZE", size_of, BuildError::StackSize)
}

fn read<T>(
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    error: impl FnOnce(OsString) -> BuildError,
) -> Result<Option<T>, BuildError> {
    let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.to_str().and_then(|text| parse(text.trim())) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(error(value)),
    }
}

/// The bytes that a text names: a number, of KiB with `K` behind it, of MiB with `M`.
fn size_of(text: &str) -> Option<usize> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 1 << 10),
        b'M' | b'm' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let bytes = digits.trim_end().parse::<usize>().ok()?.checked_mul(unit)?;
    (LEAST_SIZE..=MOST_SIZE).contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_kib_or_mib_within_the_range() {
        for (text, bytes) in [("16384", 16384), ("512K", 512 << 10), ("2m", 2 << 20), ("64 M", 64 << 20)] {
            assert_eq!(size_of(text), Some(bytes), "{text}");
        }
        for text in ["", "K", "1", "16383", "65M", "-1M", "1G", "1KB", "0x8000", "18446744073709551615M"] {
            assert_eq!(size_of(text), None, "{text}");
        }
    }
}
