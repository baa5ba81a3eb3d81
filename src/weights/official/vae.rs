//! The convolutional tokenizer of official checkpoints: two spellings of every name, sizes.

use super::{ImportPlan, Named, underivable};
use crate::model::config::{OFFICIAL_GROUPS, VaeConfig};
use crate::weights::WeightsError;
use crate::weights::reader::TensorInfo;

/// Buffers of the quantizer: powers of two that the model does not need.
const BUFFERS: [&str; 2] = ["quantizer.lfq.mask", "quantize.lfq.mask"];

/// Networks that only the tokenizer's own training needs.
const TRAINING_PARTS: [&str; 5] = [
    "discriminator.",
    "image_discriminator.",
    "image_disc.",
    "perceptual_model.",
    "ema.",
];

/// Works out the sizes and where every tensor comes from.
pub fn plan(entries: &[TensorInfo]) -> Result<ImportPlan<VaeConfig>, WeightsError> {
    let named = Named::new(entries, |name| {
        let ignored = BUFFERS.contains(&name) || TRAINING_PARTS.iter().any(|p| name.starts_with(p));
        (!ignored).then(|| our_name(name))
    })?;
    let config = config(&named)?;
    let tensors = named.plan(expected(&config))?;
    Ok(ImportPlan {
        config,
        tensors,
        zeros: Vec::new(),
    })
}

/// Takes out the inner `.conv` or `.norm` that official modules wrap every layer in. The layer inside `downsample` and
/// `upsample` is called `conv` itself and keeps that name.
pub fn our_name(name: &str) -> String {
    let Some((path, leaf)) = name.rsplit_once('.') else {
        return name.to_string();
    };
    let inner = path.rsplit_once('.');
    match inner {
        Some((outer, "conv" | "norm")) if !outer.ends_with("sample") => format!("{outer}.{leaf}"),
        _ => name.to_string(),
    }
}

/// Our names and their shapes, in the order of the network.
pub fn expected(config: &VaeConfig) -> Vec<(String, Vec<usize>)> {
    let mut list = List(Vec::new());
    let widths: Vec<usize> = config.ch_mult.iter().map(|m| m * config.base_ch).collect();
    let halvings = (config.patch_size / config.stem_patch).ilog2() as usize;
    let pixels = 3 * config.stem_patch * config.stem_patch;
    let (Some(&top), Some(&deepest)) = (widths.first(), widths.last()) else {
        return list.0;
    };

    list.conv("encoder.conv_in", pixels, config.base_ch, 3);
    let mut width = config.base_ch;
    for (level, &next) in widths.iter().enumerate() {
        for block in 0..config.num_res_blocks {
            list.residual(&format!("encoder.down.{level}.block.{block}"), width, next);
            width = next;
        }
        if level < halvings {
            list.conv(&format!("encoder.down.{level}.downsample.conv"), width, width, 3);
        }
    }
    list.residual("encoder.mid.block_1", width, width);
    list.residual("encoder.mid.block_2", width, width);
    list.norm("encoder.norm_out", width);
    list.conv("encoder.conv_out", width, config.codebook_dim, 3);

    list.conv("decoder.conv_in", config.codebook_dim, deepest, 3);
    list.residual("decoder.mid.block_1", deepest, deepest);
    list.residual("decoder.mid.block_2", deepest, deepest);
    width = deepest;
    for (level, &next) in widths.iter().enumerate().rev() {
        for block in 0..=config.num_res_blocks {
            list.residual(&format!("decoder.up.{level}.block.{block}"), width, next);
            width = next;
        }
        if (1..=halvings).contains(&level) {
            list.conv(&format!("decoder.up.{level}.upsample.conv"), width, width, 3);
        }
    }
    list.norm("decoder.norm_out", top);
    list.conv("decoder.conv_out", top, pixels, 3);
    list.0
}

struct List(Vec<(String, Vec<usize>)>);

impl List {
    fn conv(&mut self, name: &str, inputs: usize, outputs: usize, kernel: usize) {
        self.0
            .push((format!("{name}.weight"), vec![outputs, inputs, kernel, kernel]));
        self.0.push((format!("{name}.bias"), vec![outputs]));
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.0.push((format!("{name}.weight"), vec![width]));
        self.0.push((format!("{name}.bias"), vec![width]));
    }

    fn residual(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.norm(&format!("{name}.norm1"), inputs);
        self.conv(&format!("{name}.conv1"), inputs, outputs, 3);
        self.norm(&format!("{name}.norm2"), outputs);
        self.conv(&format!("{name}.conv2"), outputs, outputs, 3);
        if inputs != outputs {
            self.conv(&format!("{name}.nin_shortcut"), inputs, outputs, 1);
        }
    }
}

