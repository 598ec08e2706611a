//! Running sweeps: which targets are there, which cases are left, and a record of what became of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use bk_harness::case::Case;
use bk_harness::device::DeviceInfo;
use bk_harness::environment::{BuildInfo, Environment};
use bk_harness::kpi;
use bk_harness::models;
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::plan::HOST_TARGET;
use bk_harness::protocol::Phase;
use bk_harness::record::{ConfigRecord, Run, SCHEMA_VERSION, TargetRecord};
use bk_harness::store::{Fingerprint, Journal, StoreError};
use jiff::Timestamp;

use crate::error::Error;
use crate::pool::{Greeting, Interrupted, Observer, Pool, Probe, WorkerSettings};
use crate::progress::Progress;
use crate::sweep::Sweep;

/// What is behind the targets of some sweeps.
#[derive(Debug)]
pub(crate) struct Targets(BTreeMap<String, Probe>);

impl Targets {
    /// Opens every target that `sweeps` name, each in a process of its own.
    ///
    /// # Errors
    /// When the user asked to stop.
    pub(crate) fn probe(pool: &Pool, sweeps: &[Sweep]) -> Result<Self, Interrupted> {
        let mut probes = BTreeMap::new();
        for planned in sweeps.iter().flat_map(|sweep| &sweep.plan.cases) {
            let case = &planned.case;
            if !probes.contains_key(&case.target) {
                probes.insert(case.target.clone(), pool.probe(&case.target, case.dtype)?);
            }
        }
        Ok(Self(probes))
    }

    /// Why `case` cannot run: its target is not there, or the device is too small for it.
    fn refusal(&self, case: &Case, environment: &Environment) -> Option<Outcome> {
        match self.0.get(&case.target)? {
            Probe::Available(greeting) => {
                let reason = models::refusal(case, &greeting.device, environment.memory_bytes)?;
                Some(Outcome::Skipped { reason })
            }
            Probe::Unavailable(reason) => Some(Outcome::Skipped { reason: reason.clone() }),
            Probe::Broken(error) => Some(Outcome::Failed { error: error.clone() }),
        }
    }

    /// The device behind `target`, where it is there.
    pub(crate) fn device(&self, target: &str) -> Option<&DeviceInfo> {
        match self.0.get(target)? {
            Probe::Available(greeting) => Some(&greeting.device),
            Probe::Unavailable(_) | Probe::Broken(_) => None,
        }
    }

    fn records(&self, sweep: &Sweep) -> BTreeMap<String, TargetRecord> {
        let named = sweep.plan.targets();
        let named = self.0.iter().filter(|(target, _)| named.contains(target.as_str()));
        named.map(|(target, probe)| (target.clone(), record(probe))).collect()
    }
}

fn record(probe: &Probe) -> TargetRecord {
    match probe {
        Probe::Available(greeting) => TargetRecord::Available {
            engine: greeting.engine.clone(),
            device: Box::new(greeting.device.clone()),
            versions: greeting.versions.clone(),
        },
        Probe::Unavailable(reason) | Probe::Broken(reason) => {
            TargetRecord::Unavailable { reason: reason.clone() }
        }
    }
}

/// A sweep with its journal open: from here on nothing that is measured gets lost.
#[derive(Debug)]
pub(crate) struct Prepared {
    sweep: Sweep,
    targets: BTreeMap<String, TargetRecord>,
    journal: Journal,
    /// Cases that an earlier run has ended.
    done: Vec<CaseResult>,
}

impl Prepared {
    /// Opens the journal of `sweep` in the folder `out`, anew or that of an earlier run.
    ///
    /// # Errors
    /// When it cannot be written, or, with `resume`, is not there, damaged, or of another run.
    pub(crate) fn new(
        sweep: Sweep,
        targets: &Targets,
        build: &BuildInfo,
        out: &Path,
        resume: bool,
    ) -> Result<Self, Error> {
        let targets = targets.records(&sweep);
        let device = |record: &TargetRecord| match record.device() {
            Some(device) => device.name.clone(),
            None => "not available".to_owned(),
        };
        let devices = targets.iter().map(|(target, record)| (target.clone(), device(record))).collect();
        let fingerprint = Fingerprint::new(sweep.config.clone(), build.clone(), devices);
        let name = &sweep.config.name;
        let (journal, done) = if resume {
            Journal::resume(out, name, &fingerprint).map_err(Error::Prepare)?
        } else {
            (Journal::create(out, name, &fingerprint).map_err(Error::Prepare)?, Vec::new())
        };
        Ok(Self { sweep, targets, journal, done })
    }

