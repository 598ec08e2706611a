//! Text from a causal model: a prompt in one pass, then token by token, sampled on the host.

use bk_burn::BkBackend;
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardUniform};
use rand_pcg::Pcg64Mcg;

use crate::error::ModelError;
use crate::model::Phase2Model;
use crate::parity::read;

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the logits: below 1 bolder, above 1 wilder, 0 the most likely token always.
    pub temperature: f64,
    /// Only the most likely so many tokens; all when absent.
    pub top_k: Option<usize>,
    /// Seed of the choices.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, seed: 0 }
    }
}

impl<B: BkBackend> Phase2Model<B> {
    /// `count` tokens after `prompt`, or fewer where the model has no more positions.
    ///
    /// # Errors
    /// [`ModelError::Sampling`] for parameters that make no distribution; else as [`Phase2Model::prefill`].
    pub fn generate(
        &self,
        prompt: &[usize],
        count: usize,
        sampling: &Sampling,
    ) -> Result<Vec<usize>, ModelError> {
        sampling.check()?;
        if prompt.is_empty() {
            return Err(ModelError::Sampling("the prompt is empty, expected at least one token".to_owned()));
        }
        if let Some(id) = prompt.iter().find(|id| **id >= self.config.vocab_size) {
            let words = self.config.vocab_size;
            return Err(ModelError::Sampling(format!(
                "the prompt has the id {id}, and the vocabulary {words}"
            )));
        }
        let mut random = Pcg64Mcg::seed_from_u64(sampling.seed);
        let device = self.device();
        let ids = self.upload(prompt, [1, prompt.len()]);
        let (logits, mut state) = self.prefill(ids, None)?;
        let last = prompt.len() - 1;
        let mut logits: Tensor<B, 2> =
            logits.slice([0..1, last..last + 1]).reshape([1, self.config.vocab_size]);
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let token = sampling.choose(&read(logits)?.values, &mut random)?;
            chosen.push(token);
            if chosen.len() == count || state.position == self.config.n_seq {
                break;
            }
            let id = Tensor::<B, 1, Int>::from_data([token as i64], &device);
            (logits, state) = self.step(id, state)?;
        }
        Ok(chosen)
    }

    fn upload(&self, ids: &[usize], shape: [usize; 2]) -> Tensor<B, 2, Int> {
        let ids: Vec<i64> = ids.iter().map(|id| *id as i64).collect();
        Tensor::from_data(TensorData::new(ids, shape), &self.device())
    }
}

impl Sampling {
    fn check(&self) -> Result<(), ModelError> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            let found = self.temperature;
            return Err(ModelError::Sampling(format!("the temperature is {found}, expected 0 or more")));
        }
        if self.top_k == Some(0) {
            return Err(ModelError::Sampling("top_k is 0, expected at least one token".to_owned()));
        }
        Ok(())
    }

    /// A token by its logit.
    fn choose(&self, logits: &[f64], random: &mut impl Rng) -> Result<usize, ModelError> {
        if logits.iter().any(|logit| logit.is_nan()) {
            return Err(ModelError::Sampling("the model's logits are not numbers".to_owned()));
        }
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|left, right| logits[*right].total_cmp(&logits[*left]));
        if self.temperature == 0.0 {
            return Ok(order[0]);
        }
        order.truncate(self.top_k.unwrap_or(order.len()));
        let weight = |token: &usize| ((logits[*token] - logits[order[0]]) / self.temperature).exp();
        let weights: Vec<f64> = order.iter().map(weight).collect();
        let unit: f64 = StandardUniform.sample(random);
        let mut left = unit * weights.iter().sum::<f64>();
        for (token, weight) in order.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return Ok(*token);
            }
        }
        // Rounding alone leads here.
        Ok(order[order.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::Sampling;

    const LOGITS: [f64; 4] = [0.0, 2.0, 1.0, -5.0];

    fn shares(sampling: &Sampling) -> [f64; 4] {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut shares = [0.0; 4];
        for _ in 0..20_000 {
            shares[sampling.choose(&LOGITS, &mut random).unwrap()] += 1.0 / 20_000.0;
        }
        shares
    }

    #[test]
    fn shares_are_those_of_the_softmax() {
        let temperature = 2.0;
        let weights = LOGITS.map(|logit| (logit / temperature).exp());
        let sum: f64 = weights.iter().sum();
        let found = shares(&Sampling { temperature, ..Sampling::default() });
        for (found, weight) in found.iter().zip(weights) {
            assert!((found - weight / sum).abs() < 0.015, "{found} {}", weight / sum);
        }
    }

    #[test]
    fn temperature_zero_takes_the_best_and_top_k_leaves_out_the_rest() {
        let greedy = shares(&Sampling { temperature: 0.0, ..Sampling::default() });
        assert!((greedy[1] - 1.0).abs() < 1e-9, "{greedy:?}");
        let two = shares(&Sampling { top_k: Some(2), ..Sampling::default() });
        assert!(two[0] == 0.0 && two[3] == 0.0 && two[1] > two[2] && two[2] > 0.2, "{two:?}");
    }

    #[test]
    fn what_makes_no_distribution_is_refused() {
        assert!(Sampling { temperature: -1.0, ..Sampling::default() }.check().is_err());
        assert!(Sampling { top_k: Some(0), ..Sampling::default() }.check().is_err());
        let mut random = Pcg64Mcg::seed_from_u64(1);
        assert!(Sampling::default().choose(&[f64::NAN], &mut random).is_err());
    }
}
