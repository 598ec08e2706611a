//! The carried state, precision, and what a call refuses.

use bk_phase2::lyapunov::energy;
use bk_phase2::{BkBackend, ModelError, Phase2Config, Precision, State};
use burn::module::Module;
use burn::record::{BinFileRecorder, FullPrecisionSettings, NamedMpkFileRecorder};
use burn::tensor::DType;

use crate::models::{Reference, distance, ids, model, size, tiny, values};

#[test]
fn the_memory_goes_on_and_positions_start_again() {
    let model = model::<Reference>(&tiny());
    let ids = ids::<Reference>(2, 9, 11);
    let (first, state) = model.forward(ids.clone(), None).unwrap();
    let (second, _) = model.forward(ids.clone(), Some(state)).unwrap();
    assert!(distance(&values(first.clone()), &values(second)) > 1e-6, "the state has to matter");
    let (again, _) = model.forward(ids, Some(model.empty_state())).unwrap();
    assert_eq!(values(first), values(again), "an empty state is no state");
}

#[test]
fn eta_grows_in_the_state_and_not_in_the_model() {
    // Any memory is above this threshold.
    let model = model::<Reference>(&Phase2Config { snr_threshold: 1e-9, ..tiny() });
    let ids = ids::<Reference>(2, 9, 11);
    let mut state: Option<State<Reference>> = None;
    for expected in [0.15, 0.225, 0.3375] {
        let (_, next) = model.forward(ids.clone(), state).unwrap();
        for block in &next.blocks {
            assert!((values(block.eta.clone())[0] - expected).abs() < 1e-6);
        }
        state = Some(next);
    }
    let (_, fresh) = model.forward(ids, None).unwrap();
    assert!((values(fresh.blocks[0].eta.clone())[0] - 0.15).abs() < 1e-6);
}

#[test]
fn diagnostics_tell_what_the_block_did() {
    let config = Phase2Config { resonance_energy_threshold: 0.02, ..tiny() };
    let model = model::<Reference>(&config);
    let ids = ids::<Reference>(2, 9, 11);
    let (logits, state, diagnostics) = model.forward_with_diagnostics(ids.clone(), None).unwrap();
    assert_eq!(values(logits), values(model.logits(ids, None).unwrap()));
    assert_eq!(diagnostics.blocks.len(), 2);
    for (block, carried) in diagnostics.blocks.iter().zip(&state.blocks) {
        assert!(values(block.potential.gamma.clone()).iter().all(|gamma| *gamma > 0.0));
        let filtered = block.resonance.as_ref().unwrap();
        let (energies, kept) = (values(filtered.energies.clone()), values(filtered.kept.clone()));
        for (energy, kept) in energies.iter().zip(&kept) {
            assert_eq!(*kept == 1.0, *energy > config.resonance_energy_threshold);
        }
        let count = values(filtered.count())[0];
        let sparsity = values(filtered.sparsity())[0];
        assert!((sparsity - (1.0 - count / kept.len() as f64)).abs() < 1e-6);
        let carried = carried.memory.clone().unwrap();
        assert_eq!(values(block.energy.carried.clone()), values(energy(&carried)));
        assert!(block.energy.before.is_none());
    }
}

/// Linear in `W_t`, so at the last token it is the head on the last memory.
#[test]
fn the_feedback_head_reads_the_memory_of_its_token() {
    let model = model::<Reference>(&tiny());
    let ids = ids::<Reference>(2, 9, 11);
    let (_, state) = model.forward(ids.clone(), None).unwrap();
    let (_, _, diagnostics) = model.forward_with_diagnostics(ids, Some(state)).unwrap();
    for (block, inside) in model.blocks.iter().zip(&diagnostics.blocks) {
        let weight = values(block.hebbian.memory_to_potential.val());
        let memory = values(inside.memory.clone());
        let feedback = values(inside.feedback.clone());
        for row in 0..2 {
            let heads = memory[row * 18..(row + 1) * 18].chunks(9);
            let dot = |head: &[f64]| head.iter().zip(&weight).map(|(w, x)| w * x).sum::<f64>();
            let expected = heads.map(dot).sum::<f64>() / 2.0;
            assert!((feedback[row * 9 + 8] - expected).abs() < 1e-5 * (1.0 + expected.abs()));
        }
    }
}

#[test]
fn a_sequence_that_is_too_long_is_refused_with_the_remedy() {
    let model = model::<Reference>(&tiny());
    let error = model.forward(ids(1, 14, 11), None).map(drop).unwrap_err();
    assert!(matches!(error, ModelError::TooLong { found: 14, most: 13 }));
    assert!(error.to_string().contains("n_seq"), "{error}");
}

