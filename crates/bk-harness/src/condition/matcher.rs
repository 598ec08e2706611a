//! What a field of a condition can be tested for, and how that is written.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What must hold of one field: any of its tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "MatcherValue", into = "MatcherValue")]
pub struct Matcher {
    /// At least one.
    pub tests: Vec<Test>,
}

/// One test of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The name is this one.
    Is(String),
    /// The name is another one.
    IsNot(String),
    /// The number relates to this one as stated.
    Compare(Comparison, f64),
    /// The number is at least `low` and below `high`, or at most `high` if `closed`.
    Within {
        /// Smallest number that matches.
        low: f64,
        /// Upper end.
        high: f64,
        /// Whether `high` itself matches.
        closed: bool,
    },
}

/// How two numbers relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`, also a number alone.
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Longer symbols first, so that `>=` is not read as `>`.
    pub(super) const SYMBOLS: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn symbol(self) -> &'static str {
        Self::SYMBOLS.iter().find(|(_, comparison)| *comparison == self).map_or("==", |(symbol, _)| symbol)
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Test {
    pub(super) fn holds_for(&self, number: f64) -> bool {
        match self {
            Self::Compare(comparison, bound) => comparison.holds(number, *bound),
            Self::Within { low, high, closed } => {
                number >= *low && (number < *high || (*closed && number == *high))
            }
            Self::Is(_) | Self::IsNot(_) => false,
        }
    }

    pub(super) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Self::Is(name) => text == name,
            Self::IsNot(name) => text != name,
            Self::Compare(..) | Self::Within { .. } => false,
        }
    }

    pub(super) fn in_single_precision(&self) -> Self {
        let round = |value: f64| f64::from(value as f32);
        match self {
            Self::Compare(comparison, bound) => Self::Compare(*comparison, round(*bound)),
            Self::Within { low, high, closed } => {
                Self::Within { low: round(*low), high: round(*high), closed: *closed }
            }
            text => text.clone(),
        }
    }
}

impl std::str::FromStr for Test {
    type Err = BadTest;

    /// Reads a string of a condition: a comparison, a range, or else a name.
    fn from_str(text: &str) -> Result<Self, BadTest> {
        let bad = || BadTest(text.to_owned());
        let number = |text: &str| text.trim().parse().ok().filter(|value: &f64| value.is_finite());
        for (symbol, comparison) in Comparison::SYMBOLS {
            let Some(operand) = text.strip_prefix(symbol) else { continue };
            return match (comparison, number(operand)) {
                (_, Some(bound)) => Ok(Self::Compare(comparison, bound)),
                (Comparison::NotEqual, None) if !operand.trim().is_empty() => {
                    Ok(Self::IsNot(operand.trim().to_owned()))
                }
                _ => Err(bad()),
            };
        }
        if let Some((low, high)) = text.split_once("..") {
            let (high, closed) = high.strip_prefix('=').map_or((high, false), |high| (high, true));
            let (low, high) = number(low).zip(number(high)).ok_or_else(bad)?;
            let empty = low > high || (low == high && !closed);
            return if empty { Err(bad()) } else { Ok(Self::Within { low, high, closed }) };
        }
        if text.trim().is_empty() { Err(bad()) } else { Ok(Self::Is(text.to_owned())) }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(name) => f.write_str(name),
            Self::IsNot(name) => write!(f, "!={name}"),
            Self::Compare(comparison, bound) => write!(f, "{}{bound}", comparison.symbol()),
            Self::Within { low, high, closed: false } => write!(f, "{low}..{high}"),
            Self::Within { low, high, closed: true } => write!(f, "{low}..={high}"),
        }
    }
}

/// A string of a condition that is no comparison, no range and no name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no condition; expected a name, a number, a comparison like \">=2048\" or a range like \"256..=4096\""
)]
pub struct BadTest(String);

/// The value of a condition's field as written in a config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a name, a number, a comparison like \">=2048\", a range like \"256..=4096\", or a list of these"
)]
pub enum MatcherValue {
    /// One test.
    One(MatcherScalar),
    /// Any of several.
    AnyOf(Vec<MatcherScalar>),
}

/// An entry of a condition's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MatcherScalar {
    /// An integer to be equal to.
    Integer(i64),
    /// A number to be equal to.
    Number(f64),
    /// A name, a comparison or a range.
    Text(String),
}

impl TryFrom<MatcherScalar> for Test {
    type Error = BadTest;

    fn try_from(value: MatcherScalar) -> Result<Self, BadTest> {
        match value {
            MatcherScalar::Integer(value) => Ok(Self::Compare(Comparison::Equal, value as f64)),
            MatcherScalar::Number(value) if value.is_finite() => Ok(Self::Compare(Comparison::Equal, value)),
            MatcherScalar::Number(value) => Err(BadTest(value.to_string())),
            MatcherScalar::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<MatcherValue> for Matcher {
    type Error = BadTest;

    fn try_from(value: MatcherValue) -> Result<Self, BadTest> {
        let scalars = match value {
            MatcherValue::One(scalar) => vec![scalar],
            MatcherValue::AnyOf(scalars) => scalars,
        };
        if scalars.is_empty() {
            return Err(BadTest("[]".to_owned()));
        }
        let tests = scalars.into_iter().map(Test::try_from).collect::<Result<_, _>>()?;
        Ok(Self { tests })
    }
}

impl From<Test> for MatcherScalar {
    fn from(test: Test) -> Self {
        match test {
            Test::Compare(Comparison::Equal, value)
                if value.fract() == 0.0 && value.abs() < 2f64.powi(53) =>
            {
                Self::Integer(value as i64)
            }
            Test::Compare(Comparison::Equal, value) => Self::Number(value),
            test => Self::Text(test.to_string()),
        }
    }
}

impl From<Matcher> for MatcherValue {
    fn from(matcher: Matcher) -> Self {
        let mut scalars: Vec<_> = matcher.tests.into_iter().map(MatcherScalar::from).collect();
        match (scalars.len(), scalars.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => {
                scalars.extend(last);
                Self::AnyOf(scalars)
            }
        }
    }
}

impl JsonSchema for Matcher {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        MatcherValue::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        MatcherValue::json_schema(generator)
    }
}
