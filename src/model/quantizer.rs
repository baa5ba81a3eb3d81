//! The bitwise multi-scale residual quantizer (Alg. 1) and its losses.
//!
//! Features `F [B, d, H, W]` become bits at every scale: the residual `F - F_{k-1}` is downsampled to the grid of scale
//! k, its signs are the bits, and their codes are upsampled and added to the running sum, which gives `F_k`. The
//! transformer's input for the next scale is `F~_k`, the running sum resized to the next grid.

use super::bits;
use super::resize::Resize;
use super::schedule::Grid;
use crate::kernels::sampling::add_codes;
use burn::tensor::{Int, Tensor};

/// Values of a code (Eq. 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codebook {
    /// Binary spherical: residuals normalized over channels, codes `+-1/sqrt(d)`.
    Bsq,
    /// Lookup-free: codes `+-1`, no normalization.
    Lfq,
}

/// Inverse temperature of the soft assignment in the entropy terms.
const INVERSE_TEMPERATURE: f64 = 100.0;
const COMMITMENT_WEIGHT: f64 = 0.25;
/// The released recipe's factor on the entropy penalty (the default argument of its forward call).
const ENTROPY_WEIGHT: f64 = 0.1;

/// The quantizer has no parameters, only its variant.
#[derive(Clone, Copy, Debug)]
pub struct Quantizer {
    pub codebook: Codebook,
    /// How residuals are downsampled: area in the official code, bilinear in the paper's text.
    pub down: Resize,
}

impl Default for Quantizer {
    /// The released configuration.
    fn default() -> Self {
        Self {
            codebook: Codebook::Bsq,
            down: Resize::Area,
        }
    }
}

/// An image as bits, with its running sums.
#[derive(Clone, Debug)]
pub struct Pyramid {
    /// Latent bits of scale k, `[B, h_k, w_k, d]`.
    pub bits: Vec<Tensor<4, Int>>,
    /// `F_k [B, d, H, W]` for every k; the last goes to the decoder.
    pub sums: Vec<Tensor<4>>,
}

impl Pyramid {
    /// `F_K`.
    pub fn last(&self) -> Tensor<4> {
        self.sums[self.sums.len() - 1].clone()
    }

    /// `F~_k` for k = 1..K-1: what the transformer reads to predict scale k + 1, `[B, d, h_{k+1}, w_{k+1}]`.
    pub fn inputs(&self, grids: &[Grid]) -> Vec<Tensor<4>> {
        inputs(&self.sums, grids, Resize::Bilinear)
    }
}

/// Running sums resized to the grids after them.
pub fn inputs(sums: &[Tensor<4>], grids: &[Grid], resize: Resize) -> Vec<Tensor<4>> {
    let next = grids.iter().skip(1);
    sums.iter()
        .zip(next)
        .map(|(sum, &grid)| resize.apply(sum.clone(), grid))
        .collect()
}

impl Quantizer {
    /// Length of one component of a code.
    pub fn code_scale(&self, d: usize) -> f64 {
        match self.codebook {
            Codebook::Bsq => 1.0 / (d as f64).sqrt(),
            Codebook::Lfq => 1.0,
        }
    }

    /// Bits `[B, h, w, d]` -> codes `[B, d, h, w]`.
    pub fn codes(&self, bits: Tensor<4, Int>) -> Tensor<4> {
        let [_, _, _, d] = bits.dims();
        bits::codes(bits, self.code_scale(d))
    }

    /// Alg. 1: `F [B, d, H, W]` with the last grid `(H, W)` -> bits and running sums.
    pub fn encode(&self, features: Tensor<4>, grids: &[Grid]) -> Pyramid {
        self.encode_with(features, grids, |_, bits| bits)
    }

    /// Alg. 1 with a change of the bits: the codes of `store(k, bits)` enter the running sum, from which the next
    /// residuals are taken. The returned bits are those before `store`. Residuals are not normalized, as that changes
    /// no sign.
    pub fn encode_with(
        &self,
        features: Tensor<4>,
        grids: &[Grid],
        mut store: impl FnMut(usize, Tensor<4, Int>) -> Tensor<4, Int>,
    ) -> Pyramid {
        let mut pyramid = Pyramid {
            bits: Vec::new(),
            sums: Vec::new(),
        };
        let mut sum = features.zeros_like();
        for (k, &grid) in grids.iter().enumerate() {
            let residual = self.down.apply(features.clone() - sum.clone(), grid);
            let bits = bits::from_signs(residual);
            sum = self.added(sum, store(k, bits.clone()));
            pyramid.bits.push(bits);
            pyramid.sums.push(sum.clone());
        }
        pyramid
    }

