//! The convolutional tokenizer: an image becomes a map of features, and summed codes become an image again.
//!
//! No attention, no variance, no scaling of the latent. Field names are the official checkpoints' names without the
//! inner `.conv` and `.norm` that wrap every layer there.

mod blocks;
mod coarse;
mod strips;

use super::ModelError;
use super::config::{EncoderConfig, VaeConfig};
use super::resize::{depth_to_space, space_to_depth};
use crate::kernels::MAX_BINDING;
use blocks::{Conv, Downsample, GroupNorm, Middle, ResBlock, Upsample};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
pub use strips::{Plan, plan};

/// Bytes of the largest map that is not cut into strips, where some are.
pub const LARGEST_WHOLE: usize = MAX_BINDING / 4;
/// Channels of an image.
const RGB: usize = 3;

/// Pixel values, row by row with three channels each, as the encoder's input: `[B, 3, H, W]` in [-1, 1].
pub fn images<'a>(levels: impl Iterator<Item = &'a u8>, [b, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = levels.map(|&level| f32::from(level) / 127.5 - 1.0).collect();
    let data = TensorData::new(values, [b, h, w, RGB]);
    Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
}

/// Encoder and decoder. Generation needs the [`Decoder`] alone, whose checkpoint names are these with the prefix
/// `decoder.`.
#[derive(Module, Debug)]
pub struct Vae {
    pub encoder: Encoder,
    pub decoder: Decoder,
}

impl Vae {
    pub fn new(config: &VaeConfig, device: &Device) -> Result<Self, ModelError> {
        Ok(Self {
            encoder: Encoder::new(config, device)?,
            decoder: Decoder::new(config, device)?,
        })
    }

    /// Images `[B, 3, H, W]` in [-1, 1] -> features `[B, d, H/f, W/f]`; `f` must divide H and W.
    pub fn encode(&self, image: Tensor<4>) -> Tensor<4> {
        self.encoder.forward(image)
    }

    /// As [`Decoder::forward`].
    pub fn decode_unclamped(&self, sum: Tensor<4>) -> Tensor<4> {
        self.decoder.forward(sum)
    }

    /// As [`Decoder::decode`].
    pub fn decode(&self, sum: Tensor<4>) -> Tensor<4> {
        self.decoder.decode(sum)
    }
}

/// Image -> features.
#[derive(Module, Debug)]
pub struct Encoder {
    pub conv_in: Conv,
    pub down: Vec<DownLevel>,
    pub mid: Middle,
    pub norm_out: GroupNorm,
    pub conv_out: Conv,
    #[module(skip)]
    stem_patch: usize,
}

/// One resolution of the encoder.
#[derive(Module, Debug)]
pub struct DownLevel {
    pub block: Vec<ResBlock>,
    pub downsample: Option<Downsample>,
}

impl Encoder {
    pub fn new(config: &VaeConfig, device: &Device) -> Result<Self, ModelError> {
        let halvings = config.halvings()?;
        let sizes = config.encoder_sizes();
        let widths: Vec<usize> = sizes.ch_mult.iter().map(|times| times * sizes.base_ch).collect();
        let mut inputs = sizes.base_ch;
        let mut down = Vec::with_capacity(widths.len());
        for (level, &width) in widths.iter().enumerate() {
            down.push(DownLevel {
                block: ResBlock::row(sizes.num_res_blocks, inputs, width, config.norm_groups, device),
                downsample: (level < halvings).then(|| Downsample::new(width, device)),
            });
            inputs = width;
        }
        Ok(Self {
            conv_in: Conv::new(config.stem_channels(), sizes.base_ch, 3, device),
            down,
            mid: Middle::new(inputs, config.norm_groups, device),
            norm_out: GroupNorm::new(inputs, config.norm_groups, device),
            conv_out: Conv::new(inputs, config.codebook_dim, 3, device),
            stem_patch: config.stem_patch,
        })
    }

    /// Images `[B, 3, H, W]` in [-1, 1] -> features `[B, d, H/f, W/f]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        self.forward_observed(image, &mut |_, _| {})
    }

    /// As [`forward`](Self::forward); `observe` is called with the name and the result of every stage.
    pub fn forward_observed(&self, image: Tensor<4>, observe: &mut dyn FnMut(&str, &Tensor<4>)) -> Tensor<4> {
        let mut x = self.conv_in.forward(to_stem(image, self.stem_patch));
        observe("conv_in", &x);
        for (level, down) in self.down.iter().enumerate() {
            x = down.block.iter().fold(x, |x, block| block.forward(x));
            observe(&format!("down{level}.block_last"), &x);
            if let Some(downsample) = &down.downsample {
                x = downsample.forward(x);
                observe(&format!("down{level}.downsample"), &x);
            }
        }
        x = self.mid.forward(x);
        observe("mid", &x);
        self.conv_out.forward(self.norm_out.silu(x))
    }
}

/// Summed codes -> image.
#[derive(Module, Debug)]
pub struct Decoder {
    pub conv_in: Conv,
    pub mid: Middle,
    /// In the order of levels; the last one runs first.
    pub up: Vec<UpLevel>,
    pub norm_out: GroupNorm,
    pub conv_out: Conv,
    #[module(skip)]
    stem_patch: usize,
}

/// One resolution of the decoder.
#[derive(Module, Debug)]
pub struct UpLevel {
    pub block: Vec<ResBlock>,
    pub upsample: Option<Upsample>,
}

