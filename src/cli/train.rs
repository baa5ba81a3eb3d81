//! `infinity train`: fits the tokenizer, then the transformer with its text encoder.

use super::CliError;
use super::processor::Processor;
use super::source::source;
use super::train_model::TrainModel;
use crate::data::Source;
use crate::data::heldout::Split;
use crate::model::config::{Classifier, EncoderConfig, Positions, TransformerConfig, VaeConfig};
use crate::model::schedule::TEMPLATES;
use crate::model::self_correction::{Correction, Targets};
use crate::model::text::{PromptEncoder, vocabulary};
use crate::model::transformer::Loss;
use crate::model::vae::Vae;
use crate::train::TrainError;
use crate::train::batch::Batches;
use crate::train::finished::{fingerprint, start_from, start_from_packed};
use crate::train::init;
use crate::train::optimizer::AdamWOptions;
use crate::train::plan::{self, Plan};
use crate::train::run::{CHECKPOINT, RunOptions, prepare, run};
use crate::train::settings::{
    DataSettings, TokenizerSettings, TransformerSettings, small_text_encoder, small_transformer,
};
use crate::train::stages::{TokenizerStage, TransformerStage};
use crate::train::tokenizer::{StraightThrough, TokenizerOptions};
use crate::train::transformer::TextToBits;
use crate::weights::directory::MANIFEST_FILE;
use burn::module::Module;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Train a network on captioned images; run again with the same --out to resume.
#[derive(Args, Debug)]
pub struct Train {
    #[command(subcommand)]
    network: Network,
}

#[derive(Subcommand, Debug)]
enum Network {
    Tokenizer(TrainTokenizer),
    Transformer(TrainTransformer),
    Model(TrainModel),
}

impl Train {
    pub fn run(self) -> Result<(), CliError> {
        match self.network {
            Network::Tokenizer(stage) => stage.run(),
            Network::Transformer(stage) => stage.run(),
            Network::Model(model) => model.run(),
        }
    }
}

/// What both stages take.
#[derive(Args, Debug)]
struct Common {
    /// Folder of the run: checkpoint, metrics.csv, samples
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// `emoji` for the bundled composer, `emoji:flat,single,apple,car` for some of its styles, kinds and objects,
    /// `emoji:single=1,relation=2` for kinds in these shares, or a folder of images with captions
    #[arg(long, default_value = "emoji")]
    data: String,
    #[arg(long)]
    steps: usize,
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Scales of the schedule that are trained: 5 make images of 128 x 128
    #[arg(long, default_value_t = 5)]
    scales: usize,
    /// Share of square batches; the others take one of the 14 remaining aspect ratios
    #[arg(long, default_value_t = 0.6)]
    square_share: f64,
    /// Start from the averaged weights of another run of the same network, as progressive resolution does; for a
    /// transformer also from a packed model
    #[arg(long, value_name = "DIR")]
    init_from: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Steps over which the learning rate rises
    #[arg(long, default_value_t = 100)]
    warmup: usize,
    /// Share of the learning rate that is left at the last step
    #[arg(long, default_value_t = 0.1)]
    final_lr: f64,
    /// Largest norm of the gradients
    #[arg(long, default_value_t = 1.0)]
    clip: f32,
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f32,
    /// Decay of the running average of the weights
    #[arg(long, default_value_t = 0.998)]
    ema: f64,
    #[arg(long, default_value_t = 20)]
    log_every: usize,
    #[arg(long, default_value_t = 500)]
    sample_every: usize,
    #[arg(long, default_value_t = 200)]
    save_every: usize,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// Write the first checkpoint and plan.json into --out and stop; the PyTorch trainer in training/ goes on from them
    #[arg(long)]
    prepare: bool,
}

impl Common {
    fn settings(&self) -> DataSettings {
        DataSettings {
            data: self.data.clone(),
            batch: self.batch,
            seed: self.seed,
            scales: self.scales,
            square_share: self.square_share,
        }
    }

