//! What the engine is told and what it says, the same for the page (as JavaScript objects) and the command line.
//!
//! A mirror in JSDoc types is www/protocol.js.

use crate::kernels::runtime::fallbacks::Fallback;
use crate::model::correction::Treatment;
use crate::model::sampling::PerScale;
use crate::model::schedule::Grid;
use serde::{Deserialize, Serialize, Serializer};

/// Grows with every change that an older page would misread.
pub const PROTOCOL: u32 = 5;

/// One image to draw, as asked for: nothing is checked yet. What is left out takes the model's own value.
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
    /// Nucleus of a bit's two values, from 0 to 1; 0 turns it off.
    pub top_p: Option<f64>,
    /// What the image should not show; takes the place of the unconditional embedding.
    pub negative_prompt: Option<String>,
    /// Whether prompts about people ask for good faces besides, as the official tools can.
    #[serde(default)]
    pub positive_prompt: bool,
    /// What is taken over from an earlier image.
    pub keep: Option<Keep>,
    /// Bits that are flipped after they were drawn, or kept.
    pub flips: Option<Flips>,
    /// Packed bits of a finished image of this shape: every scale then says how far it is from it.
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
    /// Says which bits those are: an integer from 0 to 2^53 - 1.
    pub seed: f64,
    /// Single bits besides; one that is drawn as well, or listed twice, stays as it was.
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

/// Tokens of an earlier image that the new one keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// Packed bits of the image's scales, as its `Scale` events told them.
    pub bits: Vec<Vec<u32>>,
    /// So many first scales are kept whole.
    pub scales: usize,
    /// A number for each token of the finest scale. Where it is not 0, tokens of the later scales are drawn anew, the
    /// coarser ones if they cover such a place at all; elsewhere they are kept.
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

/// A picture to be read, in the size that its shape has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Name of a template.
    pub aspect: String,
    /// Row by row, four bytes a pixel.
    pub rgba: Vec<u8>,
}

/// What stays the same through all steps of a training, the data aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Study {
    /// Sizes of a transformer that starts from nothing; left out, the loaded model is trained further.
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

/// How a training goes on; may be another one after every pause.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pace {
    pub learning_rate: f64,
    /// Self-correction: the largest probability `p` that a bit is flipped, from 0 to 1.
    pub flips: f64,
    /// Steps in all, those done before included.
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

/// What the engine says while it works.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Loading goes on; `total` is 0 where it is not known.
    Progress { phase: Phase, loaded: u64, total: u64 },
    /// The model is ready for prompts.
    Loaded { model: ModelInfo },
    /// The options are good and the first scale is being drawn.
    Started {
        prompt: String,
        seed: u64,
        aspect: Aspect,
        /// Words of the prompt that the model never learned.
        unknown_words: Vec<String>,
    },
    /// The image after scale `k` of `of` (from 1), which had `height x width` tokens. While it is drawn from a prompt, and against
    /// no other, what precedes the last scale is decoded in about the size of its tokens and enlarged.
    Scale {
        k: usize,
        of: usize,
        height: usize,
        width: usize,
        /// Milliseconds that predicting and decoding this scale took.
        ms: f64,
        /// The scale's tokens, `ceil(d / 32)` words each: bit `p` of a token is bit `p mod 32` of its word `p / 32`.
        bits: Vec<u32>,
        /// What the tokens' codes added to the running sum.
        residual: Residual,
        image: Pixels,
        /// How far it is from the image that it is drawn against, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        deviation: Option<Deviation>,
    },
    /// An image with flipped bits after scale `k` of `of` (from 1), by one way to go on from them.
    Path {
        path: Treatment,
        k: usize,
        of: usize,
        height: usize,
        width: usize,
        bits: Vec<u32>,
        image: Pixels,
        deviation: Deviation,
    },
    /// All paths were shown to their end.
    Compared { aspect: Aspect, ms: f64 },
    /// The last scale was drawn.
    Finished {
        seed: u64,
        ms: f64,
        /// Runs of a reference implementation on the GPU because no kernel fitted, by op and reason; none of the models here has any.
        fallbacks: Vec<Fallback>,
    },
    /// All scales of the given bits were shown.
    Decoded { aspect: Aspect, ms: f64 },
    /// A picture was read and what its bits keep of it was shown.
    Encoded {
        aspect: Aspect,
        ms: f64,
        /// Likeness to the picture after every scale, in decibels.
        psnr: Vec<f64>,
    },
    /// A training is set up, at the start or where its checkpoint left it.
    Studying {
        /// Steps done.
        step: usize,
        parameters: u64,
        /// Words of the captions that the loaded model had not learned.
        new_words: Vec<String>,
        /// What the samples will show.
        prompts: Vec<String>,
    },
    /// One step of `of` is done (from 1).
    Step {
        step: usize,
        of: usize,
        /// Cross entropy in nats per bit of this batch, before the step; chance is ln 2.
        loss: f32,
        /// Share of bits of this batch whose likelier value is the right one.
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
    /// Sample `index` (from 0) of `of`, drawn with averaged weights after `step` steps.
    Sampled {
        step: usize,
        index: usize,
        of: usize,
        prompt: String,
        image: Pixels,
    },
    /// A checkpoint of so many bytes is kept.
    Saved { step: usize, bytes: usize },
    /// The training stands still, as it was asked to or because all steps are done; its checkpoint is kept.
    Paused { step: usize, finished: bool },
    /// The trained model, ready to be loaded or saved.
    Packed { files: Vec<ModelFile> },
    /// The work was ended after `scales` scales.
    Cancelled { scales: usize },
    /// Nothing, or nothing more, is drawn; `field` is the option at fault, if one is.
    Error {
        code: &'static str,
        field: Option<&'static str>,
        message: String,
    },
}

/// How far an image is from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deviation {
    /// Bits of this scale that were flipped.
    pub flipped: usize,
    /// `|F - F_k| / |F|`.
    pub error: f64,
    /// Of its picture, in decibels; infinite where nothing differs.
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

/// What a loaded model says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    pub name: String,
    pub licence: String,
    /// Size of all shards and the tokenizer.
    pub bytes: u64,
    /// Size of the largest shard, which is in memory at a time while loading.
    pub shard: u64,
    pub parameters: u64,
    /// Bits of one token, `d`.
    pub bits: usize,
    /// Eight digits that tell this model's image tokenizer from others.
    pub codec: String,
    pub aspects: Vec<Aspect>,
    pub examples: Vec<String>,
    /// Words the model was trained on; empty for a model of free text.
    pub words: Vec<String>,
    pub defaults: Defaults,
    /// Where its teacher-forcing twin is, from this model's manifest.
    pub twin: Option<String>,
}

/// The model's own sampling options.
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

/// `R_k` in the size of the latent: what scale `k` added to the running sum `F_k`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Residual {
    /// Rows of the latent.
    pub height: usize,
    /// Its columns.
    pub width: usize,
    /// Channel by channel and row by row, as signed bytes: 127 is the component `1/sqrt(d)` of a code, -127 its negative.
    #[serde(serialize_with = "as_bytes")]
    pub levels: Vec<u8>,
}

/// One typed array for the page, instead of an array of numbers.
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
            .keep
            .unwrap();
        assert_eq!(
            (keep.bits, keep.scales, keep.mask),
            (vec![vec![1], vec![2, 3]], 1, None)
        );
    }
}