    /// Running sums from bits alone: `F_k = sum_{j<=k} up(code_j)` on the grid `size`.
    pub fn decode(&self, bits: &[Tensor<4, Int>], size: Grid) -> Vec<Tensor<4>> {
        let mut sums: Vec<Tensor<4>> = Vec::new();
        for scale in bits {
            let [batch, _, _, d] = scale.dims();
            let nothing = || Tensor::zeros([batch, d, size.0, size.1], &scale.device());
            let before = sums.last().cloned().unwrap_or_else(nothing);
            sums.push(self.added(before, scale.clone()));
        }
        sums
    }

    /// A running sum and the codes of the latent bits `[B, h, w, d]` of one more scale, upsampled to its size.
    fn added(&self, sum: Tensor<4>, bits: Tensor<4, Int>) -> Tensor<4> {
        let [_, h, w, d] = bits.dims();
        add_codes(sum, &bits.flatten::<3>(1, 2), (h, w), false, self.code_scale(d))
    }

    /// Unit vectors over channels for BSQ (`r / max(|r|, 1e-12)`), unchanged for LFQ.
    fn project(&self, residual: Tensor<4>) -> Tensor<4> {
        match self.codebook {
            Codebook::Lfq => residual,
            Codebook::Bsq => {
                // A zero vector would divide 0 by 0 in the gradient of the norm, hence the floor under the root.
                let square = residual.clone().square().sum_dim(1).clamp_min(1e-24);
                residual / square.sqrt()
            }
        }
    }

    /// Alg. 1 in the training of the tokenizer: straight-through codes and one auxiliary loss per scale.
    ///
    /// `gradient` says whether the residual update lets gradients through the code (the released recipe) or not.
    pub fn train(&self, features: Tensor<4>, grids: &[Grid], gradient: ResidualGradient) -> TrainedPyramid {
        let [_, _, height, width] = features.dims();
        let mut residual = features.clone();
        let mut sum = features.zeros_like();
        let (mut sums, mut losses) = (Vec::new(), Vec::new());
        for &grid in grids {
            let z = self.project(self.down.apply(residual.clone(), grid));
            let code = self.codes(bits::from_signs(z.clone().detach()));
            losses.push(self.losses(z.clone(), code.clone()).total());
            let through = z.clone() + (code - z).detach();
            let grown = Resize::Bilinear.apply(through, (height, width));
            residual = residual
                - match gradient {
                    ResidualGradient::Keep => grown.clone(),
                    ResidualGradient::Detach => grown.clone().detach(),
                };
            sum = sum + grown;
            sums.push(sum.clone().detach());
        }
        TrainedPyramid {
            sum,
            sums,
            losses: Tensor::cat(losses, 0),
        }
    }

    /// Entropy and commitment of one scale: `z [B, d, h, w]` (unit vectors for BSQ) and its codes.
    pub fn losses(&self, z: Tensor<4>, code: Tensor<4>) -> QuantizerLosses {
        let commitment = (z.clone() - code.detach()).square().mean();
        let [b, d, h, w] = z.dims();
        let z = z.permute([0, 2, 3, 1]).reshape([b * h * w, d]);
        let entropy = match self.codebook {
            Codebook::Bsq => bsq_entropy(z),
            Codebook::Lfq => lfq_entropy(z),
        };
        let penalty = match self.codebook {
            Codebook::Bsq => ENTROPY_WEIGHT / INVERSE_TEMPERATURE,
            Codebook::Lfq => ENTROPY_WEIGHT,
        };
        QuantizerLosses {
            commitment,
            entropy,
            penalty,
        }
    }

    /// `z` of a residual, and its codes: the single-scale quantizer of Eq. 4.
    pub fn quantize(&self, residual: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let z = self.project(residual);
        let code = self.codes(bits::from_signs(z.clone()));
        (z, code)
    }
}

/// Whether gradients pass through the code subtracted from the residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidualGradient {
    /// The released tokenizer recipe.
    Keep,
    Detach,
}

/// Result of [`Quantizer::train`].
pub struct TrainedPyramid {
    /// `F_K [B, d, H, W]` with straight-through gradients.
    pub sum: Tensor<4>,
    /// `F_k` for every k, without gradients.
    pub sums: Vec<Tensor<4>>,
    /// Auxiliary loss of every scale `[K]`.
    pub losses: Tensor<1>,
}

