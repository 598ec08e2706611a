//! One unit a row: the plain recurrence, the baseline of the parallel routines.

use cubecl::prelude::*;

use crate::blueprint::{Blueprint, GROUP};
use crate::complex::Complex;
use crate::group::{Entries, resolve_group, sweep_right};
use crate::operands::Operands;
use crate::projective::{Pair, canonicalise};
use crate::resolvent::Finish;
use crate::routines::multi_cube::group_from_memory;
use crate::tile::paired;

/// Units of a cube, which do not cooperate.
pub(crate) const SERIAL_UNITS: u32 = 32;
/// Floats kept of the left sweep for each group: one state.
pub(crate) const STATE: usize = 4;
/// Groups between two canonical states.
const CANONICAL: usize = 4;

/// Resolvent diagonals, one row a unit. `starts` is scratch, `[ceil(N / GROUP), STATE, B]`.
#[cube(launch_unchecked, address_type = "dynamic")]
pub(crate) fn serial_kernel<V: Size>(
    operands: &Operands,
    starts: &mut Array<f32>,
    output: &mut Array<Vector<f32, V>>,
    finish: &Finish,
    #[comptime] blueprint: Blueprint,
) {
    let row = ABSOLUTE_POS;
    if row >= operands.batch {
        terminate!();
    }
    let batch = operands.batch;
    let n = operands.n;
    let groups = n.div_ceil(comptime!(GROUP as usize));

    let mut left = Pair::start();
    for group in 0..groups {
        if group % comptime!(CANONICAL) == 0 {
            left = canonicalise(left);
        }
        let base = group * comptime!(STATE) * batch + row;
        starts[base] = left.x.re;
        starts[base + batch] = left.x.im;
        starts[base + 2 * batch] = left.y.re;
        starts[base + 3 * batch] = left.y.im;
        let sites = group_from_memory(operands, row, group * comptime!(GROUP as usize), blueprint);
        left = sweep_right(left, &sites);
    }

    let mut right = Pair::start();
    let mut entries = Entries::new();
    for step in 0..groups {
        let group = groups - 1 - step;
        if step % comptime!(CANONICAL) == 0 {
            right = canonicalise(right);
        }
        let base = group * comptime!(STATE) * batch + row;
        let start = Pair::new(
            Complex::new(starts[base], starts[base + batch]),
            Complex::new(starts[base + 2 * batch], starts[base + 3 * batch]),
        );
        let first = group * comptime!(GROUP as usize);
        let sites = group_from_memory(operands, row, first, blueprint);
        right = resolve_group(start, right, &sites, &mut entries, finish, blueprint);
        #[unroll]
        for index in 0..GROUP {
            let site = first + comptime!(index as usize);
            if site < n {
                let entry = entries.at(index);
                output[row * n + site] = paired::<V>(entry.re, entry.im);
            }
        }
    }
}
