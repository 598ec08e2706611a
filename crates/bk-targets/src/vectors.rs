//! A target against the test vectors.

use std::path::Path;

use bk_burn::{bk_core_backward, bk_core_with};
use bk_harness::case::Strategy;
use bk_harness::vectors::VectorRow;
use bk_harness::workload::Failure;
use bk_kernels::inputs::Inputs;
use bk_kernels::native::Gradients;
use bk_kernels::reference::GradientCheck;
use bk_kernels::vectors::{Vector, VectorCheck, load_dir, load_embedded};
use bk_kernels::{BkOptions, Routine};
use bk_oracle::conversions;

use crate::bk_core::{read, upload};
use crate::gradients::{read_gradients, upload_cotangent};
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
    let values = |inputs: &Inputs, options: &BkOptions| {
        let operands = upload::<P>(inputs, platform.device());
        let output = bk_core_with(operands, options, &strategy)
            .map_err(|error| Failure::Execution(error.to_string()))?;
        platform.synchronize()?;
        read(output)
    };
    let gradients = |inputs: &Inputs, cotangent: &[[f32; 2]], options: &BkOptions| {
        let operands = upload::<P>(inputs, platform.device());
        let cotangent = upload_cotangent(cotangent, &operands);
        let found = bk_core_backward(operands, cotangent, options, &strategy)
            .map_err(|error| Failure::Execution(error.to_string()))?;
        platform.synchronize()?;
        read_gradients(found)
    };
    // The backward pass has no serial routine.
    let has_backward = strategy.routine != Some(Routine::Serial);
    check_vectors(dir, values, has_backward.then_some(gradients))
}

/// Computes every vector by `values`, and its gradients by `gradients`, and compares: a row each.
pub(crate) fn check_vectors(
    dir: Option<&Path>,
    values: impl Fn(&Inputs, &BkOptions) -> Result<Vec<f32>, Failure>,
    gradients: Option<impl Fn(&Inputs, &[[f32; 2]], &BkOptions) -> Result<Gradients<f32>, Failure>>,
) -> Result<Vec<VectorRow>, Failure> {
    let vectors = match dir {
        Some(dir) => load_dir(dir),
        None => load_embedded(),
    };
    let vectors = vectors.map_err(|error| Failure::Execution(error.to_string()))?;
    let options = BkOptions::default();
    let mut rows = Vec::new();
    for vector in &vectors {
        let failed = |error: Failure| Failure::Execution(format!("vector {}: {error}", vector.name));
        let output = values(&vector.inputs, &options).map_err(failed)?;
        rows.push(row(vector, &vector.check(&output, ALLOWED_UNITS)));
        if let Some(gradients) = &gradients {
            let found = gradients(&vector.inputs, &vector.cotangent, &options).map_err(failed)?;
            rows.push(gradient_row(vector, &vector.check_gradients(&found, ALLOWED_UNITS)));
        }
    }
    Ok(rows)
}

fn gradient_row(vector: &Vector, check: &GradientCheck) -> VectorRow {
    let note = match check.worst {
        Some((gradient, index)) if !check.passed => {
            format!(
                "{} of {} wrong, the worst that of `{gradient}` at {index}",
                check.failures, check.compared
            )
        }
        _ => vector.note.clone(),
    };
    VectorRow {
        name: format!("{} gradients", vector.name),
        n: vector.inputs.n,
        batch: vector.inputs.batch,
        worst_units: check.worst_units.is_finite().then_some(check.worst_units),
        allowed_units: ALLOWED_UNITS,
        passed: check.passed,
        note,
    }
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
