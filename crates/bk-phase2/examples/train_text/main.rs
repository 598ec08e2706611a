//! Trains a causal byte-level model on text files, with a progress bar, a loss curve, checkpoints, and a
//! sample at the end.
//!
//! ```text
//! cargo run --release -p bk-phase2 --example train_text --features ndarray -- README.md --minutes 1
//! cargo run --release -p bk-phase2 --example train_text --features cuda -- docs/*.md --target cuda --minutes 5
//! ```
//! On a GPU the first step compiles kernels. With the feature `autotune` it also tries out matrix products for
//! each shape, which can take minutes and makes later steps faster.
//!
//! The folder `--out` gets the checkpoint, `loss.svg`, `progress.json` and `sample.txt`. `--resume` goes on
//! from there; `bkbench export phase2 FILE --checkpoint DIR` writes the weights as safetensors.

#![allow(clippy::print_stdout, reason = "what it has to say goes to the terminal")]

mod arguments;
mod curve;
mod progress;
mod text;
mod training;

use std::error::Error;

use clap::Parser;

use arguments::Arguments;
use text::Text;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let text = Text::read(&arguments.files)?;
    println!(
        "{} bytes of text; unigram entropy {:.4} nats a byte ({:.3} bits)",
        text.len(),
        text.unigram_entropy(),
        text.unigram_entropy() / std::f64::consts::LN_2
    );
    match arguments.target.as_str() {
        #[cfg(feature = "ndarray")]
        "ndarray" => training::run::<burn::backend::NdArray<f32>>(Default::default(), &arguments, &text),
        #[cfg(feature = "wgpu")]
        "wgpu" => {
            use burn::backend::wgpu::WgpuRuntime;
            type Gpu = burn_cubecl::CubeBackend<WgpuRuntime, f32, i32, u32>;
            training::run::<Gpu>(Default::default(), &arguments, &text)
        }
        #[cfg(feature = "cuda")]
        "cuda" => {
            type Gpu = burn_cubecl::CubeBackend<cubecl::cuda::CudaRuntime, f32, i32, u8>;
            training::run::<Gpu>(Default::default(), &arguments, &text)
        }
        other => Err(format!(
            "the target `{other}` is not in this build: name one of ndarray, wgpu and cuda, and build with \
             the cargo feature of that name"
        )
        .into()),
    }
}
