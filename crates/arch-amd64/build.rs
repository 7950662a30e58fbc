//! Exists only because Cargo wants a build script beside `links`: nothing is generated and nothing is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
