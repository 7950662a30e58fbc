//! The policy on virtual machines of up to 256 processors, beside gmp's own: `cargo xtask sim` of gmp's repository runs it
//! with `--with examples/custom-policy/Cargo.toml --policy aging,go`.

fn main() -> std::process::ExitCode {
    gmp_sim::Sim::new().with::<custom_policy::Aging>().main()
}
