//! GPU memory that an image needs, part by part, computed from the sizes of its networks.

use super::ModelError;
use super::config::{T5Config, TransformerConfig, VaeConfig};
use super::nn::stored_as;
use super::sampling::parts;
use super::schedule::Schedule;
use super::t5::T5Encoder;
use super::transformer::Transformer;
use super::vae::{Decoder, LARGEST_WHOLE, plan};
use crate::kernels::MAX_BINDING;
use crate::kernels::matmul::WeightFormat;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

/// Bytes of an f32.
const F32: usize = 4;

/// The networks of a model and the image to generate.
pub struct Networks<'a> {
    pub text_encoder: &'a T5Config,
    pub transformer: &'a TransformerConfig,
    pub vae: &'a VaeConfig,
    pub schedule: &'a Schedule,
    /// Tokens of the prompt.
    pub text: usize,
    /// Stored format of the layers' weights; with all but f32 the KV cache is stored in f16.
    pub weights: WeightFormat,
}

/// One part, and the largest of its tensors, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub bytes: usize,
    pub largest: usize,
}

/// The parts of an image of one prompt with guidance.
pub struct Memory {
    /// Allocated all the time.
    pub held: Vec<Part>,
    /// Of these, one at a time is allocated.
    pub passing: Vec<Part>,
}

impl Memory {
    pub fn peak(&self) -> usize {
        let held: usize = self.held.iter().map(|part| part.bytes).sum();
        held + self.passing.iter().map(|part| part.bytes).max().unwrap_or(0)
    }

    pub fn largest(&self) -> Part {
        let parts = self.held.iter().chain(&self.passing).copied();
        parts.max_by_key(|part| part.largest).unwrap_or(Part {
            name: "nothing",
            bytes: 0,
            largest: 0,
        })
    }
}

/// Plans an image.
pub fn memory(of: &Networks) -> Result<Memory, ModelError> {
    // Modules allocate nothing until they are filled.
    let device = Device::flex();
    let config = of.transformer;
    let (c, depth) = (config.embed_dim, config.depth);
    let rows = 2;
    let in_f16 = of.weights != WeightFormat::F32;
    let parts = parts(config, of.schedule, rows, in_f16, MAX_BINDING);
    let (each, number) = (rows / parts, if in_f16 { 2 } else { F32 });
    let last = of.schedule.tokens(of.schedule.len() - 1);
    let total = of.schedule.total();
    let kept = if parts > 1 { total - last } else { total };
    let cache = each * kept * c * number;
    let spare = if parts > 1 { each * total * c * number } else { 0 };
    let tokens = each * last;
    let wide = config.ffn_hidden.max(3 * c);
    let text = &of.text_encoder;
    let heads = text.num_heads * text.d_kv;
    let grids = of.schedule.latent_grids(config.patchify);
    let decoding = plan(of.vae, grids[grids.len() - 1], LARGEST_WHOLE)?;
    let part = |name, bytes, largest| Part { name, bytes, largest };
    Ok(Memory {
        held: vec![
            weights("text encoder", &T5Encoder::new(text, &device)?, of.weights),
            weights("transformer", &Transformer::new(config, &device)?, of.weights),
            weights("decoder", &Decoder::new(of.vae, &device)?, WeightFormat::F32),
            part("keys and values of the image", 2 * depth * parts * cache, cache),
            part(
                "keys and values of the text",
                depth * rows * of.text * 2 * c * F32,
                rows * of.text * 2 * c * F32,
            ),
        ],
        passing: vec![
            // Input, normed, queries, keys and values or the two halves of the gated layer, result.
            part(
                "encoding the text",
                of.text * (3 * text.d_model + (3 * heads).max(2 * text.d_ff)) * F32
                    + of.text * of.text * text.num_heads * F32,
                of.text * text.d_ff.max(of.text * text.num_heads) * F32,
            ),
            // The rows of all parts before and after a block; one part's input, its normed input, its widest tensor,
            // and the result; keys and values that are not cached.
            part(
                "a block at the last scale",
                (2 * rows * last * c + tokens * (3 * c + wide)) * F32 + 2 * spare,
                (tokens * wide * F32).max(rows * last * c * F32).max(spare),
            ),
            part("decoding", decoding.peak, decoding.largest),
        ],
    })
}

