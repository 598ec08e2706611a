//! The test vectors: `|error| <= C * unit` at every site.

use bk_kernels::vectors::load_embedded;
use bk_kernels::{BkOptions, Routine, Strategy};

use crate::device::{ALLOWED_UNITS, bits, run, strategies};

#[test]
fn every_vector_is_right_by_every_strategy() {
    let mut wrong = Vec::new();
    for vector in load_embedded().unwrap() {
        for strategy in strategies(vector.inputs.n) {
            let output = run(&vector.inputs, &BkOptions::default(), &strategy);
            let check = vector.check(&output, ALLOWED_UNITS);
            if !check.passed {
                wrong.push(format!("{} {strategy:?}: {check:?}", vector.name));
            }
            if check.undefined_but_finite > 0 && strategy.routine == Some(Routine::Serial) {
                wrong.push(format!("{} {strategy:?}: a singular block is finite", vector.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_second_run_gives_the_same_bits() {
    let vectors = load_embedded().unwrap();
    for vector in vectors.iter().filter(|vector| vector.inputs.n >= 255) {
        let strategy = Strategy::default();
        let output = || bits(&run(&vector.inputs, &BkOptions::default(), &strategy));
        assert_eq!(output(), output(), "{}", vector.name);
    }
}
