//! Names of cases: stable across runs and machines, unique within a benchmark.

use std::fmt::Write as _;

use crate::case::{BkCoreSpec, Couplings, ElementType, Family, NonFinite, Phase2Spec, Strategy};
use crate::config::DEFAULT_SEED;

/// `KIND/TARGET/DTYPE/bB-nN/PRESET-MODE`, then what differs from the defaults, in this order: `v` with the
/// size of the vocabulary, `seed`. A type that another one stands for is not part of it.
pub(super) fn phase2_id(kind: &str, target: &str, dtype: ElementType, spec: &Phase2Spec) -> String {
    let (preset, mode) = (spec.preset.name(), spec.mode.name());
    let mut id = format!("{kind}/{target}/{}/b{}-n{}/{preset}-{mode}", dtype.name(), spec.batch, spec.n);
    if let Some(vocabulary) = spec.vocabulary {
        append(&mut id, format_args!("/v{vocabulary}"));
    }
    if spec.seed != DEFAULT_SEED {
        append(&mut id, format_args!("/seed{}", spec.seed));
    }
    id
}

/// `bk-core/TARGET/DTYPE/bB-nN/IMPLEMENTATION[-STRATEGY]`, then what differs from the defaults, in this
/// order: family, `shared`, `z`, `seed`, `clip`, `zero-non-finite`, pass.
pub(super) fn bk_core_id(target: &str, dtype: ElementType, spec: &BkCoreSpec) -> String {
    let mut id = format!(
        "bk-core/{target}/{}/b{}-n{}/{}",
        dtype.name(),
        spec.batch,
        spec.n,
        spec.implementation.name()
    );
    if spec.strategy != Strategy::Auto {
        append(&mut id, format_args!("-{}", spec.strategy.name()));
    }
    append_input(&mut id, spec);
    id
}

/// What is asked, whoever answers: `bB-nN`, then what differs from the defaults as in the name of a case.
pub(crate) fn problem_name(spec: &BkCoreSpec) -> String {
    let mut name = format!("b{}-n{}", spec.batch, spec.n);
    append_input(&mut name, spec);
    name
}

fn append_input(id: &mut String, spec: &BkCoreSpec) {
    if spec.family != Family::Normal {
        append(id, format_args!("/{}", spec.family.name()));
    }
    if spec.couplings == Couplings::Shared {
        append(id, format_args!("/shared"));
    }
    if let Some([re, im]) = spec.z {
        let sign = if im.is_sign_negative() { '-' } else { '+' };
        append(id, format_args!("/z{}{sign}{}i", shortest(re), shortest(im.abs())));
    }
    if spec.seed != DEFAULT_SEED {
        append(id, format_args!("/seed{}", spec.seed));
    }
    if let Some(limit) = spec.max_magnitude {
        append(id, format_args!("/clip{}", shortest(limit)));
    }
    if spec.non_finite == NonFinite::Zero {
        append(id, format_args!("/zero-non-finite"));
    }
    if !spec.pass.is_forward() {
        append(id, format_args!("/{}", spec.pass.name()));
    }
}

fn append(id: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = id.write_fmt(part);
}

/// The shortest decimal that reads back as `value`, so distinct values have distinct names: `0.1`, `1e-6`.
fn shortest(value: f32) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
