//! Training: the loss, and one guarded step of an optimiser.

use bk_burn::BkBackend;
use burn::module::AutodiffModule;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Int, Tensor, activation};

use crate::error::ModelError;
use crate::gradient_safety::GradientSafety;
use crate::layers::to_dtype;
use crate::model::Phase2Model;

/// Mean over all tokens of `-log softmax(logits)[target]`, in nats, `[1]`; softmax in float32 or float64.
///
/// `logits [B, N, V]`, `targets [B, N]`.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 3>, targets: Tensor<B, 2, Int>) -> Tensor<B, 1> {
    let [batch, n, vocabulary] = logits.dims();
    let wide = if logits.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let logits = to_dtype(logits, wide).reshape([batch * n, vocabulary]);
    let chosen = activation::log_softmax(logits, 1).gather(1, targets.reshape([batch * n, 1]));
    -chosen.reshape([batch, n]).mean_dim(1).mean()
}

/// A batch: `ids [B, N]`, and the token after each, `targets [B, N]`.
#[derive(Debug, Clone)]
pub struct Batch<B: Backend> {
    /// What the model sees.
    pub ids: Tensor<B, 2, Int>,
    /// What it is to say.
    pub targets: Tensor<B, 2, Int>,
}

/// What a step came to.
#[derive(Debug, Clone)]
pub struct Trained<M, B: Backend> {
    /// The model after it.
    pub model: M,
    /// The loss before it, `[1]`, still on the device.
    pub loss: Tensor<B, 1>,
    /// False when the gradient was not finite and the model is the same.
    pub stepped: bool,
}

/// Loss, gradients, guard, step.
///
/// # Errors
/// [`ModelError`] for a batch that does not fit the model.
pub fn train_step<B, O>(
    model: Phase2Model<B>,
    optimizer: &mut O,
    safety: &mut GradientSafety,
    batch: Batch<B>,
    learning_rate: f64,
) -> Result<Trained<Phase2Model<B>, B::InnerBackend>, ModelError>
where
    B: BkBackend + AutodiffBackend,
    B::InnerBackend: BkBackend,
    O: Optimizer<Phase2Model<B>, B>,
    Phase2Model<B>: AutodiffModule<B>,
{
    let loss = cross_entropy(model.logits(batch.ids, None)?, batch.targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let loss = loss.inner();
    match safety.apply(&model, gradients)? {
        Some(gradients) => {
            let model = optimizer.step(learning_rate, model, gradients);
            Ok(Trained { model, loss, stepped: true })
        }
        None => Ok(Trained { model, loss, stepped: false }),
    }
}
