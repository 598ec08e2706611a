//! The test vectors: `|error| <= C * unit` in every gradient.

use bk_kernels::vectors::load_embedded;
use bk_kernels::{BkOptions, Strategy};

use super::device::{all_bits, backward, backward_from, narrow, tiled, ways};
use crate::device::{ALLOWED_UNITS, plane_size};

/// One layout for all vectors over several tiles; for the longer ones two within a cube, and shuffles between units. A
/// driver compiles each.
#[test]
fn every_vectors_gradients_are_right_by_every_routine() {
    let mut wrong = Vec::new();
    for vector in load_embedded().unwrap() {
        let mut strategies = vec![tiled(2)];
        if (200..=512).contains(&vector.inputs.n) {
            strategies.push(narrow());
            strategies.push(Strategy { plane_size: Some(plane_size()), ..tiled(16) });
        }
        for strategy in strategies {
            let options = BkOptions::default();
            for states in ways(&vector.inputs, &options, &strategy) {
                let found = backward_from(states, &vector.inputs, &vector.cotangent, &options, &strategy);
                let check = vector.check_gradients(&found, ALLOWED_UNITS);
                if !check.passed {
                    wrong.push(format!("{} {states:?} {strategy:?}: {check:?}", vector.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_second_run_gives_the_same_bits() {
    let vectors = load_embedded().unwrap();
    let run = |name: &str, strategy: Strategy| {
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        let bits =
            || all_bits(&backward(&vector.inputs, &vector.cotangent, &BkOptions::default(), &strategy));
        assert_eq!(bits(), bits(), "{name}");
    };
    run("n512", tiled(2));
    run("n255_shared_bc", tiled(2));
}