/// Entropy penalty and commitment of one scale, each `[1]`.
pub struct QuantizerLosses {
    pub commitment: Tensor<1>,
    pub entropy: Entropy,
    penalty: f64,
}

impl QuantizerLosses {
    /// `0.25 commit + 0.1 (H_sample - H_code)`, the penalty over the temperature 100 for BSQ.
    pub fn total(&self) -> Tensor<1> {
        let gap = self.entropy.sample.clone() - self.entropy.codebook.clone();
        self.commitment.clone() * COMMITMENT_WEIGHT + gap * self.penalty
    }
}

/// Mean entropy of one assignment and entropy of the mean assignment, in nats.
pub struct Entropy {
    pub sample: Tensor<1>,
    pub codebook: Tensor<1>,
    /// BSQ: mean probability of the negative value per bit `[d]`; LFQ: mean assignment `[2^d]`.
    pub mean: Tensor<1>,
}

/// `-p ln(p + eps) - (1-p) ln(1-p + eps)`.
fn binary_entropy<const D: usize>(p: Tensor<D>) -> Tensor<D> {
    const EPS: f64 = 1e-8;
    let q = -p.clone() + 1.0;
    -(p.clone() * (p + EPS).log()) - q.clone() * (q + EPS).log()
}

/// BSQ entropies in O(d): the soft assignment factorizes over bits, so the codebook of `2^d` entries is not needed.
fn bsq_entropy(z: Tensor<2>) -> Entropy {
    let [_, d] = z.dims();
    let sharpness = 4.0 * INVERSE_TEMPERATURE / (d as f64).sqrt();
    let negative = burn::tensor::activation::sigmoid(-z * sharpness);
    let mean = negative.clone().mean_dim(0).squeeze_dim::<1>(0);
    Entropy {
        sample: binary_entropy(negative).sum_dim(1).mean(),
        codebook: binary_entropy(mean.clone()).sum(),
        mean,
    }
}

