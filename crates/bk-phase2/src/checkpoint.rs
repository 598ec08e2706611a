//! A folder with a model in it: its configuration as TOML, its weights as one of Burn's records.

use std::fs;
use std::path::{Path, PathBuf};

use bk_burn::BkBackend;
use burn::module::Module;
use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder, RecorderError};
use burn::tensor::backend::BackendTypes;
use thiserror::Error;

use crate::config::{ConfigError, Phase2Config};
use crate::error::ModelError;
use crate::model::Phase2Model;

/// The folder.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    folder: PathBuf,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file of it.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its configuration.
    #[error("{path}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// Its weights.
    #[error("the weights in {path} cannot be used: {source}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecorderError,
    },
    /// The model that they are for.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Checkpoint {
    /// The checkpoint in `folder`; nothing is read or made yet.
    pub fn at(folder: impl AsRef<Path>) -> Self {
        Self { folder: folder.as_ref().to_owned() }
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.config_path().exists()
    }

    /// The configuration that it was saved with.
    ///
    /// # Errors
    /// [`CheckpointError`] when it cannot be read.
    pub fn config(&self) -> Result<Phase2Config, CheckpointError> {
        let path = self.config_path();
        let text = fs::read_to_string(&path).map_err(|source| CheckpointError::File {
            action: "read",
            path: path.clone(),
            source,
        })?;
        Phase2Config::from_toml(&text).map_err(|source| CheckpointError::Config { path, source })
    }

    /// The model that was saved.
    ///
    /// # Errors
    /// [`CheckpointError`] when configuration or weights cannot be read.
    pub fn model<B: BkBackend>(
        &self,
        device: &<B as BackendTypes>::Device,
    ) -> Result<Phase2Model<B>, CheckpointError> {
        let model = Phase2Model::zeros(&self.config()?, device)?;
        model
            .load_file(self.weights_path(), &recorder(), device)
            .map_err(|source| CheckpointError::Record { path: self.weights_path(), source })
    }

    /// Saves a model, with its configuration last: a folder without one is no checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] when a file cannot be written.
    pub fn save<B: BkBackend>(&self, model: &Phase2Model<B>) -> Result<(), CheckpointError> {
        let write = |path: &Path| {
            let path = path.to_owned();
            move |source| CheckpointError::File { action: "write", path, source }
        };
        fs::create_dir_all(&self.folder).map_err(write(&self.folder))?;
        // Written whole or not at all: a run may be stopped at any time.
        let fresh = self.folder.join("weights-new.mpk");
        model
            .clone()
            .save_file(&fresh, &recorder())
            .map_err(|source| CheckpointError::Record { path: fresh.clone(), source })?;
        fs::rename(&fresh, self.weights_path()).map_err(write(&self.weights_path()))?;
        let path = self.config_path();
        let text = model
            .config()
            .to_toml()
            .map_err(|source| CheckpointError::Config { path: path.clone(), source })?;
        fs::write(&path, text).map_err(write(&path))
    }

    fn config_path(&self) -> PathBuf {
        self.folder.join("model.toml")
    }

    fn weights_path(&self) -> PathBuf {
        self.folder.join("weights.mpk")
    }
}

fn recorder() -> NamedMpkFileRecorder<FullPrecisionSettings> {
    NamedMpkFileRecorder::new()
}