    /// Runs what is left of the sweep and judges its KPIs.
    pub(crate) fn execute(self, pool: &Pool, targets: &Targets, environment: &Environment) -> Executed {
        let (started, clock) = (Timestamp::now(), Instant::now());
        let planned = &self.sweep.plan.cases;
        let mut recorder = Recorder::new(self.journal, planned, self.done);
        let left: Vec<Case> = planned
            .iter()
            .map(|planned| planned.case.clone())
            .filter(|case| !recorder.results.contains_key(&key(case)))
            .collect();
        let (refused, runnable): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|case| targets.refusal(case, environment).is_some());
        for case in refused {
            if let Some(outcome) = targets.refusal(&case, environment) {
                recorder.finished(CaseResult { case, outcome });
            }
        }
        // Every speedup needs the reference, but where a run is cut off, what it was for should be there.
        let (references, asked_for): (Vec<_>, Vec<_>) =
            runnable.into_iter().partition(|case| case.target == HOST_TARGET);
        let runnable = [asked_for, references].concat();
        let settings = WorkerSettings::new(&self.sweep.config.runtime);
        let interrupted = pool.run(&runnable, &settings, &mut recorder) == Err(Interrupted);

        let (results, journal) = recorder.end(planned.iter().map(|planned| &planned.case));
        let mut run = Run {
            schema_version: SCHEMA_VERSION,
            name: self.sweep.config.name.clone(),
            started,
            elapsed_seconds: clock.elapsed().as_secs_f64(),
            environment: environment.clone(),
            config: ConfigRecord { effective: self.sweep.config, source: self.sweep.source },
            targets: self.targets,
            results,
            kpis: Vec::new(),
            interrupted,
        }
        .named_by_compiler();
        run.kpis = kpi::evaluate(&run.config.effective.kpis, &run.results, &run.devices());
        Executed { run, journal }
    }
}

/// A sweep that has ended.
#[derive(Debug)]
pub(crate) struct Executed {
    /// What it found out.
    pub(crate) run: Run,
    /// Its journal; absent if it could not be written to the end.
    journal: Option<Journal>,
}

impl Executed {
    /// Removes the journal, now that the results are saved, unless a part of the run is worth resuming.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        let failed = |result: &CaseResult| matches!(result.outcome, Outcome::Failed { .. });
        let complete = !self.run.interrupted && !self.run.results.iter().any(failed);
        match self.journal.take() {
            Some(journal) if complete => journal.finish(),
            _ => Ok(()),
        }
    }
}

type Key = (String, String);

fn key(case: &Case) -> Key {
    (case.benchmark.clone(), case.id.clone())
}

/// Writes down every case as it ends.
struct Recorder {
    journal: Option<Journal>,
    progress: Progress,
    costs: BTreeMap<Key, f64>,
    results: BTreeMap<Key, CaseResult>,
}

impl Recorder {
    fn new(journal: Journal, planned: &[bk_harness::plan::PlannedCase], done: Vec<CaseResult>) -> Self {
        let costs: BTreeMap<Key, f64> =
            planned.iter().map(|planned| (key(&planned.case), planned.predicted_seconds)).collect();
        let results: BTreeMap<Key, CaseResult> = done
            .into_iter()
            .map(|result| (key(&result.case), result))
            .filter(|(key, _)| costs.contains_key(key))
            .collect();
        let progress =
            Progress::new(planned.iter().filter(|planned| !results.contains_key(&key(&planned.case))));
        if !results.is_empty() {
            progress.line(&format!("{} of {} cases were done before", results.len(), costs.len()));
        }
        Self { journal: Some(journal), progress, costs, results }
    }

    /// The results in the order of `planned`; a case that did not end says so.
    fn end<'a>(mut self, planned: impl Iterator<Item = &'a Case>) -> (Vec<CaseResult>, Option<Journal>) {
        self.progress.end();
        let reason = "the run was interrupted before this case ended; --resume goes on from here";
        let results = planned
            .map(|case| {
                let unfinished = || CaseResult {
                    case: case.clone(),
                    outcome: Outcome::Skipped { reason: reason.to_owned() },
                };
                self.results.remove(&key(case)).unwrap_or_else(unfinished)
            })
            .collect();
        (results, self.journal)
    }
}

impl Observer for Recorder {
    fn opened(&mut self, target: &str, greeting: &Greeting) {
        self.progress.line(&format!("{target}: {}", greeting.device.name));
    }

    fn rehearsed(&mut self, case: &Case) {
        self.progress.rehearsed(case);
    }

    fn started(&mut self, case: &Case) {
        self.progress.started(case);
    }

    fn phase(&mut self, case: &Case, phase: Phase) {
        self.progress.phase(case, phase);
    }

    /// A journal that fails is given up; the run goes on, since its results may still find a place.
    fn finished(&mut self, result: CaseResult) {
        if let Some(Err(error)) = self.journal.as_mut().map(|journal| journal.append(&result)) {
            self.progress.line(&format!("warning: {error}; going on without a journal"));
            self.journal = None;
        }
        let key = key(&result.case);
        self.progress.finished(&result, self.costs.get(&key).copied().unwrap_or(0.0));
        self.results.insert(key, result);
    }
}
