//! Exponential moving average of a module's parameters, kept beside the trained ones.

use crate::weights::Tensors;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;

/// Averages by field path, flattened.
pub struct Ema {
    decay: f64,
    values: BTreeMap<String, Tensor<1>>,
}

impl Ema {
    /// `decay` in [0, 1): the share of the old average at each step; early steps use less of it, `min(decay, (1+t)/(10+t))`.
    pub fn new(decay: f64) -> Self {
        Self {
            decay,
            values: BTreeMap::new(),
        }
    }

    /// Takes in the parameters after step `t` (from 0).
    pub fn update<M: Module>(&mut self, module: &M, t: usize) {
        let warm = (1.0 + t as f64) / (10.0 + t as f64);
        let mut visitor = Visit {
            path: Vec::new(),
            decay: self.decay.min(warm),
            values: &mut self.values,
        };
        module.visit(&mut visitor);
    }

    /// The module with averaged parameters, for sampling and shipping.
    pub fn apply<M: Module>(&self, module: M) -> M {
        module.map(&mut Apply {
            path: Vec::new(),
            values: &self.values,
        })
    }

    pub fn export(&self) -> Tensors {
        self.values
            .iter()
            .map(|(name, value)| (name.clone(), value.to_data()))
            .collect()
    }

    pub fn import(&mut self, tensors: &Tensors, device: &Device) {
        let value = |(name, data): (&String, &burn::tensor::TensorData)| {
            (name.clone(), Tensor::from_data(data.clone(), device))
        };
        self.values = tensors.iter().map(value).collect();
    }
}

struct Visit<'a> {
    path: Vec<String>,
    decay: f64,
    values: &'a mut BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Visit<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let value = param.val().inner().flatten::<1>(0, D - 1);
        let average = match self.values.remove(&name) {
            Some(old) => old * self.decay + value * (1.0 - self.decay),
            None => value,
        };
        self.values.insert(name, average);
    }
}

struct Apply<'a> {
    path: Vec<String>,
    values: &'a BTreeMap<String, Tensor<1>>,
}

impl ModuleMapper for Apply<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values.get(&self.path.join(".")) {
            Some(average) => {
                let shape = param.lazy_shape();
                let tracked = param.val().is_autodiff();
                let value = average.clone().reshape::<D, _>(shape);
                param.map(|_| if tracked { Tensor::from_inner(value) } else { value })
            }
            None => param,
        }
    }
}