    fn batches<'a>(&self, source: &'a dyn Source) -> Batches<'a> {
        Batches {
            source,
            size: self.batch,
            seed: self.seed,
            scales: self.scales,
            square_share: self.square_share,
        }
    }

    fn options<S: serde::Serialize>(&self, settings: &S) -> Result<RunOptions, CliError> {
        // Structs of numbers, strings and lists always serialize.
        let config = serde_json::to_string(settings).unwrap_or_else(|error| unreachable!("{error}"));
        Ok(RunOptions {
            out: self.out.clone(),
            steps: self.steps,
            lr: self.lr,
            warmup: self.warmup,
            final_lr_ratio: self.final_lr,
            optimizer: AdamWOptions {
                weight_decay: self.weight_decay,
                clip: self.clip,
                ..AdamWOptions::default()
            },
            ema: self.ema,
            log_every: self.log_every,
            sample_every: self.sample_every,
            save_every: self.save_every,
            config,
        })
    }
}

/// Train the tokenizer: images to bits and back
#[derive(Args, Debug)]
struct TrainTokenizer {
    #[command(flatten)]
    common: Common,
    /// Bits of a token
    #[arg(long, default_value_t = 32)]
    bits: usize,
    /// Channels of the first level
    #[arg(long, default_value_t = 64)]
    base_ch: usize,
    /// Channel multiplier of every level
    #[arg(long, value_delimiter = ',', default_value = "1,1,2")]
    ch_mult: Vec<usize>,
    #[arg(long, default_value_t = 1)]
    res_blocks: usize,
    /// Pixels per token and axis
    #[arg(long, default_value_t = 16)]
    patch_size: usize,
    /// Space-to-depth before the encoder; 1 is the official architecture
    #[arg(long, default_value_t = 4)]
    stem_patch: usize,
    /// Most groups of a group norm; 32 is the official architecture
    #[arg(long, default_value_t = 4)]
    norm_groups: usize,
    /// Channels of the encoder's first level, where the encoder is to be wider than the decoder
    #[arg(long, value_name = "BASE_CH")]
    encoder_base_ch: Option<usize>,
    /// Residual blocks of each level of the encoder
    #[arg(long, value_name = "RES_BLOCKS")]
    encoder_res_blocks: Option<usize>,
    /// Weight of the edge loss beside L1
    #[arg(long, default_value_t = 1.0)]
    edge_weight: f64,
    /// Steps over which the decoder goes over from features to bits
    #[arg(long, default_value_t = 400)]
    quantizer_warmup: usize,
    /// Gradient past the signs: around the whole pyramid, or around every scale as in the released recipe
    #[arg(long, value_enum, default_value_t)]
    straight_through: StraightThrough,
    /// Train only the decoder, from --init-from on: the bits stay, and transformers trained on them stay valid
    #[arg(long, requires = "init_from")]
    decoder_only: bool,
    /// Share of images that the decoder sees after their first scales only, so that an image under way is a coarse
    /// image
    #[arg(long, default_value_t = 0.1)]
    partial: f64,
}

impl TrainTokenizer {
    /// The encoder's own sizes, where any was asked for.
    fn encoder(&self) -> Option<EncoderConfig> {
        (self.encoder_base_ch.is_some() || self.encoder_res_blocks.is_some()).then(|| EncoderConfig {
            base_ch: self.encoder_base_ch.unwrap_or(self.base_ch),
            ch_mult: self.ch_mult.clone(),
            num_res_blocks: self.encoder_res_blocks.unwrap_or(self.res_blocks),
        })
    }