#[test]
fn a_state_of_another_batch_or_depth_is_refused() {
    let model = model::<Reference>(&tiny());
    let (_, state) = model.forward(ids(2, 4, 11), None).unwrap();
    let error = model.forward(ids(3, 4, 11), Some(state.clone())).map(drop).unwrap_err();
    assert!(error.to_string().contains("[3, 2, 3, 3]"), "{error}");
    let shallow = State { blocks: state.blocks[..1].to_vec() };
    assert!(matches!(model.forward(ids(2, 4, 11), Some(shallow)).map(drop), Err(ModelError::State { .. })));
}

#[test]
fn a_type_that_the_backend_lacks_is_refused() {
    let error = model::<Reference>(&tiny()).cast(DType::F16).map(drop).unwrap_err();
    assert!(matches!(error, ModelError::ElementType { dtype: DType::F16 }));
    let error = model::<Reference>(&tiny()).cast(DType::I32).map(drop).unwrap_err();
    assert!(matches!(error, ModelError::ElementType { dtype: DType::I32 }));
}

#[test]
fn records_of_burn_save_and_load_the_model() {
    let saved = model::<Reference>(&tiny());
    let ids = ids::<Reference>(2, 9, 11);
    let expected = values(saved.logits(ids.clone(), None).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let device = Default::default();
    let fresh = || model::<Reference>(&Phase2Config { seed: 99, ..tiny() });
    assert!(distance(&values(fresh().logits(ids.clone(), None).unwrap()), &expected) > 1e-3);

    let named = NamedMpkFileRecorder::<FullPrecisionSettings>::new();
    saved.clone().save_file(folder.path().join("named"), &named).unwrap();
    let loaded = fresh().load_file(folder.path().join("named"), &named, &device).unwrap();
    assert_eq!(values(loaded.logits(ids.clone(), None).unwrap()), expected);

    let binary = BinFileRecorder::<FullPrecisionSettings>::new();
    saved.save_file(folder.path().join("binary"), &binary).unwrap();
    let loaded = fresh().load_file(folder.path().join("binary"), &binary, &device).unwrap();
    assert_eq!(values(loaded.logits(ids, None).unwrap()), expected);
}

/// All layers of a preset; the vocabulary's logits would take most of the time.
fn a_preset_stays_finite<B: BkBackend>(preset: &str, vocabulary: usize, n: usize) {
    let config = Phase2Config {
        vocab_size: vocabulary,
        use_zeta_init: false,
        ..Phase2Config::preset(preset).unwrap()
    };
    let model = model::<B>(&config).with_precision(Precision::Exact);
    let (logits, state) = model.forward(ids(1, n, vocabulary), None).unwrap();
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite()) && size(values) > 0.0;
    assert!(finite(&values(logits)), "{preset}");
    for block in state.blocks {
        assert!(values(block.memory.unwrap()).iter().all(|value| value.is_finite()), "{preset}");
    }
}

#[test]
fn presets_run_and_stay_finite() {
    a_preset_stays_finite::<Reference>("small", 50257, 5);
    a_preset_stays_finite::<Reference>("base", 101, 70);
    a_preset_stays_finite::<Reference>("large", 101, 70);
}

#[cfg(feature = "wgpu")]
#[test]
fn the_small_preset_runs_and_stays_finite_on_wgpu() {
    a_preset_stays_finite::<crate::models::Gpu>("small", 101, 66);
}

#[test]
fn one_token_is_a_sequence() {
    let model = model::<Reference>(&tiny());
    let (logits, state) = model.forward(ids(3, 1, 11), None).unwrap();
    assert_eq!(logits.dims(), [3, 1, 11]);
    let (again, _) = model.forward(ids(3, 1, 11), Some(state)).unwrap();
    assert!(values(again).iter().all(|logit| logit.is_finite()));
}

#[test]
fn the_zeta_initialisation_gives_small_weights_and_finite_logits() {
    let config = Phase2Config { use_zeta_init: true, d_model: 32, head_dim: 8, ..tiny() };
    let model = model::<Reference>(&config);
    let largest = 0.02 / 14.134_725_141_734_693;
    for block in &model.blocks {
        let weight = values(block.ffn_in.weight.val());
        let norm = weight.iter().map(|x| x * x).sum::<f64>();
        assert!(norm >= largest * largest && norm < 5.0 * largest * largest, "{norm}");
    }
    assert!(size(&values(model.logits(ids(2, 9, 11), None).unwrap())) > 0.0);
}
