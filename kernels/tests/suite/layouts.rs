//! Strided rows, shared couplings, buffers that begin elsewhere: the bits of the dense layout.

use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::{BkOptions, Operand, Routine, Strategy, bk_core};
use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::device::{TestRuntime, bits, client, launch, narrow, operands, problem, run, tiled, upload};

fn each_routine() -> [Strategy; 3] {
    [Strategy::forced(Routine::Serial), narrow(), tiled(2)]
}

/// The rows of a dense operand further apart, with NaN between them.
fn spread(client: &ComputeClient<TestRuntime>, values: &[f32], columns: usize, gap: usize) -> Operand {
    let row_stride = columns + gap;
    let mut spread = Vec::new();
    for row in values.chunks(columns) {
        spread.extend_from_slice(row);
        spread.resize(spread.len() + gap, f32::NAN);
    }
    Operand { handle: upload(client, &spread), row_stride }
}

/// The couplings of every row written out.
fn repeated(inputs: &Inputs, values: &[f32]) -> Vec<f32> {
    values.repeat(inputs.batch)
}

#[test]
fn rows_further_apart_give_the_bits_of_the_dense_layout() {
    let client = client();
    for (family, n) in [(Family::Normal, 33), (Family::Complex, 33), (Family::Normal, 70)] {
        let inputs = generate(family, 5, n, false, None, 43);
        for strategy in each_routine() {
            let expected = run(&inputs, &BkOptions::default(), &strategy);
            let mut strided = operands(&client, &inputs);
            strided.a_re = spread(&client, &inputs.a_re, n, 5);
            strided.a_im = inputs.a_im.as_ref().map(|a_im| spread(&client, a_im, n, 3));
            strided.b = spread(&client, &inputs.b, n - 1, 1);
            strided.c = spread(&client, &inputs.c, n - 1, 8);
            let output = launch(&client, &problem(&inputs), &strided, &BkOptions::default(), &strategy);
            assert_eq!(bits(&output), bits(&expected), "{family:?}, {n} sites, {strategy:?}");
        }
    }
}

#[test]
fn couplings_shared_by_the_batch_give_the_bits_of_repeated_ones() {
    let client = client();
    let shared = generate(Family::Normal, 5, 33, true, None, 47);
    let dense = Inputs {
        b: repeated(&shared, &shared.b),
        c: repeated(&shared, &shared.c),
        shared: false,
        ..shared.clone()
    };
    for strategy in each_routine() {
        let expected = bits(&run(&dense, &BkOptions::default(), &strategy));
        assert_eq!(bits(&run(&shared, &BkOptions::default(), &strategy)), expected, "both, {strategy:?}");
        let one_row = operands(&client, &shared);
        let rows = operands(&client, &dense);
        let mut only_b = operands(&client, &dense);
        only_b.b = one_row.b.clone();
        let mut only_c = rows;
        only_c.c = one_row.c.clone();
        for (name, mixed) in [("b", only_b), ("c", only_c)] {
            let output = launch(&client, &problem(&dense), &mixed, &BkOptions::default(), &strategy);
            assert_eq!(bits(&output), expected, "{name} shared, {strategy:?}");
        }
    }
}

#[test]
fn a_shared_row_is_not_the_first_of_several() {
    let client = client();
    let inputs = generate(Family::Normal, 4, 33, false, None, 53);
    let mut shared = operands(&client, &inputs);
    shared.b.row_stride = 0;
    for strategy in each_routine() {
        let dense = run(&inputs, &BkOptions::default(), &strategy);
        let output = launch(&client, &problem(&inputs), &shared, &BkOptions::default(), &strategy);
        // The first row has the same couplings either way, the others have not.
        assert_eq!(bits(&output[..66]), bits(&dense[..66]), "{strategy:?}");
        for row in 1..4 {
            assert_ne!(bits(&output[66 * row..66 * (row + 1)]), bits(&dense[66 * row..66 * (row + 1)]));
        }
    }
}

#[test]
fn the_stride_of_a_single_row_does_not_matter() {
    let client = client();
    let inputs = generate(Family::Normal, 1, 33, false, None, 59);
    for strategy in each_routine() {
        let expected = run(&inputs, &BkOptions::default(), &strategy);
        for row_stride in [0, 1, 1000] {
            let mut operands = operands(&client, &inputs);
            for operand in [&mut operands.a_re, &mut operands.b, &mut operands.c] {
                operand.row_stride = row_stride;
            }
            let output = launch(&client, &problem(&inputs), &operands, &BkOptions::default(), &strategy);
            assert_eq!(bits(&output), bits(&expected), "stride {row_stride}, {strategy:?}");
        }
    }
}

/// A handle to the values behind as many bytes of NaN as bindings are aligned to, and the whole buffer.
fn behind(client: &ComputeClient<TestRuntime>, values: &[f32]) -> (Handle, Handle) {
    let offset = client.properties().memory.alignment;
    let mut padded = vec![f32::NAN; offset as usize / 4];
    padded.extend_from_slice(values);
    let whole = upload(client, &padded);
    (whole.clone().offset_start(offset), whole)
}

#[test]
fn buffers_that_begin_at_an_offset_give_the_bits_of_those_that_do_not() {
    let client = client();
    let inputs = generate(Family::Complex, 3, 33, false, None, 61);
    for strategy in each_routine() {
        let expected = run(&inputs, &BkOptions::default(), &strategy);
        let mut offset = operands(&client, &inputs);
        offset.a_re.handle = behind(&client, &inputs.a_re).0;
        if let (Some(a_im), Some(values)) = (&mut offset.a_im, &inputs.a_im) {
            a_im.handle = behind(&client, values).0;
        }
        offset.b.handle = behind(&client, &inputs.b).0;
        offset.c.handle = behind(&client, &inputs.c).0;
        offset.z = behind(&client, &inputs.z).0;
        let (output, whole) = behind(&client, &vec![7.0; 2 * inputs.sites()]);
        offset.output = output;
        let options = BkOptions::default();
        bk_core(&client, &problem(&inputs), &offset, &options, &strategy).unwrap();
        let bytes = client.read_one(whole).unwrap();
        let (before, output) =
            f32::from_bytes(&bytes).split_at(client.properties().memory.alignment as usize / 4);
        assert!(before.iter().all(|value| value.is_nan()), "written before the output, {strategy:?}");
        assert_eq!(bits(output), bits(&expected), "{strategy:?}");
    }
}
