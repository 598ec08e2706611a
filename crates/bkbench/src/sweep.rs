//! From the configs on the command line to plans that can run.

use std::path::PathBuf;

use bk_harness::config::{Config, Engine, Overrides};
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
        let mut loaded = Vec::new();
        for path in &arguments.configs {
            let source = Config::read_text(path)?;
            let config = Config::from_toml(path, &source, &overrides)?;
            loaded.push((path, source, config));
        }
        let engines = loaded.iter().flat_map(|(_, _, config)| &config.engines);
        let engines: Vec<String> = engines.map(|engine| engine.target.clone()).collect();
        let mut sweeps: Vec<Self> = Vec::new();
        let mut empty = None;
        for (path, source, config) in loaded {
            if let Some(other) = sweeps.iter().find(|sweep| sweep.config.name == config.name) {
                let (first, second) = (other.path.clone(), path.clone());
                return Err(Error::SameName { name: config.name, first, second });
            }
            match Plan::beside(&config, &selection, &engines) {
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

/// The engines of all `sweeps`, each once.
///
/// # Errors
/// When two configs describe an engine of one target differently.
pub(crate) fn engines(sweeps: &[Sweep]) -> Result<Vec<Engine>, Error> {
    let mut engines: Vec<(&Sweep, &Engine)> = Vec::new();
    for sweep in sweeps {
        for engine in &sweep.config.engines {
            match engines.iter().find(|(_, known)| known.target == engine.target) {
                Some((_, known)) if *known == engine => {}
                Some((other, _)) => {
                    let (first, second) = (other.path.clone(), sweep.path.clone());
                    return Err(Error::OtherEngine { target: engine.target.clone(), first, second });
                }
                None => engines.push((sweep, engine)),
            }
        }
    }
    Ok(engines.into_iter().map(|(_, engine)| engine.clone()).collect())
}
