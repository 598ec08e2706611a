//! Cuts, blocks that are not finite, gradients that are not wanted, arguments that do not fit.

use bk_kernels::families::{Family, cotangent, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::{
    BkError, BkGradientOperands, BkOperands, BkOptions, Cotangent, GradMode, Operand, Routine, Strategy,
    bk_core, bk_core_backward, plan_backward,
};
use cubecl::prelude::*;

use super::device::{States, backward, backward_from, narrow, tiled};
use crate::device::{bits, client, operands, problem, upload};

/// What is made of an input.
type Change = fn(&mut Inputs);

/// One row of 120 sites in blocks of 40.
fn three_blocks() -> Inputs {
    let mut inputs = generate(Family::Normal, 1, 120, false, Some([0.25, 0.0]), 5);
    inputs.b[39] = 0.0;
    inputs.c[79] = 0.0;
    inputs
}

#[test]
fn a_singular_or_poisoned_block_changes_no_bit_of_another_blocks_gradients() {
    let cotangent = cotangent(1, 120, 8);
    let changes: [(&str, Change); 4] = [
        ("NaN", |inputs| inputs.a_re[60] = f32::NAN),
        ("infinite coupling", |inputs| inputs.b[50] = f32::INFINITY),
        ("huge", |inputs| inputs.a_re[41] = 1e30),
        ("singular", |inputs| (inputs.a_re[60], inputs.b[59], inputs.b[60]) = (0.25, 0.0, 0.0)),
    ];
    for (strategy, states) in [
        (tiled(2), States::Scanned),
        (narrow(), States::Scanned),
        (tiled(2), States::Kept),
        (narrow(), States::Kept),
    ] {
        let options = BkOptions::default();
        let run = |inputs: &Inputs| backward_from(states, inputs, &cotangent, &options, &strategy);
        let usual = run(&three_blocks());
        for (name, change) in changes {
            let mut inputs = three_blocks();
            change(&mut inputs);
            let found = run(&inputs);
            for (sites, links) in [(0..40, 0..39), (80..120, 80..119)] {
                let same = |x: &[f32], y: &[f32]| bits(x) == bits(y);
                assert!(same(&found.a_re[sites.clone()], &usual.a_re[sites]), "a, {name}, {strategy:?}");
                assert!(same(&found.b[links.clone()], &usual.b[links.clone()]), "b, {name}, {strategy:?}");
                assert!(same(&found.c[links.clone()], &usual.c[links]), "c, {name}, {strategy:?}");
            }
            // No way through a factor of 0 to the other one.
            assert_eq!((found.c[39], found.b[79]), (0.0, 0.0), "{name}, {strategy:?}");
        }
        let mut poisoned = three_blocks();
        poisoned.a_re[60] = f32::NAN;
        let found = run(&poisoned);
        assert!(found.a_re[40..80].iter().all(|x| x.is_nan()), "{strategy:?}");
        assert!(found.z.iter().all(|x| x.is_nan()), "{strategy:?}");
    }
}

#[test]
fn a_gradient_does_not_depend_on_which_others_are_wanted() {
    let inputs = generate(Family::Normal, 3, 50, false, None, 9);
    let cotangent = cotangent(3, 50, 8);
    let all = backward(&inputs, &cotangent, &BkOptions::default(), &tiled(2));
    let client = client();
    let run = |pick: fn(&mut BkGradientOperands, cubecl::server::Handle), length: usize| {
        let target = upload(&client, &vec![0.0; length]);
        let mut gradients = BkGradientOperands {
            cotangent: Cotangent::contiguous(upload(&client, cotangent.as_flattened()), inputs.n),
            a_re: None,
            a_im: None,
            b: None,
            c: None,
            z: None,
        };
        pick(&mut gradients, target.clone());
        let operands = operands(&client, &inputs);
        bk_core_backward(&client, &problem(&inputs), &operands, &gradients, &BkOptions::default(), &tiled(2))
            .unwrap();
        cubecl::future::block_on(client.sync()).unwrap();
        bits(&f32::from_bytes(&client.read_one(target).unwrap())[..length])
    };
    assert_eq!(run(|gradients, target| gradients.a_re = Some(target), 150), bits(&all.a_re));
    assert_eq!(run(|gradients, target| gradients.z = Some(target), 2), bits(&all.z));
    let c = run(|gradients, handle| gradients.c = Some(Operand { handle, row_stride: 49 }), 147);
    assert_eq!(c, bits(&all.c));
}

#[test]
fn a_cotangent_with_gaps_is_read_in_place() {
    let inputs = generate(Family::Normal, 3, 50, false, None, 9);
    let cotangent = cotangent(3, 50, 8);
    let options = BkOptions { max_magnitude: Some(2.0), ..BkOptions::default() };
    let client = client();
    let operands = operands(&client, &inputs);
    for (options, strategy) in [(BkOptions::default(), Strategy::default()), (options, tiled(2))] {
        let expected = backward(&inputs, &cotangent, &options, &strategy);
        let (row_stride, site_stride) = (107, 2);
        // What is between its entries is never read.
        let mut spread = vec![[f32::NAN; 2]; 3 * row_stride];
        for (index, pair) in cotangent.iter().enumerate() {
            spread[index / 50 * row_stride + index % 50 * site_stride] = *pair;
        }
        let a_re = upload(&client, &[0.0; 150]);
        let gradients = BkGradientOperands {
            cotangent: Cotangent { handle: upload(&client, spread.as_flattened()), row_stride, site_stride },
            a_re: Some(a_re.clone()),
            a_im: None,
            b: None,
            c: None,
            z: None,
        };
        bk_core_backward(&client, &problem(&inputs), &operands, &gradients, &options, &strategy).unwrap();
        cubecl::future::block_on(client.sync()).unwrap();
        let found = client.read_one(a_re).unwrap();
        assert_eq!(bits(&f32::from_bytes(&found)[..150]), bits(&expected.a_re));
    }
}

#[test]
fn one_of_two_shared_couplings_is_summed_and_the_other_is_not() {
    let inputs = generate(Family::Normal, 5, 9, false, None, 2);
    let cotangent = cotangent(5, 9, 4);
    let dense = Inputs { b: inputs.b[..8].repeat(5), ..inputs.clone() };
    let expected = backward(&dense, &cotangent, &BkOptions::default(), &tiled(2));
    let client = client();
    let mut operands = operands(&client, &dense);
    operands.b = Operand { handle: upload(&client, &inputs.b[..8]), row_stride: 0 };
    let (b, c) = (upload(&client, &[0.0; 8]), upload(&client, &[0.0; 40]));
    let gradients = BkGradientOperands {
        cotangent: Cotangent::contiguous(upload(&client, cotangent.as_flattened()), inputs.n),
        a_re: None,
        a_im: None,
        b: Some(Operand { handle: b.clone(), row_stride: 0 }),
        c: Some(Operand { handle: c.clone(), row_stride: 8 }),
        z: None,
    };
    bk_core_backward(&client, &problem(&dense), &operands, &gradients, &BkOptions::default(), &tiled(2))
        .unwrap();
    cubecl::future::block_on(client.sync()).unwrap();
    assert_eq!(bits(&f32::from_bytes(&client.read_one(c).unwrap())[..40]), bits(&expected.c));
    let sums = client.read_one(b).unwrap();
    for (link, sum) in f32::from_bytes(&sums)[..8].iter().enumerate() {
        let rows: f32 = (0..5).map(|row| expected.b[8 * row + link]).sum();
        assert!((sum - rows).abs() <= 1e-5 * rows.abs().max(1.0), "{sum} {rows}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let inputs = generate(Family::Normal, 3, 50, false, None, 9);
    let client = client();
    let operands = operands(&client, &inputs);
    let short = upload(&client, &[0.0; 16]);
    let cotangent = Cotangent::contiguous(upload(&client, &[0.0; 300]), 50);
    let nothing = BkGradientOperands { cotangent, a_re: None, a_im: None, b: None, c: None, z: None };
    let refused = |gradients: &BkGradientOperands, options: &BkOptions, strategy: &Strategy| {
        bk_core_backward(&client, &problem(&inputs), &operands, gradients, options, strategy).unwrap_err()
    };
    let (plain, auto) = (BkOptions::default(), Strategy::default());
    let error = refused(
        &BkGradientOperands { cotangent: Cotangent::contiguous(short.clone(), 50), ..nothing.clone() },
        &plain,
        &auto,
    );
    assert!(matches!(error, BkError::Buffer { operand: "cotangent", needed: 1200, .. }), "{error}");
    let overlapping = Cotangent { row_stride: 49, ..nothing.cotangent.clone() };
    let error = refused(&BkGradientOperands { cotangent: overlapping, ..nothing.clone() }, &plain, &auto);
    assert!(matches!(error, BkError::Stride { operand: "cotangent", needed: 50, .. }), "{error}");
    let error = refused(&BkGradientOperands { a_im: Some(short.clone()), ..nothing.clone() }, &plain, &auto);
    assert!(matches!(error, BkError::Diagonal { .. }), "{error}");
    let summed = Operand { handle: short.clone(), row_stride: 0 };
    let error = refused(&BkGradientOperands { b: Some(summed), ..nothing.clone() }, &plain, &auto);
    assert!(matches!(error, BkError::Stride { operand: "gradient of b", needed: 49, .. }), "{error}");
    let blend = BkOptions { gradient: GradMode::Blend(2.0), ..plain };
    assert!(matches!(refused(&nothing, &blend, &auto), BkError::BlendWeight(_)));
    let serial = Strategy::forced(Routine::Serial);
    assert!(matches!(refused(&nothing, &plain, &serial), BkError::Strategy { routine: "serial", .. }));
    assert!(plan_backward(&client, &problem(&inputs), &plain, &serial).is_err());
    assert_eq!(plan_backward(&client, &problem(&inputs), &plain, &auto).unwrap(), Routine::Cube);
    let keeping = |strategy: &Strategy, states: &[f32]| {
        let operands = BkOperands { states: Some(upload(&client, states)), ..operands.clone() };
        bk_core(&client, &problem(&inputs), &operands, &plain, strategy).unwrap_err()
    };
    assert!(matches!(keeping(&serial, &[0.0; 48]), BkError::Strategy { routine: "serial", .. }));
    let short = keeping(&auto, &[0.0; 47]);
    assert!(matches!(short, BkError::Buffer { operand: "states", needed: 192, .. }), "{short}");
}
