//! The original's modules in float64, and ours.

use bk_phase2::parity::check;
use bk_phase2::{BkBackend, Phase2File, Precision};
use burn::tensor::DType;
use burn::tensor::backend::BackendTypes;

pub(crate) const FILES: [(&str, &[u8]); 3] = [
    ("small", include_bytes!("../../testdata/parity_small.safetensors")),
    ("wide", include_bytes!("../../testdata/parity_wide.safetensors")),
    ("eta", include_bytes!("../../testdata/parity_eta.safetensors")),
];

pub(crate) fn every_file_is_met<B: BkBackend>(files: &[(&str, &[u8])], dtype: DType) {
    for (name, bytes) in files {
        let file = Phase2File::parse(bytes).unwrap();
        let device = <B as BackendTypes>::Device::default();
        let parity = check::<B>(&file, &device, dtype, Precision::Exact).unwrap();
        let worst = parity.rows.iter().map(|row| format!("{} {:.2e}", row.name, row.max_abs));
        println!("{name} {dtype:?}: {}", worst.collect::<Vec<_>>().join(", "));
        assert_eq!(parity.rows.len(), file.expected.len(), "{name}");
        assert!(parity.warnings.is_empty(), "{name}: {:?}", parity.warnings);
        for row in &parity.rows {
            assert!(row.bound.is_some() && row.passed, "{name}: {row:?}");
        }
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarray_meets_the_original_in_float32() {
    every_file_is_met::<burn::backend::NdArray<f32>>(&FILES, DType::F32);
}

#[cfg(feature = "ndarray")]
#[test]
fn ndarray_meets_the_original_in_float64_to_1e_8() {
    every_file_is_met::<burn::backend::NdArray<f32>>(&FILES, DType::F64);
}

#[cfg(feature = "flex")]
#[test]
fn flex_meets_the_original_in_float32() {
    every_file_is_met::<burn::backend::Flex>(&FILES, DType::F32);
}

#[cfg(feature = "wgpu")]
#[test]
fn wgpu_meets_the_original_in_float32() {
    every_file_is_met::<crate::models::Gpu>(&FILES, DType::F32);
}

#[cfg(feature = "flex")]
#[test]
fn half_precision_keeps_to_its_bounds() {
    use burn::backend::Flex;
    every_output_is_near::<Flex>(DType::F16);
    every_output_is_near::<Flex>(DType::BF16);
}

#[cfg(feature = "flex")]
fn every_output_is_near<B: BkBackend>(dtype: DType) {
    for (name, bytes) in FILES {
        let file = Phase2File::parse(bytes).unwrap();
        let device = <B as BackendTypes>::Device::default();
        let parity = check::<B>(&file, &device, dtype, Precision::Fast).unwrap();
        for row in &parity.rows {
            println!("{name} {dtype:?}: {} {:.2e} {:.2e}", row.name, row.max_abs, row.relative_rms);
            assert!(row.passed, "{name}: {row:?}");
        }
    }
}

/// A comparison that cannot fail proves nothing.
#[cfg(feature = "ndarray")]
#[test]
fn a_wrong_weight_and_a_wrong_expectation_are_both_seen() {
    let device = burn::backend::ndarray::NdArrayDevice::default();
    let verdict = |change: &dyn Fn(&mut Phase2File)| {
        let mut file = Phase2File::parse(FILES[0].1).unwrap();
        change(&mut file);
        check::<burn::backend::NdArray<f32>>(&file, &device, DType::F32, Precision::Exact).unwrap()
    };
    let wrong = verdict(&|file| {
        let weight = file.weights.get_mut("blocks.1.dissipative_bk.h0_sub").unwrap();
        weight.values[3] += 0.5;
    });
    assert!(!wrong.passed());
    let failed = |name: &str| wrong.rows.iter().any(|row| row.name == name && !row.passed);
    assert!(failed("block1.bk1") && !failed("block0.bk1"), "{wrong:?}");

    let wrong = verdict(&|file| file.expected.get_mut("block0.eta_after2").unwrap().values[0] += 1e-5);
    let names: Vec<&str> = wrong.rows.iter().filter(|row| !row.passed).map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["block0.eta_after2"]);

    let wrong = verdict(&|file| file.expected.get_mut("logits1").unwrap().values[5] = f64::NAN);
    assert!(!wrong.passed());
}
