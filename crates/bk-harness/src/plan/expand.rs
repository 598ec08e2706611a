//! From the axes of a benchmark to its cases.

use std::collections::BTreeSet;

use crate::baseline::HOST_TARGET;
use crate::case::{BkCoreSpec, Case, ElementType, Implementation, Strategy, WorkloadSpec};
use crate::condition::{Condition, Field};
use crate::config::{Axes, Axis, Benchmark, Point};
use crate::plan::availability::exists_on;
use crate::plan::id::bk_core_id;

/// Outermost loop first: cases of one size and input stand side by side, so that what is compared with
/// each other runs close in time.
const LOOP_ORDER: [Axis; 10] = [
    Axis::Target,
    Axis::Dtype,
    Axis::Family,
    Axis::Couplings,
    Axis::Z,
    Axis::Seed,
    Axis::Batch,
    Axis::N,
    Axis::Implementation,
    Axis::Strategy,
];

/// The cases of `benchmark`: product with its zips, then includes, less excludes, and the `host`
/// reference once for each distinct input of what remains.
pub(crate) fn expand(benchmark: &Benchmark) -> Vec<Case> {
    let axes = &benchmark.axes;
    let mut points = product(&Point::default(), &groups(&benchmark.zip), axes);
    for include in &benchmark.include {
        let zip: Vec<_> = benchmark
            .zip
            .iter()
            .filter(|group| !group.iter().any(|axis| include.names(*axis)))
            .cloned()
            .collect();
        points.extend(product(include, &groups(&zip), axes));
    }

    let mut ids = BTreeSet::new();
    let mut references = Vec::new();
    let mut cases = Vec::new();
    for point in points {
        let case = case(benchmark, axes, &point);
        let implementation = crate::baseline::implementation(&case);
        let reference = host_twin(benchmark, &case, Implementation::Host, ElementType::F64);
        let runs: Vec<Case> = match implementation {
            Implementation::Host => Vec::new(),
            // Where it runs is no question of the axes: on the host, once in each type.
            Implementation::ThetaPhi => [ElementType::F32, ElementType::F64]
                .map(|dtype| host_twin(benchmark, &case, implementation, dtype))
                .into(),
            _ if exists_on(implementation, &case.target) => vec![case],
            _ => Vec::new(),
        };
        let runs: Vec<Case> = runs.into_iter().filter(|case| !excluded(&benchmark.exclude, case)).collect();
        if runs.is_empty() && implementation != Implementation::Host {
            continue;
        }
        if !host_excluded(&benchmark.exclude, &reference) && ids.insert(reference.id.clone()) {
            references.push(reference);
        }
        for case in runs {
            if ids.insert(case.id.clone()) {
                cases.push(case);
            }
        }
    }
    references.append(&mut cases);
    references
}

/// Number of points before availability, duplicates and excludes; saturates.
pub(crate) fn point_count(benchmark: &Benchmark) -> usize {
    let count = |zip: &[Vec<Axis>], fixed: &Point| {
        groups(zip)
            .iter()
            .filter(|group| !fixed.names(group[0]))
            .map(|group| benchmark.axes.len(group[0]))
            .fold(1usize, usize::saturating_mul)
    };
    benchmark.include.iter().fold(count(&benchmark.zip, &Point::default()), |sum, include| {
        let zip: Vec<_> = benchmark.zip.iter().filter(|group| !include.names(group[0])).cloned().collect();
        sum.saturating_add(count(&zip, include))
    })
}

/// Axes that advance together, in loop order; an axis outside every zip is a group of its own.
fn groups(zip: &[Vec<Axis>]) -> Vec<Vec<Axis>> {
    let mut groups: Vec<Vec<Axis>> = Vec::new();
    for axis in LOOP_ORDER {
        match zip.iter().find(|group| group.contains(&axis)) {
            None => groups.push(vec![axis]),
            Some(group) if !groups.contains(group) => groups.push(group.clone()),
            Some(_) => {}
        }
    }
    groups
}

/// Every combination of the groups' positions, with the axes that `fixed` names held at its values.
fn product(fixed: &Point, groups: &[Vec<Axis>], axes: &Axes) -> Vec<Point> {
    let mut points = vec![fixed.clone()];
    for group in groups.iter().filter(|group| !fixed.names(group[0])) {
        points = points
            .into_iter()
            .flat_map(|point| {
                (0..axes.len(group[0])).map(move |position| {
                    let mut point = point.clone();
                    for axis in group {
                        point.set(*axis, axes, position);
                    }
                    point
                })
            })
            .collect();
    }
    points
}

/// The case at `point`, which names every axis; one that it lacks takes the axis's first value.
fn case(benchmark: &Benchmark, axes: &Axes, point: &Point) -> Case {
    let implementation = point.implementation.unwrap_or(axes.implementation[0]);
    let spec = BkCoreSpec {
        batch: point.batch.unwrap_or(axes.batch[0]),
        n: point.n.unwrap_or(axes.n[0]),
        implementation,
        // Only the kernel has algorithms: elsewhere the axis would repeat the same case.
        strategy: match implementation {
            Implementation::Kernel => point.strategy.unwrap_or(axes.strategy[0]),
            _ => Strategy::Auto,
        },
        family: point.family.unwrap_or(axes.family[0]),
        couplings: point.couplings.unwrap_or(axes.couplings[0]),
        z: point.z,
        seed: point.seed.unwrap_or(axes.seed[0]),
        max_magnitude: benchmark.max_magnitude,
        non_finite: benchmark.non_finite,
        pass: benchmark.pass,
    };
    let target = point.target.clone().unwrap_or_else(|| axes.target[0].clone());
    assemble(benchmark, target, point.dtype.unwrap_or(axes.dtype[0]), spec)
}

/// `implementation` on the host, in the type `dtype`, of the input of `case`.
fn host_twin(benchmark: &Benchmark, case: &Case, implementation: Implementation, dtype: ElementType) -> Case {
    let WorkloadSpec::BkCore(spec) = &case.workload;
    let spec = BkCoreSpec { implementation, strategy: Strategy::Auto, ..spec.clone() };
    assemble(benchmark, HOST_TARGET.to_owned(), dtype, spec)
}

fn assemble(benchmark: &Benchmark, target: String, dtype: ElementType, spec: BkCoreSpec) -> Case {
    Case {
        id: bk_core_id(&target, dtype, &spec),
        benchmark: benchmark.name.clone(),
        target,
        dtype,
        workload: WorkloadSpec::BkCore(spec),
        measure: benchmark.measure.clone(),
    }
}

fn excluded(excludes: &[Condition], case: &Case) -> bool {
    excludes.iter().any(|exclude| exclude.matches(case))
}

/// The reference stays as long as any case of its input does, unless an exclude is about it by name.
fn host_excluded(excludes: &[Condition], reference: &Case) -> bool {
    excludes.iter().any(|exclude| {
        (exclude.names(Field::Target) || exclude.names(Field::Implementation)) && exclude.matches(reference)
    })
}
