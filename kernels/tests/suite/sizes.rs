//! Awkward numbers of rows and sites, every input family, long and ill-conditioned rows: all within 16
//! units of the oracle.

use bk_kernels::families::{Family, generate};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{compare, resolvent};
use bk_kernels::{BkOptions, BkProblem, Routine, Strategy, plan_routine};

use crate::device::{
    ALLOWED_UNITS, assert_right, client, launch, narrow, operands, plane_size, problem, run_keeping,
    strategies, tiled,
};

fn normal(batch: usize, n: usize) -> Inputs {
    generate(Family::Normal, batch, n, false, None, (1000 * batch + n) as u64)
}

#[test]
fn rows_around_every_edge_of_chunk_tile_and_cube_are_right() {
    let sizes = [
        (1, 1),
        (33, 1),
        (1, 2),
        (3, 3),
        (33, 15),
        (3, 16),
        (1, 17),
        (3, 31),
        (33, 32),
        (3, 33),
        (1, 255),
        (3, 256),
        (1, 257),
        (3, 1000),
    ];
    for (batch, n) in sizes {
        assert_right(
            &format!("{batch} rows of {n}"),
            &normal(batch, n),
            &BkOptions::default(),
            &strategies(n),
        );
    }
}

#[test]
fn a_few_short_rows_take_a_unit_each_unless_a_layout_is_forced() {
    let chosen = |batch, n, strategy: &Strategy| {
        let problem = BkProblem { batch, n, complex_diagonal: false };
        plan_routine(&client(), &problem, &BkOptions::default(), strategy).unwrap()
    };
    let auto = Strategy::default();
    assert_eq!(chosen(1, 1, &auto), Routine::Serial);
    assert_eq!(chosen(32, 16, &auto), Routine::Serial);
    assert_eq!(chosen(1, 17, &auto), Routine::Cube);
    assert_eq!(chosen(1_000_000, 16, &auto), Routine::Cube);
    assert_eq!(chosen(1, 16, &Strategy { units: Some(32), ..auto }), Routine::Cube);
}

#[test]
fn rows_around_the_longest_of_a_cube_are_right() {
    let serial = Strategy::forced(Routine::Serial);
    let sizes: [(usize, usize, &[Strategy]); 5] = [
        (3, 2047, &[Strategy::default(), tiled(2)]),
        (1, 2048, &[Strategy::default(), tiled(32)]),
        (1, 2049, &[Strategy::default(), tiled(32), serial]),
        (3, 4096, &[Strategy::default(), tiled(4), Strategy::forced(Routine::MultiCube)]),
        (3, 4097, &[Strategy::default(), tiled(32), serial]),
    ];
    for (batch, n, strategies) in sizes {
        assert_right(&format!("{batch} rows of {n}"), &normal(batch, n), &BkOptions::default(), strategies);
    }
}

/// Eight units scan the sixteen tiles of 4096 sites in each cube; one tile more, or so many cubes that they do not run side
/// by side, take a launch of their own.
#[test]
fn rows_of_as_many_tiles_as_a_cube_scans_itself_and_of_one_more_are_right() {
    for (batch, n) in [(1, 257), (2, 4095), (1, 4096), (1, 4097), (40, 4096)] {
        let name = format!("{batch} rows of {n}");
        assert_right(&name, &normal(batch, n), &BkOptions::default(), &[tiled(8)]);
    }
    let complex = generate(Family::Complex, 2, 4096, false, None, 5);
    assert_right("complex", &complex, &BkOptions::default(), &[tiled(8)]);
}

/// A device with much shared memory holds them in one cube of more units.
#[test]
fn rows_a_few_times_as_long_as_the_usual_cube_are_right() {
    for (batch, n) in [(2, 4097), (1, 8192), (2, 9000), (1, 16_384), (1, 16_385)] {
        let name = format!("{batch} rows of {n}");
        assert_right(&name, &normal(batch, n), &BkOptions::default(), &[Strategy::default()]);
    }
}

