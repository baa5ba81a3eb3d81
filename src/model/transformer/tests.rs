use super::*;
use crate::golden::{self, Case};
use crate::model::bits;
use crate::model::schedule::Grid;
use crate::weights::load_module;
use burn::tensor::{Device, TensorData};
use serde_json::Value;

/// A golden manifest's model section as our configuration.
pub fn config(model: &Value, patchify: bool) -> TransformerConfig {
    let number = |key: &str| model[key].as_u64().unwrap() as usize;
    TransformerConfig {
        embed_dim: number("embed_dim"),
        depth: number("depth"),
        num_heads: number("num_heads"),
        block_chunks: number("block_chunks"),
        ffn_hidden: number("ffn_hidden"),
        text_dim: number("Ct5"),
        text_maxlen: number("text_maxlen"),
        bits: number("d_vae"),
        norm_eps: model["norm_eps"].as_f64().unwrap(),
        patchify,
        level_embedding: match number("add_lvl_embeding_only_first_block") {
            1 => LevelEmbedding::FirstBlock,
            _ => LevelEmbedding::EveryChunk,
        },
        positions: match number("rope2d_normalized_by_hw") {
            0 => Positions::RopePlain,
            1 => Positions::RopeInterpolated,
            _ => Positions::RopeNormalized,
        },
        classifier: Classifier::Bits,
    }
}

/// Loads official weights; chunked block names become plain ones.
pub fn load(config: &TransformerConfig, path: &std::path::Path, device: &Device) -> Transformer {
    let per_chunk = config.depth / config.block_chunks;
    let plain = |name: String| {
        let parts: Vec<&str> = name.split('.').collect();
        match parts.as_slice() {
            ["block_chunks", chunk, "module", i, rest @ ..] => {
                let block = chunk.parse::<usize>().unwrap() * per_chunk + i.parse::<usize>().unwrap();
                format!("blocks.{block}.{}", rest.join("."))
            }
            _ => name,
        }
    };
    let stored = golden::read_tensors(path);
    let mut tensors = stored.into_iter().map(|(name, data)| (plain(name), data)).collect();
    load_module(Transformer::new(config, device).unwrap(), &mut tensors, official_name).unwrap()
}

pub fn schedule(config: &Value) -> Schedule {
    let grids: Vec<Grid> = serde_json::from_value(config["schedule"].clone()).unwrap();
    let reference: Vec<Grid> = serde_json::from_value(config["rope_reference_schedule"].clone()).unwrap();
    Schedule::new(grids, *reference.last().unwrap()).unwrap()
}

pub fn text(case: &Case, rows: &str, offsets: &str, device: &Device) -> TextFeatures {
    let offsets: Vec<usize> = case.ints(offsets).iter().map(|&o| o as usize).collect();
    TextFeatures::from_compact(case.float(rows, device), &offsets).unwrap()
}

golden::test_per_device!(golden_teacher_forcing: golden_teacher_forcing_flex, golden_teacher_forcing_wgpu);

fn golden_teacher_forcing(name: &str, device: &Device) {
    for case in golden::cases("transformer_teacher_forcing") {
        let patchify = case.get::<usize>("apply_spatial_patchify") == 1;
        let config = config(case.config(), patchify);
        let schedule = schedule(case.config());
        let dropped: Vec<usize> = case.get("dropped_samples");
        let device = &device.clone().autodiff();
        let model = load(&config, &case.path("weights"), device);
        let text = text(&case, "kv_compact", "cu_seqlens_k", device);
        let drops: Vec<bool> = (0..text.lens.len()).map(|b| dropped.contains(&b)).collect();
        let text = model.drop_condition(text, &drops).unwrap();
        let inputs = case.float::<3>("x_BLC_wo_prefix", device).require_grad();
        let labels = case.int::<3>("labels", device);
        let logits = model.forward(&text, inputs.clone(), &schedule).unwrap();
        case.check(name, "logits", logits.clone().inner());

        let mean = Loss::default();
        let per_token = mean.per_token(logits.clone(), labels.clone(), config.classifier);
        case.check(name, "ce_per_token", per_token.clone().inner());
        let expect = |found: Tensor<1>, scalar: &str| {
            let (found, expected) = (found.inner().into_scalar::<f32>(), case.scalar(scalar) as f32);
            assert!(
                (found - expected).abs() <= 2e-4 * expected.abs(),
                "{}: {scalar}: {found} {expected}",
                case.name
            );
        };
        expect(mean.total(per_token.clone(), &schedule), "loss_mean");
        let accuracy = bit_accuracy(logits.clone(), labels.clone(), Classifier::Bits);
        expect(accuracy.mean(), "bit_accuracy");
        let sum = Loss {
            bits: BitReduction::Sum,
            reweight_by_scale: true,
        };
        expect(
            sum.total(sum.per_token(logits, labels, config.classifier), &schedule),
            "loss_reweighted_bit_sum",
        );
        let reweighted = Loss {
            reweight_by_scale: true,
            ..Loss::default()
        };
        if case.has("loss_weight_by_scale") {
            let weights = scale_weights(&schedule);
            case.check_values(name, "loss_weight_by_scale", &[1, weights.len()], &weights);
        }
        let loss = reweighted.total(per_token, &schedule);
        expect(loss.clone(), "loss_reweighted");
        check_gradients(&case, name, &model, &config, inputs, loss);
    }
}

