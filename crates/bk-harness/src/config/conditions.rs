//! From the conditions of a config to validated [`Condition`]s.

use crate::baseline::HOST_TARGET;
use crate::case::{Couplings, ElementType, Family, Implementation, Mode, Preset, Strategy};
use crate::condition::{Condition, Field, Matcher, Test};
use crate::config::choice::{self, parse};
use crate::config::engines::Names;
use crate::config::source::Problems;
use crate::config::wire::ConditionTable;
use crate::config::{BenchmarkKind, values};
use crate::device::WGSL_TARGET;

/// The condition that `table` states; what is wrong in it is noted and left out.
pub(super) fn condition(table: &ConditionTable, names: &Names<'_>, problems: &mut Problems) -> Condition {
    let mut condition = Condition::default();
    for (key, value) in &table.fields {
        // An unknown field has been noted with the unknown keys.
        let Some(field) = parse::<Field>(key.get()) else { continue };
        let matcher = match Matcher::try_from(value.get().clone()) {
            Ok(matcher) => matcher,
            Err(error) => {
                problems.add(value.span(), error.to_string());
                continue;
            }
        };
        for test in &matcher.tests {
            if let Err((message, help)) = check(field, test, names) {
                problems.add_with_help(value.span(), message, help);
            }
        }
        condition.fields.insert(field, matcher);
    }
    condition
}

/// Whether a value of `field` can pass `test` at all; else what is wrong and what to do.
fn check(field: Field, test: &Test, names: &Names<'_>) -> Result<(), (String, String)> {
    match test {
        Test::Compare(..) | Test::Within { .. } if field.is_numeric() => Ok(()),
        Test::Compare(..) | Test::Within { .. } => Err((
            format!("`{}` is a name; expected a name, not `{test}`", field.name()),
            "write the name itself".into(),
        )),
        Test::Is(name) | Test::IsNot(name) if field.is_numeric() => Err((
            format!("`{}` is a number; expected a number, not `{name}`", field.name()),
            "write a number, a comparison like \">=2048\" or a range like \"256..=4096\"".into(),
        )),
        Test::Is(name) | Test::IsNot(name) => {
            let known = known_names(field, names);
            if known.contains(name) {
                return Ok(());
            }
            let help = values::suggestion(name, known.iter().map(String::as_str));
            Err((format!("there is no {} `{name}`", field.name()), help))
        }
    }
}

fn known_names(field: Field, names: &Names<'_>) -> Vec<String> {
    match field {
        Field::Benchmark => names.benchmarks.iter().map(|name| (*name).to_owned()).collect(),
        Field::Kind => choice::names::<BenchmarkKind>(),
        Field::Target => {
            names.targets().into_iter().chain([HOST_TARGET, WGSL_TARGET]).map(str::to_owned).collect()
        }
        Field::Implementation => choice::names::<Implementation>(),
        Field::Dtype => choice::names::<ElementType>(),
        Field::Strategy => choice::names::<Strategy>(),
        Field::Family => choice::names::<Family>(),
        Field::Couplings => choice::names::<Couplings>(),
        Field::Preset => choice::names::<Preset>(),
        Field::Mode => choice::names::<Mode>(),
        Field::Batch | Field::N | Field::Seed | Field::ZRe | Field::ZIm | Field::Vocabulary => Vec::new(),
    }
}
