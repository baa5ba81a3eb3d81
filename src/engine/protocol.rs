//! Commands to the engine and events from it, the same for the page (as JavaScript objects) and the command line.
//!
//! www/engine/protocol.js declares the same messages as JSDoc types. Where a Rust name differs from the name on the wire, a
//! serde attribute says so: names on the wire stay as they are, since the npm package exposes them.

use crate::kernels::runtime::fallbacks::Fallback;
use crate::model::sampling::PerScale;
use crate::model::schedule::Grid;
use crate::model::self_correction::AblationArm;
use serde::{Deserialize, Serialize, Serializer};

/// Version of the protocol; increased by every change that an older page would misread.
pub const PROTOCOL: u32 = 5;

/// One image to generate, as requested and unchecked. Options that are left out take the model's defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    pub prompt: String,
    /// An integer from 0 to 2^53 - 1, the range in which every JavaScript number is exact.
    pub seed: f64,
    /// Name of a template, width to height: "1:1", "4:3" ..
    pub aspect: Option<String>,
    /// Classifier-free guidance; 1 is none.
    pub cfg: Option<PerScale>,
    /// Temperature of the logits.
    pub tau: Option<PerScale>,
    /// Nucleus sampling over a bit's two values, from 0 to 1; 0 turns it off.
    pub top_p: Option<f64>,
    /// What the image should not show; replaces the unconditional embedding in the guidance.
    pub negative_prompt: Option<String>,
    /// Whether prompts about people are extended by a request for good faces, as the official tools can.
    #[serde(default)]
    pub positive_prompt: bool,
    /// Bits of an earlier image that the new one keeps. `keep` on the wire; `editMask` is accepted too.
    #[serde(rename = "keep", alias = "editMask")]
    pub edit_mask: Option<EditMask>,
    /// Bits that are flipped after they were sampled or kept.
    pub flips: Option<Flips>,
    /// Packed bits of a finished image of this shape, to which every scale is then compared.
    pub against: Option<Vec<Vec<u32>>>,
}

/// Bits to flip.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flips {
    /// Scales, from 1, of which every bit flips with probability `rate`.
    pub scales: Vec<usize>,
    /// From 0 to 1.
    pub rate: f64,
    /// Chooses those bits: an integer from 0 to 2^53 - 1.
    pub seed: f64,
    /// Single bits to flip as well. A bit that is flipped twice stays as it was.
    #[serde(default)]
    pub single: Vec<BitAt>,
}

/// One bit of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitAt {
    /// From 1.
    pub scale: usize,
    /// Row by row, from 0.
    pub token: usize,
    /// From 0 to `d - 1`.
    pub bit: usize,
}

/// Inpainting: the tokens of an earlier image that the new one keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditMask {
    /// Packed bits of the image's scales, as in its `Scale` events.
    pub bits: Vec<Vec<u32>>,
    /// Number of scales, from the first, that are kept as a whole.
    pub scales: usize,
    /// A number for each token of the finest scale. Where it is not 0, tokens of the later scales are sampled anew; a
    /// coarser token is sampled anew if it covers any such place. All other tokens are kept.
    pub mask: Option<Vec<u8>>,
}

/// An image as its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bits {
    /// Name of a template.
    pub aspect: String,
    /// Packed bits of every scale.
    pub bits: Vec<Vec<u32>>,
}

/// A picture to encode, in the size of its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Name of a template.
    pub aspect: String,
    /// Row by row, four bytes a pixel.
    pub rgba: Vec<u8>,
}

/// Settings that stay the same through all steps of a training, apart from its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainConfig {
    /// Sizes of a transformer that is trained from scratch; left out, the loaded model is trained further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
    /// Pictures of a step.
    pub batch: usize,
    /// As the seed of an image.
    pub seed: f64,
}

/// A small transformer with random weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// A multiple of 32.
    pub width: usize,
    pub depth: usize,
}

/// Settings of a training that may change after every pause.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainSchedule {
    pub learning_rate: f64,
    /// Self-correction: the largest probability `p` that a bit is flipped, from 0 to 1.
    pub flips: f64,
    /// Total number of steps, including those done before.
    pub steps: usize,
    /// Steps between two sample grids.
    pub sample_every: usize,
    /// Steps between two checkpoints.
    pub save_every: usize,
}

/// A file of a packed model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelFile {
    pub name: String,
    #[serde(serialize_with = "as_bytes")]
    pub bytes: Vec<u8>,
}

