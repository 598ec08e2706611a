//! Runs one backward pass on the device under test.

use bk_kernels::families::cotangent;
use bk_kernels::inputs::Inputs;
use bk_kernels::native::Gradients;
use bk_kernels::reference;
use bk_kernels::{
    BkGradientOperands, BkOptions, Cotangent, Operand, Routine, Strategy, bk_core, bk_core_backward,
    kept_states,
};
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::device::{ALLOWED_UNITS, POISON, client, operands, problem, upload};

/// A buffer of `length` floats in which an unwritten one is seen.
fn poisoned(client: &ComputeClient<crate::device::TestRuntime>, length: usize) -> Handle {
    upload(client, &vec![f32::from_bits(POISON); length])
}

/// Whether the states of a forward pass are kept for the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    /// It scans them.
    Scanned,
    /// A forward pass has kept them.
    Kept,
}

/// Both, as far as these options and this strategy allow it.
pub(super) fn ways(inputs: &Inputs, options: &BkOptions, strategy: &Strategy) -> Vec<States> {
    match kept_states(&problem(inputs), options, strategy) {
        Some(_) => vec![States::Scanned, States::Kept],
        None => vec![States::Scanned],
    }
}

/// All gradients as the device computes them from the operands alone.
///
/// # Panics
/// If the launch is refused or fails, or leaves a word unwritten.
pub(super) fn backward(
    inputs: &Inputs,
    cotangent: &[[f32; 2]],
    options: &BkOptions,
    strategy: &Strategy,
) -> Gradients<f32> {
    backward_from(States::Scanned, inputs, cotangent, options, strategy)
}

/// All gradients as the device computes them.
///
/// # Panics
/// If a launch is refused or fails, or leaves a word unwritten.
pub(super) fn backward_from(
    states: States,
    inputs: &Inputs,
    cotangent: &[[f32; 2]],
    options: &BkOptions,
    strategy: &Strategy,
) -> Gradients<f32> {
    let client = client();
    let mut operands = operands(&client, inputs);
    if states == States::Kept {
        let shape = kept_states(&problem(inputs), options, strategy).expect("a strategy that keeps states");
        operands.states = Some(poisoned(&client, shape.into_iter().product()));
        bk_core(&client, &problem(inputs), &operands, options, strategy).expect("arguments that fit");
    }
    let links = inputs.coupling_rows() * (inputs.n - 1);
    let couplings = || {
        let row_stride = if inputs.shared { 0 } else { inputs.n - 1 };
        Operand { handle: poisoned(&client, links), row_stride }
    };
    let (b, c) = (couplings(), couplings());
    let a_re = poisoned(&client, inputs.sites());
    let a_im = inputs.a_im.as_ref().map(|_| poisoned(&client, inputs.sites()));
    let z = poisoned(&client, 2);
    let gradients = BkGradientOperands {
        cotangent: Cotangent::contiguous(upload(&client, cotangent.as_flattened()), inputs.n),
        a_re: Some(a_re.clone()),
        a_im: a_im.clone(),
        b: Some(b.clone()),
        c: Some(c.clone()),
        z: Some(z.clone()),
    };
    bk_core_backward(&client, &problem(inputs), &operands, &gradients, options, strategy)
        .expect("arguments that fit");
    cubecl::future::block_on(client.sync()).expect("launches that succeed");
    let read = |handle: Handle, length: usize| {
        let bytes = client.read_one(handle).expect("a buffer that can be read");
        let values = f32::from_bytes(&bytes)[..length].to_vec();
        let unwritten = values.iter().filter(|value| value.to_bits() == POISON).count();
        assert_eq!(unwritten, 0, "words that were never written, {strategy:?}");
        values
    };
    let z = read(z, 2);
    Gradients {
        a_re: read(a_re, inputs.sites()),
        a_im: a_im.map(|a_im| read(a_im, inputs.sites())),
        b: read(b.handle, links),
        c: read(c.handle, links),
        z: [z[0], z[1]],
    }
}

/// Runs every strategy and holds the gradients to the oracle, at most 16 units off in each entry. Entries that float32
/// does not determine are at most the given part of all.
///
/// # Panics
/// With what is wrong in each of them.
pub(super) fn assert_right(
    name: &str,
    inputs: &Inputs,
    options: &BkOptions,
    strategies: &[Strategy],
    undefined: f64,
) {
    let cotangent = cotangent(inputs.batch, inputs.n, 5);
    let oracle = reference::gradients(inputs, &cotangent, options).expect("inputs of consistent lengths");
    let mut wrong = Vec::new();
    for strategy in strategies {
        for states in ways(inputs, options, strategy) {
            let found = backward_from(states, inputs, &cotangent, options, strategy);
            let check = oracle.check(&found, ALLOWED_UNITS);
            let entries = (check.compared + check.undefined) as f64;
            if !check.passed || check.finite_where_nan > 0 || check.undefined as f64 > undefined * entries {
                wrong.push(format!("{name}, {states:?}, {strategy:?}: {check:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every bit of every gradient, one after another.
pub(super) fn all_bits(gradients: &Gradients<f32>) -> Vec<u32> {
    let Gradients { a_re, a_im, b, c, z } = gradients;
    a_re.iter().chain(a_im.iter().flatten()).chain(b).chain(c).chain(z).map(|x| x.to_bits()).collect()
}

/// A row over several cubes of `units` units, 16 sites each.
pub(super) fn tiled(units: u32) -> Strategy {
    Strategy { units: Some(units), chunk: Some(16), ..Strategy::forced(Routine::MultiCube) }
}

/// Rows of at most 512 sites in cubes of 32 units.
pub(super) fn narrow() -> Strategy {
    Strategy { units: Some(32), ..Strategy::forced(Routine::Cube) }
}
