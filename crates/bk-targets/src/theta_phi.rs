//! The original's algorithm on the host, serially: it shows why the reference is another one.

use std::hint::black_box;

use bk_harness::case::{BkCoreSpec, ElementType, Implementation};
use bk_harness::numerics::Numerics;
use bk_harness::workload::{Failure, InputSets, Work, Workload};
use bk_kernels::inputs::Inputs;
use bk_kernels::reference::{compare, resolvent};
use bk_kernels::theta_phi;
use bk_oracle::conversions::{allowed_units, inputs, numerics, options, work};

/// Determinants by the classical recurrences, unscaled.
pub(crate) struct ThetaPhiWorkload {
    dtype: ElementType,
    inputs: Inputs,
    spec: BkCoreSpec,
}

impl ThetaPhiWorkload {
    /// In float32 or float64, forward only.
    pub(crate) fn open(spec: &BkCoreSpec, dtype: ElementType) -> Result<Box<dyn Workload>, Failure> {
        if !matches!(dtype, ElementType::F32 | ElementType::F64) {
            return Err(Failure::Skip(format!(
                "`theta-phi` is there in f32 and f64, not in {}",
                dtype.name()
            )));
        }
        if !spec.pass.is_forward() {
            return Err(Failure::Skip("`theta-phi` has no backward pass".to_owned()));
        }
        Ok(Box::new(Self { dtype, inputs: inputs(spec, 0), spec: spec.clone() }))
    }

    /// The output, `[B, N, 2]`; this algorithm knows no options.
    fn values(&self) -> Result<Vec<f32>, Failure> {
        let inputs = black_box(&self.inputs);
        let values = if self.dtype == ElementType::F64 {
            theta_phi::resolvent::<f64>(inputs)
                .map(|values| values.into_iter().flatten().map(|part| part as f32).collect())
        } else {
            theta_phi::resolvent::<f32>(inputs).map(Vec::into_flattened)
        };
        values.map_err(|error| Failure::Execution(error.to_string()))
    }
}

impl Workload for ThetaPhiWorkload {
    fn work(&self) -> Work {
        let work = work(&self.inputs);
        match self.dtype {
            ElementType::F64 => Work { bytes_written: 2 * work.bytes_written, ..work },
            _ => work,
        }
    }

    fn input_sets(&self) -> InputSets {
        InputSets { count: 1, exceed_cache: false, cpu: true }
    }

    fn launch(&mut self, _set: usize) -> Result<(), Failure> {
        let inputs = black_box(&self.inputs);
        if self.dtype == ElementType::F64 {
            black_box(theta_phi::resolvent::<f64>(inputs)).map(drop)
        } else {
            black_box(theta_phi::resolvent::<f32>(inputs)).map(drop)
        }
        .map_err(|error| Failure::Execution(error.to_string()))
    }

    fn synchronize(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn verify(&mut self) -> Result<Numerics, Failure> {
        let oracle = resolvent(&self.inputs).map_err(|error| Failure::Execution(error.to_string()))?;
        let allowed = allowed_units(Implementation::ThetaPhi);
        Ok(numerics(compare(&self.values()?, &oracle, &options(&self.spec), allowed), allowed))
    }
}
