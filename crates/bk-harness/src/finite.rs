//! How an error figure that is no number travels through JSON.
//!
//! JSON has no NaN and no infinity; serde_json writes both as `null` and then cannot read the file back.
//! Errors of a wrong output may well be infinite or undefined, so their fields use this module
//! (`#[serde(with = "crate::finite")]`): what is not finite is written as `null` on purpose, and `null`
//! is read as NaN.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    value.is_finite().then_some(*value).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Figure {
        #[serde(with = "super")]
        error: f64,
    }

    fn round_trip(error: f64) -> (String, f64) {
        let json = serde_json::to_string(&Figure { error }).unwrap();
        let figure: Figure = serde_json::from_str(&json).unwrap();
        (json, figure.error)
    }

    #[test]
    fn a_number_survives() {
        assert_eq!(round_trip(2.5e-300), (r#"{"error":2.5e-300}"#.to_owned(), 2.5e-300));
    }

    #[test]
    fn what_is_no_number_becomes_null_and_reads_as_nan() {
        for error in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (json, read) = round_trip(error);
            assert_eq!(json, r#"{"error":null}"#);
            assert!(read.is_nan());
        }
    }

    #[test]
    fn a_missing_figure_is_an_error() {
        assert!(serde_json::from_str::<Figure>("{}").is_err());
    }
}
