//! The smallest use: a preset, a prompt, its logits.
//!
//! `cargo run --release -p bk-phase2 --example logits --features ndarray`

#![allow(clippy::print_stdout, reason = "an example")]

use bk_phase2::{Phase2Config, Phase2Model};
use burn::backend::NdArray;
use burn::tensor::Tensor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The initialisation from the zeta zeros takes a while; Burn's own does not.
    let config = Phase2Config { use_zeta_init: false, ..Phase2Config::small() };
    let model = Phase2Model::<NdArray<f32>>::new(&config, &Default::default())?;
    let ids = Tensor::from_data([[15496, 11, 995, 0]], &Default::default());
    let (logits, state) = model.forward(ids, None)?;
    let next: i64 = logits.slice([0..1, 3..4]).argmax(2).into_scalar();
    println!("token {next} is next, says a model that knows nothing; {} memories", state.blocks.len());
    Ok(())
}
