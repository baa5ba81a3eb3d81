//! From logits to bits: noise, temperature, nucleus, and the conventional classifier's classes.

use super::options::{PerScale, SamplingOptions};
use crate::kernels::sampling::{BitSampling, guided, sample_bits};
use crate::model::bits;
use crate::model::config::{Classifier, TransformerConfig};
use crate::model::random::{Stream, logistic, uniform};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The source of randomness.
#[derive(Clone, Debug)]
pub enum Noise {
    /// Our own generator. Sample `b` of a batch uses seed + b, so it equals the image generated alone with that seed.
    Seeded,
    /// Logistic thresholds `[B, L_k, d]` per scale: a bit is 1 where its logit difference exceeds its threshold.
    Given(Vec<Tensor<3>>),
}

/// Samples the bits of one scale after the other from their logits.
pub(super) struct BitSampler {
    noise: Noise,
    tau: PerScale,
    top_p: f64,
    greedy: bool,
    seed: u64,
    classifier: Classifier,
    /// Bits of a token, `d`.
    d: usize,
    device: Device,
}

impl BitSampler {
    pub fn new(options: &SamplingOptions, noise: Noise, config: &TransformerConfig, device: &Device) -> Self {
        Self {
            noise,
            tau: options.tau.clone(),
            top_p: options.top_p,
            greedy: options.greedy,
            seed: options.seed,
            classifier: config.classifier,
            d: config.bits,
            device: device.clone(),
        }
    }

    /// Bits `[B, L_k, d]` of scale `k` and its logits divided by the temperature, after guidance. With `cfg`, the
    /// logits come as two halves that guidance of that strength mixes.
    pub fn sample(&self, k: usize, logits: Tensor<3>, cfg: Option<f64>) -> (Tensor<3, Int>, Tensor<3>) {
        let tau = self.tau.at(k);
        let [rows, length, _] = logits.dims();
        let batch = if cfg.is_some() { rows / 2 } else { rows };
        if self.classifier == Classifier::Conventional {
            let logits = guided(logits, cfg) / tau;
            return (self.sample_classes(k, logits.clone()), logits);
        }
        let thresholds = match (self.greedy, &self.noise) {
            (true, _) => None,
            (false, Noise::Given(scales)) => Some(scales[k].clone()),
            (false, Noise::Seeded) => {
                let threshold = |seed, k, i| logistic(seed, Stream::Noise, k, i);
                Some(self.host_noise(k, [batch, length, self.d], threshold))
            }
        };
        let how = BitSampling {
            cfg,
            tau,
            thresholds,
            top_p: self.top_p,
        };
        sample_bits(logits, &how)
    }

    /// Gumbel-max over the `2^d` classes of the conventional classifier: logits `[B, L_k, 2^d]` -> bits `[B, L_k, d]`.
    fn sample_classes(&self, k: usize, logits: Tensor<3>) -> Tensor<3, Int> {
        let scores = match self.greedy {
            true => logits,
            false => {
                let gumbel = |seed, k, i| -(-uniform(seed, Stream::Noise, k, i).ln()).ln();
                let noise = self.host_noise(k, logits.dims(), gumbel);
                logits + noise
            }
        };
        bits::from_labels(scores.argmax(2).squeeze_dim(2), self.d)
    }

    /// `[B, L_k, width]` values of `draw(seed + b, k, index)`.
    fn host_noise(&self, k: usize, shape: [usize; 3], draw: impl Fn(u64, u64, u64) -> f64) -> Tensor<3> {
        let [batch, length, width] = shape;
        let values: Vec<f32> = (0..batch as u64)
            .flat_map(|b| (0..(length * width) as u64).map(move |i| (b, i)))
            .map(|(b, i)| draw(self.seed.wrapping_add(b), k as u64, i) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}
