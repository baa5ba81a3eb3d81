//! One transformer block: self attention, cross attention, feed-forward, with shared adaptive layer norm.

use super::attention::{CrossAttention, CrossKv, Past, SelfAttention};
use crate::kernels::matmul::{Epilogue, Gate};
use crate::kernels::norm::{Modulation, layer_norm};
use crate::model::config::TransformerConfig;
use crate::model::nn::{Linear, parameter};
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

    /// `epilogue` follows `fc2`.
    pub fn forward(&self, x: Tensor<3>, epilogue: Epilogue) -> Tensor<3> {
        self.fc2.then(self.fc1.then(x, Epilogue::Gelu), epilogue)
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

/// The inputs that all blocks share in one pass.
pub struct BlockContext<'a> {
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
    /// `x += gamma1 SA(LN(x)(1 + scale1) + shift1)`, `x += CA(LN(x) w + b, text)`,
    /// `x += gamma2 FFN(LN(x)(1 + scale2) + shift2)`.
    pub fn forward(&self, x: Tensor<3>, text: &CrossKv, context: &BlockContext, past: Past) -> Tensor<3> {
        let (table, prompt) = (self.ada_gss.val(), context.modulation.clone());
        // The parts are gamma1, gamma2, scale1, scale2, shift1, shift2.
        let norm = |x: &Tensor<3>, i: usize| {
            let modulation = Modulation::Adaptive {
                table: Some(table.clone()),
                prompt: prompt.clone(),
                scale: 2 + i,
                shift: 4 + i,
            };
            layer_norm(x.clone(), self.eps, modulation)
        };
        let gated = |x: &Tensor<3>, part: usize| {
            let gate = Gate {
                table: table.clone(),
                prompt: prompt.clone(),
                part,
            };
            Epilogue::Residual(x.clone(), Some(gate))
        };
        let x = self.sa.forward(norm(&x, 0), context.rope, past, gated(&x, 0));
        let affine = Modulation::Affine {
            weight: self.ca_norm.weight.val(),
            bias: self.ca_norm.bias.val(),
        };
        let normed = layer_norm(x.clone(), self.eps, affine);
        let x = self
            .ca
            .forward(normed, text, context.text_mask, Epilogue::Residual(x, None));
        self.ffn.forward(norm(&x, 1), gated(&x, 1))
    }
}
