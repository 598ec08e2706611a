//! Runs one call on the device under test.

use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{self, compare};
use bk_kernels::{BkOperands, BkOptions, BkProblem, Operand, Routine, Strategy, bk_core, kept_states};
use cubecl::prelude::*;
use cubecl::server::Handle;

/// With both features on, as in a build of the whole workspace, the tests need no CUDA device.
#[cfg(feature = "wgpu")]
pub(crate) type TestRuntime = cubecl::wgpu::WgpuRuntime;
#[cfg(not(feature = "wgpu"))]
pub(crate) type TestRuntime = cubecl::cuda::CudaRuntime;

/// The bound of serial and of polished scans; unpolished ones would need 128.
pub(crate) const ALLOWED_UNITS: f64 = 16.0;

/// A quiet NaN that no arithmetic produces: an output word that still holds it was never written.
pub(crate) const POISON: u32 = 0x7fd5_5a5a;

pub(crate) fn client() -> ComputeClient<TestRuntime> {
    TestRuntime::client(&Default::default())
}

pub(crate) fn problem(inputs: &Inputs) -> BkProblem {
    BkProblem { batch: inputs.batch, n: inputs.n, complex_diagonal: inputs.a_im.is_some() }
}

/// A buffer with these values; one word where there are none, since an empty buffer cannot be bound.
pub(crate) fn upload(client: &ComputeClient<TestRuntime>, values: &[f32]) -> Handle {
    let values = if values.is_empty() { &[0.0] } else { values };
    client.create_from_slice(f32::as_bytes(values))
}

/// Contiguous operands and a poisoned output.
pub(crate) fn operands(client: &ComputeClient<TestRuntime>, inputs: &Inputs) -> BkOperands {
    let dense = |values: &[f32], row_stride| Operand { handle: upload(client, values), row_stride };
    let couplings = if inputs.shared { 0 } else { inputs.n - 1 };
    BkOperands {
        a_re: dense(&inputs.a_re, inputs.n),
        a_im: inputs.a_im.as_deref().map(|a_im| dense(a_im, inputs.n)),
        b: dense(&inputs.b, couplings),
        c: dense(&inputs.c, couplings),
        z: upload(client, &inputs.z),
        output: upload(client, &vec![f32::from_bits(POISON); 2 * inputs.sites()]),
        states: None,
    }
}

/// `[B, N, 2]` as the device computes it.
///
/// # Panics
/// If the launch is refused or fails, or leaves a word of the output unwritten.
pub(crate) fn run(inputs: &Inputs, options: &BkOptions, strategy: &Strategy) -> Vec<f32> {
    let client = client();
    let operands = operands(&client, inputs);
    launch(&client, &problem(inputs), &operands, options, strategy)
}

/// As [`run`], where the pass keeps states too.
pub(crate) fn run_keeping(inputs: &Inputs, options: &BkOptions, strategy: &Strategy) -> Vec<f32> {
    let client = client();
    let shape = kept_states(&problem(inputs), options, strategy).expect("a strategy that keeps states");
    let states = Some(client.empty(4 * shape.into_iter().product::<usize>()));
    let operands = BkOperands { states, ..operands(&client, inputs) };
    launch(&client, &problem(inputs), &operands, options, strategy)
}

pub(crate) fn launch(
    client: &ComputeClient<TestRuntime>,
    problem: &BkProblem,
    operands: &BkOperands,
    options: &BkOptions,
    strategy: &Strategy,
) -> Vec<f32> {
    bk_core(client, problem, operands, options, strategy).expect("arguments that fit");
    cubecl::future::block_on(client.sync()).expect("a launch that succeeds");
    let bytes = client.read_one(operands.output.clone()).expect("an output that can be read");
    let output = f32::from_bytes(&bytes).to_vec();
    let unwritten = output.iter().filter(|value| value.to_bits() == POISON).count();
    assert_eq!(unwritten, 0, "words of the output that were never written, {problem:?} {strategy:?}");
    output
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Runs every strategy given and holds the outputs to the oracle, at most 16 units off at each site.
///
/// # Panics
/// With what is wrong in each of them.
pub(crate) fn assert_right(name: &str, inputs: &Inputs, options: &BkOptions, strategies: &[Strategy]) {
    let oracle = reference::resolvent(inputs).expect("inputs of consistent lengths");
    let wrong: Vec<String> = strategies
        .iter()
        .filter_map(|strategy| {
            let output = run(inputs, options, strategy);
            let rejected = compare(&output, &oracle, options, ALLOWED_UNITS).rejected?;
            Some(format!("{name}, {strategy:?}: {rejected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row over several cubes of `units` units.
pub(crate) fn tiled(units: u32) -> Strategy {
    Strategy { units: Some(units), ..Strategy::forced(Routine::MultiCube) }
}

/// Rows of at most 1024 sites in cubes of 64 units.
pub(crate) fn narrow() -> Strategy {
    Strategy { units: Some(64), ..Strategy::forced(Routine::Cube) }
}

/// Every way through the kernels that a row of `n` sites can take, small layouts included, so that short
/// rows reach several tiles and levels of the butterfly.
pub(crate) fn strategies(n: usize) -> Vec<Strategy> {
    let mut all = vec![
        Strategy::default(),
        Strategy::forced(Routine::Serial),
        Strategy::forced(Routine::MultiCube),
        tiled(2),
        tiled(4),
        tiled(32),
    ];
    if n <= 16 * 64 {
        all.push(narrow());
        all.push(Strategy { plane_size: Some(0), ..narrow() });
        all.push(Strategy { plane_size: Some(plane_size()), ..narrow() });
        all.push(Strategy { plane_size: Some(plane_size()), ..tiled(16) });
    }
    all
}

/// The plane size of the device, also where its runtime does not advertise planes: software Vulkan has
/// subgroups of 8 that work, so that the plane path is tested without a GPU.
pub(crate) fn plane_size() -> u32 {
    client().properties().hardware.plane_size_max
}
