//! What the kinds of benchmark differ in: keys that one has and another has not, and the clock.

use std::ops::Range;

use crate::case::{ClockChoice, MeasureSpec};
use crate::config::BenchmarkKind;
use crate::config::source::Problems;
use crate::config::spanned::{At, List};
use crate::config::wire::Keys;

/// Notes every key of `keys` that means nothing to `kind`.
pub(super) fn check_keys(kind: BenchmarkKind, keys: &Keys, problems: &mut Problems) {
    let (foreign, owner) = match kind {
        BenchmarkKind::BkCore => (of_models(keys), "the kinds phase2-throughput and phase2-memory"),
        BenchmarkKind::Phase2Throughput | BenchmarkKind::Phase2Memory => {
            (of_the_scan(keys), "the kind bk-core")
        }
    };
    for (key, span) in foreign {
        problems.add_with_help(
            span,
            format!("`{key}` is a key of {owner}"),
            "leave it out, move it from [defaults] to the benchmarks that it is for, or give this benchmark \
             another `kind`",
        );
    }
}

/// `keys` without those that mean nothing to `kind`.
pub(super) fn without_foreign(kind: BenchmarkKind, keys: Keys) -> Keys {
    match kind {
        BenchmarkKind::BkCore => {
            Keys { presets: None, modes: None, vocabulary: None, cpu_dtype: None, force: None, ..keys }
        }
        BenchmarkKind::Phase2Throughput | BenchmarkKind::Phase2Memory => Keys {
            implementations: None,
            strategies: None,
            families: None,
            couplings: None,
            z: None,
            max_magnitude: None,
            non_finite: None,
            ..keys
        },
    }
}

fn of_the_scan(keys: &Keys) -> Vec<(&'static str, Range<usize>)> {
    [
        ("implementations", list(keys.implementations.as_ref())),
        ("strategies", list(keys.strategies.as_ref())),
        ("families", list(keys.families.as_ref())),
        ("couplings", list(keys.couplings.as_ref())),
        ("z", value(keys.z.as_ref())),
        ("max_magnitude", value(keys.max_magnitude.as_ref())),
        ("non_finite", value(keys.non_finite.as_ref())),
    ]
    .into_iter()
    .filter_map(|(key, span)| Some((key, span?)))
    .collect()
}

fn of_models(keys: &Keys) -> Vec<(&'static str, Range<usize>)> {
    [
        ("presets", list(keys.presets.as_ref())),
        ("modes", list(keys.modes.as_ref())),
        ("vocabulary", value(keys.vocabulary.as_ref())),
        ("cpu_dtype", value(keys.cpu_dtype.as_ref())),
        ("force", value(keys.force.as_ref())),
    ]
    .into_iter()
    .filter_map(|(key, span)| Some((key, span?)))
    .collect()
}

fn list<T>(list: Option<&List<T>>) -> Option<Range<usize>> {
    list.map(|list| list.span.clone())
}

fn value<T>(value: Option<&At<T>>) -> Option<Range<usize>> {
    value.map(At::span)
}

/// A model launches hundreds of kernels, and the time of its user contains the time to issue them: where
/// nothing else is asked for, its clock is `wall` on every device.
pub(super) fn clocked(kind: BenchmarkKind, measure: MeasureSpec) -> MeasureSpec {
    match (kind, measure.clock) {
        (BenchmarkKind::Phase2Throughput | BenchmarkKind::Phase2Memory, ClockChoice::Auto) => {
            MeasureSpec { clock: ClockChoice::Wall, ..measure }
        }
        _ => measure,
    }
}
