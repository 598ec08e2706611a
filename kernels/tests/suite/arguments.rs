//! What is refused before a launch, and in which words.

use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::{BkError, BkOperands, BkOptions, BkProblem, Routine, Strategy, bk_core, plan_routine};
use cubecl::prelude::*;

use crate::device::{POISON, TestRuntime, client, operands, problem, upload};

const BATCH: usize = 3;
const N: usize = 33;

fn inputs(family: Family) -> Inputs {
    generate(family, BATCH, N, false, None, 79)
}

/// The error that a call is refused with; nothing may have been launched.
fn refused(problem: &BkProblem, operands: &BkOperands, options: &BkOptions, strategy: &Strategy) -> BkError {
    let client = client();
    let error = bk_core(&client, problem, operands, options, strategy).unwrap_err();
    let bytes = client.read_one(operands.output.clone()).unwrap();
    let untouched = f32::from_bytes(&bytes).iter().all(|value| value.to_bits() == POISON);
    assert!(untouched, "something ran in spite of: {error}");
    error
}

/// The error for operands that `change` has made wrong.
fn refused_operands(
    family: Family,
    change: impl FnOnce(&ComputeClient<TestRuntime>, &mut BkOperands),
) -> BkError {
    let client = client();
    let inputs = inputs(family);
    let mut operands = operands(&client, &inputs);
    change(&client, &mut operands);
    refused(&problem(&inputs), &operands, &BkOptions::default(), &Strategy::default())
}

/// The error for a problem that does not fit the operands of `inputs(Normal)`.
fn refused_problem(batch: usize, n: usize) -> BkError {
    let operands = operands(&client(), &inputs(Family::Normal));
    let problem = BkProblem { batch, n, complex_diagonal: false };
    refused(&problem, &operands, &BkOptions::default(), &Strategy::default())
}

fn refused_strategy(strategy: &Strategy) -> BkError {
    let inputs = inputs(Family::Normal);
    let error = refused(&problem(&inputs), &operands(&client(), &inputs), &BkOptions::default(), strategy);
    let planned = plan_routine(&client(), &problem(&inputs), &BkOptions::default(), strategy);
    assert_eq!(planned.unwrap_err(), error, "the plan says something else than the call");
    error
}

#[test]
fn a_batch_or_a_row_of_nothing_is_refused() {
    assert_eq!(refused_problem(0, N), BkError::Empty { batch: 0, n: N });
    assert_eq!(refused_problem(BATCH, 0), BkError::Empty { batch: BATCH, n: 0 });
    let message = refused_problem(0, 5).to_string();
    assert!(message.contains("0 rows of 5 sites"), "{message}");
}

#[test]
fn a_buffer_that_is_a_value_short_is_refused_by_its_name() {
    let needed = |values: usize| 4 * values as u64;
    type Change = fn(&ComputeClient<TestRuntime>, &mut BkOperands, usize);
    let operands: [(&str, usize, Change); 6] = [
        ("a_re", BATCH * N, |client, to, len| to.a_re.handle = upload(client, &vec![1.0; len])),
        ("a_im", BATCH * N, |client, to, len| {
            to.a_im.as_mut().unwrap().handle = upload(client, &vec![1.0; len]);
        }),
        ("b", BATCH * (N - 1), |client, to, len| to.b.handle = upload(client, &vec![1.0; len])),
        ("c", BATCH * (N - 1), |client, to, len| to.c.handle = upload(client, &vec![1.0; len])),
        ("z", 2, |client, to, len| to.z = upload(client, &vec![1.0; len])),
        ("output", 2 * BATCH * N, |client, to, len| {
            to.output = upload(client, &vec![f32::from_bits(POISON); len]);
        }),
    ];
    for (name, values, change) in operands {
        let error =
            refused_operands(Family::Complex, |client, operands| change(client, operands, values - 1));
        let expected = BkError::Buffer { operand: name, found: needed(values - 1), needed: needed(values) };
        assert_eq!(error, expected);
        let message = error.to_string();
        assert!(message.contains(&format!("`{name}`")), "{message}");
        assert!(message.contains(&needed(values).to_string()), "{message}");
    }
}

#[test]
fn bytes_before_an_offset_do_not_count() {
    let error = refused_operands(Family::Normal, |_, operands| {
        operands.b.handle = operands.b.handle.clone().offset_start(4);
    });
    let needed = 4 * (BATCH * (N - 1)) as u64;
    assert_eq!(error, BkError::Buffer { operand: "b", found: needed - 4, needed });
}

#[test]
fn rows_that_overlap_are_refused_by_name() {
    type Change = fn(&mut BkOperands);
    let changes: [(&str, usize, usize, Change); 5] = [
        ("a_re", N - 1, N, |operands| operands.a_re.row_stride = N - 1),
        ("a_re", 0, N, |operands| operands.a_re.row_stride = 0),
        ("a_im", 0, N, |operands| operands.a_im.as_mut().unwrap().row_stride = 0),
        ("b", N - 2, N - 1, |operands| operands.b.row_stride = N - 2),
        ("c", 1, N - 1, |operands| operands.c.row_stride = 1),
    ];
    for (operand, stride, needed, change) in changes {
        let error = refused_operands(Family::Complex, |_, operands| change(operands));
        assert_eq!(error, BkError::Stride { operand, stride, needed });
        assert!(error.to_string().contains(&format!("`{operand}`")), "{error}");
    }
}

