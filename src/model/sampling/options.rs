//! Options of sampling and their checks.

use crate::model::error::ModelError;
use serde::{Deserialize, Serialize};

/// One number for all scales, or one per scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerScale {
    All(f64),
    Each(Vec<f64>),
}

impl PerScale {
    /// The value at scale `k` (0-based).
    pub fn at(&self, k: usize) -> f64 {
        match self {
            PerScale::All(value) => *value,
            PerScale::Each(values) => values[k],
        }
    }

    fn validate(
        &self,
        option: &'static str,
        scales: usize,
        ok: impl Fn(f64) -> bool,
        remedy: &'static str,
    ) -> Result<(), ModelError> {
        let values = match self {
            PerScale::All(value) => std::slice::from_ref(value),
            PerScale::Each(values) if values.len() == scales => values,
            PerScale::Each(values) => {
                return Err(ModelError::ListLength {
                    option,
                    found: values.len(),
                    scales,
                });
            }
        };
        match values.iter().find(|&&value| !ok(value)) {
            None => Ok(()),
            Some(value) => Err(ModelError::Option {
                option,
                value: value.to_string(),
                remedy,
            }),
        }
    }
}

/// Where classifier-free guidance is applied; its strength is [`SamplingOptions::cfg`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CfgInsertion {
    /// On the logits (official `cfg_insertion_layer` 0).
    pub logits: bool,
    /// On the features after these blocks, counted from the end: 1 is the last block (official `-1`).
    pub layers_from_end: Vec<usize>,
}

impl Default for CfgInsertion {
    fn default() -> Self {
        Self {
            logits: true,
            layers_from_end: Vec::new(),
        }
    }
}

/// How bits are sampled. Defaults are the paper's best decoding: cfg 4 on logits, tau 1 (Table 9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingOptions {
    /// Guidance strength; 1 is none. A list that grows from 1 is the paper's pyramid guidance.
    pub cfg: PerScale,
    /// Temperature: logits are divided by it.
    pub tau: PerScale,
    #[serde(rename = "guidance")]
    pub cfg_insertion: CfgInsertion,
    /// A bit whose less likely value has probability at most `1 - top_p` takes the other one; 0 turns it off.
    pub top_p: f64,
    /// Always take the likelier value (official `top_k = 1`).
    pub greedy: bool,
    pub seed: u64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        Self {
            cfg: PerScale::All(4.0),
            tau: PerScale::All(1.0),
            cfg_insertion: CfgInsertion::default(),
            top_p: 0.0,
            greedy: false,
            seed: 0,
        }
    }
}

/// Largest guidance strength accepted, far above the range in which any model gives a recognizable image.
pub const MAX_CFG: f64 = 100.0;

impl SamplingOptions {
    /// Checks every number against a model of `depth` blocks and a schedule of `scales`.
    pub fn validate(&self, depth: usize, scales: usize) -> Result<(), ModelError> {
        let finite = |ok: fn(f64) -> bool| move |value: f64| value.is_finite() && ok(value);
        let cfg = "use a number above 0 and up to 100; 1 turns guidance off, 3 to 5 is usual";
        self.cfg
            .validate("cfg", scales, finite(|v| v > 0.0 && v <= MAX_CFG), cfg)?;
        let tau = "use a number from 0.01 to 100; 1 is neutral, and greedy decoding is an option of its own";
        self.tau
            .validate("tau", scales, finite(|v| (0.01..=100.0).contains(&v)), tau)?;
        let refuse = |option, value: String, remedy| Err(ModelError::Option { option, value, remedy });
        if !(0.0..=1.0).contains(&self.top_p) {
            return refuse(
                "top_p",
                self.top_p.to_string(),
                "use a number from 0 to 1; 0 turns it off",
            );
        }
        // After the first block at the earliest, as the official code demands.
        match self
            .cfg_insertion
            .layers_from_end
            .iter()
            .find(|&&i| i == 0 || i >= depth)
        {
            Some(layer) => refuse(
                "guidance layer",
                layer.to_string(),
                "count from 1, the last block, up to the second",
            ),
            None => Ok(()),
        }
    }
}
