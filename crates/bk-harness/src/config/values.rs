//! Checks of single values. Each notes what is wrong and returns what is right.

use serde::de::DeserializeOwned;

use schemars::JsonSchema;

use crate::baseline::HOST_TARGET;
use crate::config::choice::{Choice, did_you_mean, names};
use crate::config::engines::Names;
use crate::config::source::Problems;
use crate::config::spanned::{At, List};

/// JSON and the `f64` of conditions hold every integer up to here.
const LARGEST_EXACT_INTEGER: i64 = (1 << 53) - 1;

/// The entries of an axis that pass `check`; an empty axis is a mistake.
fn entries<T, U>(
    list: &List<T>,
    key: &str,
    problems: &mut Problems,
    mut check: impl FnMut(&At<T>, &mut Problems) -> Option<U>,
) -> Vec<U> {
    if list.items.is_empty() {
        problems.add_with_help(
            list.span.clone(),
            format!("the axis `{key}` is empty; expected at least one value"),
            "leave the key out for its default",
        );
    }
    list.items.iter().filter_map(|item| check(item, problems)).collect()
}

/// Sizes: integers from 1.
pub(super) fn sizes(list: &List<i64>, key: &str, problems: &mut Problems) -> Vec<usize> {
    entries(list, key, problems, |item, problems| size(item, key, problems))
}

/// A size: an integer from 1.
pub(super) fn size(value: &At<i64>, key: &str, problems: &mut Problems) -> Option<usize> {
    let size = usize::try_from(*value.get()).ok().filter(|size| *size >= 1);
    if size.is_none() {
        problems.add(value.span(), format!("`{key}` is {}; expected an integer of at least 1", value.get()));
    }
    size
}

/// A number of runs: an integer from `least` that fits 32 bits.
pub(super) fn runs(value: &At<i64>, key: &str, least: u32, problems: &mut Problems) -> Option<u32> {
    let runs = u32::try_from(*value.get()).ok().filter(|runs| *runs >= least);
    if runs.is_none() {
        problems.add(
            value.span(),
            format!("`{key}` is {}; expected an integer from {least} to {}", value.get(), u32::MAX),
        );
    }
    runs
}

/// Seeds.
pub(super) fn seeds(list: &List<i64>, problems: &mut Problems) -> Vec<u64> {
    entries(list, "seed", problems, seed)
}

/// A seed: an integer from 0 that JSON holds exactly.
pub(super) fn seed(value: &At<i64>, problems: &mut Problems) -> Option<u64> {
    let seed = u64::try_from(*value.get()).ok().filter(|_| *value.get() <= LARGEST_EXACT_INTEGER);
    if seed.is_none() {
        problems.add(
            value.span(),
            format!("`seed` is {}; expected an integer from 0 to {LARGEST_EXACT_INTEGER}", value.get()),
        );
    }
    seed
}

/// A finite number for which `holds`, described by `expected`.
pub(super) fn number(
    value: &At<f64>,
    key: &str,
    expected: &str,
    holds: impl Fn(f64) -> bool,
    problems: &mut Problems,
) -> Option<f64> {
    let number = Some(*value.get()).filter(|number| number.is_finite() && holds(*number));
    if number.is_none() {
        problems.add(value.span(), format!("`{key}` is {:?}; expected {expected}", value.get()));
    }
    number
}

/// Targets.
pub(super) fn targets(list: &List<String>, known: &Names<'_>, problems: &mut Problems) -> Vec<String> {
    entries(list, "targets", problems, |name, problems| target(name, known, problems))
}

/// The name of a real target.
pub(super) fn target(name: &At<String>, known: &Names<'_>, problems: &mut Problems) -> Option<String> {
    let targets = known.targets();
    if targets.contains(&name.get().as_str()) {
        return Some(name.get().clone());
    }
    let message = format!("unknown target `{}`", name.get());
    let help = if name.get() == HOST_TARGET {
        "the serial reference on the host runs by itself; leave it out".to_owned()
    } else {
        suggestion(name.get(), targets)
    };
    problems.add_with_help(name.span(), message, help);
    None
}

/// The entries of an axis of names.
pub(super) fn choices<T: DeserializeOwned + JsonSchema>(
    list: &List<Choice<T>>,
    key: &str,
    what: &str,
    problems: &mut Problems,
) -> Vec<T> {
    entries(list, key, problems, |item, problems| choice(item, what, problems))
}

/// One of a fixed set of names; `what` is what they name, in the singular.
pub(super) fn choice<T: DeserializeOwned + JsonSchema>(
    value: &At<Choice<T>>,
    what: &str,
    problems: &mut Problems,
) -> Option<T> {
    let resolved = value.get().resolve();
    if resolved.is_none() {
        let known = names::<T>();
        let help = suggestion(&value.get().text, known.iter().map(String::as_str));
        problems.add_with_help(value.span(), format!("unknown {what} `{}`", value.get().text), help);
    }
    resolved
}

/// As [`choice`], of a key that may be absent: then, and if it is wrong, the default.
pub(super) fn optional_choice<T>(value: Option<&At<Choice<T>>>, what: &str, problems: &mut Problems) -> T
where
    T: DeserializeOwned + JsonSchema + Default,
{
    value.and_then(|value| choice(value, what, problems)).unwrap_or_default()
}

/// The known name that was probably meant, or all of them.
pub(super) fn suggestion<'a, I>(unknown: &str, known: I) -> String
where
    I: IntoIterator<Item = &'a str>,
    I::IntoIter: Clone,
{
    let known = known.into_iter();
    match did_you_mean(unknown, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("expected one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// `[re, im]` in single precision.
pub(super) fn spectral_parameter(
    pair: [f64; 2],
    span: std::ops::Range<usize>,
    problems: &mut Problems,
) -> Option<[f32; 2]> {
    let single = pair.map(|part| part as f32);
    if single.iter().all(|part| part.is_finite()) {
        return Some(single);
    }
    problems
        .add(span, format!("`z` is [{}, {}]; expected finite numbers of single precision", pair[0], pair[1]));
    None
}
