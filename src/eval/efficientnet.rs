//! EfficientNet-Lite0, the picture classifier whose features the scores compare (Tan and Le 2019, without squeeze and
//! excitation and with ReLU6, as Google published it for small devices).
//!
//! Only inference: every batch norm is folded into the convolution before it. Field names are those of the published
//! checkpoint up to [`checkpoint_name`].

use crate::eval::EvalError;
use crate::model::nn::{Linear, parameter};
use crate::weights::{Tensors, WeightsError, files, load_module};
use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Epsilon of every batch norm.
const NORM_EPS: f64 = 1e-3;
/// Pixels 0 to 255 become `(x - 127) / 128`.
const PIXEL_MEAN: f64 = 127.0;
const PIXEL_SCALE: f64 = 128.0;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EfficientNetConfig {
    /// Channels behind the first convolution.
    pub stem: usize,
    pub stages: Vec<Stage>,
    /// Width of the features.
    pub head: usize,
    pub classes: usize,
}

/// Equal blocks in a row: repeats, kernel, stride of the first, expansion, output channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage(pub usize, pub usize, pub usize, pub usize, pub usize);

impl EfficientNetConfig {
    /// The published network: 4.7 million parameters, 1280 features, the 1000 classes of ImageNet.
    pub fn lite0() -> Self {
        Self {
            stem: 32,
            stages: vec![
                Stage(1, 3, 1, 1, 16),
                Stage(2, 3, 2, 6, 24),
                Stage(2, 5, 2, 6, 40),
                Stage(3, 3, 2, 6, 80),
                Stage(3, 5, 1, 6, 112),
                Stage(4, 5, 2, 6, 192),
                Stage(1, 3, 1, 6, 320),
            ],
            head: 1280,
            classes: 1000,
        }
    }
}

/// The classifier.
#[derive(Module, Debug)]
pub struct EfficientNet {
    conv_stem: Kernel,
    bn0: BatchNorm,
    blocks: Vec<Block>,
    conv_head: Kernel,
    bn1: BatchNorm,
    fc: Linear,
}

impl EfficientNet {
    pub fn new(config: &EfficientNetConfig, device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut inputs = config.stem;
        for &Stage(repeats, kernel, stride, expand, outputs) in &config.stages {
            for i in 0..repeats {
                let stride = if i == 0 { stride } else { 1 };
                blocks.push(Block::new(inputs, outputs, kernel, stride, expand, device));
                inputs = outputs;
            }
        }
        Self {
            conv_stem: Kernel::new(config.stem, 3, 3, device),
            bn0: BatchNorm::new(config.stem, device),
            blocks,
            conv_head: Kernel::new(config.head, inputs, 1, device),
            bn1: BatchNorm::new(config.head, device),
            fc: Linear::new(config.head, config.classes, device),
        }
    }

    /// Lite0 with the weights of the published file.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        if !path.exists() {
            return Err(EvalError::NoFeatures(path.to_path_buf()));
        }
        let within = |error: WeightsError| EvalError::Features {
            path: path.to_path_buf(),
            source: Box::new(error),
        };
        let mut file = files::open(path).map_err(within)?;
        let names: Vec<String> = file.entries().iter().map(|entry| entry.name.clone()).collect();
        let mut tensors = Tensors::new();
        for (index, name) in names.into_iter().enumerate() {
            tensors.insert(name, file.read(index).map_err(within)?);
        }
        let network = Self::new(&EfficientNetConfig::lite0(), device);
        load_module(network, &mut tensors, checkpoint_name).map_err(within)
    }

    /// Images `[B, 3, H, W]`, red, green, blue from 0 to 255, -> features `[B, head]`, means over all places.
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = (images - PIXEL_MEAN) / PIXEL_SCALE;
        x = relu6(self.bn0.after(&self.conv_stem, x, 2));
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = relu6(self.bn1.after(&self.conv_head, x, 1));
        x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2)
    }

    /// Features `[B, head]` -> logits `[B, classes]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.fc.forward(features)
    }
}

/// Field path -> name in the checkpoint: `blocks.0.bn1.weight` is `_blocks.0._bn1.weight`.
pub fn checkpoint_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let last = parts.len() - 1;
    let named = |(i, part): (usize, &&str)| match i == last || part.parse::<usize>().is_ok() {
        true => part.to_string(),
        false => format!("_{part}"),
    };
    parts.iter().enumerate().map(named).collect::<Vec<_>>().join(".")
}

/// Convolution weights `[out, in, k, k]`, `in = 1` for depthwise ones; biases come from the norms.
#[derive(Module, Debug)]
struct Kernel {
    weight: Param<Tensor<4>>,
}

impl Kernel {
    fn new(outputs: usize, inputs: usize, size: usize, device: &Device) -> Self {
        Self {
            weight: parameter([outputs, inputs, size, size], device),
        }
    }
}

/// Batch norm with the statistics of the training.
#[derive(Module, Debug)]
struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    fn new(channels: usize, device: &Device) -> Self {
        let vector = || parameter([channels], device);
        Self {
            weight: vector(),
            bias: vector(),
            running_mean: vector(),
            running_var: vector(),
        }
    }

    /// This norm of a convolution, as one convolution: `x * (s W) + (b - s mean)` with `s = weight / sqrt(var + eps)`.
    fn after(&self, kernel: &Kernel, x: Tensor<4>, stride: usize) -> Tensor<4> {
        let scale = self.weight.val() / (self.running_var.val() + NORM_EPS).sqrt();
        let bias = self.bias.val() - self.running_mean.val() * scale.clone();
        let [outputs, inputs, size, _] = kernel.weight.dims();
        let weight = kernel.weight.val() * scale.reshape([outputs, 1, 1, 1]);
        let [_, channels, ..] = x.dims();
        let options = ConvOptions::new([stride; 2], [0; 2], [1; 2], channels / inputs);
        conv2d(same_padding(x, size, stride), weight, Some(bias), options)
    }
}

