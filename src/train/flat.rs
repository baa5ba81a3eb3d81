//! The parameters of a module as one vector.
//!
//! A network of a few million parameters keeps most of them in hundreds of small tensors, and an optimizer runs some
//! twenty operations on each: thousands of launches a step, which cost a GPU more time than the forward and backward
//! passes. Over one vector they are twenty.

use super::TrainError;
use crate::weights::Tensors;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use std::collections::BTreeMap;

/// A parameter's field path and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub name: String,
    pub shape: Vec<usize>,
}

impl Part {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Parameters, their gradients or anything of their shapes, one behind the other.
#[derive(Clone)]
pub struct Flat {
    pub parts: Vec<Part>,
    /// `[sum of the parts' lengths]`
    pub values: Tensor<1>,
}

impl Flat {
    /// The parameters that `keep` picks, outside autodiff; `None` if it picks none. Of a module on an autodiff device
    /// those that ask for no gradient are left out.
    pub fn values<M: Module>(module: &M, keep: impl Fn(&Part) -> bool) -> Option<Self> {
        Self::collect(module, &keep, None)
    }

    /// The gradients of the parameters that `keep` picks; zero for a parameter that the loss does not depend on.
    pub fn gradients<M: Module>(module: &M, grads: &Gradients, keep: impl Fn(&Part) -> bool) -> Option<Self> {
        Self::collect(module, &keep, Some(grads))
    }

    fn collect<M: Module>(module: &M, keep: &dyn Fn(&Part) -> bool, grads: Option<&Gradients>) -> Option<Self> {
        let mut collect = Collect {
            path: Vec::new(),
            keep,
            grads,
            parts: Vec::new(),
            tensors: Vec::new(),
        };
        module.visit(&mut collect);
        let Collect { parts, tensors, .. } = collect;
        (!parts.is_empty()).then(|| Self {
            parts,
            values: Tensor::cat(tensors, 0),
        })
    }

    /// One vector for each part, by name.
    pub fn split(&self) -> BTreeMap<String, Tensor<1>> {
        let mut start = 0;
        let cut = |part: &Part| {
            let piece = self.values.clone().narrow(0, start, part.len());
            start += part.len();
            (part.name.clone(), piece)
        };
        self.parts.iter().map(cut).collect()
    }

    /// The parts on the host under `prefix` and their names, in one read.
    pub async fn export(&self, prefix: &str) -> Result<Tensors, TrainError> {
        let values = read(self.values.clone()).await?;
        let mut rest = values.as_slice();
        let mut tensors = Tensors::new();
        for part in &self.parts {
            let (piece, after) = rest.split_at(part.len());
            rest = after;
            tensors.insert(
                format!("{prefix}{}", part.name),
                TensorData::new(piece.to_vec(), part.shape.clone()),
            );
        }
        Ok(tensors)
    }

    /// What [`export`](Self::export) gave, for `parts`; zero for a part that it does not hold.
    pub fn import(parts: &[Part], tensors: &Tensors, prefix: &str, device: &Device) -> Self {
        let mut values = Vec::with_capacity(parts.iter().map(Part::len).sum());
        for part in parts {
            let before = values.len();
            if let Some(data) = tensors.get(&format!("{prefix}{}", part.name)) {
                values.extend(data.iter::<f32>().take(part.len()));
            }
            values.resize(before + part.len(), 0.0);
        }
        let length = values.len();
        Self {
            parts: parts.to_vec(),
            values: Tensor::from_data(TensorData::new(values, [length]), device),
        }
    }
}

/// The values of a vector, by the only way of reading that a page has.
pub async fn read(values: Tensor<1>) -> Result<Vec<f32>, TrainError> {
    let data = values.into_data_async().await;
    let data = data.map_err(|error| TrainError::Device(error.to_string()))?;
    Ok(data.iter::<f32>().collect())
}

/// The module with the parameters named in `values`, each flat, in place of its own; tracked if they were.
pub fn replace<M: Module>(module: M, values: &BTreeMap<String, Tensor<1>>) -> M {
    module.map(&mut Replace {
        path: Vec::new(),
        values,
    })
}

struct Collect<'a> {
    path: Vec<String>,
    keep: &'a dyn Fn(&Part) -> bool,
    grads: Option<&'a Gradients>,
    parts: Vec<Part>,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let part = Part {
            name: self.path.join("."),
            shape: tensor.dims().to_vec(),
        };
        let frozen = tensor.is_autodiff() && !tensor.is_require_grad();
        if frozen || !(self.keep)(&part) {
            return;
        }
        let value = match self.grads {
            None => tensor.without_autodiff(),
            Some(grads) => {
                let grad = tensor.grad(grads);
                grad.unwrap_or_else(|| tensor.without_autodiff().zeros_like())
            }
        };
        self.tensors.push(value.flatten(0, D - 1));
        self.parts.push(part);
    }
}

struct Replace<'a> {
    path: Vec<String>,
    values: &'a BTreeMap<String, Tensor<1>>,
}

impl ModuleMapper for Replace<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(value) = self.values.get(&self.path.join(".")) else {
            return param;
        };
        param.map(|tensor| {
            let value = value.clone().reshape(tensor.dims());
            if tensor.is_autodiff() {
                Tensor::from_inner(value).require_grad()
            } else {
                value
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};

    fn layer(device: &Device) -> Linear {
        LinearConfig::new(3, 2).with_bias(true).init(device)
    }

    #[test]
    fn what_is_split_and_put_back_is_the_same() {
        let module = layer(&Device::flex());
        let flat = Flat::values(&module, |_| true).unwrap();
        assert_eq!(flat.parts.iter().map(Part::len).sum::<usize>(), 8);
        let doubled = Flat {
            values: flat.values.clone() * 2.0,
            ..flat.clone()
        };
        let module = replace(module, &doubled.split());
        let again = Flat::values(&module, |_| true).unwrap();
        assert_eq!(again.parts, flat.parts);
        assert_eq!(again.values.to_data(), (flat.values.clone() * 2.0).to_data());
        let saved = pollster::block_on(flat.export("m.")).unwrap();
        assert_eq!(saved.len(), 2);
        let loaded = Flat::import(&flat.parts, &saved, "m.", &Device::flex());
        assert_eq!(loaded.values.to_data(), flat.values.to_data());
        let missing = Flat::import(&flat.parts, &saved, "v.", &Device::flex());
        assert_eq!(missing.values.sum().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn a_parameter_without_a_gradient_has_a_zero_one() {
        let module = layer(&Device::flex().autodiff());
        let grads = module.weight.val().sum().backward();
        let flat = Flat::gradients(&module, &grads, |_| true).unwrap();
        assert_eq!(flat.values.sum().into_scalar::<f32>(), 6.0);
        let bias = Flat::gradients(&module, &grads, |part| part.name == "bias").unwrap();
        assert_eq!(bias.values.to_data(), TensorData::from([0f32, 0.0]));
        assert!(Flat::values(&module, |_| false).is_none());
    }

    #[test]
    fn what_asks_for_no_gradient_is_left_out_and_left_alone() {
        let module = layer(&Device::flex().autodiff());
        let frozen = Linear {
            weight: module.weight.clone().set_require_grad(false),
            bias: module.bias,
        };
        let flat = Flat::values(&frozen, |_| true).unwrap();
        assert_eq!(flat.parts.len(), 1);
        assert_eq!(flat.parts[0].name, "bias");
        let replaced = replace(frozen.clone(), &flat.split());
        assert!(!replaced.weight.is_require_grad());
        assert_eq!(replaced.weight.val().into_data(), frozen.weight.val().into_data());
    }
}
