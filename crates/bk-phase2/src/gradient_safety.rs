//! Gradient safety: clipping by the global norm, a guard against NaN and infinity, and their statistics.
//!
//! The norm is over all parameters together. A gradient that is not finite skips the whole step, since Adam
//! would keep it in its moments for good. (The original zeroes single entries and goes on.)

use burn::module::{AutodiffModule, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::error::ModelError;

/// Clips gradients and counts what it did.
#[derive(Debug, Clone)]
pub struct GradientSafety {
    max_norm: f64,
    statistics: GradientStatistics,
}

/// What became of the gradients so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GradientStatistics {
    /// Steps seen.
    pub steps: usize,
    /// Steps whose gradient was longer than allowed.
    pub clipped: usize,
    /// Steps left out because the gradient was not finite.
    pub skipped: usize,
    /// Norm of the last finite gradient, before clipping.
    pub last_norm: f64,
    /// Largest of these.
    pub max_norm: f64,
    /// Their mean.
    pub mean_norm: f64,
}

impl GradientSafety {
    /// Gradients longer than `max_norm` are scaled down to it.
    pub fn new(max_norm: f64) -> Self {
        Self { max_norm, statistics: GradientStatistics::default() }
    }

    /// Goes on counting from earlier statistics.
    #[must_use]
    pub fn resumed(self, statistics: GradientStatistics) -> Self {
        Self { statistics, ..self }
    }

    /// What it did so far.
    pub fn statistics(&self) -> GradientStatistics {
        self.statistics
    }

    /// The gradients to step with, or none when they are not finite. Reads one number from the device.
    ///
    /// # Errors
    /// [`ModelError::Read`] when the norm cannot be read.
    pub fn apply<B: AutodiffBackend, M: AutodiffModule<B>>(
        &mut self,
        module: &M,
        mut gradients: GradientsParams,
    ) -> Result<Option<GradientsParams>, ModelError> {
        let norm = norm(module, &gradients)?;
        if !self.take_note(norm) {
            return Ok(None);
        }
        if norm > self.max_norm {
            let mut scale = Scale { gradients: &mut gradients, factor: self.max_norm / norm };
            module.visit(&mut scale);
        }
        Ok(Some(gradients))
    }

    /// Counts a gradient; false when the step has to be left out.
    fn take_note(&mut self, norm: f64) -> bool {
        let statistics = &mut self.statistics;
        statistics.steps += 1;
        if !norm.is_finite() {
            statistics.skipped += 1;
            return false;
        }
        statistics.clipped += usize::from(norm > self.max_norm);
        let finite = (statistics.steps - statistics.skipped) as f64;
        statistics.mean_norm += (norm - statistics.mean_norm) / finite;
        statistics.max_norm = statistics.max_norm.max(norm);
        statistics.last_norm = norm;
        true
    }
}

/// The norm of all gradients together.
fn norm<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &GradientsParams,
) -> Result<f64, ModelError> {
    let mut squares = Squares::<B> { gradients, sums: Vec::new() };
    module.visit(&mut squares);
    if squares.sums.is_empty() {
        return Ok(0.0);
    }
    let data = Tensor::cat(squares.sums, 0).try_into_data();
    let data = data.map_err(|error| ModelError::Read(error.to_string()))?;
    Ok(data.iter::<f64>().sum::<f64>().sqrt())
}

struct Squares<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Squares<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
            self.sums.push(sum_of_squares(gradient));
        }
    }
}

/// In two steps where there are many: some devices cannot sum a long axis at once.
fn sum_of_squares<B: Backend, const D: usize>(gradient: Tensor<B, D>) -> Tensor<B, 1> {
    let dims = gradient.dims();
    let last = dims[D - 1];
    let rows: usize = dims[..D - 1].iter().product();
    gradient.square().reshape([rows, last]).sum_dim(1).sum()
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let id: ParamId = param.id;
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(id) {
            self.gradients.register::<B::InnerBackend, D>(id, gradient * self.factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GradientSafety;

    #[test]
    fn statistics_leave_out_what_is_not_finite() {
        let mut safety = GradientSafety::new(2.0);
        let taken = [1.0, f64::NAN, 3.0, f64::INFINITY].map(|norm| safety.take_note(norm));
        assert_eq!(taken, [true, false, true, false]);
        let statistics = safety.statistics();
        assert_eq!((statistics.steps, statistics.skipped, statistics.clipped), (4, 2, 1));
        assert_eq!((statistics.mean_norm, statistics.max_norm, statistics.last_norm), (2.0, 3.0, 3.0));
    }
}