    fn run(self) -> Result<(), CliError> {
        let common = &self.common;
        let settings = TokenizerSettings {
            vae: VaeConfig {
                codebook_dim: self.bits,
                base_ch: self.base_ch,
                ch_mult: self.ch_mult.clone(),
                num_res_blocks: self.res_blocks,
                patch_size: self.patch_size,
                stem_patch: self.stem_patch,
                norm_groups: self.norm_groups,
                encoder: self.encoder(),
            },
            options: TokenizerOptions {
                edge_weight: self.edge_weight,
                straight_through: self.straight_through,
                quantizer_warmup: self.quantizer_warmup,
                decoder_only: self.decoder_only,
                partial: self.partial,
            },
            data: common.settings(),
        };
        let options = common.options(&settings)?;
        let device = common.device.open()?.autodiff();
        let source = source(&common.data, Split::Train)?;
        let model = Vae::new(&settings.vae, &device).map_err(TrainError::from)?;
        let model = match &common.init_from {
            Some(run) => start_from(&run.join(CHECKPOINT), model)?,
            None => init::vae(model, common.seed),
        };
        let model = match self.decoder_only {
            true => Vae {
                encoder: model.encoder.no_grad(),
                decoder: model.decoder,
            },
            false => model,
        };
        let stage = TokenizerStage {
            batches: common.batches(&*source),
            options: settings.options,
            device: device.clone(),
        };
        println!("tokenizer of {} parameters", model.num_params());
        if common.prepare {
            let plan = Plan::new(plan::Network::Tokenizer, &options, common.scales)?;
            return Ok(prepare(model, &options, &plan)?);
        }
        run(&stage, model, &options)?;
        Ok(())
    }
}

/// Train the transformer and its text encoder on a finished tokenizer
#[derive(Args, Debug)]
struct TrainTransformer {
    #[command(flatten)]
    common: Common,
    /// Folder of the tokenizer's run
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// The T5 tokenizer
    #[arg(long, value_name = "FILE", default_value = "models/t5_tokenizer.json")]
    text_tokenizer: PathBuf,
    /// Width C
    #[arg(long, default_value_t = 192)]
    embed_dim: usize,
    #[arg(long, default_value_t = 6)]
    depth: usize,
    #[arg(long, default_value_t = 6)]
    heads: usize,
    /// Width of the text features, a multiple of 128
    #[arg(long, default_value_t = 128)]
    text_dim: usize,
    #[arg(long, default_value_t = 2)]
    text_depth: usize,
    /// Most tokens of a prompt
    #[arg(long, default_value_t = 32)]
    text_length: usize,
    /// What is predicted for a token of d bits: d two-way decisions, or one of 2^d classes as in the paper's Table 5
    #[arg(long, value_enum, default_value_t)]
    classifier: Classifier,
    /// How a token knows its place: RoPE2d, or learned positions as in the paper's Fig. 13
    #[arg(long, value_enum, default_value_t)]
    positions: Places,
    /// Self-correction: largest flip probability p; 0 is teacher forcing
    #[arg(long, default_value_t = 0.3)]
    flips: f64,
    /// Flip the inputs but keep the clean image's targets, the baseline of the paper's Table 7
    #[arg(long)]
    inputs_only: bool,
    /// Share of samples whose prompt is dropped, for guidance
    #[arg(long, default_value_t = 0.1)]
    condition_dropout: f64,
    /// Weight every scale alike instead of every token
    #[arg(long)]
    reweight_by_scale: bool,
    /// Prompts drawn for the sample grids, with semicolons between [default: some of the data's]
    #[arg(long, value_delimiter = ';')]
    show: Vec<String>,
    /// Guidance of the sample grids
    #[arg(long, default_value_t = 3.0)]
    cfg: f64,
}

/// The kinds of [`Positions`] that a run may choose.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Places {
    #[default]
    Rope,
    Learned,
}

impl Places {
    /// Learned ones for every template's first `scales` scales.
    fn positions(self, scales: usize) -> Result<Positions, TrainError> {
        if let Places::Rope = self {
            return Ok(Positions::RopeNormalized);
        }
        let mut max_tokens = 0;
        for template in TEMPLATES {
            max_tokens = max_tokens.max(template.schedule(scales)?.total());
        }
        Ok(Positions::Learned { max_tokens })
    }
}

/// One of each kind that the composer makes, seen and held-out.
const SHOWN: [&str; 8] = [
    "a red apple",
    "a blue car on a yellow background",
    "a purple butterfly",
    "a pink octopus under water",
    "a cat to the left of a dog",
    "three strawberries",
    "a green tree and a red house",
    "a yellow rocket at night",
];