#[test]
fn a_diagonal_that_is_not_as_described_is_refused_both_ways() {
    for (family, found, described) in
        [(Family::Normal, "real", "complex"), (Family::Complex, "complex", "real")]
    {
        let inputs = inputs(family);
        let wrong = BkProblem { complex_diagonal: inputs.a_im.is_none(), ..problem(&inputs) };
        let error =
            refused(&wrong, &operands(&client(), &inputs), &BkOptions::default(), &Strategy::default());
        assert_eq!(error, BkError::Diagonal { found, described });
        let message = error.to_string();
        assert!(message.contains(&format!("{found} but")), "{message}");
    }
}

#[test]
fn a_bound_that_is_not_positive_and_finite_is_refused() {
    let inputs = inputs(Family::Normal);
    for bound in [0.0, -0.0, -50.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let options = BkOptions { max_magnitude: Some(bound), ..BkOptions::default() };
        let error = refused(&problem(&inputs), &operands(&client(), &inputs), &options, &Strategy::default());
        assert_eq!(error, BkError::MaxMagnitude(bound.to_string()));
        assert!(error.to_string().contains("max_magnitude"), "{error}");
    }
}

#[test]
fn sizes_past_32_bits_are_told_as_short_buffers() {
    for (batch, n) in [(1 << 20, 1 << 20), (1, 1 << 40), (1 << 31, 1), (1 << 16, 1 << 15)] {
        let inputs = inputs(Family::Normal);
        let mut operands = operands(&client(), &inputs);
        operands.a_re.row_stride = n;
        operands.b.row_stride = n - 1;
        operands.c.row_stride = n - 1;
        let problem = BkProblem { batch, n, complex_diagonal: false };
        let error = refused(&problem, &operands, &BkOptions::default(), &Strategy::default());
        let (found, needed) = (4 * (BATCH * N) as u64, 4 * (batch * n) as u64);
        assert_eq!(error, BkError::Buffer { operand: "a_re", found, needed });
    }
}

#[test]
fn sizes_that_no_address_reaches_are_refused() {
    for (batch, n) in [(usize::MAX, 2), (2, usize::MAX), (1 << 32, 1 << 32), (1 << 31, 1 << 30)] {
        assert_eq!(refused_problem(batch, n), BkError::TooLarge { batch, n });
    }
    let message = refused_problem(usize::MAX, 2).to_string();
    assert!(message.contains(&format!("{} rows of 2 sites", usize::MAX)), "{message}");
}

/// A product of stride and rows that wraps around would look like a small buffer.
#[test]
fn a_stride_that_overflows_is_refused() {
    for stride in [usize::MAX, usize::MAX / 2 + 1, i64::MAX as usize / 4] {
        for operand in ["a_re", "b", "c"] {
            let error = refused_operands(Family::Normal, |_, operands| match operand {
                "a_re" => operands.a_re.row_stride = stride,
                "b" => operands.b.row_stride = stride,
                _ => operands.c.row_stride = stride,
            });
            assert_eq!(error, BkError::TooLarge { batch: BATCH, n: N }, "{operand}, stride {stride}");
        }
    }
}

#[test]
fn a_layout_that_no_kernel_has_is_refused_with_its_reason() {
    let layout = |chunk, units, plane_size| Strategy { routine: None, chunk, units, plane_size };
    let widest = client().properties().hardware.plane_size_max;
    for (strategy, reason) in [
        (layout(Some(0), None, None), "a chunk of 0 sites"),
        (layout(Some(12), None, None), "a chunk of 12 sites"),
        (layout(None, Some(0), None), "0 units a cube"),
        (layout(None, Some(1), None), "1 units a cube"),
        (layout(None, Some(48), None), "48 units a cube"),
        (layout(None, Some(1 << 31), None), "2147483648 units a cube where the device has at most"),
        (layout(None, None, Some(12)), "a plane of 12 units"),
        (layout(None, None, Some(2 * widest)), "units where the device has"),
    ] {
        let error = refused_strategy(&strategy);
        let message = error.to_string();
        assert!(matches!(error, BkError::Strategy { routine: "auto", .. }), "{error:?}");
        assert!(message.contains(reason), "{message}, expected {reason:?}");
    }
}

#[test]
fn a_row_that_is_too_long_for_a_cube_is_refused_and_told_what_takes_it() {
    let client = client();
    let inputs = generate(Family::Normal, 1, 33, false, None, 83);
    // A cube of 32 sites.
    let strategy = Strategy { chunk: Some(16), units: Some(2), ..Strategy::forced(Routine::Cube) };
    let operands = operands(&client, &inputs);
    let error = refused(&problem(&inputs), &operands, &BkOptions::default(), &strategy);
    assert!(matches!(error, BkError::Strategy { routine: "cube", .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("33 sites") && message.contains("holds 32"), "{message}");
    assert!(message.contains("multi-cube"), "{message}");
}

#[test]
fn a_layout_beyond_shared_memory_is_refused_with_both_sizes() {
    let device = client().properties().hardware.clone();
    let widest = Strategy { units: Some(device.max_units_per_cube), ..Strategy::default() };
    for routine in [Routine::Cube, Routine::MultiCube] {
        let message = refused_strategy(&Strategy { routine: Some(routine), ..widest }).to_string();
        let limit = device.max_shared_memory_size.to_string();
        assert!(message.contains("shared memory") && message.contains(&limit), "{message}");
    }
}
