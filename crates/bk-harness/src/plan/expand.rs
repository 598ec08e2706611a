//! From the axes of a benchmark to its cases.

use std::collections::BTreeSet;

use crate::baseline::HOST_TARGET;
use crate::case::{BkCoreSpec, Case, ElementType, Implementation, Strategy, WorkloadSpec};
use crate::condition::{Condition, Field};
use crate::config::{Axes, Axis, Benchmark, BenchmarkKind, Point};
use crate::plan::availability::exists_on;
use crate::plan::id::bk_core_id;
use crate::plan::phase2;

/// Outermost loop first: cases of one size and input stand side by side, so that what is compared with
/// each other runs close in time.
const LOOP_ORDER: [Axis; 12] = [
    Axis::Target,
    Axis::Dtype,
    Axis::Family,
    Axis::Couplings,
    Axis::Z,
    Axis::Seed,
    Axis::Preset,
    Axis::Mode,
    Axis::Batch,
    Axis::N,
    Axis::Implementation,
    Axis::Strategy,
];

/// Most samples of a reference that nobody asked for by name, most seconds for them, and launches before them.
const REFERENCE_SAMPLES: u32 = 15;
const REFERENCE_SECONDS: f64 = 0.5;
const REFERENCE_WARMUP_RUNS: u32 = 2;

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

    match benchmark.kind {
        BenchmarkKind::BkCore => scans(benchmark, points),
        BenchmarkKind::Phase2Throughput | BenchmarkKind::Phase2Memory => models(benchmark, points),
    }
}

/// The cases at `points` of a benchmark of the scan, with the references of their inputs.
fn scans(benchmark: &Benchmark, points: Vec<Point>) -> Vec<Case> {
    let mut ids = BTreeSet::new();
    let mut references = Vec::new();
    let mut cases = Vec::new();
    for point in points {
        let spec = scan(benchmark, &point);
        let target = point.target.clone().unwrap_or_else(|| benchmark.axes.target[0].clone());
        let implementation = spec.implementation;
        let reference = reference(benchmark, &spec);
        let runs: Vec<Case> = match implementation {
            Implementation::Host => Vec::new(),
            // Where it runs is no question of the axes: on the host, once in each type.
            Implementation::ThetaPhi => [ElementType::F32, ElementType::F64]
                .map(|dtype| host_twin(benchmark, &spec, implementation, dtype))
                .into(),
            _ if exists_on(implementation, &target) => {
                let dtype = point.dtype.unwrap_or(benchmark.axes.dtype[0]);
                vec![assemble(benchmark, target, dtype, spec)]
            }
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

/// The cases at `points` of a benchmark of the model, which has no reference to be timed.
fn models(benchmark: &Benchmark, points: Vec<Point>) -> Vec<Case> {
    let mut ids = BTreeSet::new();
    points
        .iter()
        .map(|point| phase2::case(benchmark, point))
        .filter(|case| !excluded(&benchmark.exclude, case) && ids.insert(case.id.clone()))
        .collect()
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

/// What is computed at `point`, which names every axis; one that it lacks takes the axis's first value.
fn scan(benchmark: &Benchmark, point: &Point) -> BkCoreSpec {
    let axes = &benchmark.axes;
    let implementation = point.implementation.unwrap_or(axes.implementation[0]);
    BkCoreSpec {
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
    }
}

/// The serial reference of the input of `spec`.
///
/// Where nobody asked for it by name it is there for speedups, which a few of its samples give: it may take
/// thousands of times as long as what is compared with it.
fn reference(benchmark: &Benchmark, spec: &BkCoreSpec) -> Case {
    let mut reference = host_twin(benchmark, spec, Implementation::Host, ElementType::F64);
    if !benchmark.axes.implementation.contains(&Implementation::Host) {
        let measure = &mut reference.measure;
        measure.samples = measure.samples.min(REFERENCE_SAMPLES);
        measure.max_seconds = measure.max_seconds.min(REFERENCE_SECONDS);
        measure.warmup_runs = measure.warmup_runs.min(REFERENCE_WARMUP_RUNS);
    }
    reference
}

/// `implementation` on the host, in the type `dtype`, of the input of `spec`.
fn host_twin(
    benchmark: &Benchmark,
    spec: &BkCoreSpec,
    implementation: Implementation,
    dtype: ElementType,
) -> Case {
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
