# Short names for what is done often. Everything is built with --release: Burn is too slow without.

set positional-arguments

bkbench := "cargo run --release --package bkbench --"

# List the recipes
default:
    @"{{just_executable()}}" --list

# Check and time every target of this machine, on small sizes
bench *ARGS:
    {{ bkbench }} run configs/quick.toml "$@"

# The BK-Core suite on CUDA
bench-cuda *ARGS:
    {{ bkbench }} run configs/bk_core.toml --target cuda "$@"

# The BK-Core suite on wgpu: Vulkan, with kernels in SPIR-V
bench-wgpu *ARGS:
    {{ bkbench }} run configs/bk_core.toml --target wgpu "$@"

# The BK-Core suite on wgpu with kernels in WGSL (a build and results of their own)
bench-wgsl *ARGS:
    cargo run --release --target-dir target/wgsl --package bkbench --no-default-features --features wgpu,ndarray,flex -- \
        run configs/bk_core.toml --target wgpu --out results/benchmarks/wgsl "$@"

# The BK-Core suite on ndarray, the CPU reference
bench-ndarray *ARGS:
    {{ bkbench }} run configs/bk_core.toml --target ndarray "$@"

# The KPIs alone: speedup and error of BK-Core, memory and throughput of the model
kpi *ARGS:
    {{ bkbench }} run configs/kpi.toml "$@"

# The whole suite on a target: `just full cuda`
full TARGET *ARGS:
    shift; {{ bkbench }} run configs/full.toml --target {{ TARGET }} "$@"

# The whole suite in minutes, on small sizes: what works here, and no claim about speed or memory
full-quick *ARGS:
    {{ bkbench }} run configs/full.toml --quick "$@"

# The largest N that fits each model of CONFIG
find-max CONFIG="configs/kpi.toml" *ARGS:
    shift; {{ bkbench }} memory "{{ CONFIG }}" --find-max "$@"

# Run the sweep that CONFIG describes
run CONFIG *ARGS:
    {{ bkbench }} run "$@"

# Show what CONFIG would run: cases, time, memory
plan CONFIG *ARGS:
    {{ bkbench }} plan "$@"

# Check every implementation against the test vectors
verify *ARGS:
    {{ bkbench }} verify bk-core "$@"

# Show the targets of this machine, and why others are missing
devices *ARGS:
    {{ bkbench }} devices "$@"

# Write the reports of existing results again
report *ARGS:
    {{ bkbench }} report "$@"

# Run all tests; the kernels run on Vulkan
test *ARGS:
    cargo test --release --workspace "$@"

# Run the kernel tests in WGSL
test-kernels-wgsl *ARGS:
    cargo test --release --target-dir target/wgsl --package bk-kernels --features wgpu --test suite "$@"

# Run the kernel tests on CUDA
test-kernels-cuda *ARGS:
    cargo test --release --target-dir target/cuda --package bk-kernels --features cuda --test suite "$@"

# Check format, lints and documentation, as CI does
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --locked

# Build the documentation of all crates; `just doc --open` shows it
doc *ARGS:
    cargo doc --release --workspace --no-deps "$@"
