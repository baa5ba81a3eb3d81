//! Training as the page does it: against the command line's loop, across a checkpoint, and into a model that draws.

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use infinity::data::pictures::Pictures;
use infinity::engine::protocol::{Event, Fresh, ModelFile, Options, TrainConfig, TrainSchedule};
use infinity::engine::train::{Session, TrainingData};
use infinity::engine::{CheckpointStore, Engine, EngineError, Files, Host};
use infinity::model::self_correction::{Correction, Targets};
use infinity::model::t5::{self, T5Encoder};
use infinity::model::text::PromptEncoder;
use infinity::model::transformer::{Loss, Transformer, official_name};
use infinity::model::vae::Vae;
use infinity::train::batch::Batches;
use infinity::train::optimizer::AdamWOptions;
use infinity::train::run::{RunOptions, run};
use infinity::train::stages::TransformerStage;
use infinity::train::transformer::TextToBits;
use infinity::weights::{Manifest, load_directory, load_module, shards};
use pollster::block_on;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::ready;
use std::path::Path;

#[path = "../examples/tiny_model.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod tiny_model;

const SIDE: u32 = 128;
const CAPTIONS: [&str; 3] = ["a red apple", "a green pear", "a blue car"];

/// A model folder in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn open(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        Self(
            entries
                .filter(|path| path.is_file())
                .map(|path| (name(&path), std::fs::read(&path).unwrap()))
                .collect(),
        )
    }

    fn packed(files: Vec<ModelFile>) -> Self {
        Self(files.into_iter().map(|file| (file.name, file.bytes)).collect())
    }
}

impl Files for Memory {
    fn read(&self, path: &str, _: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>> {
        ready(self.0.get(path).cloned().ok_or(EngineError::NoEncoder))
    }
}

/// Keeps events and the last checkpoint; cancels once so many steps were told.
#[derive(Default)]
struct Listener {
    events: RefCell<Vec<Event>>,
    checkpoint: RefCell<Vec<u8>>,
    steps: Cell<usize>,
    cancel_at: Option<usize>,
}

impl Listener {
    fn losses(&self) -> Vec<f32> {
        let loss = |event: &Event| match event {
            Event::Step { loss, .. } => Some(*loss),
            _ => None,
        };
        self.events.borrow().iter().filter_map(loss).collect()
    }
}

impl Host for Listener {
    fn emit(&self, event: Event) {
        if matches!(event, Event::Step { .. }) {
            self.steps.set(self.steps.get() + 1);
        }
        self.events.borrow_mut().push(event);
    }

    fn cancelled(&self) -> bool {
        self.cancel_at.is_some_and(|limit| self.steps.get() >= limit)
    }

    fn yield_now(&self) -> impl Future<Output = ()> {
        ready(())
    }

    fn now(&self) -> f64 {
        0.0
    }
}

impl CheckpointStore for Listener {
    fn save(&self, _: usize, checkpoint: Vec<u8>) -> impl Future<Output = Result<(), EngineError>> {
        self.checkpoint.replace(checkpoint);
        ready(Ok(()))
    }
}

fn tiny() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
    tiny_model::write(&folder.path().join("tiny"), &std::fs::read(tokenizer).unwrap()).unwrap();
    folder
}

fn picture(i: u32) -> RgbImage {
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        Rgb([(x * (i + 1)) as u8, (y * (3 - i)) as u8, ((x + y) * 2 + 70 * i) as u8])
    })
}

fn pictures(captions: &[&str]) -> Vec<(RgbImage, String)> {
    (0..)
        .zip(captions)
        .map(|(i, caption)| (picture(i), caption.to_string()))
        .collect()
}

/// As the page gives them.
fn material(captions: &[&str]) -> TrainingData {
    let rgba = |(image, _): (RgbImage, String)| {
        image
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2], 255])
            .collect::<Vec<u8>>()
    };
    TrainingData::Pictures {
        captions: captions.iter().map(ToString::to_string).collect(),
        rgba: pictures(captions).into_iter().flat_map(rgba).collect(),
    }
}

fn study() -> TrainConfig {
    TrainConfig {
        fresh: None,
        batch: 2,
        seed: 5.0,
    }
}

fn pace(steps: usize) -> TrainSchedule {
    TrainSchedule {
        learning_rate: 2e-3,
        flips: 0.3,
        steps,
        sample_every: 1000,
        save_every: 1000,
    }
}

fn load(files: &Memory) -> Engine {
    block_on(Engine::load(
        "manifest.json",
        files,
        &Device::flex(),
        &Listener::default(),
    ))
    .unwrap()
}

fn begin(
    engine: &Engine,
    files: &Memory,
    captions: &[&str],
    checkpoint: Option<&[u8]>,
) -> Result<Session, EngineError> {
    let host = Listener::default();
    block_on(engine.begin(study(), material(captions), checkpoint, files, &host))
}