impl TrainTransformer {
    fn run(self) -> Result<(), CliError> {
        let common = &self.common;
        let device = common.device.open()?.autodiff();
        let plain = device.clone().inner();
        let source = source(&common.data, Split::Train)?;
        let (tokenizer, vae) = TokenizerSettings::load(&self.tokenizer.join(CHECKPOINT), &plain)?;
        let json = std::fs::read(&self.text_tokenizer).map_err(|error| CliError::Tokenizer {
            path: self.text_tokenizer.clone(),
            reason: error.to_string(),
        })?;
        let captions = source.captions().map_err(TrainError::from)?;
        let (words, token_ids) = vocabulary(&json, captions.iter().map(String::as_str))?;
        let prompts = PromptEncoder::with_vocabulary(&json, self.text_length, &words, &token_ids)?;
        let settings = TransformerSettings {
            transformer: self.transformer(tokenizer.vae.codebook_dim)?,
            text_encoder: small_text_encoder(token_ids.len(), self.text_dim, self.text_depth),
            words,
            token_ids,
            tokenizer: fingerprint(&vae),
            flips: self.flips,
            inputs_only: self.inputs_only,
            condition_dropout: self.condition_dropout,
            reweight_by_scale: self.reweight_by_scale,
            data: common.settings(),
        };
        let options = common.options(&settings)?;
        let random = |mut model: TextToBits| {
            model.transformer = init::transformer(model.transformer, &settings.transformer, common.seed);
            model.text_encoder = init::t5(model.text_encoder, &settings.text_encoder, common.seed + 1);
            model
        };
        let model = settings.module(&device)?;
        let model = match &common.init_from {
            // It may lack words of the data, whose embeddings stay random.
            Some(folder) if folder.join(MANIFEST_FILE).exists() => start_from_packed(folder, random(model), &settings)?,
            Some(run) => start_from(&run.join(CHECKPOINT), model)?,
            None => random(model),
        };
        let show: Vec<String> = match self.show.is_empty() {
            false => self.show.clone(),
            true if common.data.starts_with("emoji") => {
                // A part of the data set has not all of the words.
                let known = |prompt: &&str| prompts.encode(prompt).is_ok_and(|encoded| encoded.unknown.is_empty());
                SHOWN.into_iter().filter(known).map(str::to_owned).collect()
            }
            true => captions.iter().take(SHOWN.len()).cloned().collect(),
        };
        let stage = TransformerStage {
            batches: common.batches(&*source),
            vae: &vae,
            prompts: &prompts,
            loss: Loss {
                reweight_by_scale: self.reweight_by_scale,
                ..Loss::default()
            },
            correction: Correction {
                max_flip_rate: self.flips,
                num_scales: common.scales,
                targets: if self.inputs_only {
                    Targets::Clean
                } else {
                    Targets::Requantized
                },
            },
            condition_dropout: self.condition_dropout,
            show: &show,
            cfg: self.cfg,
            device: device.clone(),
        };
        stage.check_shown()?;
        let (transformer, text) = (model.transformer.num_params(), model.text_encoder.num_params());
        println!("transformer of {transformer} parameters, text encoder of {text}");
        if common.prepare {
            let plan = Plan {
                tokenizer: Some(self.tokenizer.clone()),
                text_tokenizer: Some(self.text_tokenizer.clone()),
                ..Plan::new(plan::Network::Transformer, &options, common.scales)?
            };
            return Ok(prepare(model, &options, &plan)?);
        }
        run(&stage, model, &options)?;
        Ok(())
    }

    fn transformer(&self, bits: usize) -> Result<TransformerConfig, TrainError> {
        Ok(TransformerConfig {
            num_heads: self.heads,
            text_maxlen: self.text_length,
            positions: self.positions.positions(self.common.scales)?,
            classifier: self.classifier,
            ..small_transformer(self.embed_dim, self.depth, bits, self.text_dim)
        })
    }
}
