//! AdamW over the named parameters of a module, with global-norm clipping.
//!
//! The update rule is burn's, over all parameters in one vector; a checkpoint keeps the state by parameter name, so
//! that it resumes exactly whatever the process.

use super::TrainError;
use super::flat::{Flat, Part, replace};
use crate::weights::Tensors;
use burn::module::Module;
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use std::collections::BTreeMap;

/// Hyper-parameters of the released recipe.
#[derive(Clone, Copy, Debug)]
pub struct AdamWOptions {
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    /// Gradients are scaled down to this global norm; 0 turns it off.
    pub clip: f32,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.97,
            epsilon: 1e-8,
            weight_decay: 0.005,
            clip: 5.0,
        }
    }
}

/// Whether a parameter is exempt from weight decay: vectors, biases and the embeddings the official recipe names.
pub fn exempt_from_decay(name: &str, rank: usize) -> bool {
    const NAMES: [&str; 7] = [
        "cfg_uncond",
        "pos_start",
        "lvl_embed",
        "ada_gss",
        "scale_mul",
        "text_proj_for_sos.mat_q",
        "pos_embed",
    ];
    rank == 1 || name.ends_with("bias") || NAMES.iter().any(|part| name.contains(part))
}

/// First and second moments of the parameters that share a rule.
struct Moments {
    first: Flat,
    second: Flat,
}

/// The optimizer's state.
pub struct Optimizer {
    options: AdamWOptions,
    /// Of the decayed parameters, then of the exempt ones.
    moments: [Option<Moments>; 2],
    /// Updates so far (bias correction).
    time: usize,
    /// A checkpoint's state until the first step knows the parameters.
    imported: Tensors,
}

impl Optimizer {
    pub fn new(options: AdamWOptions) -> Self {
        Self {
            options,
            moments: [None, None],
            time: 0,
            imported: Tensors::new(),
        }
    }

    fn rule(&self, decayed: bool) -> AdamW {
        AdamWConfig::new()
            .with_beta_1(self.options.beta_1)
            .with_beta_2(self.options.beta_2)
            .with_epsilon(self.options.epsilon)
            .with_weight_decay(if decayed { self.options.weight_decay } else { 0.0 })
            .build()
    }

    /// One update. Also gives the gradients' global norm before clipping, `[1]` on the device.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> (M, Tensor<1>) {
        let groups: Vec<(usize, Flat, Flat)> = [true, false]
            .into_iter()
            .enumerate()
            .filter_map(|(group, decayed)| {
                let keep = |part: &Part| exempt_from_decay(&part.name, part.shape.len()) != decayed;
                let values = Flat::values(&module, keep)?;
                Some((group, values, Flat::gradients(&module, grads, keep)?))
            })
            .collect();
        let squares = groups.iter().map(|(_, _, grad)| grad.values.clone().square().sum());
        let norm = Tensor::cat(squares.collect(), 0).sum().sqrt();
        let scale = match self.options.clip {
            0.0 => norm.ones_like(),
            clip => (norm.clone() + 1e-6).recip().mul_scalar(clip).clamp_max(1.0),
        };
        let mut updated = BTreeMap::new();
        for (group, values, grad) in groups {
            let device = values.values.device();
            let state = self.state(group, &values.parts, &device);
            let rule = self.rule(group == 0);
            let (new, state) = rule.step(lr, values.values, grad.values * scale.clone(), state);
            if let Some(AdamWState { momentum }) = state {
                let flat = |values| Flat {
                    parts: grad.parts.clone(),
                    values,
                };
                self.moments[group] = Some(Moments {
                    first: flat(momentum.moment_1),
                    second: flat(momentum.moment_2),
                });
            }
            let new = Flat {
                parts: values.parts,
                values: new,
            };
            updated.extend(new.split());
        }
        self.time += 1;
        self.imported.clear();
        (replace(module, &updated), norm)
    }

    /// The state before this step; none before the first.
    fn state(&mut self, group: usize, parts: &[Part], device: &Device) -> Option<AdamWState<1>> {
        let moments = match self.moments[group].take() {
            Some(moments) => moments,
            None if self.time == 0 => return None,
            None => Moments {
                first: Flat::import(parts, &self.imported, "m.", device),
                second: Flat::import(parts, &self.imported, "v.", device),
            },
        };
        Some(AdamWState {
            momentum: AdaptiveMomentumState {
                time: self.time,
                moment_1: moments.first.values,
                moment_2: moments.second.values,
                max_moment_2: None,
            },
        })
    }

    /// Moments as named tensors `m.NAME` and `v.NAME`, and the number of updates as `time`.
    pub async fn export(&self) -> Result<Tensors, TrainError> {
        let mut tensors = self.imported.clone();
        for moments in self.moments.iter().flatten() {
            tensors.extend(moments.first.export("m.").await?);
            tensors.extend(moments.second.export("v.").await?);
        }
        tensors.insert("time".into(), TensorData::from([self.time as i64]));
        Ok(tensors)
    }

    /// Restores what [`export`](Self::export) gave.
    pub fn import(&mut self, tensors: &Tensors) {
        let time = tensors.get("time").and_then(|time| time.iter::<i64>().next());
        self.time = time.unwrap_or(0).max(0) as usize;
        self.moments = [None, None];
        self.imported = tensors.clone();
    }
}
