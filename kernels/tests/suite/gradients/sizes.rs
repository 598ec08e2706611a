//! Awkward numbers of rows and sites, every family, shared couplings, long and ill-conditioned rows.

use bk_kernels::BkOptions;
use bk_kernels::families::{Family, generate};

use super::device::{assert_right, narrow, tiled};

const PLAIN: BkOptions = BkOptions {
    max_magnitude: None,
    non_finite: bk_kernels::NonFinite::Propagate,
    gradient: bk_kernels::GradMode::Exact,
};

#[test]
fn rows_around_every_edge_of_chunk_tile_and_cube_are_right() {
    let sizes =
        [(1, 1), (33, 1), (1, 2), (3, 15), (3, 16), (1, 17), (3, 31), (33, 32), (3, 33), (2, 65), (1, 257)];
    for (batch, n) in sizes {
        let inputs = generate(Family::Normal, batch, n, false, None, (1000 * batch + n) as u64);
        assert_right(&format!("{batch} rows of {n}"), &inputs, &PLAIN, &[tiled(2)], 0.0);
    }
    for (batch, n) in [(33, 1), (3, 15), (70, 16), (3, 255), (5, 256)] {
        let inputs = generate(Family::Normal, batch, n, false, None, (1000 * batch + n) as u64);
        assert_right(&format!("{batch} rows of {n}"), &inputs, &PLAIN, &[narrow()], 0.0);
    }
}

/// A cube grows with the row as far as shared memory or registers allow, 8192 sites through CUDA and SPIR-V.
#[test]
fn rows_in_the_largest_cube_of_a_device_are_right() {
    for (batch, n) in [(2, 4096), (1, 4097), (2, 6000), (1, 8192)] {
        let inputs = generate(Family::Normal, batch, n, false, None, n as u64);
        assert_right(&format!("{batch} rows of {n}"), &inputs, &PLAIN, &[tiled(32)], 0.0);
    }
}

#[test]
fn every_family_is_right_over_several_tiles() {
    for family in Family::ALL {
        let inputs = generate(family, 2, 512, false, None, 7);
        assert_right(&format!("{family:?}"), &inputs, &PLAIN, &[tiled(2)], 0.0);
    }
}

/// 3000 rows are summed in two steps.
#[test]
fn couplings_that_the_batch_shares_have_the_sum_over_the_batch() {
    for (batch, n) in [(1, 40), (3, 1), (64, 33), (3000, 20)] {
        let inputs = generate(Family::Normal, batch, n, true, None, 11);
        assert_right(&format!("{batch} rows of {n}"), &inputs, &PLAIN, &[tiled(2)], 0.0);
    }
}

#[test]
fn more_rows_than_a_dimension_of_the_grid_has_cubes_are_right() {
    let inputs = generate(Family::Normal, 70_000, 3, false, None, 13);
    assert_right("70,000 rows", &inputs, &PLAIN, &[tiled(2)], 0.001);
}

/// Without the polish, errors here are above 100 units. Half of the entries may have no digit in float32.
#[test]
fn a_long_row_next_to_the_real_axis_is_right_however_it_is_tiled() {
    let inputs = generate(Family::Hermitian, 1, 16_384, false, Some([0.1, 1e-5]), 3);
    assert_right("Im z = 1e-5", &inputs, &PLAIN, &[tiled(2), tiled(32)], 0.5);
    let inputs = generate(Family::Normal, 1, 65_536, false, None, 3);
    assert_right("2^16 sites", &inputs, &PLAIN, &[tiled(32)], 0.0);
}

/// States have imaginary parts of exactly 0 there, which must survive being kept.
#[test]
fn gradients_on_the_real_axis_are_right() {
    let inputs = generate(Family::Normal, 3, 100, false, Some([0.1, 0.0]), 17);
    assert_right("Im z = 0", &inputs, &PLAIN, &[tiled(2), narrow()], 0.1);
}
