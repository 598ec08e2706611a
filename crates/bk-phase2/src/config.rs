//! What a model is made of: sizes, modes, and the three presets.
//!
//! The presets are functions and, as TOML to copy and edit, files: `configs/presets/{small,base,large}.toml`.
//! [`Phase2Config::problems`] reports every mistake at once.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Sizes and settings of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase2Config {
    /// Size of the vocabulary, V.
    pub vocab_size: usize,
    /// Width of the residual stream, D.
    pub d_model: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Longest sequence, at least 2; positions and couplings are made for it.
    pub n_seq: usize,
    /// Heads of the memory, H.
    pub num_heads: usize,
    /// Width of a head, E.
    pub head_dim: usize,
    /// Width of the feed-forward layer, F; `4 * d_model` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ffn_dim: Option<usize>,
    /// Where the decay Gamma acts.
    #[serde(default)]
    pub dissipation: Dissipation,
    /// Which resolvent a block computes.
    #[serde(default)]
    pub resolvent: Resolvent,
    /// Least decay, added to the learned one.
    #[serde(default = "defaults::base_decay")]
    pub base_decay: f64,
    /// Whether the decay depends on the token; `base_decay` everywhere when not.
    #[serde(default = "defaults::yes")]
    pub adaptive_decay: bool,
    /// Learning rate of the memory, eta.
    #[serde(default = "defaults::hebbian_eta")]
    pub hebbian_eta: f64,
    /// Time step of the memory, dt.
    #[serde(default = "defaults::hebbian_dt")]
    pub hebbian_dt: f64,
    /// Tokens in a chunk of the memory's computation; it changes the speed and not the result.
    #[serde(default = "defaults::chunk_len")]
    pub chunk_len: usize,
    /// Signal-to-noise ratio from which a memory counts as signal.
    #[serde(default = "defaults::snr_threshold")]
    pub snr_threshold: f64,
    /// Factor of the decay of memories below the threshold.
    #[serde(default = "defaults::snr_gamma_boost")]
    pub snr_gamma_boost: f64,
    /// Factor of eta for memories above the threshold.
    #[serde(default = "defaults::snr_eta_boost")]
    pub snr_eta_boost: f64,
    /// Whether the carried memory is filtered in the basis of the zeta zeros.
    #[serde(default = "defaults::yes")]
    pub resonance_enabled: bool,
    /// Diagonal energy that a resonance needs to be kept.
    #[serde(default = "defaults::resonance_energy_threshold")]
    pub resonance_energy_threshold: f64,
    /// Whether token embedding and weights start from the zeta zeros; Burn's defaults when not.
    #[serde(default = "defaults::yes")]
    pub use_zeta_init: bool,
    /// Factor of the singular values `0.02 / zero_i`, which are tiny for training.
    #[serde(default = "defaults::one")]
    pub zeta_scale: f64,
    /// Whether the positions are trained.
    #[serde(default)]
    pub zeta_embedding_trainable: bool,
    /// Probability of dropout, in training only.
    #[serde(default = "defaults::dropout")]
    pub dropout: f64,
    /// Seed of the initial weights: the same on every backend.
    #[serde(default)]
    pub seed: u64,
}

/// Where the decay Gamma acts beside the memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dissipation {
    /// In the effective Hamiltonian too: diagonal `V - i Gamma`, what the original documents.
    #[default]
    Resolvent,
    /// In the memory alone: diagonal `V`, what the original runs.
    MemoryOnly,
}

/// Which resolvent a block computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolvent {
    /// The diagonal of the whole chain's, which sees the whole sequence, future included.
    #[default]
    Bidirectional,
    /// The left-connected one: a position sees itself and those before it.
    Causal,
}

/// Every mistake of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the model's configuration is not usable:\n  {}", .problems.join("\n  "))]
pub struct ConfigError {
    /// One sentence each: the key, what was expected, what was found.
    pub problems: Vec<String>,
}

