//! What is written, and what of what comes back is right.

use bk_harness::case::{Couplings, Family, Implementation, NonFinite, Pass, Strategy};
use bk_kernels::reference::resolvent_values;

use super::*;

fn spec(family: Family, couplings: Couplings, n: usize) -> BkCoreSpec {
    BkCoreSpec {
        batch: 3,
        n,
        implementation: Implementation::Peer,
        strategy: Strategy::Auto,
        family,
        couplings,
        z: None,
        seed: 42,
        max_magnitude: None,
        non_finite: NonFinite::Propagate,
        pass: Pass::Forward,
    }
}

fn write(path: &Path, name: &str, shape: Vec<usize>, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    safetensors::serialize_to_file([(name, view)], None, path).unwrap();
}

/// The exam, the folder, and the right answer in float32.
fn sat(spec: &BkCoreSpec) -> (Exam, tempfile::TempDir, Vec<f32>) {
    let exam = Exam::new(spec, 16.0).unwrap();
    let right = resolvent_values(&exam.inputs, &conversions::options(spec)).unwrap();
    let right = right.into_iter().flatten().map(|part| part as f32).collect();
    (exam, tempfile::tempdir().unwrap(), right)
}

#[test]
fn the_file_holds_every_input_in_its_shape() {
    let cases = [
        (Family::Complex, Couplings::PerRow, 5, vec![3, 4]),
        (Family::Normal, Couplings::Shared, 5, vec![1, 4]),
        (Family::Normal, Couplings::PerRow, 1, vec![3, 0]),
    ];
    for (family, couplings, n, links) in cases {
        let (exam, folder, _) = sat(&spec(family, couplings, n));
        let path = folder.path().join("inputs");
        exam.write_inputs(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names().contains(&"a_im"), family == Family::Complex);
        assert_eq!(file.tensor("b").unwrap().shape(), links);
        assert_eq!(file.tensor("c").unwrap().shape(), links);
        let a_re = file.tensor("a_re").unwrap();
        assert_eq!(a_re.shape(), [3, n]);
        let values = a_re.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        assert!(values.eq(exam.inputs.a_re.iter().copied()));
    }
}

#[test]
fn the_right_answer_is_right_and_a_wrong_one_is_rejected_with_its_error() {
    let (exam, folder, mut answer) = sat(&spec(Family::Normal, Couplings::PerRow, 9));
    let path = folder.path().join("output");
    write(&path, OUTPUT, vec![3, 9, 2], &answer);
    let marks = exam.mark(&path).unwrap();
    assert_eq!(marks.rejected, None);
    assert_eq!((marks.compared, marks.allowed_error_units), (27, 16.0));
    answer[7] += 0.01;
    write(&path, OUTPUT, vec![3, 9, 2], &answer);
    let marks = exam.mark(&path).unwrap();
    assert!(marks.rejected.unwrap().contains("1 of 27 sites are wrong"));
    answer[7] = f32::NAN;
    write(&path, OUTPUT, vec![3, 9, 2], &answer);
    assert_eq!(exam.mark(&path).unwrap().non_finite, 1);
}

#[test]
fn an_output_of_another_name_shape_or_type_is_a_wrong_answer_that_says_what_was_expected() {
    let (exam, folder, answer) = sat(&spec(Family::Normal, Couplings::PerRow, 9));
    let path = folder.path().join("output");
    for (name, shape) in [("G", vec![3, 9, 2]), (OUTPUT, vec![27, 2])] {
        write(&path, name, shape, &answer);
        let error = exam.mark(&path).unwrap_err();
        assert!(matches!(error, ExamError::OtherTensor { .. }), "{error}");
        assert!(error.to_string().contains("expected one tensor `g`, F32 [3, 9, 2]"), "{error}");
    }
}

#[test]
fn no_output_and_no_safetensors_file_are_told_apart_from_a_wrong_answer() {
    let (exam, folder, _) = sat(&spec(Family::Normal, Couplings::PerRow, 9));
    let path = folder.path().join("output");
    let missing = exam.mark(&path).unwrap_err();
    assert!(
        matches!(missing, ExamError::NoOutput { .. }) && missing.to_string().contains("wrote no output"),
        "{missing}"
    );
    fs::write(&path, "not a tensor").unwrap();
    let garbage = exam.mark(&path).unwrap_err();
    assert!(
        matches!(garbage, ExamError::Unreadable(_)) && garbage.to_string().contains("no safetensors file"),
        "{garbage}"
    );
}
