//! Axes as data: how many values each has, and a point on them.

use crate::config::{Axes, Axis, Point};

impl Axis {
    /// Name of its key in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "targets",
            Self::Implementation => "implementations",
            Self::Dtype => "dtypes",
            Self::Batch => "batch",
            Self::N => "n",
            Self::Strategy => "strategies",
            Self::Family => "families",
            Self::Couplings => "couplings",
            Self::Z => "z",
            Self::Seed => "seed",
            Self::Preset => "presets",
            Self::Mode => "modes",
        }
    }
}

impl Axes {
    /// Number of values of `axis`.
    pub fn len(&self, axis: Axis) -> usize {
        match axis {
            Axis::Target => self.target.len(),
            Axis::Implementation => self.implementation.len(),
            Axis::Dtype => self.dtype.len(),
            Axis::Batch => self.batch.len(),
            Axis::N => self.n.len(),
            Axis::Strategy => self.strategy.len(),
            Axis::Family => self.family.len(),
            Axis::Couplings => self.couplings.len(),
            Axis::Z => self.z.len(),
            Axis::Seed => self.seed.len(),
            Axis::Preset => self.preset.len(),
            Axis::Mode => self.mode.len(),
        }
    }
}

impl Point {
    /// Whether the point gives `axis` a value.
    pub fn names(&self, axis: Axis) -> bool {
        match axis {
            Axis::Target => self.target.is_some(),
            Axis::Implementation => self.implementation.is_some(),
            Axis::Dtype => self.dtype.is_some(),
            Axis::Batch => self.batch.is_some(),
            Axis::N => self.n.is_some(),
            Axis::Strategy => self.strategy.is_some(),
            Axis::Family => self.family.is_some(),
            Axis::Couplings => self.couplings.is_some(),
            Axis::Z => self.z.is_some(),
            Axis::Seed => self.seed.is_some(),
            Axis::Preset => self.preset.is_some(),
            Axis::Mode => self.mode.is_some(),
        }
    }

    /// Gives `axis` its value number `position`.
    ///
    /// # Panics
    /// When the axis has no such value.
    pub fn set(&mut self, axis: Axis, axes: &Axes, position: usize) {
        match axis {
            Axis::Target => self.target = Some(axes.target[position].clone()),
            Axis::Implementation => self.implementation = Some(axes.implementation[position]),
            Axis::Dtype => self.dtype = Some(axes.dtype[position]),
            Axis::Batch => self.batch = Some(axes.batch[position]),
            Axis::N => self.n = Some(axes.n[position]),
            Axis::Strategy => self.strategy = Some(axes.strategy[position]),
            Axis::Family => self.family = Some(axes.family[position]),
            Axis::Couplings => self.couplings = Some(axes.couplings[position]),
            Axis::Z => self.z = axes.z[position],
            Axis::Seed => self.seed = Some(axes.seed[position]),
            Axis::Preset => self.preset = Some(axes.preset[position]),
            Axis::Mode => self.mode = Some(axes.mode[position]),
        }
    }
}
