//! The non-Hermitian potential and the resolvent of its chain: `H_eff = H_0 + V - i Gamma`.
//!
//! ```text
//! V = u · v_proj            Gamma = softplus(u · gamma_proj) + base_decay
//! G = diag((H_eff - z I)^-1)                 x <- x + G · bk_proj + bias
//! ```
//! The original's code passes the resolvent `V` alone ("for now") where its documents have `V - i Gamma`:
//! both are here, [`Dissipation`]. Its resolvent of a language model looks ahead: [`Resolvent::Causal`] is
//! the left-connected one, which does not. Its gradient has the diagonal alone; ours is that of the formula.

use bk_burn::{BkBackend, BkInputs, BkOptions, GradMode, NonFinite, Precision, bk_core, left_resolvent};
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, activation};

use crate::config::{Dissipation, Phase2Config, Resolvent};
use crate::error::ModelError;
use crate::init::Init;
use crate::layers::{Dense, cast_param};

/// Bound of `|G|`; its phase is kept.
pub const MAX_MAGNITUDE: f32 = 50.0;

/// What the operation does with poles and NaN in this model.
pub const OPTIONS: BkOptions =
    BkOptions { max_magnitude: Some(MAX_MAGNITUDE), non_finite: NonFinite::Zero, gradient: GradMode::Exact };

/// Potential and decay of each token.
#[derive(Debug, Clone)]
pub struct Potential<B: Backend> {
    /// `V [B, N]`.
    pub v: Tensor<B, 2>,
    /// `Gamma [B, N]`, positive.
    pub gamma: Tensor<B, 2>,
}

/// `V` and `Gamma` as one projection of width two.
#[derive(Module, Debug)]
pub struct NonHermitianPotential<B: Backend> {
    /// `[D, 2]`: `v_proj`, `gamma_proj`. In float32 whatever the weights of the model are.
    pub weight: Param<Tensor<B, 2>>,
}

impl<B: BkBackend> NonHermitianPotential<B> {
    pub(crate) fn new(config: &Phase2Config, init: &mut Init<B>) -> Self {
        let columns = vec![init.linear(config.d_model, 1), init.linear(config.d_model, 1)];
        Self { weight: Param::from_tensor(Tensor::cat(columns, 1)) }
    }

    /// `u [B, N, D]`.
    pub fn forward(&self, u: Tensor<B, 3>, config: &Phase2Config, precision: Precision) -> Potential<B> {
        let [batch, n, width] = u.dims();
        let both = bk_burn::matmul(u.reshape([batch * n, width]), self.weight.val(), precision);
        let part = |part: usize| both.clone().narrow(1, part, 1).reshape([batch, n]);
        let v = part(0);
        let gamma = if config.adaptive_decay {
            // log(1 + e^x), in the form that does not overflow.
            -activation::log_sigmoid(-part(1)) + config.base_decay
        } else {
            v.full_like(config.base_decay)
        };
        Potential { v, gamma }
    }

    pub(crate) fn cast(self, dtype: DType) -> Self {
        Self { weight: cast_param(self.weight, dtype) }
    }
}

/// The chain's couplings and spectral parameter, and the projection of its resolvent.
#[derive(Module, Debug)]
pub struct DissipativeBk<B: Backend> {
    /// Super-diagonal of `H_0`, `[n_seq - 1]`.
    pub h0_super: Param<Tensor<B, 1>>,
    /// Sub-diagonal of `H_0`, `[n_seq - 1]`.
    pub h0_sub: Param<Tensor<B, 1>>,
    /// `(Re z, Im z)`, `[2]`.
    pub z: Param<Tensor<B, 1>>,
    /// `2 -> D`.
    pub bk_proj: Dense<B>,
}

impl<B: BkBackend> DissipativeBk<B> {
    pub(crate) fn new(config: &Phase2Config, init: &mut Init<B>) -> Self {
        let links = config.n_seq - 1;
        Self {
            h0_super: Param::from_tensor(init.normal_vector(links, 0.1)),
            h0_sub: Param::from_tensor(init.normal_vector(links, 0.1)),
            z: Param::from_tensor(init.full(2, 0.1)),
            bk_proj: Dense::new(init, 2, config.d_model, true),
        }
    }

    /// `G [B, N, 2]`.
    ///
    /// # Errors
    /// When the operation refuses its operands.
    pub fn resolvent(
        &self,
        potential: &Potential<B>,
        config: &Phase2Config,
    ) -> Result<Tensor<B, 3>, ModelError> {
        let inputs = self.inputs(potential, config);
        Ok(match config.resolvent {
            Resolvent::Bidirectional => bk_core(inputs, &OPTIONS)?,
            Resolvent::Causal => left_resolvent(inputs, &OPTIONS)?,
        })
    }

    /// The matrix of a sequence.
    pub(crate) fn inputs(&self, potential: &Potential<B>, config: &Phase2Config) -> BkInputs<B> {
        let [_, n] = potential.v.dims();
        // A chain of one site has no couplings; the operation takes any [1, 1] in their place.
        let links = (n - 1).max(1);
        let couplings = |h0: &Param<Tensor<B, 1>>| h0.val().narrow(0, 0, links).reshape([1, links]);
        BkInputs {
            a_re: potential.v.clone(),
            a_im: dissipation(potential, config),
            b: couplings(&self.h0_super),
            c: couplings(&self.h0_sub),
            z: self.z.val(),
        }
    }

    pub(crate) fn cast(self, dtype: DType) -> Self {
        Self {
            h0_super: cast_param(self.h0_super, dtype),
            h0_sub: cast_param(self.h0_sub, dtype),
            z: cast_param(self.z, dtype),
            bk_proj: self.bk_proj.cast(dtype),
        }
    }
}

/// The imaginary part of the diagonal.
pub(crate) fn dissipation<B: Backend>(
    potential: &Potential<B>,
    config: &Phase2Config,
) -> Option<Tensor<B, 2>> {
    (config.dissipation == Dissipation::Resolvent).then(|| -potential.gamma.clone())
}
