//! gmp-sim: simulates cells. `cargo xtask sim` starts it; see [`gmp_sim::Sim::main`].

fn main() -> std::process::ExitCode {
    gmp_sim::Sim::new().main()
}