impl Phase2Config {
    /// V = 50257, D = 256, 4 layers, N = 512, 4 heads of 64.
    pub fn small() -> Self {
        Self::sized(256, 4, 512, 4)
    }

    /// V = 50257, D = 512, 6 layers, N = 1024, 8 heads of 64.
    pub fn base() -> Self {
        Self::sized(512, 6, 1024, 8)
    }

    /// V = 50257, D = 1024, 12 layers, N = 2048, 16 heads of 64.
    pub fn large() -> Self {
        Self::sized(1024, 12, 2048, 16)
    }

    /// The preset of a name: `small`, `base` or `large`.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "small" => Some(Self::small()),
            "base" => Some(Self::base()),
            "large" => Some(Self::large()),
            _ => None,
        }
    }

    /// Reads and checks a TOML text as in `configs/presets`.
    ///
    /// # Errors
    /// [`ConfigError`] with the parser's complaint or with every value that cannot be used.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError { problems: vec![error.to_string()] })?;
        config.validate()?;
        Ok(config)
    }

    /// The text that [`Phase2Config::from_toml`] reads.
    ///
    /// # Errors
    /// [`ConfigError`] for numbers that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError { problems: vec![error.to_string()] })
    }

    /// Width of the feed-forward layer, F.
    pub fn ffn_width(&self) -> usize {
        self.ffn_dim.unwrap_or(4 * self.d_model)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// What is wrong with it, one sentence a problem.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.size_problems(&mut problems);
        self.value_problems(&mut problems);
        problems
    }

    fn size_problems(&self, problems: &mut Vec<String>) {
        let sizes = [
            ("vocab_size", self.vocab_size, 1),
            ("d_model", self.d_model, 1),
            ("n_layers", self.n_layers, 1),
            ("n_seq", self.n_seq, 2),
            ("num_heads", self.num_heads, 1),
            ("head_dim", self.head_dim, 1),
            ("ffn_dim", self.ffn_width(), 1),
            ("chunk_len", self.chunk_len, 1),
        ];
        for (key, found, least) in sizes {
            if found < least {
                problems.push(format!("`{key}` is {found}, expected at least {least}"));
            }
        }
        let zeros = crate::zeta::KNOWN_ZEROS;
        if self.d_model.div_ceil(2) > zeros {
            let most = 2 * zeros;
            problems.push(format!(
                "`d_model` is {}, expected at most {most}: two columns a zeta zero",
                self.d_model
            ));
        }
        if self.head_dim > zeros {
            problems.push(format!("`head_dim` is {}, expected at most {zeros}", self.head_dim));
        }
    }

    fn value_problems(&self, problems: &mut Vec<String>) {
        let positive = [
            ("base_decay", self.base_decay),
            ("hebbian_eta", self.hebbian_eta),
            ("hebbian_dt", self.hebbian_dt),
            ("snr_threshold", self.snr_threshold),
            ("zeta_scale", self.zeta_scale),
        ];
        for (key, found) in positive {
            if !(found.is_finite() && found > 0.0) {
                problems.push(format!("`{key}` is {found}, expected a positive number"));
            }
        }
        for (key, found) in [("snr_gamma_boost", self.snr_gamma_boost), ("snr_eta_boost", self.snr_eta_boost)]
        {
            if !(found.is_finite() && found >= 1.0) {
                problems.push(format!("`{key}` is {found}, expected at least 1: it is a boost"));
            }
        }
        let threshold = self.resonance_energy_threshold;
        if !(threshold.is_finite() && threshold >= 0.0) {
            problems.push(format!("`resonance_energy_threshold` is {threshold}, expected 0 or more"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            problems.push(format!("`dropout` is {}, expected a probability below 1", self.dropout));
        }
    }

    fn sized(d_model: usize, n_layers: usize, n_seq: usize, num_heads: usize) -> Self {
        Self {
            vocab_size: 50257,
            d_model,
            n_layers,
            n_seq,
            num_heads,
            head_dim: 64,
            ffn_dim: None,
            dissipation: Dissipation::default(),
            resolvent: Resolvent::default(),
            base_decay: defaults::base_decay(),
            adaptive_decay: true,
            hebbian_eta: defaults::hebbian_eta(),
            hebbian_dt: defaults::hebbian_dt(),
            chunk_len: defaults::chunk_len(),
            snr_threshold: defaults::snr_threshold(),
            snr_gamma_boost: defaults::snr_gamma_boost(),
            snr_eta_boost: defaults::snr_eta_boost(),
            resonance_enabled: true,
            resonance_energy_threshold: defaults::resonance_energy_threshold(),
            use_zeta_init: true,
            zeta_scale: 1.0,
            zeta_embedding_trainable: false,
            dropout: defaults::dropout(),
            seed: 0,
        }
    }
}

/// The values of the original.
mod defaults {
    pub(super) fn base_decay() -> f64 {
        0.001
    }
    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn one() -> f64 {
        1.0
    }
    pub(super) fn hebbian_eta() -> f64 {
        0.1
    }
    pub(super) fn hebbian_dt() -> f64 {
        1.0
    }
    pub(super) fn chunk_len() -> usize {
        64
    }
    pub(super) fn snr_threshold() -> f64 {
        2.0
    }
    pub(super) fn snr_gamma_boost() -> f64 {
        2.0
    }
    pub(super) fn snr_eta_boost() -> f64 {
        1.5
    }
    pub(super) fn resonance_energy_threshold() -> f64 {
        0.1
    }
    pub(super) fn dropout() -> f64 {
        0.1
    }
}

#[cfg(test)]
mod tests {
    use super::{Dissipation, Phase2Config, Resolvent};

    #[test]
    fn the_files_of_the_presets_say_what_the_functions_say() {
        let files = [
            ("small", include_str!("../../../configs/presets/small.toml")),
            ("base", include_str!("../../../configs/presets/base.toml")),
            ("large", include_str!("../../../configs/presets/large.toml")),
        ];
        for (name, text) in files {
            assert_eq!(Phase2Config::from_toml(text).unwrap(), Phase2Config::preset(name).unwrap(), "{name}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let config = Phase2Config {
            d_model: 0,
            n_seq: 1,
            hebbian_eta: f64::NAN,
            snr_eta_boost: 0.5,
            dropout: 1.0,
            resonance_energy_threshold: -1.0,
            ..Phase2Config::small()
        };
        let error = config.validate().unwrap_err();
        for key in
            ["d_model", "n_seq", "hebbian_eta", "snr_eta_boost", "dropout", "resonance_energy_threshold"]
        {
            assert!(error.problems.iter().any(|problem| problem.contains(key)), "{key}: {error}");
        }
        // The width of the feed-forward layer follows `d_model`, so it is wrong too.
        assert_eq!(error.problems.len(), 7, "{error}");
    }

    #[test]
    fn a_text_without_modes_has_the_documented_ones() {
        let text = "vocab_size = 9\nd_model = 8\nn_layers = 1\nn_seq = 4\nnum_heads = 1\nhead_dim = 4\n";
        let config = Phase2Config::from_toml(text).unwrap();
        assert_eq!(
            (config.dissipation, config.resolvent),
            (Dissipation::Resolvent, Resolvent::Bidirectional)
        );
        assert_eq!(config.ffn_width(), 32);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = format!("{}\nheads = 3\n", Phase2Config::small().to_toml().unwrap());
        let error = Phase2Config::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains("heads"), "{error}");
    }

    #[test]
    fn a_config_survives_its_text() {
        let config = Phase2Config { resolvent: Resolvent::Causal, ffn_dim: Some(7), ..Phase2Config::base() };
        assert_eq!(Phase2Config::from_toml(&config.to_toml().unwrap()).unwrap(), config);
    }
}
