//! A target against the test vectors.

use std::path::Path;

use bk_burn::bk_core_with;
use bk_harness::case::Strategy;
use bk_harness::vectors::VectorRow;
use bk_harness::workload::Failure;
use bk_kernels::BkOptions;
use bk_kernels::inputs::Inputs;
use bk_kernels::vectors::{Vector, VectorCheck, load_dir, load_embedded};
use bk_oracle::conversions;

use crate::bk_core::{read, upload};
use crate::platform::Platform;

/// Units of error that serial and polished scans keep to.
const ALLOWED_UNITS: f64 = 16.0;

/// Computes every vector by the backend's own implementation.
pub(crate) fn verify_vectors<P: Platform>(
    platform: &P,
    dir: Option<&Path>,
    strategy: Strategy,
) -> Result<Vec<VectorRow>, Failure> {
    let strategy = conversions::strategy(strategy);
    check_vectors(dir, |inputs, options| {
        let operands = upload::<P>(inputs, platform.device());
        let output = bk_core_with(operands, options, &strategy)
            .map_err(|error| Failure::Execution(error.to_string()))?;
        platform.synchronize()?;
        read(output)
    })
}

/// Computes every vector by `run` and compares.
pub(crate) fn check_vectors(
    dir: Option<&Path>,
    run: impl Fn(&Inputs, &BkOptions) -> Result<Vec<f32>, Failure>,
) -> Result<Vec<VectorRow>, Failure> {
    let vectors = match dir {
        Some(dir) => load_dir(dir),
        None => load_embedded(),
    };
    let vectors = vectors.map_err(|error| Failure::Execution(error.to_string()))?;
    vectors
        .iter()
        .map(|vector| {
            let output = run(&vector.inputs, &BkOptions::default())
                .map_err(|error| Failure::Execution(format!("vector {}: {error}", vector.name)))?;
            Ok(row(vector, &vector.check(&output, ALLOWED_UNITS)))
        })
        .collect()
}

fn row(vector: &Vector, check: &VectorCheck) -> VectorRow {
    // Without clipping, an exactly singular block has no finite value.
    let finite_poles = check.undefined_but_finite > 0;
    let note = match check.worst_site {
        Some((row, site)) if !check.passed => {
            format!(
                "{} of {} sites wrong, the worst at row {row}, site {site}",
                check.failures, check.compared
            )
        }
        _ if finite_poles => {
            format!("{} sites of a singular block are finite", check.undefined_but_finite)
        }
        _ => vector.note.clone(),
    };
    VectorRow {
        name: vector.name.clone(),
        n: vector.inputs.n,
        batch: vector.inputs.batch,
        worst_units: check.worst_units.is_finite().then_some(check.worst_units),
        allowed_units: ALLOWED_UNITS,
        passed: check.passed && !finite_poles,
        note,
    }
}