/// LFQ entropies over the full codebook of `2^d` entries; only for small d.
fn lfq_entropy(z: Tensor<2>) -> Entropy {
    let [_, d] = z.dims();
    let device = z.device();
    let entries = 1usize << d;
    let values: Vec<f32> = (0..entries as u64)
        .flat_map(|entry| bits::from_label(entry, d, bits::BitOrder::Official))
        .map(|bit| 2.0 * f32::from(bit) - 1.0)
        .collect();
    let codebook = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([entries, d]);
    let logits = z.matmul(codebook.transpose()) * (2.0 * INVERSE_TEMPERATURE);
    let p = burn::tensor::activation::softmax(logits, 1);
    let entropy = |p: Tensor<2>| -(p.clone() * p.clamp_min(1e-5).log()).sum_dim(1).mean();
    let mean = p.clone().mean_dim(0);
    Entropy {
        sample: entropy(p),
        codebook: entropy(mean.clone()),
        mean: mean.squeeze_dim(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::model::bits::BitOrder;
    use burn::tensor::Device;

    golden::test_per_device!(golden_pyramids: golden_pyramids_flex, golden_pyramids_wgpu);

    fn golden_pyramids(name: &str, device: &Device) {
        for case in golden::cases("quantizer_bsq") {
            let grids: Vec<Grid> = case.get("schedule");
            let quantizer = Quantizer::default();
            let features = case.float::<4>("features", device);
            let [b, d, h, w] = features.dims();
            let pyramid = quantizer.encode(features, &grids);
            for (k, bits) in pyramid.bits.iter().enumerate() {
                case.check_int(name, &format!("bits.{k}"), bits.clone());
            }
            for (k, sum) in pyramid.sums.iter().enumerate() {
                let stored = format!("F.{k}");
                if case.has(&stored) {
                    case.check(name, &stored, sum.clone());
                }
            }
            let rows = |x: Tensor<4>| x.flatten::<3>(2, 3).swap_dims(1, 2);
            let inputs: Vec<_> = pyramid.inputs(&grids).into_iter().map(rows).collect();
            case.check(name, "x_BLC_wo_prefix", Tensor::cat(inputs, 1));
            for (k, map) in super::inputs(&pyramid.sums, &grids, Resize::Area)
                .into_iter()
                .enumerate()
            {
                let stored = format!("area_inputs.{k}");
                if case.has(&stored) {
                    case.check(name, &stored, map);
                }
            }
            case.check(name, "z", pyramid.last());
            let decoded = quantizer.decode(&pyramid.bits, (h, w));
            assert_eq!(decoded[grids.len() - 1].dims(), [b, d, h, w]);
            case.check(name, "z_from_bits", decoded[grids.len() - 1].clone());
        }
    }

    golden::test_per_device!(golden_bsq_entropy: golden_bsq_entropy_flex, golden_bsq_entropy_wgpu);

    fn golden_bsq_entropy(name: &str, device: &Device) {
        for case in golden::cases("bsq_entropy") {
            let stored = case.float::<5>("x", &device.clone().autodiff());
            let [b, d, t, h, w] = stored.dims();
            let x = stored.reshape([b, d, t * h, w]).require_grad();
            let quantizer = Quantizer::default();
            let (z, code) = quantizer.quantize(x.clone());
            let losses = quantizer.losses(z.clone(), code.clone());
            let total = losses.total();
            let grads = total.backward();
            let negative = losses.entropy.mean.clone().inner();
            let both = Tensor::stack::<2>(vec![negative.clone(), -negative + 1.0], 1);
            let scalar = |x: Tensor<1>| x.inner().into_data().convert::<f32>().try_to_vec::<f32>().unwrap();
            case.check_values(name, "H_sample", &[], &scalar(losses.entropy.sample));
            case.check_values(name, "H_codebook", &[], &scalar(losses.entropy.codebook));
            case.check(name, "avg_prob", both);
            case.check_values(name, "commit", &[], &scalar(losses.commitment));
            case.check_values(name, "aux", &[], &scalar(total));
            let grad = x.grad(&grads).unwrap().reshape([b, d, t, h, w]);
            case.check(name, "grad_x_of_aux", grad);
            case.check_int(name, "bits", bits::from_signs(x.inner()));
            case.check(name, "quantized", code.inner().reshape([b, d, t, h, w]));
        }
    }

    golden::test_per_device!(golden_training_losses: golden_training_losses_flex, golden_training_losses_wgpu);

    fn golden_training_losses(name: &str, device: &Device) {
        for case in golden::cases("multiscale_bsq_training_loss") {
            let grids: Vec<Grid> = case.get("schedule");
            let weight: f64 = case.get("lfq_weight");
            let variants = [
                ("detach", ResidualGradient::Detach),
                ("keepgrad", ResidualGradient::Keep),
            ];
            for (variant, gradient) in variants {
                let features = case.float::<4>("features", &device.clone().autodiff()).require_grad();
                let probe = case.float::<4>("probe", &device.clone().autodiff());
                let trained = Quantizer::default().train(features.clone(), &grids, gradient);
                let total = trained.losses.clone().mean() * weight + (trained.sum.clone() * probe).mean();
                let found = total.clone().inner().into_scalar::<f32>();
                let expected = case.scalar(&format!("total.{variant}")) as f32;
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                let grads = total.backward();
                case.check(name, &format!("losses.{variant}"), trained.losses.inner());
                case.check(
                    name,
                    &format!("grad_features.{variant}"),
                    features.grad(&grads).unwrap(),
                );
                case.check(name, "z", trained.sum.inner());
            }
        }
    }

    golden::test_per_device!(golden_lfq: golden_lfq_flex, golden_lfq_wgpu);

    fn golden_lfq(name: &str, device: &Device) {
        for case in golden::cases("lfq") {
            let quantizer = Quantizer {
                codebook: Codebook::Lfq,
                down: Resize::Area,
            };
            let x = case.float::<4>("x", &device.clone().autodiff()).require_grad();
            let (z, code) = quantizer.quantize(x.clone());
            let losses = quantizer.losses(z, code.clone());
            let total = losses.total();
            let grads = total.backward();
            let scalar = |x: Tensor<1>| x.inner().into_data().convert::<f32>().try_to_vec::<f32>().unwrap();
            case.check(name, "quantized", code.inner());
            case.check_values(name, "H_sample", &[], &scalar(losses.entropy.sample));
            case.check_values(name, "H_codebook", &[], &scalar(losses.entropy.codebook));
            case.check_values(name, "commit", &[], &scalar(losses.commitment));
            case.check_values(name, "aux", &[], &scalar(total));
            case.check(name, "grad_x_of_aux", x.grad(&grads).unwrap());
            let d = x.dims()[1];
            let bits = bits::from_signs(x.inner())
                .into_data()
                .convert::<u8>()
                .try_to_vec::<u8>()
                .unwrap();
            let indices: Vec<i64> = bits
                .chunks(d)
                .map(|t| bits::label(t, BitOrder::Official) as i64)
                .collect();
            assert_eq!(indices, case.ints("indices"));
        }
    }
}