fn config(named: &Named) -> Result<VaeConfig, WeightsError> {
    let [base_ch, pixels, h, w] = named.shape("encoder.conv_in.weight")?;
    let [codebook_dim, ..] = named.shape::<4>("encoder.conv_out.weight")?;
    let stem_patch = (pixels / 3).isqrt();
    let levels = named.count(|level| format!("encoder.down.{level}.block.0.conv1.weight"));
    let mut ch_mult = Vec::with_capacity(levels);
    for level in 0..levels {
        let name = format!("encoder.down.{level}.block.0.conv1.weight");
        let shape: [usize; 4] = named.shape(&name)?;
        if base_ch == 0 || !shape[0].is_multiple_of(base_ch) || shape[0] > 1 << 20 {
            return Err(underivable("channel multiplier", &name, &shape));
        }
        ch_mult.push(shape[0] / base_ch);
    }
    let halvings = named.count(|level| format!("encoder.down.{level}.downsample.conv.weight"));
    if pixels == 0 || pixels != 3 * stem_patch * stem_patch || halvings > 16 || base_ch > 1 << 20 {
        let shape = [base_ch, pixels, h, w];
        return Err(underivable("stride", "encoder.conv_in.weight", &shape));
    }
    Ok(VaeConfig {
        codebook_dim,
        base_ch,
        ch_mult,
        num_res_blocks: named.count(|block| format!("encoder.down.0.block.{block}.conv1.weight")),
        patch_size: stem_patch << halvings,
        stem_patch,
        norm_groups: OFFICIAL_GROUPS,
        encoder: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Memory;
    use super::*;
    use crate::weights::reader::TensorReader;

    fn tiny() -> VaeConfig {
        VaeConfig {
            codebook_dim: 5,
            base_ch: 8,
            ch_mult: vec![1, 2, 2],
            num_res_blocks: 2,
            patch_size: 4,
            stem_patch: 1,
            norm_groups: OFFICIAL_GROUPS,
            encoder: None,
        }
    }

    /// Wraps a layer's name as the official modules do.
    fn official(name: &str) -> String {
        let (path, leaf) = name.rsplit_once('.').unwrap();
        let inner = if path.contains("norm") { "norm" } else { "conv" };
        format!("{path}.{inner}.{leaf}")
    }

    #[test]
    fn both_spellings_become_ours() {
        for (name, expected) in [
            ("encoder.conv_in.conv.weight", "encoder.conv_in.weight"),
            ("encoder.norm_out.norm.bias", "encoder.norm_out.bias"),
            (
                "encoder.down.0.downsample.conv.conv.weight",
                "encoder.down.0.downsample.conv.weight",
            ),
            (
                "decoder.up.1.upsample.conv.conv.bias",
                "decoder.up.1.upsample.conv.bias",
            ),
            (
                "decoder.up.1.block.0.nin_shortcut.conv.bias",
                "decoder.up.1.block.0.nin_shortcut.bias",
            ),
        ] {
            assert_eq!(our_name(name), expected);
            assert_eq!(our_name(expected), expected);
        }
        for (name, _) in expected(&tiny()) {
            assert_eq!(our_name(&official(&name)), name);
        }
    }

    #[test]
    fn infers_every_size() {
        for stem_patch in [1, 2] {
            let config = VaeConfig {
                stem_patch,
                patch_size: 4 * stem_patch,
                ..tiny()
            };
            let memory = Memory::counting(expected(&config)).rename(official);
            let found = plan(memory.entries()).unwrap();
            assert_eq!(found.config, config);
            assert_eq!(found.tensors.len(), memory.entries().len());
        }
    }

    #[test]
    fn leaves_out_what_training_adds_and_nothing_else() {
        let mut memory = Memory::counting(expected(&tiny()));
        for name in [
            "quantizer.lfq.mask",
            "quantize.lfq.mask",
            "ema.decoder.conv_in.weight",
            "discriminator.0.weight",
        ] {
            memory.add(name, &[2], |_| 0.0);
        }
        assert_eq!(plan(memory.entries()).unwrap().tensors.len(), expected(&tiny()).len());
        memory.add("decoder.mid.attn_1.q.weight", &[2], |_| 0.0);
        let message = plan(memory.entries()).unwrap_err().to_string();
        assert!(message.contains("`decoder.mid.attn_1.q.weight`"), "{message}");
    }

    #[test]
    fn refuses_two_spellings_of_one_tensor_and_gaps() {
        let mut memory = Memory::counting(expected(&tiny()));
        memory.add("encoder.conv_in.conv.bias", &[8], |_| 0.0);
        let message = plan(memory.entries()).unwrap_err().to_string();
        assert!(message.contains("two spellings of one tensor"), "{message}");
        let memory = Memory::counting(expected(&tiny())).without("decoder.up.1.upsample.conv.weight");
        let message = plan(memory.entries()).unwrap_err().to_string();
        assert!(message.contains("`decoder.up.1.upsample.conv.weight`"), "{message}");
        let mut memory = Memory::counting(expected(&tiny())).without("encoder.down.1.block.0.conv1.weight");
        memory.add("encoder.down.1.block.0.conv1.weight", &[13, 8, 3, 3], |_| 0.0);
        assert!(
            plan(memory.entries())
                .unwrap_err()
                .to_string()
                .contains("channel multiplier")
        );
    }
}
