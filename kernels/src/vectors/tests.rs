//! The files of the crate, and what is said of files that are not vectors.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A small vector: `T = [[2, 1], [1, 2]]`, `z = 0`, so `G = 2 / 3`.
fn small() -> Value {
    json!({
        "name": "small", "family": "test", "note": "", "compare": "full", "B": 1, "N": 2, "complex_a": false,
        "shared_bc": false, "z": [0.0, 0.0], "a_re": [[2.0, 2.0]], "b": [[1.0]], "c": [[1.0]],
        "g_re": [[1.0, 0.0]], "g_im": [[0.0, 1.0]], "G_re": [[2.0 / 3.0, 2.0 / 3.0]], "G_im": [[0.0, 0.0]],
        "unit_G": [[1e-7, 0.0]], "da_re": [[0.0, 0.0]], "unit_da": [[0.0, 0.0]], "db": [[0.0]], "unit_db": [[0.0]],
        "dc": [[0.0]], "unit_dc": [[0.0]], "dz": [0.0, 0.0], "unit_dz": 0.0,
    })
}

fn read(value: &Value) -> Result<Vector, VectorError> {
    file::parse("small.json", &value.to_string())
}

fn error_after(change: impl FnOnce(&mut Value)) -> String {
    let mut value = small();
    change(&mut value);
    read(&value).unwrap_err().to_string()
}

fn check(output: &[f32], allowed: f64) -> VectorCheck {
    read(&small()).unwrap().check(output, allowed)
}

#[test]
fn the_embedded_vectors_are_the_files_of_testdata() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let (embedded, files) = (load_embedded().unwrap(), load_dir(&directory).unwrap());
    let names = |vectors: &[Vector]| vectors.iter().map(|vector| vector.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&embedded), names(&files));
    assert_eq!(embedded.len(), 32);
}

#[test]
fn the_embedded_vectors_cover_the_special_cases() {
    let all = load_embedded().unwrap();
    let count = |is: &dyn Fn(&Vector) -> bool| all.iter().filter(|vector| is(vector)).count();
    assert_eq!(count(&|v| v.inputs.shared), 2);
    assert_eq!(count(&|v| v.inputs.a_im.is_some()), 2);
    assert_eq!(count(&|v| v.compare == Compare::None), 1);
    assert_eq!(count(&|v| v.g.value.iter().any(|g| g[0].is_nan())), 1);
    assert_eq!(count(&|v| v.gradients.dz.value[0][0].is_nan()), 1);
    for vector in &all {
        vector.inputs.view().unwrap();
        assert_eq!(vector.gradients.da.value.len(), vector.inputs.sites());
        assert_eq!(vector.gradients.db.unit.len(), vector.inputs.b.len());
    }
}

#[test]
fn an_output_within_the_allowed_units_passes() {
    let mut small = small();
    small["unit_G"] = json!([[1e-7, 1e-7]]);
    let third = 2.0 / 3.0;
    let check = read(&small).unwrap().check(&[third, 0.0, third + 1e-6, 0.0], 16.0);
    assert!(check.passed);
    assert_eq!((check.worst_site, check.compared, check.failures), (Some((0, 1)), 2, 0));
    assert!((8.0..12.0).contains(&check.worst_units), "{}", check.worst_units);
}

#[test]
fn an_output_beyond_the_allowed_units_fails_with_its_site() {
    let check = check(&[0.7, 0.0, 2.0 / 3.0, 0.0], 16.0);
    assert_eq!(
        (check.passed, check.worst_site),
        (false, Some((0, 1))),
        "2/3 is not a float32, and the unit is 0"
    );
    assert_eq!((check.failures, check.worst_units), (2, f64::INFINITY));
}

#[test]
fn an_output_that_is_not_finite_fails() {
    for value in [f32::NAN, f32::INFINITY] {
        let check = check(&[value, 0.0, 0.0, 0.0], 1e30);
        assert!(!check.passed);
        assert_eq!(check.worst_units, f64::INFINITY);
    }
}

#[test]
fn an_output_of_the_wrong_length_fails_everywhere() {
    let check = check(&[0.0; 2], 1e30);
    assert_eq!((check.passed, check.failures, check.compared), (false, 2, 0));
}

#[test]
fn undefined_sites_are_counted_and_not_compared() {
    let mut value = small();
    for key in ["G_re", "G_im", "unit_G"] {
        value[key] = json!([[null, null]]);
    }
    let check = read(&value).unwrap().check(&[f32::NAN, f32::NAN, 1.0, 1.0], 16.0);
    assert_eq!((check.passed, check.compared, check.worst_site), (true, 0, None));
    assert_eq!((check.undefined, check.undefined_but_finite), (2, 1));
}

#[test]
fn nothing_is_compared_where_the_vector_says_so() {
    let mut value = small();
    value["compare"] = json!("none");
    let vector = read(&value).unwrap();
    assert!(vector.check(&[f32::NAN; 4], 16.0).passed);
    assert!(!vector.check(&[0.0; 3], 16.0).passed);
}

#[test]
fn errors_name_the_file_and_the_key() {
    let cases: [(&str, Value, &str); 7] = [
        ("N", json!(0), "key `B`: B = 1, N = 0; both are at least 1"),
        ("a_re", json!([[1.0]]), "key `a_re`: 1 entries in row 0, expected 2"),
        ("b", json!([]), "key `b`: 0 rows, expected 1"),
        ("c", json!([[0.1]]), "key `c`: 0.1 is not a float32 value, expected inputs to be exact"),
        ("z", json!([0.1, 0.0]), "key `z`: 0.1 is not a float32 value, expected inputs to be exact"),
        ("a_im", json!([[1.0, 1.0]]), "key `a_im`: found, but complex_a is false"),
        ("G_im", json!([[null, 0.0]]), "key `G_re`: site 0 is null in only some of G_re, G_im and unit_G"),
    ];
    for (key, value, expected) in cases {
        assert_eq!(error_after(|vector| vector[key] = value), format!("small.json: {expected}"));
    }
}

#[test]
fn a_missing_or_unknown_key_is_named() {
    let missing = error_after(|vector| {
        vector.as_object_mut().unwrap().remove("unit_G");
    });
    assert!(missing.starts_with("small.json: missing field `unit_G`"), "{missing}");
    let complex = error_after(|vector| vector["complex_a"] = json!(true));
    assert_eq!(complex, "small.json: key `a_im`: missing, expected since complex_a is true");
    let unknown = error_after(|vector| vector["unit_g"] = json!(1));
    assert!(unknown.starts_with("small.json: unknown field `unit_g`"), "{unknown}");
}

#[test]
fn a_directory_is_read_in_the_order_of_its_names() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        let mut value = small();
        value["name"] = json!(name);
        fs::write(directory.path().join(format!("{name}.json")), value.to_string()).unwrap();
    }
    fs::write(directory.path().join("README.md"), "not a vector").unwrap();
    let names: Vec<_> = load_dir(directory.path()).unwrap().into_iter().map(|vector| vector.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_directory_that_is_missing_empty_or_broken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let empty = load_dir(directory.path()).unwrap_err().to_string();
    assert_eq!(empty, format!("{path}: no *.json file in it; a directory of test vectors was expected"));
    fs::write(directory.path().join("half.json"), "{\"name\": ").unwrap();
    let broken = load_dir(directory.path()).unwrap_err().to_string();
    assert!(broken.starts_with(&format!("{path}/half.json: EOF while parsing")), "{broken}");
    let missing = load_dir(&directory.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.starts_with(&format!("{path}/nowhere: cannot be read")), "{missing}");
}
