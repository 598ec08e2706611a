//! What a launch of each mode does.

use bk_harness::case::{ElementType, Mode, Phase2Spec};
use bk_harness::workload::{Failure, Part};
use bk_phase2::train::cross_entropy;
use bk_phase2::{BkBackend, DecodeState, Phase2Config, Phase2Model};
use burn::backend::Autodiff;
use burn::tensor::backend::{AutodiffBackend, BackendTypes};
use burn::tensor::{Int, Tensor};

use super::model::{config, failure, model, tokens};

/// Gradients of a backward pass.
type Gradients<B> = <Autodiff<B> as AutodiffBackend>::Gradients;

/// A model with its inputs on the device.
pub(super) struct Launch<B: BkBackend> {
    kind: Kind<B>,
}

enum Kind<B: BkBackend> {
    Forward { model: Phase2Model<B>, ids: Tensor<B, 2, Int> },
    Prefill { model: Phase2Model<B>, ids: Tensor<B, 2, Int> },
    Decode { model: Phase2Model<B>, ids: Tensor<B, 1, Int>, state: DecodeState<B> },
    ForwardBackward(Box<Training<B>>),
}

/// A model that keeps a graph, and the loss between its two parts.
struct Training<B: BkBackend> {
    model: Phase2Model<Autodiff<B>>,
    ids: Tensor<Autodiff<B>, 2, Int>,
    targets: Tensor<Autodiff<B>, 2, Int>,
    loss: Option<Tensor<Autodiff<B>, 1>>,
}

/// What a launch gives; it lives until the next one.
pub(super) enum Output<B: BkBackend> {
    /// `[B, N, V]`, for a step `[B, 1, V]`.
    Logits(Tensor<B, 3>),
    /// The loss, `[1]`, and what a step of an optimiser would take.
    Gradients { loss: Tensor<B, 1>, gradients: Gradients<B> },
}

impl<B: BkBackend> Launch<B> {
    /// The model of a case with its inputs.
    pub(super) fn new(
        spec: &Phase2Spec,
        dtype: ElementType,
        device: &<B as BackendTypes>::Device,
    ) -> Result<Self, Failure> {
        Self::with_config(&config(spec), spec, dtype, device)
    }

    /// The same with a configuration that differs from that of the case.
    pub(super) fn with_config(
        config: &Phase2Config,
        spec: &Phase2Spec,
        dtype: ElementType,
        device: &<B as BackendTypes>::Device,
    ) -> Result<Self, Failure> {
        let (batch, n, vocabulary) = (spec.batch, spec.n, config.vocab_size);
        let ids = tokens::<B>(batch, n, vocabulary, spec.seed, device);
        let kind = match spec.mode {
            Mode::Forward => Kind::Forward { model: model(config, dtype, device)?, ids },
            Mode::Prefill => Kind::Prefill { model: model(config, dtype, device)?, ids },
            Mode::Decode => {
                let model = model::<B>(config, dtype, device)?;
                let (_, state) = model.prefill(ids, None).map_err(failure)?;
                let next = tokens::<B>(batch, 1, vocabulary, !spec.seed, device);
                Kind::Decode { model, ids: next.reshape([batch]), state }
            }
            Mode::ForwardBackward => Kind::ForwardBackward(Box::new(Training {
                model: model(config, dtype, device)?,
                ids: tokens::<Autodiff<B>>(batch, n, vocabulary, spec.seed, device),
                targets: tokens::<Autodiff<B>>(batch, n, vocabulary, spec.seed.wrapping_add(1), device),
                loss: None,
            })),
        };
        Ok(Self { kind })
    }

    /// Queues one launch.
    pub(super) fn run(&mut self) -> Result<Output<B>, Failure> {
        match &mut self.kind {
            Kind::Forward { model, ids } => {
                let (logits, _) = model.forward(ids.clone(), None).map_err(failure)?;
                Ok(Output::Logits(logits))
            }
            Kind::Prefill { model, ids } => {
                let (logits, _) = model.prefill(ids.clone(), None).map_err(failure)?;
                Ok(Output::Logits(logits))
            }
            Kind::Decode { model, ids, state } => {
                let (logits, _) = model.step(ids.clone(), state.clone()).map_err(failure)?;
                Ok(Output::Logits(logits.unsqueeze_dim(1)))
            }
            Kind::ForwardBackward(training) => {
                training.forward()?;
                training.backward()
            }
        }
    }

    /// The parts of a launch.
    pub(super) fn parts(&self) -> &'static [Part] {
        match self.kind {
            Kind::ForwardBackward(_) => &[Part::Forward, Part::Backward],
            Kind::Forward { .. } | Kind::Prefill { .. } | Kind::Decode { .. } => &[],
        }
    }

    /// Queues one part of a launch; there is an output after the last one.
    pub(super) fn run_part(&mut self, part: Part) -> Result<Option<Output<B>>, Failure> {
        let Kind::ForwardBackward(training) = &mut self.kind else {
            return Err(Failure::Execution(format!("a launch has no part `{}`", part.name())));
        };
        match part {
            Part::Forward => training.forward().map(|()| None),
            Part::Backward => training.backward().map(Some),
        }
    }

    /// Gradient of the token embedding, `[V, D]`, through everything that the model does.
    pub(super) fn embedding_gradient(&self, gradients: &Gradients<B>) -> Option<Tensor<B, 2>> {
        let Kind::ForwardBackward(training) = &self.kind else { return None };
        training.model.embedding.token.val().grad(gradients)
    }
}

impl<B: BkBackend> Training<B> {
    fn forward(&mut self) -> Result<(), Failure> {
        // The graph of the launch before must be gone before the next one takes its memory.
        self.loss = None;
        let logits = self.model.logits(self.ids.clone(), None).map_err(failure)?;
        self.loss = Some(cross_entropy(logits, self.targets.clone()));
        Ok(())
    }

    fn backward(&mut self) -> Result<Output<B>, Failure> {
        let loss = self
            .loss
            .take()
            .ok_or_else(|| Failure::Execution("backward without forward: there is no loss".to_owned()))?;
        let gradients = loss.backward();
        Ok(Output::Gradients { loss: loss.inner(), gradients })
    }
}
