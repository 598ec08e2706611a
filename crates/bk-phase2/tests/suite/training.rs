//! Training on the smallest text there is.

use bk_phase2::train::{Batch, cross_entropy, train_step};
use bk_phase2::{GradientSafety, Phase2Config, Resolvent};
use burn::optim::AdamWConfig;
use burn::tensor::{Int, Tensor, TensorData};

use crate::models::{Differentiable, model, tiny, values};

fn batch(text: &[i32]) -> Batch<Differentiable> {
    let tensor = |text: &[i32]| -> Tensor<Differentiable, 2, Int> {
        Tensor::from_data(TensorData::new(text.to_vec(), [1, text.len()]), &Default::default())
    };
    Batch { ids: tensor(&text[..text.len() - 1]), targets: tensor(&text[1..]) }
}

#[test]
fn a_causal_model_learns_a_text_by_heart() {
    let config = Phase2Config { resolvent: Resolvent::Causal, d_model: 16, dropout: 0.1, ..tiny() };
    let mut model = model::<Differentiable>(&config);
    let mut optimizer = AdamWConfig::new().init();
    let mut safety = GradientSafety::new(1.0);
    let mut losses = Vec::new();
    for _ in 0..120 {
        let step = train_step(
            model,
            &mut optimizer,
            &mut safety,
            batch(&[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]),
            1e-2,
        )
        .unwrap();
        assert!(step.stepped);
        losses.push(values(step.loss)[0]);
        model = step.model;
    }
    // The next digit is not a function of the last one: the model has to use what came before.
    assert!(losses[0] > 2.0 && losses[119] < 0.2, "{} {}", losses[0], losses[119]);
    assert_eq!((safety.statistics().steps, safety.statistics().skipped), (120, 0));
    assert!(safety.statistics().clipped > 0);
}

#[test]
fn a_gradient_that_is_not_finite_leaves_the_model_as_it_was() {
    let config = Phase2Config { resolvent: Resolvent::Causal, ..tiny() };
    let mut model = model::<Differentiable>(&config);
    let poison = model.ln_f.bias.val().full_like(f32::NAN);
    model.ln_f.bias = burn::module::Param::from_tensor(poison.detach());
    let before = values(model.lm_head.weight.val());
    let mut optimizer = AdamWConfig::new().init();
    let mut safety = GradientSafety::new(1.0);
    let step = train_step(model, &mut optimizer, &mut safety, batch(&[1, 2, 3]), 1e-2).unwrap();
    assert!(!step.stepped && safety.statistics().skipped == 1);
    assert_eq!(values(step.model.lm_head.weight.val()), before);
}

#[test]
fn cross_entropy_is_the_mean_of_the_logarithms() {
    let logits = Tensor::<Differentiable, 3>::from_data([[[0.0, 1.0], [2.0, 0.0]]], &Default::default());
    let targets = Tensor::from_data([[1, 1]], &Default::default());
    let expected = ((1.0 + (-1.0f64).exp()).ln() + (1.0 + 2.0f64.exp()).ln()) / 2.0;
    assert!((values(cross_entropy(logits, targets))[0] - expected).abs() < 1e-6);
}
