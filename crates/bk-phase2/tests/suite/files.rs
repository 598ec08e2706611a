//! Files of weights: there and back, and what is said of those that do not fit.

use bk_phase2::{HostTensor, Phase2File, Phase2Model};

use crate::models::{Reference, ids, model, tiny, values};

const SMALL: &[u8] = include_bytes!("../../testdata/parity_small.safetensors");

fn import(file: &Phase2File) -> Result<(Phase2Model<Reference>, Vec<String>), String> {
    Phase2Model::import(file, &Default::default()).map_err(|error| error.to_string())
}

#[test]
fn a_file_survives_import_and_export() {
    let file = Phase2File::parse(SMALL).unwrap();
    let (model, warnings) = import(&file).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let written = Phase2File::parse(&model.export().unwrap()).unwrap();
    assert_eq!(written.weights, file.weights);
    assert_eq!(written.config, file.config);
    assert!(written.expected.is_empty() && written.inputs.is_none());
}

#[test]
fn a_model_of_other_sizes_survives_export_and_import() {
    let saved = model::<Reference>(&tiny());
    let file = Phase2File::parse(&saved.export().unwrap()).unwrap();
    let (loaded, _) = import(&file).unwrap();
    let ids = ids::<Reference>(2, 9, 11);
    let logits = |model: &Phase2Model<Reference>| values(model.logits(ids.clone(), None).unwrap());
    assert_eq!(logits(&saved), logits(&loaded));
}

#[test]
fn missing_and_misshapen_tensors_are_named_all_at_once() {
    let mut file = Phase2File::parse(SMALL).unwrap();
    file.weights.remove("blocks.1.ffn.3.bias");
    file.weights.remove("blocks.0.dissipative_bk.z.im");
    file.weights.insert("ln_f.weight".to_owned(), HostTensor { shape: vec![31], values: vec![1.0; 31] });
    let error = import(&file).map(drop).unwrap_err();
    for part in [
        "weights.blocks.1.ffn.3.bias",
        "weights.blocks.0.dissipative_bk.z.im",
        "weights.ln_f.weight",
        "[31]",
        "[32]",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_tensor_that_nobody_knows_is_a_warning() {
    let mut file = Phase2File::parse(SMALL).unwrap();
    let stranger = HostTensor { shape: vec![1], values: vec![0.0] };
    file.weights.insert("blocks.7.attention".to_owned(), stranger);
    let (_, warnings) = import(&file).unwrap();
    assert_eq!(warnings, ["weights.blocks.7.attention"]);
}

#[test]
fn a_file_without_a_mode_is_from_the_original_and_an_unknown_key_is_a_warning() {
    let text = r#"{"vocab_size": 3, "d_model": 2, "n_layers": 1, "n_seq": 4, "num_heads": 1, "head_dim": 2, "author": "x"}"#;
    let metadata = std::collections::HashMap::from([("config".to_owned(), text.to_owned())]);
    let empty: [(&str, safetensors::tensor::TensorView<'_>); 0] = [];
    let file = Phase2File::parse(&safetensors::serialize(empty, Some(metadata)).unwrap()).unwrap();
    assert_eq!(file.config.dissipation, bk_phase2::Dissipation::MemoryOnly);
    assert_eq!(file.unknown, ["config.author"]);
}

#[test]
fn a_file_that_is_none_and_a_file_without_sizes_are_told_apart() {
    assert!(Phase2File::parse(b"nonsense").unwrap_err().to_string().contains("safetensors"));
    let empty: [(&str, safetensors::tensor::TensorView<'_>); 0] = [];
    let bytes = safetensors::serialize(empty, None).unwrap();
    assert!(Phase2File::parse(&bytes).unwrap_err().to_string().contains("config"));
}
