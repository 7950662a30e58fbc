//! Names that no program offers are refused before anything runs, with the nearest name that there is.

use anyhow::{Result, bail};

/// Refuses names that are not among those allowed.
pub(crate) fn known(option: &str, what: &str, given: &[String], allowed: &[String]) -> Result<()> {
    let mut allowed = allowed.to_vec();
    allowed.sort();
    allowed.dedup();
    for value in given {
        if !allowed.contains(value) {
            let hint =
                nearest(value, &allowed).map_or(String::new(), |name| format!(" (do you mean {name}?)"));
            bail!("--{option} {value}: there is no such {what}{hint}; allowed are: {}", allowed.join(", "));
        }
    }
    Ok(())
}

/// The name that was probably meant, if one is near enough.
fn nearest<'a>(value: &str, names: &'a [String]) -> Option<&'a String> {
    // One slip of the finger is near in a short name, too.
    let likeness = |name: &&String| match strsim::osa_distance(value, name) {
        ..=1 => 1.0,
        _ => strsim::jaro_winkler(value, name),
    };
    names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.75)
}
