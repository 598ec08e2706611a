//! Gradients of every parameter against finite differences in float64.

use std::collections::HashMap;

use bk_phase2::{Dissipation, Phase2Config, Phase2Model, Resolvent};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{DType, Tensor, TensorData};

use crate::models::{Differentiable, Reference, ids, model, tiny, values};

/// Step of the central differences.
const STEP: f64 = 1e-5;

/// The loss of two calls, the second with the state of the first: it depends on every parameter.
fn loss<B: bk_phase2::BkBackend>(model: &Phase2Model<B>) -> Tensor<B, 1> {
    let ids = ids::<B>(2, 11, 11);
    let (first, state) = model.forward(ids.clone().slice([0..2, 0..6]), None).unwrap();
    let second = model.logits(ids.slice([0..2, 5..11]), Some(state)).unwrap();
    let weigh = |logits: Tensor<B, 3>| (logits.clone() * (logits * 0.7 + 0.3).sin()).sum();
    weigh(first) + weigh(second) * 0.5
}

/// A parameter and its gradient.
struct Parameter {
    path: String,
    id: ParamId,
    gradient: Option<Vec<f64>>,
}

/// All of them, and where in the model the visitor is.
#[derive(Default)]
struct Parameters {
    path: Vec<String>,
    found: Vec<Parameter>,
}

struct Collect<'a> {
    parameters: &'a mut Parameters,
    gradients: &'a <Differentiable as AutodiffBackend>::Gradients,
}

impl ModuleVisitor<Differentiable> for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.parameters.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.parameters.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Differentiable, D>>) {
        let gradient = param.val().grad(self.gradients).map(values);
        let path = self.parameters.path.join(".");
        self.parameters.found.push(Parameter { path, id: param.id, gradient });
    }
}

/// Adds to one element of one parameter.
struct Nudge {
    id: ParamId,
    element: usize,
    step: f64,
}

impl ModuleMapper<Reference> for Nudge {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Reference, D>>,
    ) -> Param<Tensor<Reference, D>> {
        if param.id != self.id {
            return param;
        }
        param.map(|tensor| {
            let (shape, device) = (tensor.dims(), tensor.device());
            let mut values = values(tensor);
            values[self.element] += self.step;
            Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64))
        })
    }
}

fn check(config: &Phase2Config) {
    let trained = model::<Differentiable>(config).cast(DType::F64).unwrap();
    let gradients = loss(&trained).backward();
    let mut parameters = Parameters::default();
    trained.visit(&mut Collect { parameters: &mut parameters, gradients: &gradients });

    let plain = burn::module::AutodiffModule::valid(&trained);
    let value = |id: ParamId, element: usize, step: f64| {
        let nudged = plain.clone().map(&mut Nudge { id, element, step });
        values(loss(&nudged))[0]
    };
    let mut largest: HashMap<String, f64> = HashMap::new();
    for Parameter { path, id, gradient } in parameters.found {
        // What no output depends on.
        if path.contains("memory_to_potential") || path.contains("resonance_gate") {
            assert!(gradient.is_none(), "{path}");
            continue;
        }
        if path == "embedding.position" && !config.zeta_embedding_trainable {
            assert!(gradient.is_none(), "{path}");
            continue;
        }
        let gradient = gradient.unwrap_or_else(|| panic!("{path} has no gradient"));
        for (element, gradient) in gradient.iter().enumerate() {
            let difference = (value(id, element, STEP) - value(id, element, -STEP)) / (2.0 * STEP);
            let error = (difference - gradient).abs();
            let allowed = 1e-6 * (1.0 + difference.abs());
            assert!(error < allowed, "{path}[{element}]: {gradient} and {difference}");
            let most = largest.entry(path.clone()).or_default();
            *most = most.max(difference.abs());
        }
    }
    // A parameter whose gradient is zero everywhere would pass whatever the code does.
    for (path, most) in &largest {
        assert!(*most > 1e-7, "{path}: the loss does not depend on it ({most})");
    }
    assert!(largest.len() > 20, "{largest:?}");
}

#[test]
fn gradients_of_all_parameters_are_those_of_the_bidirectional_model() {
    check(&Phase2Config { zeta_embedding_trainable: true, ..tiny() });
}

#[test]
fn gradients_of_all_parameters_are_those_of_the_causal_model() {
    check(&Phase2Config { resolvent: Resolvent::Causal, n_layers: 1, ..tiny() });
}

#[test]
fn gradients_of_all_parameters_are_those_of_a_real_diagonal() {
    let config = Phase2Config { dissipation: Dissipation::MemoryOnly, n_layers: 1, ..tiny() };
    check(&config);
    check(&Phase2Config { resolvent: Resolvent::Causal, ..config });
}
