//! Causality, and decoding token by token.

use bk_phase2::{BkBackend, ModelError, Phase2Config, Precision, Resolvent, Sampling};
use burn::tensor::{Tensor, TensorData};

use crate::models::{Reference, distance, ids, model, size, tiny, values};

fn causal() -> Phase2Config {
    Phase2Config { resolvent: Resolvent::Causal, ..tiny() }
}

/// Logits before and after the token at `changed` is replaced, and the size of a row.
fn before_and_after<B: BkBackend>(config: &Phase2Config, changed: usize) -> (Vec<f64>, Vec<f64>, usize) {
    let model = model::<B>(config).with_precision(Precision::Exact);
    let n = config.n_seq;
    let ids = ids::<B>(1, n, config.vocab_size);
    let mut other: Vec<i64> = ids.to_data().iter::<i64>().collect();
    other[changed] = (other[changed] + 3) % config.vocab_size as i64;
    let other = Tensor::from_data(TensorData::new(other, [1, n]), &ids.device());
    (values(model.logits(ids, None).unwrap()), values(model.logits(other, None).unwrap()), config.vocab_size)
}

fn the_past_stays_as_it_was<B: BkBackend>(tokens: impl Iterator<Item = usize>) {
    let config = causal();
    for changed in tokens {
        let (before, after, row) = before_and_after::<B>(&config, changed);
        assert_eq!(before[..changed * row], after[..changed * row], "token {changed}");
        assert!(distance(&before[changed * row..], &after[changed * row..]) > 1e-4, "token {changed}");
    }
}

#[test]
fn no_token_changes_a_causal_logit_before_it() {
    the_past_stays_as_it_was::<Reference>(0..causal().n_seq);
}

#[cfg(feature = "flex")]
#[test]
fn no_token_changes_a_causal_logit_before_it_on_flex() {
    the_past_stays_as_it_was::<burn::backend::Flex>(0..causal().n_seq);
}

#[cfg(feature = "wgpu")]
#[test]
fn no_token_changes_a_causal_logit_before_it_on_wgpu() {
    the_past_stays_as_it_was::<crate::models::Gpu>([3, 4, 9].into_iter());
}

/// The test above would see it.
#[test]
fn the_bidirectional_model_looks_ahead() {
    let (before, after, row) = before_and_after::<Reference>(&tiny(), 9);
    assert!(distance(&before[8 * row..9 * row], &after[8 * row..9 * row]) > 1e-6);
}

#[test]
fn a_prompt_and_steps_give_what_one_forward_gives() {
    let config = causal();
    let model = model::<Reference>(&config);
    let (batch, n) = (3, config.n_seq);
    let ids = ids::<Reference>(batch, n, config.vocab_size);
    let expected = model.logits(ids.clone(), None).unwrap();
    for prompt in [1, 4, 7, n] {
        let (logits, mut state) = model.prefill(ids.clone().slice([0..batch, 0..prompt]), None).unwrap();
        let mut rows = vec![logits];
        for position in prompt..n {
            assert_eq!(state.position, position);
            let token = ids.clone().slice([0..batch, position..position + 1]).reshape([batch]);
            let (logits, next) = model.step(token, state).unwrap();
            rows.push(logits.reshape([batch, 1, config.vocab_size]));
            state = next;
        }
        let found = values(Tensor::cat(rows, 1));
        let expected = values(expected.clone());
        assert!(distance(&found, &expected) < 1e-5 * size(&expected), "a prompt of {prompt}");
    }
}

#[test]
fn steps_from_nothing_give_what_one_forward_gives() {
    let config = causal();
    let model = model::<Reference>(&config);
    let ids = ids::<Reference>(2, 5, config.vocab_size);
    let mut state = model.decode_start(2);
    let mut rows = Vec::new();
    for position in 0..5 {
        let token = ids.clone().slice([0..2, position..position + 1]).reshape([2]);
        let (logits, next) = model.step(token, state).unwrap();
        rows.push(logits.reshape([2, 1, config.vocab_size]));
        state = next;
    }
    let expected = values(model.logits(ids, None).unwrap());
    assert!(distance(&values(Tensor::cat(rows, 1)), &expected) < 1e-5 * size(&expected));
}

#[test]
fn a_prompt_can_go_on_from_a_carried_memory() {
    let config = causal();
    let model = model::<Reference>(&config);
    let ids = ids::<Reference>(2, 6, config.vocab_size);
    let (_, state) = model.forward(ids.clone(), None).unwrap();
    let expected = values(model.logits(ids.clone(), Some(state.clone())).unwrap());
    let (logits, _) = model.prefill(ids.clone(), Some(state)).unwrap();
    assert!(distance(&values(logits), &expected) < 1e-5 * size(&expected));
    let fresh = values(model.logits(ids, None).unwrap());
    assert!(distance(&fresh, &expected) > 1e-6, "the memory has to matter");
}

#[test]
fn a_step_behind_the_last_position_is_refused() {
    let config = causal();
    let model = model::<Reference>(&config);
    let (_, state) = model.prefill(ids(1, config.n_seq, config.vocab_size), None).unwrap();
    let token = Tensor::from_data([1], &Default::default());
    let error = model.step(token, state).map(drop).unwrap_err();
    assert!(matches!(error, ModelError::TooLong { found: 14, most: 13 }), "{error}");
}

#[test]
fn a_bidirectional_model_does_not_decode() {
    let model = model::<Reference>(&tiny());
    let error = model.prefill(ids(1, 3, 11), None).map(drop).unwrap_err();
    assert!(matches!(error, ModelError::NotCausal), "{error}");
    let error = model.step(Tensor::from_data([1], &Default::default()), model.decode_start(1)).map(drop);
    assert!(matches!(error, Err(ModelError::NotCausal)));
}

#[test]
fn a_state_of_another_batch_is_refused() {
    let model = model::<Reference>(&causal());
    let token = Tensor::from_data([1, 2], &Default::default());
    let error = model.step(token, model.decode_start(3)).map(drop).unwrap_err();
    assert!(error.to_string().contains("3 rows"), "{error}");
}

#[test]
fn generated_text_is_the_likeliest_one_at_temperature_zero() {
    let config = causal();
    let model = model::<Reference>(&config);
    let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
    let tokens = model.generate(&[1, 5], 4, &greedy).unwrap();
    let mut text = vec![1, 5];
    for token in &tokens {
        let ids: Vec<i64> = text.iter().map(|id| *id as i64).collect();
        let ids = Tensor::from_data(TensorData::new(ids, [1, text.len()]), &Default::default());
        let logits = values(model.logits(ids, None).unwrap());
        let last = &logits[logits.len() - config.vocab_size..];
        assert!(last.iter().all(|logit| *logit <= last[*token]), "{last:?} {token}");
        text.push(*token);
    }
    assert_eq!(tokens.len(), 4);
    let cut = model.generate(&[1, 5], 100, &greedy).unwrap();
    // Eleven positions are left, and the last token needs none.
    assert_eq!(cut.len(), 12);
    assert!(model.generate(&[], 1, &greedy).is_err() && model.generate(&[11], 1, &greedy).is_err());
}
