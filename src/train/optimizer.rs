//! AdamW over the named parameters of a module, with global-norm clipping.
//!
//! The update rule is burn's; state is kept by parameter name, so that a checkpoint resumes exactly whatever the process.

use crate::weights::Tensors;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Gradients, Tensor};
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

/// First and second moments of one parameter, flattened.
#[derive(Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
    /// Updates of this parameter so far (bias correction).
    time: usize,
}

/// The optimiser's state.
pub struct Optimizer {
    options: AdamWOptions,
    moments: BTreeMap<String, Moments>,
}

impl Optimizer {
    pub fn new(options: AdamWOptions) -> Self {
        Self {
            options,
            moments: BTreeMap::new(),
        }
    }

    fn rule(&self, decay: bool) -> AdamW {
        AdamWConfig::new()
            .with_beta_1(self.options.beta_1)
            .with_beta_2(self.options.beta_2)
            .with_epsilon(self.options.epsilon)
            .with_weight_decay(if decay { self.options.weight_decay } else { 0.0 })
            .build()
    }

    /// One update; parameters without a gradient stay as they are. Also gives the gradients' global norm before clipping,
    /// `[1]` on the device.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> (M, Tensor<1>) {
        let norm = global_norm(&module, grads);
        let scale = match self.options.clip {
            0.0 => norm.ones_like(),
            clip => (norm.clone() + 1e-6).recip().mul_scalar(clip).clamp_max(1.0),
        };
        let mut update = Update {
            path: Vec::new(),
            grads,
            scale,
            lr,
            decayed: self.rule(true),
            plain: self.rule(false),
            moments: &mut self.moments,
        };
        (module.map(&mut update), norm)
    }

    /// Moments as named tensors `m.NAME`, `v.NAME` and update counts `t.NAME`.
    pub fn export(&self) -> Tensors {
        let mut tensors = Tensors::new();
        for (name, moments) in &self.moments {
            tensors.insert(format!("m.{name}"), moments.first.to_data());
            tensors.insert(format!("v.{name}"), moments.second.to_data());
            tensors.insert(
                format!("t.{name}"),
                burn::tensor::TensorData::from([moments.time as i64]),
            );
        }
        tensors
    }

    /// Restores what [`export`](Self::export) gave; names that do not come in threes are ignored.
    pub fn import(&mut self, tensors: &Tensors, device: &Device) {
        for (key, first) in tensors {
            let Some(name) = key.strip_prefix("m.") else { continue };
            let second = tensors.get(&format!("v.{name}"));
            let time = tensors.get(&format!("t.{name}")).and_then(|t| t.iter::<i64>().next());
            if let (Some(second), Some(time)) = (second, time) {
                let moments = Moments {
                    first: Tensor::from_data(first.clone(), device),
                    second: Tensor::from_data(second.clone(), device),
                    time: time as usize,
                };
                self.moments.insert(name.to_string(), moments);
            }
        }
    }
}

/// Euclidean norm of all gradients together.
fn global_norm<M: Module>(module: &M, grads: &Gradients) -> Tensor<1> {
    struct Squares<'a> {
        grads: &'a Gradients,
        sums: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = param.val().grad(self.grads) {
                self.sums.push(grad.square().sum());
            }
        }
    }
    let mut squares = Squares {
        grads,
        sums: Vec::new(),
    };
    module.visit(&mut squares);
    Tensor::cat(squares.sums, 0).sum().sqrt()
}

struct Update<'a> {
    path: Vec<String>,
    grads: &'a Gradients,
    scale: Tensor<1>,
    lr: f64,
    decayed: AdamW,
    plain: AdamW,
    moments: &'a mut BTreeMap<String, Moments>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = param.val().grad(self.grads) else {
            return param;
        };
        let name = self.path.join(".");
        let rule = if exempt_from_decay(&name, D) {
            &self.plain
        } else {
            &self.decayed
        };
        let grad = grad.flatten::<1>(0, D - 1) * self.scale.clone();
        let state = self.moments.remove(&name).map(|moments| AdamWState {
            momentum: AdaptiveMomentumState {
                time: moments.time,
                moment_1: moments.first,
                moment_2: moments.second,
                max_moment_2: None,
            },
        });
        let lr = self.lr;
        let mut next = None;
        let param = param.map(|tensor| {
            let shape = tensor.dims();
            let values = tensor.inner().flatten::<1>(0, D - 1);
            let (values, state) = rule.step(lr, values, grad, state);
            next = state;
            Tensor::from_inner(values.reshape(shape)).require_grad()
        });
        if let Some(AdamWState { momentum }) = next {
            let moments = Moments {
                first: momentum.moment_1,
                second: momentum.moment_2,
                time: momentum.time,
            };
            self.moments.insert(name, moments);
        }
        param
    }
}
