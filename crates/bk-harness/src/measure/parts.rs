//! Parts of a launch, each by itself.

use super::Ended;
use super::session::Session;
use crate::outcome::{Outcome, PartTiming, Statistics};
use crate::stopping::{AnyOf, StoppingRule};
use crate::workload::Part;

/// Times each part of a launch between two synchronisations, as often as the case takes samples. None for
/// a workload without parts.
///
/// The sum of the parts is more than a launch takes: the device idles between them.
pub(super) fn parts(session: &mut Session) -> Result<Vec<PartTiming>, Ended> {
    let parts = session.workload.parts();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let spec = session.spec;
    let mut rule = AnyOf::for_case(spec.samples, spec.relative_noise, spec.max_seconds);
    let start = session.seconds();
    let mut samples = vec![Vec::new(); parts.len()];
    while !rule.is_finished() {
        let mut sum = 0.0;
        for (part, samples) in parts.iter().zip(&mut samples) {
            let seconds = time(session, *part)?;
            samples.push(seconds);
            sum += seconds;
        }
        rule.record(sum, session.seconds() - start);
    }
    parts.iter().zip(samples).map(|(part, samples)| summary(*part, samples)).collect()
}

fn time(session: &mut Session, part: Part) -> Result<f64, Ended> {
    session.workload.synchronize()?;
    let start = session.seconds();
    session.workload.launch_part(part)?;
    session.workload.synchronize()?;
    Ok(session.seconds() - start)
}

fn summary(part: Part, samples: Vec<f64>) -> Result<PartTiming, Ended> {
    match Statistics::from_samples(&samples) {
        Some(statistics) => Ok(PartTiming { part, samples, statistics }),
        None => {
            let error = format!("the part `{}` took times that are no numbers", part.name());
            Err(Box::new(Outcome::Failed { error }))
        }
    }
}
