//! The model on a CUDA device. Not part of an ordinary test run: `--features cuda-tests` builds it.

use bk_phase2::parity::check;
use bk_phase2::{Phase2Config, Phase2File, Phase2Model, Precision, Resolvent};
use burn::tensor::{DType, Tensor, TensorData};

use crate::models::{Reference, distance, ids, size, tiny, values};
use crate::parity::{FILES, every_file_is_met};

type Cuda = burn_cubecl::CubeBackend<cubecl::cuda::CudaRuntime, f32, i32, u8>;

#[test]
fn cuda_meets_the_original_in_true_float32() {
    every_file_is_met::<Cuda>(&FILES, DType::F32);
}

#[test]
fn cuda_outputs_are_near_the_original_with_tf32_and_half_precision() {
    for (dtype, precision) in
        [(DType::F32, Precision::Fast), (DType::F16, Precision::Fast), (DType::BF16, Precision::Fast)]
    {
        for (name, bytes) in FILES {
            let file = Phase2File::parse(bytes).unwrap();
            let parity = check::<Cuda>(&file, &Default::default(), dtype, precision).unwrap();
            for row in &parity.rows {
                println!(
                    "{name} {dtype:?}: {} max {:.2e} rms {:.2e}",
                    row.name, row.max_abs, row.relative_rms
                );
                assert!(row.passed, "{name}: {row:?}");
            }
        }
    }
}

/// Logits of a preset on both backends; weights as Burn draws them, the same on both.
fn preset_error(name: &str, n: usize, dtype: DType) -> f64 {
    let config = Phase2Config { use_zeta_init: false, ..Phase2Config::preset(name).unwrap() };
    let reference = Phase2Model::<Reference>::new(&config, &Default::default()).unwrap();
    let expected = values(reference.logits(ids(1, n, config.vocab_size), None).unwrap());
    let model = Phase2Model::<Cuda>::new(&config, &Default::default()).unwrap().cast(dtype).unwrap();
    let found = values(model.logits(ids(1, n, config.vocab_size), None).unwrap());
    assert!(found.iter().all(|logit| logit.is_finite()), "{name} {dtype:?}");
    distance(&found, &expected) / size(&expected)
}

#[test]
fn half_precision_logits_of_the_base_preset_are_near_those_in_float32() {
    for (dtype, allowed) in [(DType::F32, 5e-3), (DType::F16, 2e-2), (DType::BF16, 1e-1)] {
        let error = preset_error("base", 256, dtype);
        println!("base {dtype:?}: max|difference| / max|logit| = {error:.2e}");
        assert!(error < allowed, "{dtype:?}: {error}");
    }
}

#[test]
fn every_preset_stays_finite_in_every_type() {
    for name in ["small", "large"] {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            println!("{name} {dtype:?}: {:.2e}", preset_error(name, 100, dtype));
        }
    }
}

#[test]
fn no_token_changes_a_causal_logit_before_it_on_cuda() {
    let config = Phase2Config { resolvent: Resolvent::Causal, ..tiny() };
    let model = Phase2Model::<Cuda>::new(&config, &Default::default()).unwrap();
    for precision in [Precision::Exact, Precision::Fast] {
        let model = model.clone().with_precision(precision);
        for changed in [3, 4, 9] {
            let before = ids::<Cuda>(1, 13, 11);
            let mut other: Vec<i64> = before.to_data().iter::<i64>().collect();
            other[changed] = (other[changed] + 3) % 11;
            let other = Tensor::from_data(TensorData::new(other, [1, 13]), &before.device());
            let before = values(model.logits(before, None).unwrap());
            let after = values(model.logits(other, None).unwrap());
            assert_eq!(before[..changed * 11], after[..changed * 11], "{precision:?}, token {changed}");
            assert!(distance(&before[changed * 11..], &after[changed * 11..]) > 1e-4);
        }
    }
}