fn weights(name: &'static str, network: &impl Module, form: WeightFormat) -> Part {
    let mut sizes = Sizes {
        form,
        path: Vec::new(),
        bytes: 0,
        largest: 0,
    };
    network.visit(&mut sizes);
    Part {
        name,
        bytes: sizes.bytes,
        largest: sizes.largest,
    }
}

/// Adds up the sizes of parameters as they are stored.
struct Sizes {
    form: WeightFormat,
    /// Fields and what contains them.
    path: Vec<(String, String)>,
    bytes: usize,
    largest: usize,
}

impl ModuleVisitor for Sizes {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push((name.to_string(), container_type.to_string()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        let (field, container) = self
            .path
            .last()
            .map_or(("", ""), |(field, container)| (field, container));
        let form = stored_as(self.form, container, field);
        let words = match shape[..] {
            [rows, k] => rows * form.quantized_words(rows, k),
            _ => shape.iter().product(),
        };
        self.bytes += words * F32;
        self.largest = self.largest.max(words * F32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::official;
    use crate::model::schedule::TEMPLATES;

    const GB: f64 = 1e9;

    fn two_billion() -> (T5Config, TransformerConfig, VaeConfig) {
        let transformer = official::infinity_2b();
        let vae = official::vae(transformer.bits);
        (official::flan_t5_xl(), transformer, vae)
    }

    fn planned(weights: WeightFormat, scales: usize) -> Memory {
        let (text_encoder, transformer, vae) = two_billion();
        let schedule = TEMPLATES[0].schedule(scales).unwrap();
        memory(&Networks {
            text_encoder: &text_encoder,
            transformer: &transformer,
            vae: &vae,
            schedule: &schedule,
            text: 64,
            weights,
        })
        .unwrap()
    }

    #[test]
    fn two_billion_parameters_draw_a_megapixel_in_six_gib() {
        let memory = planned(WeightFormat::Q4, 13);
        assert!(memory.peak() < 6 << 30, "{}", memory.peak() as f64 / GB);
        let largest = memory.largest();
        assert!(largest.largest <= MAX_BINDING, "{largest:?}");
        let cache = memory
            .held
            .iter()
            .find(|part| part.name == "keys and values of the image");
        // 6425 of 10521 tokens for 32 blocks, two rows, keys and values.
        assert_eq!(cache.unwrap().bytes, 2 * 32 * 2 * 6425 * 2 * 2048);
    }

    #[test]
    fn weights_take_what_their_form_does() {
        let bytes = |form| planned(form, 7).held[1].bytes as f64 / GB;
        // 2.2 billion parameters in layers, 4.5 bits each with their scales.
        assert!((bytes(WeightFormat::F32) / bytes(WeightFormat::Q4) - 32.0 / 4.5).abs() < 0.2);
        assert!((bytes(WeightFormat::F32) / bytes(WeightFormat::Q8) - 32.0 / 8.5).abs() < 0.1);
        assert!((bytes(WeightFormat::F32) / bytes(WeightFormat::F16) - 2.0).abs() < 0.01);
        // The embedding table is too large for a shader in f32, and small enough in f16.
        assert!(planned(WeightFormat::F32, 7).held[0].largest > MAX_BINDING);
        assert!(planned(WeightFormat::Q8, 7).held[0].largest <= MAX_BINDING);
    }

    #[test]
    fn a_megapixel_is_decoded_in_a_gigabyte() {
        let (_, _, vae) = two_billion();
        let found = plan(&vae, (64, 64), LARGEST_WHOLE).unwrap();
        assert!(found.peak < 1_000_000_000 && found.largest <= MAX_BINDING, "{found:?}");
    }
}
