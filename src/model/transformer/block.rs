//! One transformer block: self attention, cross attention, feed-forward, with shared adaptive layer norm.

use super::attention::{CrossAttention, Past, SelfAttention, TextMemory};
use crate::model::config::TransformerConfig;
use crate::model::nn::{Linear, gelu, layer_norm, parameter};
use crate::model::rope::RopeTables;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `fc2(gelu(fc1(x)))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    pub fc1: Linear,
    pub fc2: Linear,
}

impl FeedForward {
    pub fn new(inputs: usize, hidden: usize, outputs: usize, device: &Device) -> Self {
        Self {
            fc1: Linear::new(inputs, hidden, device),
            fc2: Linear::new(hidden, outputs, device),
        }
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.fc2.forward(gelu(self.fc1.forward(x)))
    }
}

/// Scale and shift of a layer norm.
#[derive(Module, Debug)]
pub struct Affine {
    pub weight: Param<Tensor<1>>,
    pub bias: Param<Tensor<1>>,
}

/// A block of width C.
#[derive(Module, Debug)]
pub struct Block {
    /// This block's part of the modulation `[1, 1, 6, C]`; the prompt's part is shared by all blocks.
    pub ada_gss: Param<Tensor<4>>,
    pub sa: SelfAttention,
    pub ca_norm: Affine,
    pub ca: CrossAttention,
    pub ffn: FeedForward,
    eps: f64,
}

/// What all blocks share in one pass.
pub struct Surroundings<'a> {
    /// The prompt's modulation `g [B, 1, 6, C]`.
    pub modulation: &'a Tensor<4>,
    /// Hides padded text keys, `[B, 1, 1, L_text]`.
    pub text_mask: Option<&'a Tensor<4>>,
    /// Rotary rows of the tokens in this pass.
    pub rope: Option<&'a RopeTables>,
}

impl Block {
    pub fn new(config: &TransformerConfig, device: &Device) -> Self {
        let c = config.embed_dim;
        Self {
            ada_gss: parameter([1, 1, 6, c], device),
            sa: SelfAttention::new(c, config.num_heads, device),
            ca_norm: Affine {
                weight: parameter([c], device),
                bias: parameter([c], device),
            },
            ca: CrossAttention::new(c, config.num_heads, device),
            ffn: FeedForward::new(c, config.ffn_hidden, c, device),
            eps: config.norm_eps,
        }
    }

    /// `x [B, L, C] -> [B, L, C]`:
    ///
    /// `x += gamma1 SA(LN(x)(1 + scale1) + shift1)`, `x += CA(LN(x) w + b, text)`, `x += gamma2 FFN(LN(x)(1 + scale2) + shift2)`.
    pub fn forward(&self, x: Tensor<3>, memory: &TextMemory, around: &Surroundings, past: Past) -> Tensor<3> {
        let gss = self.ada_gss.val() + around.modulation.clone();
        let part = |i: usize| gss.clone().narrow(2, i, 1).squeeze_dim::<3>(2);
        let [gamma1, gamma2, scale1, scale2, shift1, shift2] = std::array::from_fn(part);

        let norm = layer_norm(x.clone(), self.eps) * (scale1 + 1.0) + shift1;
        let x = x + self.sa.forward(norm, around.rope, past) * gamma1;

        let norm = layer_norm(x.clone(), self.eps) * self.ca_norm.weight.val().unsqueeze();
        let norm = norm + self.ca_norm.bias.val().unsqueeze();
        let x = x + self.ca.forward(norm, memory, around.text_mask);

        let norm = layer_norm(x.clone(), self.eps) * (scale2 + 1.0) + shift2;
        x + self.ffn.forward(norm) * gamma2
    }
}