/// Then cubes share multiprocessors, and through Vulkan they keep their entries in registers. The last row of the last cube is beyond
/// the batch.
#[test]
fn more_cubes_than_a_device_is_thought_to_have_multiprocessors_are_right() {
    for (batch, n) in [(1103, 63), (150, 1000), (70, 4095)] {
        let name = format!("{batch} rows of {n}");
        assert_right(&name, &normal(batch, n), &BkOptions::default(), &[Strategy::default()]);
    }
}

#[test]
fn every_family_is_right_within_a_cube_and_over_several() {
    for family in Family::ALL {
        let inputs = generate(family, 2, 4096, false, None, 7);
        let strategies = [Strategy::default(), tiled(32)];
        assert_right(&format!("{family:?}"), &inputs, &BkOptions::default(), &strategies);
    }
}

#[test]
fn a_complex_diagonal_is_right_by_every_strategy() {
    for (batch, n) in [(3, 33), (2, 257)] {
        let inputs = generate(Family::Complex, batch, n, false, None, 11);
        assert_right(&format!("{batch} rows of {n}"), &inputs, &BkOptions::default(), &strategies(n));
    }
}

/// Where the diagonal is complex a cube takes nearly all of the shared memory that software Vulkan has.
#[test]
fn a_complex_row_over_a_few_cubes_of_the_largest_size_is_right() {
    for n in [4097, 10_000] {
        let inputs = generate(Family::Complex, 2, n, false, None, 12);
        assert_right(&format!("rows of {n}"), &inputs, &BkOptions::default(), &[Strategy::default()]);
    }
}

/// Software Vulkan takes up to 65,535 cubes in a dimension of the grid.
#[test]
fn more_rows_than_a_dimension_of_the_grid_has_cubes_are_right() {
    let two_units = |routine| Strategy { units: Some(2), ..Strategy::forced(routine) };
    assert_right("cube", &normal(140_000, 3), &BkOptions::default(), &[two_units(Routine::Cube)]);
    assert_right("auto", &normal(100_000, 3), &BkOptions::default(), &[Strategy::default()]);
    assert_right(
        "one site",
        &normal(140_000, 1),
        &BkOptions::default(),
        &[Strategy::default(), two_units(Routine::Cube)],
    );
    assert_right("multi-cube", &normal(70_000, 3), &BkOptions::default(), &[tiled(2)]);
    // 32 rows a cube.
    assert_right(
        "serial",
        &normal(2_100_000, 1),
        &BkOptions::default(),
        &[Strategy::forced(Routine::Serial)],
    );
}

/// Without the sweep that polishes states at the edges of chunks, or without the one beyond the edges of
/// tiles, errors here are 70 to 120 units.
#[test]
fn a_long_row_next_to_the_real_axis_is_right_however_it_is_tiled() {
    let inputs = generate(Family::Hermitian, 1, 65_536, false, Some([0.1, 1e-6]), 3);
    let strategies = [Strategy::default(), tiled(32), tiled(2)];
    assert_right("Im z = 1e-6", &inputs, &BkOptions::default(), &strategies);
}

/// The same within a cube, whose chunks meet by the butterfly alone.
#[test]
fn rows_of_a_cube_next_to_the_real_axis_are_right() {
    for im in [1e-3, 1e-5, 0.0] {
        let inputs = generate(Family::Hermitian, 8, 4096, false, Some([0.1, im]), 5);
        assert_right(&format!("Im z = {im:e}"), &inputs, &BkOptions::default(), &[Strategy::default()]);
        let inputs = generate(Family::Hermitian, 64, 1000, false, Some([0.1, im]), 5);
        assert_right(&format!("Im z = {im:e}"), &inputs, &BkOptions::default(), &[narrow()]);
    }
}

