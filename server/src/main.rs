//! `susurro-server`: the relay as a program.

use std::process::ExitCode;

/// Messages are allocated by one thread and freed by another, at which the allocators of most systems
/// are slow (`docs/benchmarks.md`).
#[cfg(all(unix, not(target_os = "openbsd")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    susurro_server::cli::main()
}