#[test]
fn page_and_command_line_have_the_same_losses() {
    const STEPS: usize = 20;
    let folder = tiny();
    let files = Memory::open(&folder.path().join("tiny"));
    let host = Listener::default();
    let mut session = begin(&load(&files), &files, &CAPTIONS, None).unwrap();
    block_on(session.run(pace(STEPS), &host, &host)).unwrap();

    let (manifest, mut tensors) = load_directory(&folder.path().join("tiny")).unwrap();
    let Manifest {
        transformer,
        vae,
        text_encoder,
        vocabulary,
        words,
        ..
    } = manifest;
    let device = Device::flex().autodiff();
    let mut take = |prefix| shards::take_component(&mut tensors, prefix);
    let vae = Vae::new(&vae.unwrap(), &Device::flex()).unwrap();
    let vae = load_module(vae, &mut take("vae."), str::to_string).unwrap();
    let model = TextToBits {
        transformer: load_module(
            Transformer::new(&transformer.unwrap(), &device).unwrap(),
            &mut take("transformer."),
            official_name,
        )
        .unwrap(),
        text_encoder: load_module(
            T5Encoder::new(&text_encoder.unwrap(), &device).unwrap(),
            &mut take("text_encoder."),
            t5::official_name,
        )
        .unwrap(),
    };
    let prompts = PromptEncoder::with_vocabulary(&files.0["tokenizer.json"], 32, &words, &vocabulary.unwrap()).unwrap();
    let source = Pictures::new(pictures(&CAPTIONS));
    let stage = TransformerStage {
        batches: Batches {
            source: &source,
            size: 2,
            seed: 5,
            scales: 5,
            square_share: 1.0,
        },
        vae: &vae,
        prompts: &prompts,
        loss: Loss::default(),
        correction: Correction {
            max_flip_rate: 0.3,
            num_scales: 5,
            targets: Targets::Requantized,
        },
        condition_dropout: 0.1,
        show: &["a red apple".to_string()],
        cfg: 3.0,
        device,
    };
    let options = RunOptions {
        out: folder.path().join("run"),
        steps: STEPS,
        lr: 2e-3,
        warmup: 10,
        final_lr_ratio: 1.0,
        optimizer: AdamWOptions {
            clip: 1.0,
            weight_decay: 0.01,
            ..AdamWOptions::default()
        },
        ema: 0.98,
        log_every: 1,
        sample_every: 1000,
        save_every: 1000,
        config: "{}".into(),
    };
    run(&stage, model, &options).unwrap();
    let table = std::fs::read_to_string(options.out.join("metrics.csv")).unwrap();
    let loss = |line: &str| line.split(',').nth(3).unwrap().parse::<f32>().unwrap();
    let expected: Vec<f32> = table.lines().skip(1).map(loss).collect();
    assert_eq!(expected.len(), STEPS);
    assert_eq!(host.losses(), expected);
    assert!(expected[STEPS - 1] < expected[0]);
}

#[test]
fn a_session_goes_on_exactly_from_its_checkpoint() {
    let folder = tiny();
    let files = Memory::open(&folder.path().join("tiny"));
    let captions = ["my striped blanket", "a red apple"];
    let whole = Listener::default();
    let mut session = begin(&load(&files), &files, &captions, None).unwrap();
    block_on(session.run(pace(6), &whole, &whole)).unwrap();
    let expected = block_on(session.pack("Mine", &files)).unwrap();

    let first = Listener {
        cancel_at: Some(3),
        ..Listener::default()
    };
    let mut session = begin(&load(&files), &files, &captions, None).unwrap();
    block_on(session.run(pace(6), &first, &first)).unwrap();
    let last = first.events.borrow().last().cloned();
    assert!(
        matches!(
            last,
            Some(Event::Paused {
                step: 3,
                finished: false
            })
        ),
        "{last:?}"
    );
    drop(session);
    let checkpoint = first.checkpoint.take();
    let second = Listener::default();
    // On the trained model, whose vocabulary has the new words already, as after "Draw with it".
    let packed = Memory::packed(expected.clone());
    let mut session = begin(&load(&packed), &packed, &captions, Some(&checkpoint)).unwrap();
    assert_eq!(session.step(), 3);
    block_on(session.run(pace(6), &second, &second)).unwrap();
    assert_eq!([first.losses(), second.losses()].concat(), whole.losses());
    assert_eq!(whole.losses().len(), 6);
    assert_eq!(block_on(session.pack("Mine", &packed)).unwrap(), expected);

    let refused = |captions: &[&str], checkpoint: &[u8]| {
        let outcome = begin(&load(&files), &files, captions, Some(checkpoint));
        outcome.err().map(|error| (error.code(), error.to_string()))
    };
    let (code, message) = refused(&["my striped blanket", "a blue car"], &checkpoint).unwrap();
    assert!(code == "checkpoint" && message.contains("captions"), "{message}");
    assert_eq!(refused(&captions, &checkpoint[..1000]).unwrap().0, "checkpoint");
}