/// Widens, convolves every channel on its own, narrows; adds its input where the shape stays.
#[derive(Module, Debug)]
struct Block {
    expand_conv: Option<Kernel>,
    bn0: Option<BatchNorm>,
    depthwise_conv: Kernel,
    bn1: BatchNorm,
    project_conv: Kernel,
    bn2: BatchNorm,
    #[module(skip)]
    stride: usize,
}

impl Block {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, expand: usize, device: &Device) -> Self {
        let width = inputs * expand;
        let expands = expand != 1;
        Self {
            expand_conv: expands.then(|| Kernel::new(width, inputs, 1, device)),
            bn0: expands.then(|| BatchNorm::new(width, device)),
            depthwise_conv: Kernel::new(width, 1, kernel, device),
            bn1: BatchNorm::new(width, device),
            project_conv: Kernel::new(outputs, width, 1, device),
            bn2: BatchNorm::new(outputs, device),
            stride,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut y = x.clone();
        if let (Some(kernel), Some(norm)) = (&self.expand_conv, &self.bn0) {
            y = relu6(norm.after(kernel, y, 1));
        }
        y = relu6(self.bn1.after(&self.depthwise_conv, y, self.stride));
        y = self.bn2.after(&self.project_conv, y, 1);
        match x.dims() == y.dims() {
            true => x + y,
            false => y,
        }
    }
}

fn relu6(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, 6.0)
}

/// TensorFlow's "same": the output has `ceil(size / stride)` rows, and of an odd number of zeros the larger half goes
/// behind.
fn same_padding(x: Tensor<4>, kernel: usize, stride: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let pad = |size: usize| {
        let total = ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size);
        (total / 2, total - total / 2)
    };
    match [pad(height), pad(width)] {
        [(0, 0), (0, 0)] => x,
        pads => x.pad(pads, PadMode::Constant(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, Case};
    use crate::weights::export_module;
    use crate::weights::shards::sha256;

    /// These are kept apart from the model's golden cases, which `INFINITY_GOLDEN` can replace.
    fn cases(kind: &str) -> Vec<Case> {
        let cases = golden::cases_in(&golden::efficientnet(), kind);
        assert!(
            !cases.is_empty() || golden::chosen().is_some(),
            "no case of kind {kind}"
        );
        cases
    }

    fn config(case: &Case) -> EfficientNetConfig {
        serde_json::from_value(case.config().clone()).unwrap()
    }

    golden::test_per_device!(golden_efficientnet: golden_efficientnet_flex, golden_efficientnet_wgpu);

    fn golden_efficientnet(name: &str, device: &Device) {
        for case in cases("efficientnet_lite") {
            let network = EfficientNet::new(&config(&case), device);
            let mut tensors = golden::read_tensors(&case.path("weights"));
            let network = load_module(network, &mut tensors, checkpoint_name).unwrap();
            assert!(tensors.is_empty(), "the checkpoint has more: {:?}", tensors.keys());
            let features = network.features(case.float("images", device));
            case.check(name, "features", features.clone());
            case.check(name, "logits", network.logits(features));
        }
    }

    #[test]
    fn a_block_without_stride_and_of_equal_width_adds_its_input() {
        let device = Device::flex();
        let block = |stride, outputs| Block::new(2, outputs, 3, stride, 1, &device);
        let x = Tensor::<4>::ones([1, 2, 4, 4], &device);
        // All weights are zero, so a block without a residual gives zero.
        let sum = |block: Block| block.forward(x.clone()).sum().into_scalar::<f32>();
        assert_eq!([sum(block(1, 2)), sum(block(2, 2)), sum(block(1, 3))], [32.0, 0.0, 0.0]);
    }

    #[test]
    fn missing_weights_say_how_to_get_them() {
        let error = EfficientNet::open(Path::new("nowhere.pth"), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("make eval-weights"), "{error}");
    }

    /// The published network, against the reference in scripts/efficientnet_golden.py.
    #[test]
    #[ignore = "needs the file that `make eval-weights` fetches; `make test` runs it where the file is"]
    fn golden_whole_network_with_the_published_weights() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/eval/efficientnet-lite0-57934424.pth");
        let hash = sha256(&std::fs::read(&path).expect("run `make eval-weights`"));
        let device = Device::flex();
        let network = EfficientNet::open(&path, &device).unwrap();
        assert_eq!(export_module(&network, checkpoint_name).len(), 49 * 5 + 2);
        for case in cases("efficientnet_lite0") {
            assert_eq!(case.get::<String>("weights_sha256"), hash);
            let [height, width]: [usize; 2] = case.get("size");
            let images = pattern(height, width, &device);
            let features = network.features(images);
            case.check("flex", "features", features.clone());
            case.check("flex", "logits", network.logits(features));
        }
    }

    /// The picture of integers that the reference draws too.
    fn pattern(height: usize, width: usize, device: &Device) -> Tensor<4> {
        let planes: [fn(usize, usize) -> usize; 3] = [
            |x, y| (x * 2 + y) % 256,
            |x, y| (x * x / 40 + y * 3) % 256,
            |x, y| (x * y / 30 + 60) % 256,
        ];
        let mut values = Vec::new();
        for plane in planes {
            for y in 0..height {
                values.extend((0..width).map(|x| plane(x, y) as f32));
            }
        }
        Tensor::from_data(burn::tensor::TensorData::new(values, [1, 3, height, width]), device)
    }
}