/// Compares every stored gradient with the parameter of that name.
fn check_gradients(
    case: &Case,
    device: &str,
    model: &Transformer,
    config: &TransformerConfig,
    inputs: Tensor<3>,
    loss: Tensor<1>,
) {
    let stored = case.names("grad.");
    if stored.is_empty() {
        return;
    }
    let grads = loss.backward();
    let found = collect_gradients(model, &grads, config);
    for name in stored {
        match name.strip_prefix("grad.").unwrap() {
            "x_BLC_wo_prefix" => case.check(device, &name, inputs.grad(&grads).unwrap()),
            parameter => {
                // A parameter the loss does not touch has no gradient here and a zero one there.
                let zero = || TensorData::zeros::<f32, _>(case.data(&name).shape());
                let data = found.get(parameter).cloned().unwrap_or_else(zero);
                case.check_values(
                    device,
                    &name,
                    &data.shape().to_vec(),
                    &data.try_to_vec::<f32>().unwrap(),
                );
            }
        }
    }
}

/// Gradients by official (chunked) name.
pub fn collect_gradients(
    model: &Transformer,
    grads: &burn::tensor::Gradients,
    config: &TransformerConfig,
) -> std::collections::BTreeMap<String, TensorData> {
    struct Collect<'a> {
        path: Vec<String>,
        grads: &'a burn::tensor::Gradients,
        config: &'a TransformerConfig,
        found: Vec<(String, TensorData)>,
    }
    impl burn::module::ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_string());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = param.val().grad(self.grads) {
                self.found
                    .push((chunked_name(&self.path.join("."), self.config), grad.into_data()));
            }
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        grads,
        config,
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found.into_iter().collect()
}

/// Field path -> official name with its chunk of blocks.
pub fn chunked_name(path: &str, config: &TransformerConfig) -> String {
    let name = official_name(path);
    let per_chunk = config.depth / config.block_chunks;
    match name.strip_prefix("blocks.") {
        Some(rest) if config.block_chunks > 1 => {
            let (i, rest) = rest.split_once('.').unwrap();
            let i: usize = i.parse().unwrap();
            format!("block_chunks.{}.module.{}.{rest}", i / per_chunk, i % per_chunk)
        }
        _ => name,
    }
}

golden::test_per_device!(golden_intermediate_activations: golden_intermediate_activations_flex, golden_intermediate_activations_wgpu);

fn golden_intermediate_activations(name: &str, device: &Device) {
    for case in golden::cases("transformer_teacher_forcing") {
        if case.names("dbg.").is_empty() {
            continue;
        }
        let config = config(case.config(), false);
        let schedule = schedule(case.config());
        let model = load(&config, &case.path("weights"), device);
        let text = text(&case, "kv_compact", "cu_seqlens_k", device);
        let packed = |rows: Tensor<3>| {
            let lens = text.lens.clone();
            TextFeatures { features: rows, lens }.to_compact().0
        };
        let check = |stored: &str, found: Tensor<3>| {
            let stored = format!("dbg.{stored}");
            if case.has(&stored) {
                case.check(name, &stored, found.narrow(0, 0, 1));
            }
        };
        case.check(name, "dbg.text_norm", packed(model.normalise_text(&text)));
        let condition = model.condition(&text);
        case.check(name, "dbg.cond_BD", condition.pooled.clone());
        case.check(name, "dbg.ca_kv", packed(condition.text.clone()));
        case.check(name, "dbg.cond_shared", condition.modulation.clone());
        let rope = model.rope(&schedule, device).unwrap();
        let context = BlockContext {
            modulation: &condition.modulation,
            text_mask: condition.mask.as_ref(),
            rope: rope.as_ref(),
        };
        let inputs = model.embed(case.float("x_BLC_wo_prefix", device));
        let mut x = Tensor::cat(vec![model.start(&condition), inputs], 1) + model.levels(&schedule.levels());
        let mask = causal_mask(&schedule, device);
        for (i, block) in model.blocks.iter().enumerate() {
            check(&format!("block_in.{i}"), x.clone());
            let text = block.ca.keys_and_values(condition.text.clone());
            x = block.forward(x, &text, &context, Past::Masked(&mask));
            check(&format!("block_out.{i}"), x.clone());
        }
    }
}

