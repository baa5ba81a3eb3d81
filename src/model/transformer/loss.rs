//! Cross entropy over bits (Sec. 3.3) with optional weighting of scales.

pub use crate::kernels::reference::bits::differences;
use crate::model::config::Classifier;
use crate::model::schedule::Schedule;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

/// How the bits of a token make one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitReduction {
    #[default]
    Mean,
    Sum,
}

/// The training loss (Sec. 3.3; the official trainer's `train_step`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    pub bits: BitReduction,
    /// Weight a token of scale k by `sqrt(L_K / L_k)`, normalized over the sequence (the training script's choice).
    pub reweight_by_scale: bool,
}

impl Loss {
    /// Cross entropy per token `[B, L]` from `logits [B, L, 2d]`, or `[B, L, 2^d]` of a conventional classifier, and
    /// target bits `[B, L, d]`.
    pub fn per_token(&self, logits: Tensor<3>, targets: Tensor<3, Int>, classifier: Classifier) -> Tensor<2> {
        if classifier == Classifier::Conventional {
            let indices = crate::model::bits::labels(targets);
            let picked = log_softmax(logits, 2).gather(2, indices.unsqueeze_dim(2));
            return -picked.squeeze_dim::<2>(2);
        }
        let ce = cross_entropy(logits, targets);
        match self.bits {
            BitReduction::Mean => ce.mean_dim(2).squeeze_dim(2),
            BitReduction::Sum => ce.sum_dim(2).squeeze_dim(2),
        }
    }

    /// Weighted sum over tokens, mean over the batch: `[1]`.
    pub fn total(&self, per_token: Tensor<2>, schedule: &Schedule) -> Tensor<1> {
        let weights = match self.reweight_by_scale {
            true => scale_weights(schedule),
            false => vec![1.0 / schedule.total() as f32; schedule.total()],
        };
        let weights = TensorData::new(weights, [1, schedule.total()]);
        let weights = Tensor::<2>::from_data(weights, &per_token.device());
        (per_token * weights).sum_dim(1).mean()
    }
}

/// `w_l ~ sqrt(L_K / L_{k(l)})`, summing to 1 over the sequence.
pub fn scale_weights(schedule: &Schedule) -> Vec<f32> {
    let last = schedule.tokens(schedule.len() - 1) as f64;
    let raw: Vec<f64> = schedule
        .levels()
        .into_iter()
        .map(|k| (last / schedule.tokens(k) as f64).sqrt())
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|w| (w / sum) as f32).collect()
}

/// Two-class cross entropy of every bit, `[B, L, 2d]` and `[B, L, d]` -> `[B, L, d]`: `ln(1 + exp(-s D))`, s = +-1.
pub fn cross_entropy(logits: Tensor<3>, targets: Tensor<3, Int>) -> Tensor<3> {
    let signs = targets.float() * 2.0 - 1.0;
    let margin = differences(logits) * signs;
    let tail = (-margin.clone().abs()).exp().log1p();
    (-margin).clamp_min(0.0) + tail
}

/// Share of right bits per token, `[B, L]`: a bit is predicted 1 where its second class is likelier.
pub fn bit_accuracy(logits: Tensor<3>, targets: Tensor<3, Int>, classifier: Classifier) -> Tensor<2> {
    let predicted = match classifier {
        Classifier::Bits => differences(logits).greater_scalar(0.0).int(),
        Classifier::Conventional => {
            let [_, _, d] = targets.dims();
            let indices: Tensor<2, Int> = logits.argmax(2).squeeze_dim(2);
            crate::model::bits::from_labels(indices, d)
        }
    };
    predicted.equal(targets).float().mean_dim(2).squeeze_dim(2)
}