/// With entries in registers such a pass has chunks half as long. Without the sweep that goes on from their polished edges
/// to their middle, errors here are 45 and 50 units.
#[test]
fn values_of_a_pass_that_keeps_states_are_right() {
    let options = BkOptions::default();
    let strategies = [Strategy::default(), Strategy::forced(Routine::Cube), tiled(32)];
    for (batch, n) in [(3, 17), (5, 255), (128, 1024), (1, 6000)] {
        for im in [1e-3, 1e-4] {
            let inputs = generate(Family::Hermitian, batch, n, false, Some([0.1, im]), 5);
            let oracle = resolvent(&inputs).unwrap();
            // A device need not have room for 6000 sites in a cube.
            let fits =
                |strategy: &&Strategy| plan_routine(&client(), &problem(&inputs), &options, strategy).is_ok();
            for strategy in strategies.iter().filter(fits) {
                let output = run_keeping(&inputs, &options, strategy);
                let rejected = compare(&output, &oracle, &options, ALLOWED_UNITS).rejected;
                assert!(rejected.is_none(), "{batch} rows of {n}, Im z = {im:e}, {strategy:?}: {rejected:?}");
            }
        }
    }
}

/// The error unit bounds `|G|`, and `Im G` is far smaller here: a phase left in the states would take its
/// digits (a median error of 5e-4 of them) and leave `|G|` as it is.
#[test]
fn a_small_imaginary_part_keeps_its_digits() {
    let inputs = generate(Family::LargeEntries, 1, 65_536, false, None, 13);
    let oracle = resolvent(&inputs).unwrap();
    for strategy in [Strategy::default(), tiled(32), Strategy::forced(Routine::Serial)] {
        let output = crate::device::run(&inputs, &BkOptions::default(), &strategy);
        let mut errors: Vec<f64> = output
            .as_chunks::<2>()
            .0
            .iter()
            .zip(&oracle.g)
            .map(|(&[_, im], &[_, expected])| ((f64::from(im) - expected) / expected).abs())
            .collect();
        errors.sort_by(f64::total_cmp);
        let median = errors[errors.len() / 2];
        assert!(median < 3e-6, "{strategy:?}: median relative error of Im G is {median:e}");
    }
}

#[test]
fn a_row_of_a_million_sites_is_right() {
    let inputs = normal(1, 1 << 20);
    assert_right("2^20 sites", &inputs, &BkOptions::default(), &[Strategy::default()]);
}

#[test]
fn the_routine_that_runs_is_the_one_that_fits_the_row() {
    let client = client();
    let options = BkOptions::default();
    let takes = |n: usize| {
        let problem = BkProblem { batch: 1, n, complex_diagonal: false };
        bk_kernels::plan_routine(&client, &problem, &options, &Strategy::forced(Routine::Cube)).is_ok()
    };
    // What a cube holds is a power of two that depends on the shared memory of the device.
    let longest = (0..=16).map(|power| 1 << power).take_while(|&n| takes(n)).last().unwrap();
    assert!((1024..=16_384).contains(&longest) && !takes(longest + 1), "a cube holds {longest} sites");
    for (n, expected) in [
        (1, Routine::Serial),
        (17, Routine::Cube),
        (longest, Routine::Cube),
        (longest + 1, Routine::MultiCube),
    ] {
        let inputs = normal(1, n);
        let operands = operands(&client, &inputs);
        let routine =
            bk_kernels::bk_core(&client, &problem(&inputs), &operands, &options, &Strategy::default());
        assert_eq!(routine.unwrap(), expected, "{n} sites");
        for forced in [Routine::Serial, Routine::MultiCube] {
            let strategy = Strategy::forced(forced);
            let planned = bk_kernels::plan_routine(&client, &problem(&inputs), &options, &strategy);
            assert_eq!(planned.unwrap(), forced);
        }
        launch(&client, &problem(&inputs), &operands, &options, &Strategy::default());
    }
}

/// Weak disorder near the real axis: a state carries through hundreds of sites, so no sweep over a chunk mends a wrong one.
#[test]
fn a_row_over_several_cubes_is_right_where_states_reach_across_chunks() {
    let mut inputs = generate(Family::Free, 1, 1600, false, Some([0.5, 1e-4]), 11);
    for (link, (b, c)) in inputs.b.iter_mut().zip(&mut inputs.c).enumerate() {
        *b = 1.0 + 0.05 * (link as f32).sin();
        *c = *b;
    }
    let strategies =
        [0, plane_size()].map(|plane_size| Strategy { plane_size: Some(plane_size), ..tiled(16) });
    assert_right("weak disorder", &inputs, &BkOptions::default(), &strategies);
}