fn tiny(positions: Positions, classifier: Classifier) -> TransformerConfig {
    TransformerConfig {
        embed_dim: 16,
        depth: 2,
        num_heads: 2,
        block_chunks: 1,
        ffn_hidden: 32,
        text_dim: 128,
        text_maxlen: 4,
        bits: 4,
        norm_eps: 1e-6,
        patchify: false,
        level_embedding: LevelEmbedding::FirstBlock,
        positions,
        classifier,
    }
}

#[test]
fn paper_variants_run_and_have_their_own_parameters() {
    let device = Device::flex();
    let schedule = Schedule::new(vec![(1, 1), (2, 2)], (64, 64)).unwrap();
    let text = TextFeatures {
        features: Tensor::ones([1, 3, 128], &device),
        lens: vec![3],
    };
    let targets = Tensor::<3, Int>::zeros([1, 5, 4], &device);
    for (positions, classifier, classes) in [
        (Positions::Learned { max_tokens: 5 }, Classifier::Bits, 8),
        (Positions::RopePlain, Classifier::Conventional, 16),
    ] {
        let model = Transformer::new(&tiny(positions, classifier), &device).unwrap();
        let logits = model
            .forward(&text, Tensor::ones([1, 4, 4], &device), &schedule)
            .unwrap();
        assert_eq!(logits.dims(), [1, 5, classes]);
        let loss = Loss::default();
        // All parameters are zero, so every class is equally likely.
        let found = loss
            .total(loss.per_token(logits, targets.clone(), classifier), &schedule)
            .into_scalar::<f32>();
        let expected = match classifier {
            Classifier::Bits => 2f32.ln(),
            Classifier::Conventional => 16f32.ln(),
        };
        assert!((found - expected).abs() < 1e-5);
    }
    let long = Schedule::new(vec![(1, 1), (4, 4)], (64, 64)).unwrap();
    let model = Transformer::new(&tiny(Positions::Learned { max_tokens: 5 }, Classifier::Bits), &device).unwrap();
    assert!(model.forward(&text, Tensor::ones([1, 16, 4], &device), &long).is_err());
}

#[test]
fn inconsistent_configurations_are_refused() {
    let good = tiny(Positions::RopeNormalized, Classifier::Bits);
    let broken = [
        TransformerConfig {
            num_heads: 3,
            ..good.clone()
        },
        TransformerConfig {
            depth: 3,
            block_chunks: 2,
            ..good.clone()
        },
        TransformerConfig {
            text_dim: 100,
            ..good.clone()
        },
        TransformerConfig {
            bits: 0,
            ..good.clone()
        },
        TransformerConfig {
            bits: 32,
            classifier: Classifier::Conventional,
            ..good.clone()
        },
        TransformerConfig {
            norm_eps: f64::NAN,
            ..good.clone()
        },
    ];
    for config in broken {
        assert!(Transformer::new(&config, &Device::flex()).is_err(), "{config:?}");
    }
}

#[test]
fn conventional_labels_agree_with_the_paper_order() {
    let device = Device::flex();
    let bits_in = Tensor::<3, Int>::from_ints([[[1, 0, 1, 1], [0, 1, 0, 0]]], &device);
    let labels = bits::labels(bits_in.clone());
    assert_eq!(
        labels.clone().into_data().convert::<i32>().try_to_vec::<i32>().unwrap(),
        [13, 2]
    );
    bits::from_labels(labels, 4)
        .into_data()
        .convert::<i32>()
        .assert_eq(&bits_in.into_data().convert::<i32>(), true);
}
