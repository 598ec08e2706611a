//! The test vectors: `|error| <= C * unit` in every gradient.

use bk_kernels::BkOptions;
use bk_kernels::vectors::load_embedded;

use super::device::{all_bits, backward, strategies};
use crate::device::ALLOWED_UNITS;

#[test]
fn every_vectors_gradients_are_right_by_every_strategy() {
    let mut wrong = Vec::new();
    for vector in load_embedded().unwrap() {
        for strategy in strategies(vector.inputs.n) {
            let start = std::time::Instant::now();
            let found = backward(&vector.inputs, &vector.cotangent, &BkOptions::default(), &strategy);
            let check = vector.check_gradients(&found, ALLOWED_UNITS);
            println!(
                "{} {:?} {} {:?} {:?}",
                vector.name,
                strategy.units,
                check.worst_units,
                check.worst,
                start.elapsed()
            );
            if !check.passed {
                wrong.push(format!("{} {strategy:?}: {check:?}", vector.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