#[test]
fn what_was_trained_draws_and_knows_its_words() {
    let folder = tiny();
    let files = Memory::open(&folder.path().join("tiny"));
    let engine = load(&files);
    let host = Listener::default();
    let material = material(&["my striped blanket", "a red apple"]);
    let mut session = block_on(engine.begin(study(), material, None, &files, &host)).unwrap();
    let told = host.events.borrow().last().cloned();
    let Some(Event::TrainingReady {
        new_words,
        prompts,
        step: 0,
        ..
    }) = told
    else {
        panic!("{told:?}");
    };
    assert_eq!(new_words, ["blanket", "my", "striped"]);
    assert_eq!(prompts, ["my striped blanket", "a red apple"]);
    let short = TrainSchedule {
        sample_every: 2,
        save_every: 1,
        ..pace(3)
    };
    block_on(session.run(short, &host, &host)).unwrap();
    let count = |wanted: fn(&Event) -> bool| host.events.borrow().iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Saved { .. })), 3);
    // After the second step and after the last.
    assert_eq!(
        count(|event| matches!(event, Event::Sampled { image, .. } if image.width == 128)),
        4
    );

    let packed = Memory::packed(block_on(session.pack("Mine", &files)).unwrap());
    let manifest = Manifest::parse(&packed.0["manifest.json"]).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.examples.len()), ("Mine", 2));
    // The tiny model has a baseline; what was trained from it has none.
    assert_eq!(manifest.baseline, None);
    let loaded = Listener::default();
    let trained = block_on(Engine::load("manifest.json", &packed, &Device::flex(), &loaded)).unwrap();
    let tokenizer_fingerprint = |host: &Listener| match host.events.borrow().last() {
        Some(Event::Loaded { model }) => model.tokenizer_fingerprint.clone(),
        other => panic!("{other:?}"),
    };
    let base = Listener::default();
    block_on(Engine::load("manifest.json", &files, &Device::flex(), &base)).unwrap();
    assert_eq!(
        tokenizer_fingerprint(&loaded),
        tokenizer_fingerprint(&base),
        "images of both are one another's"
    );
    let options = Options {
        prompt: "my striped blanket".into(),
        seed: 1.0,
        ..Options::default()
    };
    block_on(trained.generate(options, &loaded)).unwrap();
    let all_known = |event: &Event| matches!(event, Event::Started { unknown_words, .. } if unknown_words.is_empty());
    assert!(loaded.events.borrow().iter().any(all_known));
}

#[test]
fn a_transformer_from_nothing_learns_drawn_objects() {
    let folder = tiny();
    let files = Memory::open(&folder.path().join("tiny"));
    let bank = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sprites.bin")).unwrap();
    let host = Listener::default();
    let fresh = |part: &str, width| {
        let material = TrainingData::Emoji {
            bank: bank.clone(),
            part: part.to_string(),
        };
        let fresh = Some(Fresh { width, depth: 1 });
        let study = TrainConfig { fresh, ..study() };
        block_on(load(&files).begin(study, material, None, &files, &host))
    };
    let mut session = fresh("emoji:flat,single,plain,still,apple,car", 32).unwrap();
    block_on(session.run(pace(40), &host, &host)).unwrap();
    let losses = host.losses();
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[30..]) < mean(&losses[..10]) - 0.005, "{losses:?}");
    let packed = Memory::packed(block_on(session.pack("Mine", &files)).unwrap());
    let options = Options {
        prompt: "a red apple".into(),
        ..Options::default()
    };
    block_on(load(&packed).generate(options, &host)).unwrap();
    for (part, width) in [
        ("emoji:flat,single,plain,still,apple,blorp", 32),
        ("emoji:apple,car", 33),
    ] {
        assert_eq!(
            fresh(part, width).err().map(|error| error.code()),
            Some("training"),
            "{part} {width}"
        );
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let folder = tiny();
    let files = Memory::open(&folder.path().join("tiny"));
    let engine = load(&files);
    let refused = |captions: &[&str]| {
        begin(&engine, &files, captions, None)
            .err()
            .map(|error| error.to_string())
    };
    assert!(refused(&[]).unwrap().contains("0 pictures"));
    assert!(refused(&["a red apple", " "]).unwrap().contains("empty"));
    assert!(refused(&["word ".repeat(60).as_str()]).unwrap().contains("at most 32"));
    let mut session = begin(&engine, &files, &CAPTIONS, None).unwrap();
    let host = Listener::default();
    for wrong in [
        TrainSchedule {
            learning_rate: 0.0,
            ..pace(1)
        },
        TrainSchedule {
            learning_rate: f64::NAN,
            ..pace(1)
        },
        TrainSchedule { flips: 1.5, ..pace(1) },
        TrainSchedule { steps: 0, ..pace(1) },
        TrainSchedule {
            sample_every: 0,
            ..pace(1)
        },
    ] {
        assert!(block_on(session.run(wrong, &host, &host)).is_err(), "{wrong:?}");
    }
    assert!(host.losses().is_empty());
}