/// Events of the engine.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Bytes loaded so far; `total` is 0 where it is not known.
    Progress { phase: Phase, loaded: u64, total: u64 },
    /// The model is ready for prompts.
    Loaded { model: ModelInfo },
    /// The options are valid and the first scale is being generated.
    Started {
        prompt: String,
        seed: u64,
        aspect: Aspect,
        /// Words of the prompt that the model never learned.
        unknown_words: Vec<String>,
    },
    /// The image after scale `k` of `of` (from 1), which has `height x width` tokens. During generation from a prompt
    /// without `against`, scales before the last are decoded at about the size of their tokens and enlarged.
    Scale {
        k: usize,
        of: usize,
        height: usize,
        width: usize,
        /// Milliseconds to predict and decode this scale.
        ms: f64,
        /// The scale's tokens, `ceil(d / 32)` words each: bit `p` of a token is bit `p mod 32` of its word `p / 32`.
        bits: Vec<u32>,
        /// What the tokens' codes added to the running sum.
        residual: Residual,
        image: Pixels,
        /// Distance from the image in [`Options::against`], if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        deviation: Option<Deviation>,
    },
    /// One arm of a comparison of bit flips, after scale `k` of `of` (from 1). `path` on the wire, type and field.
    #[serde(rename = "path")]
    Arm {
        #[serde(rename = "path")]
        arm: AblationArm,
        k: usize,
        of: usize,
        height: usize,
        width: usize,
        bits: Vec<u32>,
        image: Pixels,
        deviation: Deviation,
    },
    /// All scales of all arms were shown.
    Compared { aspect: Aspect, ms: f64 },
    /// The last scale is complete.
    Finished {
        seed: u64,
        ms: f64,
        /// Runs of a reference implementation on the GPU because no kernel fitted, by op and reason; none of the models
        /// here has any.
        fallbacks: Vec<Fallback>,
    },
    /// All scales of the given bits were shown.
    Decoded { aspect: Aspect, ms: f64 },
    /// A picture was encoded, and the image of its bits was shown.
    Encoded {
        aspect: Aspect,
        ms: f64,
        /// PSNR against the picture after every scale, in decibels.
        psnr: Vec<f64>,
    },
    /// A training is set up, at its first step or where its checkpoint left it. `studying` on the wire.
    #[serde(rename = "studying")]
    TrainingReady {
        /// Steps done.
        step: usize,
        parameters: u64,
        /// Words of the captions that the loaded model had not learned.
        new_words: Vec<String>,
        /// Prompts of the samples.
        prompts: Vec<String>,
    },
    /// One step of `of` is done (from 1).
    Step {
        step: usize,
        of: usize,
        /// Cross entropy in nats per bit of this batch, before the step; chance is ln 2.
        loss: f32,
        /// Share of bits of this batch whose likelier value is the target.
        accuracy: f32,
        /// The same for every scale.
        losses: Vec<f32>,
        accuracies: Vec<f32>,
        /// Norm of the gradients before clipping.
        grad_norm: f32,
        ms: f64,
        /// As of [`Event::Finished`], of this step.
        fallbacks: Vec<Fallback>,
    },
    /// Sample `index` (from 0) of `of`, generated with averaged weights after `step` steps.
    Sampled {
        step: usize,
        index: usize,
        of: usize,
        prompt: String,
        image: Pixels,
    },
    /// A checkpoint of `bytes` bytes was stored.
    Saved { step: usize, bytes: usize },
    /// The training paused, because it was cancelled or because all steps are done. Its checkpoint is stored.
    Paused { step: usize, finished: bool },
    /// The trained model, ready to be loaded or saved.
    Packed { files: Vec<ModelFile> },
    /// The command was cancelled after `scales` scales.
    Cancelled { scales: usize },
    /// The command failed; `field` is the option at fault, if there is one.
    Error {
        code: &'static str,
        field: Option<&'static str>,
        message: String,
    },
}

/// Distance of an image from its target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deviation {
    /// Bits of this scale that were flipped.
    pub flipped: usize,
    /// `|F - F_k| / |F|`.
    pub error: f64,
    /// PSNR of the decoded image in decibels; infinite where nothing differs.
    pub psnr: f64,
}

/// What is being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The text tokenizer's file.
    Tokenizer,
    /// The shards of the weights.
    Weights,
}

/// Description of a loaded model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    pub name: String,
    pub licence: String,
    /// Size of all shards and the tokenizer.
    pub bytes: u64,
    /// Size of the largest shard; one shard at a time is in memory while loading.
    pub shard: u64,
    pub parameters: u64,
    /// Bits of one token, `d`.
    pub bits: usize,
    /// Eight hexadecimal digits that identify the image tokenizer. `codec` on the wire.
    #[serde(rename = "codec")]
    pub tokenizer_fingerprint: String,
    pub aspects: Vec<Aspect>,
    pub examples: Vec<String>,
    /// Words the model was trained on; empty for a model of free text.
    pub words: Vec<String>,
    pub defaults: Defaults,
    /// Path of the teacher-forced baseline's manifest, from this model's manifest. `twin` on the wire.
    #[serde(rename = "twin")]
    pub baseline: Option<String>,
}