impl Decoder {
    pub fn new(config: &VaeConfig, device: &Device) -> Result<Self, ModelError> {
        let widths = config.widths()?;
        let halvings = config.halvings()?;
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let level = |(level, &width): (usize, &usize)| UpLevel {
            block: {
                let inputs = widths.get(level + 1).copied().unwrap_or(last);
                ResBlock::row(config.num_res_blocks + 1, inputs, width, config.norm_groups, device)
            },
            upsample: (1..=halvings).contains(&level).then(|| Upsample::new(width, device)),
        };
        Ok(Self {
            conv_in: Conv::new(config.codebook_dim, last, 3, device),
            mid: Middle::new(last, config.norm_groups, device),
            up: widths.iter().enumerate().map(level).collect(),
            norm_out: GroupNorm::new(first, config.norm_groups, device),
            conv_out: Conv::new(first, config.stem_channels(), 3, device),
            stem_patch: config.stem_patch,
        })
    }

    /// Summed codes `F_K [B, d, h, w]` -> images `[B, 3, f h, f w]`, about [-1, 1] but not clamped; in strips where a
    /// map would be larger than a shader's binding.
    pub fn forward(&self, sum: Tensor<4>) -> Tensor<4> {
        match self.largest_map(&sum) > MAX_BINDING {
            true => self.forward_in_strips(sum, LARGEST_WHOLE),
            false => self.forward_observed(sum, &mut |_, _| {}),
        }
    }

    /// Images in [-1, 1].
    pub fn decode(&self, sum: Tensor<4>) -> Tensor<4> {
        self.forward(sum).clamp(-1.0, 1.0)
    }

    /// As [`forward`](Self::forward); `observe` is called with the name and the result of every stage.
    pub fn forward_observed(&self, sum: Tensor<4>, observe: &mut dyn FnMut(&str, &Tensor<4>)) -> Tensor<4> {
        let mut x = self.conv_in.forward(sum);
        observe("conv_in", &x);
        x = self.mid.forward(x);
        observe("mid", &x);
        for (level, up) in self.up.iter().enumerate().rev() {
            x = up.block.iter().fold(x, |x, block| block.forward(x));
            observe(&format!("up{level}.block_last"), &x);
            if let Some(upsample) = &up.upsample {
                x = upsample.forward(x);
                observe(&format!("up{level}.upsample"), &x);
            }
        }
        let x = self.conv_out.forward(self.norm_out.silu(x));
        from_stem(x, self.stem_patch)
    }
}

/// Space-to-depth by the stem's patch; nothing for the official 1.
fn to_stem(x: Tensor<4>, patch: usize) -> Tensor<4> {
    if patch == 1 { x } else { space_to_depth(x, patch) }
}

fn from_stem(x: Tensor<4>, patch: usize) -> Tensor<4> {
    if patch == 1 { x } else { depth_to_space(x, patch) }
}

impl VaeConfig {
    /// Checks that the sizes fit together.
    pub fn validate(&self) -> Result<(), ModelError> {
        let wrong = |what: String| Err(ModelError::Config(what));
        let sizes = [
            self.codebook_dim,
            self.base_ch,
            self.num_res_blocks,
            self.patch_size,
            self.stem_patch,
        ];
        if sizes
            .iter()
            .chain(&self.ch_mult)
            .any(|&size| size == 0 || size > 1 << 12)
        {
            return wrong(format!(
                "a tokenizer size among {sizes:?} and {:?} is zero or absurdly large",
                self.ch_mult
            ));
        }
        let encoder = self.encoder_sizes();
        let sizes = [encoder.base_ch, encoder.num_res_blocks];
        if sizes
            .iter()
            .chain(&encoder.ch_mult)
            .any(|&size| size == 0 || size > 1 << 12)
            || encoder.ch_mult.len() != self.ch_mult.len()
        {
            return wrong(format!(
                "an encoder of {} channels with multipliers {:?} and {} blocks a level: every size must be positive, and the \
                 levels as many as the decoder's {}",
                encoder.base_ch,
                encoder.ch_mult,
                encoder.num_res_blocks,
                self.ch_mult.len()
            ));
        }
        let (stride, stem) = (self.patch_size, self.stem_patch);
        if !stride.is_power_of_two() || !stem.is_power_of_two() || stem > stride {
            return wrong(format!(
                "stride {stride} and stem patch {stem} must be powers of two, the stem not the larger"
            ));
        }
        let (levels, halvings) = (self.ch_mult.len(), (stride / stem).ilog2() as usize);
        if levels <= halvings {
            return wrong(format!(
                "{levels} levels cannot halve {halvings} times; `ch_mult` needs {} entries",
                halvings + 1
            ));
        }
        Ok(())
    }

    /// Number of levels that halve the resolution.
    fn halvings(&self) -> Result<usize, ModelError> {
        self.validate()?;
        Ok((self.patch_size / self.stem_patch).ilog2() as usize)
    }

    /// Channels of every level; at least one level.
    fn widths(&self) -> Result<Vec<usize>, ModelError> {
        self.validate()?;
        Ok(self
            .ch_mult
            .iter()
            .map(|multiplier| multiplier * self.base_ch)
            .collect())
    }

    /// Sizes of the encoder: its own, or the decoder's.
    fn encoder_sizes(&self) -> EncoderConfig {
        self.encoder.clone().unwrap_or_else(|| EncoderConfig {
            base_ch: self.base_ch,
            ch_mult: self.ch_mult.clone(),
            num_res_blocks: self.num_res_blocks,
        })
    }

    /// Input channels of the first convolution.
    fn stem_channels(&self) -> usize {
        RGB * self.stem_patch * self.stem_patch
    }
}

#[cfg(test)]
pub mod tests;
