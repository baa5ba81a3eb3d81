//! One training step of the transformer: pixels -> features -> self-correction -> logits -> loss (Alg. 2, Sec. 3.3).

use crate::model::ModelError;
use crate::model::bits::to_tokens;
use crate::model::quantizer::{Quantizer, inputs};
use crate::model::resize::{Resize, patchify};
use crate::model::schedule::Schedule;
use crate::model::self_correction::{Targets, correct};
use crate::model::t5::T5Encoder;
use crate::model::text_features::TextFeatures;
use crate::model::transformer::{Loss, Transformer};
use burn::module::Module;
use burn::tensor::{Int, Tensor};

/// What the trainer of the second stage fits: the transformer and, for models with a small text encoder of their own,
/// that encoder too.
#[derive(Module, Debug)]
pub struct TextToBits {
    pub transformer: Transformer,
    pub text_encoder: T5Encoder,
}

impl TextToBits {
    /// Text features of padded prompts: ids `[B, L]` and how many of them count.
    pub fn encode_text(&self, ids: Tensor<2, Int>, lens: &[usize]) -> TextFeatures {
        TextFeatures {
            features: self.text_encoder.forward(ids, lens),
            lens: lens.to_vec(),
        }
    }
}

/// Inputs and targets of one batch in token layout.
#[derive(Clone, Debug)]
pub struct Example {
    /// Tokens of `F~_1 .. F~_{K-1}` with the flips in them, `[B, L - 1, d]`.
    pub inputs: Tensor<3>,
    /// Bits to predict, `[B, L, d]`.
    pub targets: Tensor<3, Int>,
}

impl Example {
    /// From encoder features `[B, d_lat, H, W]`, outside autodiff; `masks` say which bits flip (`None`: none).
    pub fn new(
        features: Tensor<4>,
        schedule: &Schedule,
        patch: bool,
        masks: &[Option<Tensor<4, Int>>],
        target_bits: Targets,
    ) -> Self {
        let grids = schedule.latent_grids(patch);
        let corrected = correct(&Quantizer::default(), features.clone(), &grids, masks, target_bits);
        let rows = |map: Tensor<4>| {
            let map = if patch { patchify(map) } else { map };
            map.flatten::<3>(2, 3).swap_dims(1, 2)
        };
        let maps = inputs(&corrected.sums, &grids, Resize::Bilinear);
        let [b, d, _, _] = features.dims();
        let bits = if patch { 4 * d } else { d };
        let inputs = match maps.is_empty() {
            true => Tensor::zeros([b, 0, bits], &features.device()),
            false => Tensor::cat(maps.into_iter().map(rows).collect(), 1),
        };
        let targets = corrected
            .targets
            .into_iter()
            .map(|bits| to_tokens(bits, patch))
            .collect();
        Self {
            inputs,
            targets: Tensor::cat(targets, 1),
        }
    }
}

/// Logits and loss of one batch.
pub struct Forward {
    /// `[B, L, 2d]`.
    pub logits: Tensor<3>,
    /// Cross entropy of every token `[B, L]`, outside autodiff.
    pub per_token: Tensor<2>,
    /// `[1]`, with its graph.
    pub loss: Tensor<1>,
}

