//! The few layers every network here is made of, with parameters laid out as official checkpoints store them.

use crate::kernels::cpu;
use crate::kernels::matmul::{Epilogue, WeightFormat, linear};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

/// A parameter of `shape` that is zero until a checkpoint or an initialiser fills it; nothing is allocated before.
pub fn parameter<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Initializer::Zeros.init(shape, device)
}

/// Format in which the parameter `field` of `container`, as a module mapper names them, is stored where `form` is asked
/// for: weights of a [`Linear`] in `form`, the embedding table of the text encoder in f16 unless `form` is f32, all
/// else in f32.
pub fn stored_as(form: WeightFormat, container: &str, field: &str) -> WeightFormat {
    match (container, field) {
        ("Struct:Linear", "weight") => form,
        ("Struct:T5Encoder", "shared") if form != WeightFormat::F32 => WeightFormat::F16,
        _ => WeightFormat::F32,
    }
}

/// Gives the weights of linear layers the memory layout that the device's matmul reads best; values and shapes stay the
/// same.
pub fn with_device_layout<M: Module>(module: M) -> M {
    module.map(&mut LayOut::default())
}

#[derive(Default)]
struct LayOut {
    containers: Vec<String>,
}

impl ModuleMapper for LayOut {
    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.containers.push(container_type.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.containers.last() {
            Some(layer) if layer == "Struct:Linear" => param.map(cpu::to_column_major),
            _ => param,
        }
    }
}

/// `y = x W^T + b` with `W [out, in]` and `b [out]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// Its rows may be [quantized](crate::kernels::matmul::quantized), which makes them shorter.
    pub weight: Param<Tensor<2>>,
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    pub fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: parameter([outputs, inputs], device),
            bias: Some(parameter([outputs], device)),
        }
    }

    pub fn without_bias(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: parameter([outputs, inputs], device),
            bias: None,
        }
    }

    /// `[.., in] -> [.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dims = x.dims();
        let rows = dims[..D - 1].iter().product::<usize>();
        let ([outputs, _], inputs) = (self.weight.dims(), dims[D - 1]);
        let y = self.then(x.reshape([1, rows, inputs]), Epilogue::None);
        let mut shape = dims;
        shape[D - 1] = outputs;
        y.reshape(shape)
    }

    /// `[B, L, in] -> [B, L, out]` with an epilogue.
    pub fn then(&self, x: Tensor<3>, epilogue: Epilogue) -> Tensor<3> {
        let bias = self.bias.as_ref().map(|b| b.val());
        linear(x, self.weight.val(), bias, epilogue)
    }
}
