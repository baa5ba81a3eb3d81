//! Exponential moving average of a module's parameters, kept beside the trained ones.

use super::TrainError;
use super::flat::{Flat, replace};
use crate::weights::Tensors;
use burn::module::Module;
use burn::tensor::Tensor;

/// The average of all parameters.
pub struct Ema {
    decay: f64,
    average: Option<Flat>,
    /// A checkpoint's average until the parameters are seen.
    imported: Tensors,
}

impl Ema {
    /// `decay` in [0, 1): the share of the old average at each step; early steps use less of it,
    /// `min(decay, (1+t)/(10+t))`.
    pub fn new(decay: f64) -> Self {
        Self {
            decay,
            average: None,
            imported: Tensors::new(),
        }
    }

    /// Takes in the parameters after step `t` (from 0).
    pub fn update<M: Module>(&mut self, module: &M, t: usize) {
        let Some(now) = Flat::values(module, |_| true) else {
            return;
        };
        let decay = self.decay.min((1.0 + t as f64) / (10.0 + t as f64));
        let values = match self.before(&now) {
            Some(old) => old * decay + now.values * (1.0 - decay),
            None => now.values,
        };
        self.average = Some(Flat {
            parts: now.parts,
            values,
        });
        self.imported.clear();
    }

    fn before(&mut self, now: &Flat) -> Option<Tensor<1>> {
        match self.average.take() {
            Some(average) => Some(average.values),
            None if self.imported.is_empty() => None,
            None => Some(Flat::import(&now.parts, &self.imported, "", &now.values.device()).values),
        }
    }

    /// The module with averaged parameters, for sampling and shipping.
    pub fn apply<M: Module>(&self, module: M) -> M {
        match (
            &self.average,
            Flat::values(&module, |part| self.imported.contains_key(&part.name)),
        ) {
            (Some(average), _) => replace(module, &average.split()),
            (None, Some(now)) => {
                let average = Flat::import(&now.parts, &self.imported, "", &now.values.device());
                replace(module, &average.split())
            }
            _ => module,
        }
    }

    pub async fn export(&self) -> Result<Tensors, TrainError> {
        match &self.average {
            Some(average) => average.export("").await,
            None => Ok(self.imported.clone()),
        }
    }

    /// Restores what [`export`](Self::export) gave.
    pub fn import(&mut self, tensors: &Tensors) {
        self.average = None;
        self.imported = tensors.clone();
    }
}
