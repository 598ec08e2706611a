//! The Phase 2 language model ("Breath of Life" of the public ResNet-BK project) on any Burn backend.
//!
//! A sequence is a chain of sites: each block reads the diagonal of the chain's resolvent, then a Hebbian
//! memory that forgets at the rate with which the chain dissipates, then a feed-forward layer.
//!
//! ```text
//!  ids [B, N] ── token table + positions from the zeta zeros ──▶ x [B, N, D]
//!
//!  ┌─ block, n_layers times ──────────────────────────────────────────────────────────────────────────┐
//!  │ x [B,N,D] ─ LN ─ · [D,2] ─▶ V [B,N], Γ [B,N] ─▶ G = diag((H_0 + V - iΓ - z)^-1) [B,N,2]           │
//!  │ x ◀──────────────────────────────────────── + ──────────── · [2,D] + bias ◀──────┘               │
//!  │ x ─────── LN ─ · [D,3HE] ─▶ q, k, v [B,N,H,E] ─▶ W_t = e^-Γ_t W_(t-1) + η k_t v_t^T  [B,H,E,E]    │
//!  │ x ◀──────────────────────────────────────── + ─ · [HE,D] + bias ◀─ y_t = W_t q_t  [B,N,H,E]       │
//!  │ x ◀── + ── · [F,D] ◀── GELU ◀── · [D,F] ◀── LN ── x                                              │
//!  │                                                                                                  │
//!  │ W_N ─▶ signal to noise ─▶ η'      W_N ─▶ resonance filter ─▶ W'        to the next call, as State │
//!  └──────────────────────────────────────────────────────────────────────────────────────────────────┘
//!
//!  x ── LN ── · [D, V] ──▶ logits [B, N, V]
//! ```
//!
//! # Use
//!
//! ```no_run
//! # #[cfg(feature = "ndarray")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bk_phase2::{Phase2Config, Phase2Model};
//! use burn::{backend::NdArray, tensor::Tensor};
//!
//! let model = Phase2Model::<NdArray<f32>>::new(&Phase2Config::small(), &Default::default())?;
//! let ids = Tensor::from_data([[15496, 11, 995]], &Default::default());
//! let (logits, state) = model.forward(ids.clone(), None)?; // [1, 3, 50257]
//! let (more, _) = model.forward(ids, Some(state))?; // the memory goes on
//! # Ok(()) }
//! # #[cfg(not(feature = "ndarray"))]
//! # fn main() {}
//! ```
//! Half precision: `model.cast(DType::F16)?`. True float32 products on tensor cores:
//! `model.with_precision(Precision::Exact)`. Decoding, with [`Resolvent::Causal`]: [`Phase2Model::prefill`],
//! [`Phase2Model::step`], [`Phase2Model::generate`]. Training: [`train`] and the example `train_text`.
//!
//! # Where what is
//!
//! | module | what |
//! |---|---|
//! | `model`, `block` | the architecture, top-down |
//! | [`config`] | sizes, modes, presets |
//! | `embedding`, [`zeta`], `init`, `spectral` | positions and first weights from the zeta zeros |
//! | `non_hermitian` | `V`, `Γ`, the resolvent of the chain |
//! | `dissipative_hebbian`, [`chunkwise`] | the memory, in chunks and matrix products |
//! | `memory_selection`, `memory_resonance` | what is carried to the next call |
//! | `state`, `decode`, `generate` | calls that go on from others |
//! | [`train`], `gradient_safety`, `checkpoint` | training |
//! | `diagnostics`, [`lyapunov`] | looking inside |
//! | `file`, `weights`, [`parity`] | weights of the PyTorch project, in and out, and what they must give |
//!
//! # Where it differs from the original
//!
//! | original | here |
//! |---|---|
//! | theta and phi of the resolvent under- or overflow with N | projective scan, any N |
//! | the resolvent has `V` alone, the documents say `V - iΓ` | both; the documented one by default |
//! | `G_ii` sees tokens that come after | [`Resolvent::Causal`] beside it |
//! | memory in a loop over tokens, detached at each | chunks, full gradients |
//! | gradient of `G`: diagonal, mixed with a heuristic; none for couplings and `z` | exact for all |
//! | eta grows in a hidden attribute | part of [`State`] |
//! | float16 raises an error | f16 and bf16, with the parts that need it in f32 |
//! | `N > n_seq` reads out of bounds | an error that says so |
//! | ten zeta zeros, then random numbers | 4096 true ones |

mod block;
mod checkpoint;
pub mod chunkwise;
pub mod config;
mod decode;
mod diagnostics;
mod dissipative_hebbian;
mod embedding;
mod error;
mod file;
mod generate;
mod gradient_safety;
mod init;
mod layers;
pub mod lyapunov;
mod memory_resonance;
mod memory_selection;
mod model;
mod non_hermitian;
pub mod parity;
mod resonance_gate;
mod spectral;
mod state;
pub mod train;
mod weights;
pub mod zeta;

pub use bk_burn::{BkBackend, Precision};
pub use block::Phase2Block;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use config::{ConfigError, Dissipation, Phase2Config, Resolvent};
pub use decode::{BlockDecode, DecodeState};
pub use diagnostics::{BlockDiagnostics, Diagnostics, Energy};
pub use dissipative_hebbian::{DissipativeHebbian, MAX_DECAY};
pub use embedding::Embedding;
pub use error::ModelError;
pub use file::{FileError, HostTensor, Phase2File};
pub use generate::Sampling;
pub use gradient_safety::{GradientSafety, GradientStatistics};
pub use layers::{Dense, Norm};
pub use memory_resonance::{Filtered, ResonanceBasis};
pub use memory_selection::{Importance, Selection};
pub use model::Phase2Model;
pub use non_hermitian::{DissipativeBk, MAX_MAGNITUDE, NonHermitianPotential, OPTIONS, Potential};
pub use resonance_gate::ResonanceGate;
pub use state::{BlockState, State};
pub use weights::ImportError;