/// Teacher-forced loss; samples marked in `dropped` are not conditioned on their prompt.
pub fn forward(
    model: &Transformer,
    text: TextFeatures,
    dropped: &[bool],
    example: &Example,
    schedule: &Schedule,
    loss: &Loss,
) -> Result<Forward, ModelError> {
    let text = model.drop_condition(text, dropped)?;
    let tracked = text.features.is_autodiff();
    let inputs = example.inputs.clone();
    let targets = example.targets.clone();
    let (inputs, targets) = match tracked {
        true => (inputs.autodiff(), targets.autodiff()),
        false => (inputs, targets),
    };
    let logits = model.forward(&text, inputs, schedule)?;
    let per_token = loss.per_token(logits.clone(), targets, model.config().classifier);
    Ok(Forward {
        logits,
        per_token: per_token.clone().without_autodiff(),
        loss: loss.total(per_token, schedule),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::model::config::VaeConfig;
    use crate::model::transformer::tests as transformer;
    use crate::model::vae::Vae;
    use crate::train::optimizer::{AdamWOptions, Optimizer};
    use crate::weights::{export_module, load_module};
    use burn::tensor::Device;
    use serde_json::Value;

    golden::test_per_device!(golden_train_step: golden_train_step_flex, golden_train_step_wgpu);

    fn golden_train_step(name: &str, device: &Device) {
        for case in golden::cases("train_step") {
            let patch = case.get::<usize>("apply_spatial_patchify") == 1;
            let config = transformer::config(&case.config()["model"], patch);
            let schedule = transformer::schedule(case.config());
            let vae_config: Value = case.get("vae");
            let number = |key: &str| vae_config[key].as_u64().unwrap() as usize;
            let vae_config = VaeConfig {
                codebook_dim: number("codebook_dim"),
                base_ch: number("base_ch"),
                ch_mult: serde_json::from_value(vae_config["ch_mult"].clone()).unwrap(),
                num_res_blocks: number("num_res_blocks"),
                patch_size: number("patch_size"),
                stem_patch: 1,
                norm_groups: 32,
                encoder: None,
            };
            let options: Value = case.get("optimizer");
            let float = |key: &str| options[key].as_f64().unwrap();
            let tracked = device.clone().autodiff();
            let model = transformer::load(&config, &case.path("weights"), &tracked);
            let mut tensors = crate::model::vae::tests::official(&case.path("vae_weights"));
            let vae = load_module(Vae::new(&vae_config, device).unwrap(), &mut tensors, str::to_string).unwrap();

            let image = case.float::<4>("image_u8", device) / 255.0 * 2.0 - 1.0;
            let features = vae.encode(image);
            case.check(name, "features", features.clone());
            let mask = |k: usize| {
                let stored = format!("mask.{k}");
                case.has(&stored).then(|| case.int::<4>(&stored, device))
            };
            let masks: Vec<_> = (0..schedule.len()).map(mask).collect();
            let example = Example::new(features, &schedule, patch, &masks, Targets::Requantized);
            case.check(name, "x_BLC_wo_prefix", example.inputs.clone());
            case.check_int(name, "labels", example.targets.clone());

            let text = transformer::text(&case, "kv_compact", "cu_seqlens_k", &tracked);
            let dropped: Vec<usize> = case.get("dropped_samples");
            let dropped: Vec<bool> = (0..text.lens.len()).map(|b| dropped.contains(&b)).collect();
            let loss = Loss {
                reweight_by_scale: case.get::<usize>("reweight_loss_by_scale") == 1,
                ..Loss::default()
            };
            let forward = forward(&model, text, &dropped, &example, &schedule, &loss).unwrap();
            case.check(name, "logits", forward.logits.inner());
            let found = forward.loss.clone().inner().into_scalar::<f32>();
            let expected = case.scalar("loss") as f32;
            assert!((found - expected).abs() < 2e-4 * expected, "loss {found} {expected}");

            let grads = forward.loss.backward();
            let found = transformer::collect_gradients(&model, &grads, &config);
            for stored in case.names("grad.") {
                let data = &found[stored.strip_prefix("grad.").unwrap()];
                case.check_values(
                    name,
                    &stored,
                    &data.shape().to_vec(),
                    &data.try_to_vec::<f32>().unwrap(),
                );
            }
            let betas: Vec<f32> = serde_json::from_value(options["betas"].clone()).unwrap();
            let mut optimizer = Optimizer::new(AdamWOptions {
                beta_1: betas[0],
                beta_2: betas[1],
                epsilon: float("eps") as f32,
                weight_decay: float("weight_decay") as f32,
                clip: float("grad_clip_global_norm") as f32,
            });
            let (model, norm) = optimizer.step(model, &grads, float("lr"));
            let (norm, expected) = (norm.into_scalar::<f32>(), case.scalar("grad_norm_reported") as f32);
            assert!((norm - expected).abs() < 1e-3 * expected, "norm {norm} {expected}");
            let updated = export_module(&model, |path| transformer::chunked_name(path, &config));
            for (parameter, data) in updated {
                let stored = format!("updated.{parameter}");
                if case.has(&stored) {
                    case.check_values(
                        name,
                        &stored,
                        &data.shape().to_vec(),
                        &data.try_to_vec::<f32>().unwrap(),
                    );
                }
            }
        }
    }
}