/// The model's default sampling options.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    pub cfg: PerScale,
    pub tau: PerScale,
    pub top_p: f64,
}

/// A shape of image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aspect {
    pub name: String,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// `(h_k, w_k)` in tokens.
    pub scales: Vec<Grid>,
}

/// A picture, row by row, four bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    #[serde(serialize_with = "as_bytes")]
    pub rgba: Vec<u8>,
}

/// The residual of scale `k` in the size of the latent: `F_k - F_{k-1}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Residual {
    /// Rows of the latent.
    pub height: usize,
    /// Its columns.
    pub width: usize,
    /// Channel by channel and row by row, as signed bytes: 127 is the component `1/sqrt(d)` of a code, -127 its
    /// negative.
    #[serde(serialize_with = "as_bytes")]
    pub levels: Vec<u8>,
}

/// Serializes bytes as one typed array for the page, instead of an array of numbers.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_spelled_as_the_page_reads_them() {
        let started = Event::Started {
            prompt: "a red apple".into(),
            seed: 7,
            aspect: Aspect {
                name: "1:1".into(),
                width: 32,
                height: 32,
                scales: vec![(1, 1), (2, 2)],
            },
            unknown_words: vec!["blorp".into()],
        };
        let expected = json!({
            "type": "started", "prompt": "a red apple", "seed": 7, "unknownWords": ["blorp"],
            "aspect": { "name": "1:1", "width": 32, "height": 32, "scales": [[1, 1], [2, 2]] },
        });
        assert_eq!(serde_json::to_value(started).unwrap(), expected);
        let progress = Event::Progress {
            phase: Phase::Weights,
            loaded: 1,
            total: 2,
        };
        let expected = json!({ "type": "progress", "phase": "weights", "loaded": 1, "total": 2 });
        assert_eq!(serde_json::to_value(progress).unwrap(), expected);
    }

    #[test]
    fn renamed_events_and_fields_keep_their_names_on_the_wire() {
        let ready = Event::TrainingReady {
            step: 0,
            parameters: 1,
            new_words: Vec::new(),
            prompts: Vec::new(),
        };
        let expected = json!({ "type": "studying", "step": 0, "parameters": 1, "newWords": [], "prompts": [] });
        assert_eq!(serde_json::to_value(ready).unwrap(), expected);
        let (width, height) = (1, 1);
        let arm = Event::Arm {
            arm: AblationArm::Requantized,
            k: 1,
            of: 2,
            height,
            width,
            bits: vec![3],
            image: Pixels {
                width,
                height,
                rgba: Vec::new(),
            },
            deviation: Deviation {
                flipped: 1,
                error: 0.5,
                psnr: 20.0,
            },
        };
        let found = serde_json::to_value(arm).unwrap();
        assert_eq!(
            (&found["type"], &found["path"]),
            (&json!("path"), &json!("requantised"))
        );
    }

    #[test]
    fn options_may_be_short_but_not_misspelled() {
        let read = |value| serde_json::from_value::<Options>(value);
        let short = read(json!({ "prompt": "a red apple", "seed": 1 })).unwrap();
        assert_eq!((short.cfg, short.positive_prompt), (None, false));
        let lists = read(json!({ "prompt": "", "seed": 1, "cfg": [1, 2.5], "tau": 1, "topP": 0.9 })).unwrap();
        assert_eq!(lists.cfg, Some(PerScale::Each(vec![1.0, 2.5])));
        assert_eq!(lists.tau, Some(PerScale::All(1.0)));
        assert!(read(json!({ "prompt": "", "seed": 1, "guidance": 3 })).is_err());
        let keep = json!({ "bits": [[1], [2, 3]], "scales": 1 });
        let keep = read(json!({ "prompt": "", "seed": 1, "keep": keep }))
            .unwrap()
            .edit_mask
            .unwrap();
        assert_eq!(
            (keep.bits, keep.scales, keep.mask),
            (vec![vec![1], vec![2, 3]], 1, None)
        );
        let renamed = json!({ "prompt": "", "seed": 1, "editMask": { "bits": [[1]], "scales": 1 } });
        assert!(read(renamed).unwrap().edit_mask.is_some());
    }
}
