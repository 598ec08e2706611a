//! Names that stand for one of a fixed set, and what the user may have meant by an unknown one.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer};

/// Similarity (Jaro-Winkler, 0 to 1) from which a known name is offered instead of an unknown one.
const SIMILAR: f64 = 0.75;

/// The known name that `unknown` resembles most, if any does.
pub(crate) fn did_you_mean<'a, I>(unknown: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let unknown = unknown.to_lowercase();
    let similarity = |name: &str| match strsim::osa_distance(&unknown, name) {
        // One slip in a short name, such as two letters in the wrong order, weighs too much otherwise.
        0 | 1 if unknown.len() > 2 => 1.0,
        _ => strsim::jaro_winkler(&unknown, name),
    };
    known
        .into_iter()
        .map(|name| (similarity(&name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The names of a unit enum as serde writes them, read off its schema so that there is no second list.
pub(crate) fn names<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten().flat_map(|variant| {
        let one = std::iter::once(&variant["const"]);
        one.chain(variant["enum"].as_array().into_iter().flatten())
    });
    listed.chain(described).filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The variant of a unit enum called `name`.
pub(crate) fn parse<T: DeserializeOwned>(name: &str) -> Option<T> {
    let name: StrDeserializer<'_, NameError> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// A string that should name a `T`. It is resolved after parsing, so that one unknown name does not
/// hide other mistakes of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice<T> {
    pub(super) text: String,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Choice<T> {
    pub(super) fn resolve(&self) -> Option<T> {
        parse(&self.text)
    }
}

impl<'de, T> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { text: String::deserialize(deserializer)?, kind: PhantomData })
    }
}

impl<T: JsonSchema> JsonSchema for Choice<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Couplings, Family, Implementation, Strategy};
    use crate::kpi::Metric;

    #[test]
    fn names_and_the_enum_agree() {
        assert_eq!(names::<Implementation>(), ["kernel", "native", "tensor", "host", "peer", "theta-phi"]);
        assert_eq!(names::<Couplings>(), ["per-row", "shared"]);
        for name in names::<Strategy>() {
            assert_eq!(parse::<Strategy>(&name).map(Strategy::name), Some(name.as_str()));
        }
        for name in names::<Family>() {
            assert_eq!(parse::<Family>(&name).map(Family::name), Some(name.as_str()));
        }
        for name in names::<Metric>() {
            assert_eq!(parse::<Metric>(&name).map(|metric| metric.info().id), Some(name.as_str()));
        }
    }

    #[test]
    fn a_typo_finds_its_name_and_nonsense_finds_none() {
        let targets = ["cuda", "wgpu", "ndarray"];
        assert_eq!(did_you_mean("wgup", targets), Some("wgpu"));
        assert_eq!(did_you_mean("CUDA", targets), Some("cuda"));
        assert_eq!(did_you_mean("mes", ["mse", "max_abs_error"]), Some("mse"));
        assert_eq!(did_you_mean("quantum", targets), None);
    }
}
