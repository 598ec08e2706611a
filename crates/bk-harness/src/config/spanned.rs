//! Values that remember where they were written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::config::choice::Choice;

/// A value and the bytes that it was written in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct At<T>(Spanned<T>);

impl<T> At<T> {
    pub(super) fn new(span: Range<usize>, value: T) -> Self {
        Self(Spanned::new(span, value))
    }

    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The values of an axis: `512` or `[512, 1024]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T> {
    pub(super) items: Vec<At<T>>,
    pub(super) span: Range<usize>,
}

/// What a list's entry is called in an error.
pub(super) trait Described {
    const ONE: &'static str;
    const MANY: &'static str;
}

impl Described for i64 {
    const ONE: &'static str = "an integer";
    const MANY: &'static str = "integers";
}

impl Described for String {
    const ONE: &'static str = "a name";
    const MANY: &'static str = "names";
}

impl<T> Described for Choice<T> {
    const ONE: &'static str = "a name";
    const MANY: &'static str = "names";
}

impl<'de, T: Deserialize<'de> + Described> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Spanned::<Entries<T>>::deserialize(deserializer)?;
        let span = entries.span();
        let items = match entries.into_inner() {
            Entries::One(value) => vec![At::new(span.clone(), value)],
            Entries::Many(items) => items,
        };
        Ok(Self { items, span })
    }
}

enum Entries<T> {
    One(T),
    Many(Vec<At<T>>),
}

impl<'de, T: Deserialize<'de> + Described> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor(PhantomData))
    }
}

/// Told apart by hand and not by an untagged enum, which would lose the places of the entries.
struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Described> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or a list of {}", T::ONE, T::MANY)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer())
            .map_err(|_: E| E::invalid_type(serde::de::Unexpected::Signed(value), &self))
            .map(Entries::One)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer())
            .map_err(|_: E| E::invalid_type(serde::de::Unexpected::Str(value), &self))
            .map(Entries::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Entries::Many(items))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
