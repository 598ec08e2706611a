//! From the configs on the command line to plans that can run.

use std::path::PathBuf;

use bk_harness::config::{Config, Overrides};
use bk_harness::plan::{Plan, PlanError, Selection};

use crate::cli::SweepArgs;
use crate::error::Error;

/// A config and what of it runs.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Text of the file.
    pub(crate) source: String,
    /// What the file says, with the overlays and settings of the command line.
    pub(crate) config: Config,
    /// The cases that the selection leaves.
    pub(crate) plan: Plan,
}

impl Sweep {
    /// Loads and plans every config that `arguments` name. One of which the selection leaves nothing is
    /// left out, unless nothing is left of any.
    ///
    /// # Errors
    /// The first config that cannot be used, a selection that leaves nothing at all or cannot be
    /// understood, and two configs of one name.
    pub(crate) fn load_all(arguments: &SweepArgs) -> Result<Vec<Self>, Error> {
        let overrides = Overrides { quick: arguments.quick, set: arguments.set.clone() };
        let selection = Selection {
            targets: (!arguments.targets.is_empty()).then(|| arguments.targets.clone()),
            filter: arguments.filter.clone(),
        };
        let mut sweeps: Vec<Self> = Vec::new();
        let mut empty = None;
        for path in &arguments.configs {
            let source = Config::read_text(path)?;
            let config = Config::from_toml(path, &source, &overrides)?;
            if let Some(other) = sweeps.iter().find(|sweep| sweep.config.name == config.name) {
                let (first, second) = (other.path.clone(), path.clone());
                return Err(Error::SameName { name: config.name, first, second });
            }
            match Plan::new(&config, &selection) {
                Ok(plan) => sweeps.push(Self { path: path.clone(), source, config, plan }),
                Err(nothing @ PlanError::NothingSelected { .. }) => empty = empty.or(Some(nothing)),
                Err(other) => return Err(other.into()),
            }
        }
        match empty {
            Some(nothing) if sweeps.is_empty() => Err(nothing.into()),
            _ => Ok(sweeps),
        }
    }
}
