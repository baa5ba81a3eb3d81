//! The engine as the page and the command line use it: loads the tiny random model, draws, refuses, is cancelled.

use burn::tensor::{Device, DeviceKind};
use infinity::engine::protocol::{BitAt, Bits, Deviation, EditMask, Event, Flips, ModelInfo, Options, Picture, Pixels};
use infinity::engine::{Engine, EngineError, Files, Host};
use infinity::kernels::matmul::WeightFormat;
use infinity::model::sampling::PerScale;
use infinity::model::self_correction::AblationArm;
use pollster::block_on;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::ready;
use std::path::Path;
use std::sync::OnceLock;

#[path = "../examples/tiny_model.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod tiny_model;

const SCALES: usize = 5;
/// Steps of a scale: three blocks, then the head.
const STEPS: usize = 4;

/// A model's files in memory.
#[derive(Clone)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str, progress: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>> {
        let found = self.0.get(path).cloned().ok_or(EngineError::Download {
            file: path.to_string(),
            reason: "there is no such file".to_string(),
        });
        if let Ok(bytes) = &found {
            progress(bytes.len() as u64);
        }
        ready(found)
    }
}

impl Memory {
    /// The tiny model.
    fn tiny() -> Self {
        static FILES: OnceLock<Memory> = OnceLock::new();
        let make = || {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let tokenizer = std::fs::read(root.join("models/t5_tokenizer.json")).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("tiny");
            tiny_model::write(&target, &tokenizer).unwrap();
            let mut files = BTreeMap::new();
            for folder in [target.clone(), target.join("twin")] {
                let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
                for path in paths.filter(|path| path.is_file()) {
                    let name = path.strip_prefix(&target).unwrap().to_str().unwrap().to_string();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
            Memory(files)
        };
        FILES.get_or_init(make).clone()
    }

    /// The files of its baseline, below the baseline's own folder.
    fn baseline(&self) -> Self {
        let ours = self.0.iter().filter_map(|(name, bytes)| {
            let name = name.strip_prefix("twin/")?;
            Some((name.to_string(), bytes.clone()))
        });
        Self(ours.collect())
    }

    fn with_manifest(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut manifest: Value = serde_json::from_slice(&self.0["manifest.json"]).unwrap();
        change(&mut manifest);
        self.0
            .insert("manifest.json".to_string(), serde_json::to_vec(&manifest).unwrap());
        self
    }

    /// Leaves out what the manifest says under `name`, and all shards of its tensors.
    fn without(self, name: &str) -> Self {
        let prefix = format!("{name}.");
        self.with_manifest(|manifest| {
            manifest.as_object_mut().unwrap().remove(name).unwrap();
            let ours = |shard: &Value| !holds(shard, &prefix);
            manifest["shards"].as_array_mut().unwrap().retain(ours);
        })
    }

    fn with_file(mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(self.0.get_mut(name).unwrap());
        self
    }

    /// The first shard that holds tensors of the transformer.
    fn shard(&self) -> String {
        let manifest: Value = serde_json::from_slice(&self.0["manifest.json"]).unwrap();
        let shards = manifest["shards"].as_array().unwrap();
        let found = shards.iter().find(|shard| holds(shard, "transformer."));
        found.unwrap()["file"].as_str().unwrap().to_string()
    }
}

fn holds(shard: &Value, prefix: &str) -> bool {
    shard["tensors"]
        .as_object()
        .unwrap()
        .keys()
        .any(|name| name.starts_with(prefix))
}

/// Keeps every event; cancels after so many breaths.
#[derive(Default)]
struct Listener {
    events: RefCell<Vec<Event>>,
    breaths: Cell<usize>,
    cancel_after: Option<usize>,
}

impl Host for Listener {
    fn emit(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|limit| self.breaths.get() > limit)
    }

    fn yield_now(&self) -> impl Future<Output = ()> {
        self.breaths.set(self.breaths.get() + 1);
        ready(())
    }

    fn now(&self) -> f64 {
        0.0
    }
}

fn load(files: &Memory, device: &Device) -> Result<(Engine, Vec<Event>), EngineError> {
    let listener = Listener::default();
    let engine = block_on(Engine::load("manifest.json", files, device, &listener))?;
    Ok((engine, listener.events.into_inner()))
}

fn tiny(device: &Device) -> Engine {
    load(&Memory::tiny(), device).unwrap().0
}

fn draw(engine: &Engine, options: Options) -> Result<Vec<Event>, EngineError> {
    let listener = Listener::default();
    block_on(engine.generate(options, &listener))?;
    Ok(listener.events.into_inner())
}

fn apple(seed: f64) -> Options {
    Options {
        prompt: "a red apple".to_string(),
        seed,
        ..Options::default()
    }
}

/// What is told of the image that `bits` are.
fn decode(engine: &Engine, aspect: &str, bits: Vec<Vec<u32>>) -> Vec<Event> {
    let listener = Listener::default();
    let aspect = aspect.to_string();
    block_on(engine.decode(Bits { aspect, bits }, &listener)).unwrap();
    listener.events.into_inner()
}

/// The image after every scale.
fn pictures(engine: &Engine, options: Options) -> Vec<Pixels> {
    let picture = |event| match event {
        Event::Scale { image, .. } => Some(image),
        _ => None,
    };
    draw(engine, options).unwrap().into_iter().filter_map(picture).collect()
}

fn wgpu() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || Device::wgpu_options().device_kind(DeviceKind::DefaultDevice).init();
    DEVICE
        .get_or_init(|| open().expect("a Vulkan adapter for the tests: install mesa-vulkan-drivers"))
        .clone()
}

/// The largest difference of two pictures in levels of 255.
fn difference(a: &Pixels, b: &Pixels) -> u8 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    a.rgba.iter().zip(&b.rgba).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// All bits of an image by an engine with weights in `form`, one number a bit.
fn bits_of(form: WeightFormat, device: &Device) -> Vec<u32> {
    let (files, listener) = (Memory::tiny(), Listener::default());
    let engine = block_on(Engine::load_as(form, "manifest.json", &files, device, &listener)).unwrap();
    let words = |event| match event {
        Event::Scale { bits, .. } => bits,
        _ => Vec::new(),
    };
    let words = draw(&engine, apple(5.0)).unwrap().into_iter().flat_map(words);
    words.flat_map(|word| (0..16).map(move |bit| word >> bit & 1)).collect()
}

#[test]
fn packed_weights_draw_nearly_the_same_bits() {
    let device = wgpu();
    let whole = bits_of(WeightFormat::F32, &device);
    let same = |form| {
        let packed = bits_of(form, &device);
        let pairs = whole.iter().zip(&packed);
        pairs.filter(|(a, b)| a == b).count() as f64 / whole.len() as f64
    };
    let [f16, q8, q4] = [WeightFormat::F16, WeightFormat::Q8, WeightFormat::Q4].map(same);
    assert!(f16 > 0.99 && q8 > 0.97 && q4 > 0.7, "{f16} {q8} {q4}");
    // Otherwise nothing was packed.
    assert!(q4 < 1.0);
    let cpu = Device::flex();
    assert_eq!(bits_of(WeightFormat::Q4, &cpu), bits_of(WeightFormat::F32, &cpu));
}

#[test]
fn loading_tells_how_far_it_is_and_what_the_model_is() {
    let files = Memory::tiny();
    let (_, events) = load(&files, &Device::flex()).unwrap();
    let mut last = 0;
    for event in &events[..events.len() - 1] {
        let Event::Progress { loaded, total, .. } = event else {
            panic!("{event:?}")
        };
        assert!(last <= *loaded && loaded <= total, "{event:?} after {last}");
        last = *loaded;
    }
    let Some(Event::Loaded { model }) = events.last() else {
        panic!("{events:?}")
    };
    let ModelInfo {
        name,
        bytes,
        shard,
        bits,
        aspects,
        words,
        ..
    } = model;
    assert_eq!((name.as_str(), *bits, aspects.len()), ("Tiny random model", 16, 15));
    assert!(words.contains(&"apple".to_string()));
    // All that is downloaded but the manifest. The baseline's files are its own.
    let ours = |name: &str| (name.ends_with(".safetensors") || name == "tokenizer.json") && !name.contains('/');
    let files = files.0.iter().filter(|(name, _)| ours(name));
    let sizes = files.map(|(name, bytes)| (name, bytes.len() as u64));
    assert_eq!(*bytes, sizes.clone().map(|(_, bytes)| bytes).sum::<u64>());
    let shards = sizes.filter(|(name, _)| name.ends_with(".safetensors"));
    assert_eq!(Some(*shard), shards.map(|(_, bytes)| bytes).max());
}

#[test]
fn tensors_that_no_network_takes_are_refused_by_name() {
    let files = Memory::tiny().with_manifest(|manifest| {
        let shards = manifest["shards"].as_array_mut().unwrap();
        let shard = shards.iter_mut().find(|shard| holds(shard, "vae.decoder.")).unwrap();
        let tensors = shard["tensors"].as_object_mut().unwrap();
        let ours = |name: &&String| name.starts_with("vae.decoder.");
        let name = tensors.keys().find(ours).unwrap().clone();
        let tensor = tensors.remove(&name).unwrap();
        tensors.insert("vae.decoder.extra.weight".to_string(), tensor);
    });
    let error = load(&files, &Device::flex()).err().unwrap();
    assert_eq!(error.code(), "weights");
    assert!(error.to_string().contains("`extra.weight`"), "{error}");
}

#[test]
fn residuals_are_what_the_codes_add_to_the_latent() {
    const D: usize = 16;
    for device in [Device::flex(), wgpu()] {
        let mut scales = 0;
        for event in draw(&tiny(&device), apple(1.0)).unwrap() {
            let Event::Scale {
                k,
                of,
                height,
                width,
                bits,
                residual,
                ..
            } = event
            else {
                continue;
            };
            scales += 1;
            assert_eq!((residual.height, residual.width), (8, 8));
            let levels: Vec<i8> = residual.levels.iter().map(|&level| level as i8).collect();
            assert_eq!(levels.len(), D * 64);
            // Scales of one token and of the latent's own size are added as they are, those between resized.
            let (rows, columns) = (8 / height, 8 / width);
            let code = |i: usize| {
                let (channel, y, x) = (i / 64, i / 8 % 8, i % 8);
                let token = y / rows * width + x / columns;
                if bits[token] >> channel & 1 == 1 { 127 } else { -127 }
            };
            if k == 1 || k == of {
                assert!(
                    levels.iter().enumerate().all(|(i, &level)| level == code(i)),
                    "scale {k}"
                );
            } else {
                assert!(levels.iter().any(|level| level.abs() < 127), "scale {k}");
            }
        }
        assert_eq!(scales, SCALES);
    }
}

#[test]
fn every_shape_is_drawn_scale_by_scale() {
    let (engine, events) = load(&Memory::tiny(), &Device::flex()).unwrap();
    let Some(Event::Loaded { model }) = events.last() else {
        panic!("{events:?}")
    };
    for shape in &model.aspects {
        let options = Options {
            aspect: Some(shape.name.clone()),
            ..apple(1.0)
        };
        let events = draw(&engine, options).unwrap();
        assert_eq!(events.len(), SCALES + 2);
        assert!(matches!(&events[0], Event::Started { aspect, seed: 1, .. } if aspect == shape));
        assert!(matches!(events[SCALES + 1], Event::Finished { seed: 1, .. }));
        for (i, event) in events[1..=SCALES].iter().enumerate() {
            let Event::Scale {
                k,
                of,
                height,
                width,
                image,
                ..
            } = event
            else {
                panic!("{event:?}")
            };
            assert_eq!((*k, *of, (*height, *width)), (i + 1, SCALES, shape.scales[i]));
            assert_eq!((image.width, image.height), (shape.width, shape.height));
            assert_eq!(image.rgba.len(), 4 * shape.width * shape.height);
        }
    }
}

#[test]
fn a_seed_repeats_its_image_and_another_draws_another() {
    let engine = tiny(&Device::flex());
    let first = pictures(&engine, apple(7.0));
    assert_eq!(pictures(&engine, apple(7.0)), first);
    let last = |seed| pictures(&engine, apple(seed)).pop().unwrap();
    let others = [last(0.0), last(8.0), last(9_007_199_254_740_991.0)];
    for (i, other) in others.iter().enumerate() {
        assert!(difference(other, &first[SCALES - 1]) > 16, "seed {i}");
    }
    assert!(difference(&others[0], &others[1]) > 16 && difference(&others[1], &others[2]) > 16);
}

/// A single bit drawn otherwise would change its part of the picture by far more than rounding does.
#[test]
fn a_seed_draws_the_same_bits_on_both_devices() {
    let [flex, wgpu] = [Device::flex(), wgpu()].map(|device| tiny(&device));
    for (seed, aspect) in [(1.0, "1:1"), (2.0, "3:1"), (3.0, "4:5")] {
        let options = Options {
            aspect: Some(aspect.to_string()),
            ..apple(seed)
        };
        let expected = pictures(&flex, options.clone());
        for (k, (a, b)) in pictures(&wgpu, options).iter().zip(&expected).enumerate() {
            assert!(
                difference(a, b) <= 1,
                "seed {seed}, scale {}: {} levels",
                k + 1,
                difference(a, b)
            );
        }
    }
}

#[test]
fn options_change_the_image() {
    let engine = tiny(&Device::flex());
    let plain = pictures(&engine, apple(1.0)).pop().unwrap();
    let differs = |options: Options| difference(&pictures(&engine, options).pop().unwrap(), &plain) > 16;
    assert!(differs(Options {
        prompt: "a blue car".to_string(),
        ..apple(1.0)
    }));
    assert!(differs(Options {
        negative_prompt: Some("green pear".to_string()),
        ..apple(1.0)
    }));
    assert!(differs(Options {
        cfg: Some(PerScale::Each(vec![1.0, 2.0, 4.0, 6.0, 8.0])),
        ..apple(1.0)
    }));
    assert!(differs(Options {
        tau: Some(PerScale::All(0.1)),
        ..apple(1.0)
    }));
    assert!(differs(Options {
        top_p: Some(0.6),
        ..apple(1.0)
    }));
    assert!(
        !differs(Options {
            cfg: Some(PerScale::All(3.0)),
            ..apple(1.0)
        }),
        "the model's own guidance"
    );
}

#[test]
fn unknown_words_are_named_and_the_rest_is_drawn() {
    let engine = tiny(&Device::flex());
    let options = Options {
        prompt: "a red zeppelin, apple man".to_string(),
        positive_prompt: true,
        ..apple(1.0)
    };
    let events = draw(&engine, options).unwrap();
    let Event::Started {
        prompt, unknown_words, ..
    } = &events[0]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (prompt.as_str(), unknown_words.join(" ")),
        ("a red zeppelin, apple man", "zeppelin man".to_string())
    );
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
}

#[test]
fn an_emoji_means_its_noun() {
    let engine = tiny(&Device::flex());
    let prompt = |prompt: &str| Options {
        prompt: prompt.to_string(),
        ..apple(1.0)
    };
    let events = draw(&engine, prompt("a red 🍎")).unwrap();
    let Event::Started { unknown_words, .. } = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(unknown_words, &Vec::<String>::new());
    assert_eq!(
        pictures(&engine, prompt("a red 🍎")),
        pictures(&engine, prompt("a red apple"))
    );
}

#[test]
fn bad_options_are_refused_with_field_and_remedy_and_the_engine_goes_on() {
    let engine = tiny(&Device::flex());
    let expected = pictures(&engine, apple(1.0));
    let prompt = |prompt: &str| Options {
        prompt: prompt.to_string(),
        ..apple(1.0)
    };
    let cfg = |cfg: PerScale| Options {
        cfg: Some(cfg),
        ..apple(1.0)
    };
    let tau = |tau: f64| Options {
        tau: Some(PerScale::All(tau)),
        ..apple(1.0)
    };
    let top_p = |top_p: f64| Options {
        top_p: Some(top_p),
        ..apple(1.0)
    };
    let aspect = |aspect: &str| Options {
        aspect: Some(aspect.to_string()),
        ..apple(1.0)
    };
    let negative = |negative: &str| Options {
        negative_prompt: Some(negative.to_string()),
        ..apple(1.0)
    };
    let cases = [
        (prompt(""), "prompt", "prompt-empty"),
        (prompt(" \n\t"), "prompt", "prompt-empty"),
        (prompt(".,!"), "prompt", "prompt-empty"),
        (prompt(&"x".repeat(10_000)), "prompt", "prompt-too-long"),
        (prompt(&"apple ".repeat(100)), "prompt", "prompt-too-long"),
        (prompt("quantum flux"), "prompt", "prompt-unknown"),
        (prompt("日本 🀄"), "prompt", "prompt-unknown"),
        (negative("quantum flux"), "prompt", "prompt-unknown"),
        (apple(f64::NAN), "seed", "options"),
        (apple(-1.0), "seed", "options"),
        (apple(1e99), "seed", "options"),
        (cfg(PerScale::All(0.0)), "cfg", "options"),
        (cfg(PerScale::All(1e9)), "cfg", "options"),
        (cfg(PerScale::All(f64::NAN)), "cfg", "options"),
        (cfg(PerScale::Each(vec![3.0; SCALES - 1])), "cfg", "options"),
        (cfg(PerScale::Each(Vec::new())), "cfg", "options"),
        (tau(0.0), "tau", "options"),
        (tau(f64::NAN), "tau", "options"),
        (top_p(f64::NAN), "topP", "options"),
        (top_p(1.5), "topP", "options"),
        (aspect("0:0"), "aspect", "options"),
        (aspect("100000:1"), "aspect", "options"),
        (aspect(""), "aspect", "options"),
    ];
    for (options, field, code) in cases {
        let listener = Listener::default();
        let error = block_on(engine.generate(options.clone(), &listener)).expect_err(field);
        assert_eq!((error.field(), error.code()), (Some(field), code), "{error}");
        assert!(listener.events.borrow().is_empty(), "{error}: something was drawn");
        check_sentence(&error);
    }
    assert_eq!(pictures(&engine, apple(1.0)), expected);
}

/// One lower-case sentence with its remedy after a semicolon.
fn check_sentence(error: &EngineError) {
    let message = error.to_string();
    let (what, remedy) = message
        .split_once("; ")
        .unwrap_or_else(|| panic!("no remedy: {message}"));
    let plain = |text: &str| !text.is_empty() && !text.starts_with(|c: char| c.is_uppercase()) && !text.ends_with('.');
    assert!(plain(what) && plain(remedy), "{message}");
}

#[test]
fn bad_models_are_refused_by_name_and_a_good_one_still_loads() {
    let files = Memory::tiny;
    let shard = files().shard();
    let cases = [
        (
            "another d",
            files().with_manifest(|m| m["vae"]["codebook_dim"] = json!(32)),
            "32 channels",
        ),
        (
            "another text width",
            files().with_manifest(|m| m["text_encoder"]["d_model"] = json!(64)),
            "64 wide",
        ),
        (
            "another depth",
            files().with_manifest(|m| m["transformer"]["depth"] = json!(4)),
            "lacks",
        ),
        (
            "another format",
            files().with_manifest(|m| m["format"] = json!("infinity-manifest/9")),
            "infinity-manifest/9",
        ),
        (
            "no transformer",
            files().without("transformer"),
            "lacks its transformer",
        ),
        ("no VAE", files().without("vae"), "lacks its VAE"),
        ("no tokenizer", files().without("tokenizer"), "lacks its tokenizer"),
        (
            "no text encoder",
            files().without("text_encoder"),
            "without a text encoder",
        ),
        (
            "no JSON",
            files().with_file("manifest.json", |bytes| bytes.truncate(100)),
            "JSON",
        ),
        (
            "a page instead",
            files().with_file("manifest.json", |bytes| *bytes = b"<!doctype html>".to_vec()),
            "JSON",
        ),
        (
            "a cut shard",
            files().with_file(&shard, |bytes| bytes.truncate(bytes.len() / 2)),
            shard.as_str(),
        ),
        ("an empty shard", files().with_file(&shard, Vec::clear), shard.as_str()),
        (
            "a flipped bit",
            files().with_file(&shard, |bytes| *bytes.last_mut().unwrap() ^= 1),
            shard.as_str(),
        ),
        (
            "another tokenizer",
            files().with_file("tokenizer.json", |bytes| bytes.push(b' ')),
            "tokenizer.json",
        ),
    ];
    for (name, files, expected) in cases {
        let error = load(&files, &Device::flex())
            .err()
            .unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!((error.code(), error.field()), ("weights", None), "{name}");
        check_sentence(&error);
    }
    for gone in ["manifest.json", "tokenizer.json", &shard] {
        let mut files = files();
        files.0.remove(gone);
        let error = load(&files, &Device::flex())
            .err()
            .unwrap_or_else(|| panic!("{gone} was not missed"));
        assert!(
            error.code() == "download" && error.to_string().contains(gone),
            "{error}"
        );
        check_sentence(&error);
    }
    assert_eq!(pictures(&tiny(&Device::flex()), apple(1.0)).len(), SCALES);
}

#[test]
fn cancelling_takes_effect_before_the_next_layer() {
    let engine = tiny(&Device::flex());
    for limit in (0..=2 * STEPS).chain([SCALES * STEPS - 1]) {
        let listener = Listener {
            cancel_after: Some(limit),
            ..Listener::default()
        };
        block_on(engine.generate(apple(1.0), &listener)).unwrap();
        assert_eq!(listener.breaths.get(), limit + 1);
        let events = listener.events.into_inner();
        let drawn = limit / STEPS;
        assert_eq!(events.len(), drawn + 2);
        assert!(
            matches!(events[drawn + 1], Event::Cancelled { scales } if scales == drawn),
            "{limit}: {events:?}"
        );
    }
    assert_eq!(pictures(&engine, apple(1.0)).len(), SCALES);
}

/// The packed bits of every scale that was told.
fn told_bits(events: &[Event]) -> Vec<Vec<u32>> {
    let bits = |event: &Event| match event {
        Event::Scale { bits, .. } => Some(bits.clone()),
        _ => None,
    };
    events.iter().filter_map(bits).collect()
}

fn told_pictures(events: Vec<Event>) -> Vec<Pixels> {
    let picture = |event| match event {
        Event::Scale { image, .. } => Some(image),
        _ => None,
    };
    events.into_iter().filter_map(picture).collect()
}

fn keeping(bits: &[Vec<u32>], scales: usize, mask: Option<Vec<u8>>, options: Options) -> Options {
    let edit_mask = EditMask {
        bits: bits.to_vec(),
        scales,
        mask,
    };
    Options {
        edit_mask: Some(edit_mask),
        ..options
    }
}

#[test]
fn the_bits_of_an_image_are_the_image() {
    for device in [Device::flex(), wgpu()] {
        let engine = tiny(&device);
        let options = Options {
            aspect: Some("3:4".to_string()),
            ..apple(4.0)
        };
        let events = draw(&engine, options).unwrap();
        let bits = told_bits(&events);
        let Event::Started { aspect, .. } = &events[0] else {
            panic!("{events:?}")
        };
        // 16 bits a token, so one word each.
        let tokens: Vec<usize> = aspect.scales.iter().map(|(h, w)| h * w).collect();
        assert_eq!(bits.iter().map(Vec::len).collect::<Vec<_>>(), tokens);
        let expected = told_pictures(events);
        let events = decode(&engine, "3:4", bits.clone());
        assert!(matches!(events.last(), Some(Event::Decoded { aspect, .. }) if aspect.name == "3:4"));
        assert_eq!(told_bits(&events), bits);
        let shown = told_pictures(events);
        assert_eq!(shown.last(), expected.last());
        let sizes = |shown: &[Pixels]| {
            shown
                .iter()
                .map(|image| (image.width, image.height))
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&shown), sizes(&expected));
    }
}

#[test]
fn on_the_way_an_image_is_shown_coarsely_unless_it_is_measured() {
    let engine = tiny(&Device::flex());
    let events = draw(&engine, apple(1.0)).unwrap();
    let bits = told_bits(&events);
    let coarse = told_pictures(events);
    let against = Options {
        against: Some(bits),
        ..apple(1.0)
    };
    let whole = told_pictures(draw(&engine, against).unwrap());
    let differ: Vec<bool> = coarse.iter().zip(&whole).map(|(a, b)| a != b).collect();
    assert_eq!(differ, [true, true, true, true, false]);
}

#[test]
fn kept_scales_stay_and_later_ones_follow_the_new_seed_or_prompt() {
    let engine = tiny(&Device::flex());
    let first = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let pear = Options {
        prompt: "a green pear".to_string(),
        ..apple(1.0)
    };
    for scales in 0..=SCALES {
        for other in [apple(2.0), pear.clone()] {
            let again = told_bits(&draw(&engine, keeping(&first[..scales], scales, None, other)).unwrap());
            assert_eq!(again[..scales], first[..scales]);
            assert_eq!(
                again[SCALES - 1] == first[SCALES - 1],
                scales == SCALES,
                "{scales} kept"
            );
        }
        let same = draw(&engine, keeping(&first, scales, None, apple(1.0))).unwrap();
        assert_eq!(told_bits(&same), first, "the same seed goes on as it did");
    }
}

#[test]
fn only_masked_tokens_are_drawn_anew() {
    let engine = tiny(&Device::flex());
    let first = told_bits(&draw(&engine, apple(1.0)).unwrap());
    // The right half of 8 x 8 tokens; two scales are kept whole.
    let mask: Vec<u8> = (0..64).map(|i| u8::from(i % 8 >= 4)).collect();
    let again = told_bits(&draw(&engine, keeping(&first, 2, Some(mask), apple(2.0))).unwrap());
    assert_eq!(again[..2], first[..2]);
    for (k, width) in [(2, 4), (3, 6), (4, 8)] {
        let (left, right): (Vec<_>, Vec<_>) = (0..first[k].len()).partition(|i| i % width < width / 2);
        assert!(left.iter().all(|&i| again[k][i] == first[k][i]), "scale {}", k + 1);
        let changed = right.iter().filter(|&&i| again[k][i] != first[k][i]).count();
        assert!(changed * 2 > right.len(), "scale {}: {changed} changed", k + 1);
    }
    let nothing = keeping(&first, 0, Some(vec![0; 64]), apple(2.0));
    assert_eq!(told_bits(&draw(&engine, nothing).unwrap()), first);
    let everything = keeping(&first, 0, Some(vec![1; 64]), apple(2.0));
    assert_eq!(
        told_bits(&draw(&engine, everything).unwrap()),
        told_bits(&draw(&engine, apple(2.0)).unwrap())
    );
}

#[test]
fn a_picture_is_read_into_bits_that_decode_to_what_was_shown() {
    let files = Memory::tiny();
    let engine = tiny(&Device::flex());
    let rgba: Vec<u8> = (0..128 * 128usize)
        .flat_map(|i| [(i % 128) as u8 * 2, (i / 128) as u8 * 2, 128, 255])
        .collect();
    let picture = || Picture {
        aspect: "1:1".to_string(),
        rgba: rgba.clone(),
    };
    let mut rounds = [true, false].map(|first| {
        let listener = Listener::default();
        block_on(engine.encode(picture(), &files, &listener)).unwrap();
        let mut events = listener.events.into_inner();
        let progress = events
            .iter()
            .filter(|event| matches!(event, Event::Progress { .. }))
            .count();
        assert_eq!(progress > 0, first, "the encoder is loaded once");
        events.drain(..progress);
        let Some(Event::Encoded { psnr, aspect, .. }) = events.last() else {
            panic!("{events:?}")
        };
        assert_eq!((psnr.len(), aspect.width), (SCALES, 128));
        assert!(psnr.iter().all(|psnr| (0.0..60.0).contains(psnr)), "{psnr:?}");
        events
    });
    let again = rounds[1].split_off(0);
    let events = rounds[0].split_off(0);
    assert_eq!(told_bits(&events), told_bits(&again));
    let decoded = decode(&engine, "1:1", told_bits(&events));
    assert_eq!(told_pictures(events), told_pictures(decoded));
}

#[test]
fn foreign_bits_and_pictures_are_refused_and_the_engine_goes_on() {
    let files = Memory::tiny();
    let engine = tiny(&Device::flex());
    let first = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let refused = |options: Options| {
        let error = draw(&engine, options).unwrap_err();
        assert_eq!((error.code(), error.field()), ("bits", Some("keep")), "{error}");
        check_sentence(&error);
    };
    refused(keeping(&first, SCALES + 1, None, apple(1.0)));
    refused(keeping(&first[..1], 2, None, apple(1.0)));
    refused(keeping(&first, 0, Some(vec![1; 63]), apple(1.0)));
    refused(keeping(&[vec![1 << 16]], 1, None, apple(1.0)));
    let tall = Options {
        aspect: Some("1:2".to_string()),
        ..apple(1.0)
    };
    refused(keeping(&first, SCALES, None, tall));
    let decode = |aspect: &str, bits: &[Vec<u32>]| {
        let bits = Bits {
            aspect: aspect.to_string(),
            bits: bits.to_vec(),
        };
        let listener = Listener::default();
        let error = block_on(engine.decode(bits, &listener)).unwrap_err();
        check_sentence(&error);
        assert!(listener.events.into_inner().is_empty());
        error.code()
    };
    assert_eq!(decode("1:1", &first[..SCALES - 1]), "bits");
    assert_eq!(decode("2:1", &first), "bits");
    assert_eq!(decode("9:9", &first), "options");
    let encode = |engine: &Engine, rgba: usize| {
        let picture = Picture {
            aspect: "1:1".to_string(),
            rgba: vec![0; rgba],
        };
        let error = block_on(engine.encode(picture, &files, &Listener::default())).unwrap_err();
        check_sentence(&error);
        error
    };
    assert_eq!(encode(&engine, 128 * 128 * 3).code(), "picture");
    let blind = files.clone().with_manifest(|manifest| {
        for shard in manifest["shards"].as_array_mut().unwrap() {
            let tensors = shard["tensors"].as_object_mut().unwrap();
            tensors.retain(|name, _| !name.starts_with("vae.encoder."));
        }
    });
    let (blind, _) = load(&blind, &Device::flex()).unwrap();
    assert!(matches!(encode(&blind, 4 * 128 * 128), EngineError::NoEncoder));
    assert_eq!(told_bits(&draw(&engine, apple(1.0)).unwrap()), first);
}

#[test]
fn decoding_and_reading_end_at_a_cancel() {
    let files = Memory::tiny();
    let engine = tiny(&Device::flex());
    let bits = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let cancelled = || Listener {
        cancel_after: Some(2),
        ..Listener::default()
    };
    let [decoding, reading] = [cancelled(), cancelled()];
    let aspect = "1:1".to_string();
    let given = Bits {
        aspect: aspect.clone(),
        bits,
    };
    block_on(engine.decode(given, &decoding)).unwrap();
    let rgba = vec![200; 4 * 128 * 128];
    block_on(engine.encode(Picture { aspect, rgba }, &files, &reading)).unwrap();
    for listener in [decoding, reading] {
        let events = listener.events.into_inner();
        assert!(
            matches!(events.last(), Some(Event::Cancelled { scales: 2 })),
            "{events:?}"
        );
    }
}

/// Half of the bits of some scales.
fn half(scales: &[usize]) -> Flips {
    Flips {
        scales: scales.to_vec(),
        rate: 0.5,
        seed: 3.0,
        ..Flips::default()
    }
}

/// Events of one arm: bits, image and deviation of every scale.
fn arm(events: &[Event], wanted: AblationArm) -> Vec<(Vec<u32>, Pixels, Deviation)> {
    let told = |event: &Event| match event {
        Event::Arm {
            arm,
            bits,
            image,
            deviation,
            ..
        } if *arm == wanted => Some((bits.clone(), image.clone(), *deviation)),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

fn flip(engine: &Engine, bits: &[Vec<u32>], flips: Flips) -> Vec<Event> {
    let listener = Listener::default();
    let bits = Bits {
        aspect: "1:1".to_string(),
        bits: bits.to_vec(),
    };
    block_on(engine.flip_bits(bits, flips, &listener)).unwrap();
    listener.events.into_inner()
}

fn differing(a: &[u32], b: &[u32]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

#[test]
fn flipped_bits_take_three_paths() {
    for device in [Device::flex(), wgpu()] {
        let engine = tiny(&device);
        let bits = told_bits(&draw(&engine, apple(1.0)).unwrap());
        let pictures = told_pictures(decode(&engine, "1:1", bits.clone()));
        let events = flip(&engine, &bits, half(&[2, 3]));
        assert!(matches!(events.last(), Some(Event::Compared { aspect, .. }) if aspect.name == "1:1"));
        let [clean, flipped, requantised] = AblationArm::ALL.map(|wanted| arm(&events, wanted));
        assert_eq!([clean.len(), flipped.len(), requantised.len()], [SCALES; 3]);
        for k in 0..SCALES {
            assert_eq!(
                (&clean[k].0, &clean[k].1),
                (&bits[k], &pictures[k]),
                "the clean path is the image"
            );
            let expected = if k == 1 || k == 2 {
                differing(&flipped[k].0, &bits[k])
            } else {
                0
            };
            assert_eq!(differing(&flipped[k].0, &bits[k]), expected);
            let counts = [&clean, &flipped, &requantised].map(|path| path[k].2.flipped);
            assert_eq!(counts, [0, expected as usize, expected as usize], "scale {}", k + 1);
        }
        // 64 and 256 bits, half of them.
        assert!((16..48).contains(&flipped[1].2.flipped) && (90..166).contains(&flipped[2].2.flipped));
        assert_eq!(flipped[0], clean[0], "nothing differs before the first flip");
        assert_eq!((&flipped[1].0, &flipped[1].1), (&requantised[1].0, &requantised[1].1));
        assert!(
            differing(&requantised[3].0, &bits[3]) > 0,
            "later scales answer the flips"
        );
        let ends = [&clean, &flipped, &requantised].map(|path| path[SCALES - 1].2);
        assert!(ends[0].error < 1e-6 && ends[0].psnr == f64::INFINITY, "{ends:?}");
        assert!(ends[2].error < ends[1].error && ends[1].psnr.is_finite(), "{ends:?}");
    }
}

#[test]
fn a_single_bit_is_the_only_one_that_differs() {
    let engine = tiny(&Device::flex());
    let bits = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let flips = Flips {
        single: vec![BitAt {
            scale: 3,
            token: 5,
            bit: 9,
        }],
        ..Flips::default()
    };
    let events = flip(&engine, &bits, flips);
    let flipped = arm(&events, AblationArm::Flipped);
    for (k, (found, _, deviation)) in flipped.iter().enumerate() {
        let mut expected = bits[k].clone();
        if k == 2 {
            expected[5] ^= 1 << 9;
        }
        assert_eq!(
            (found, deviation.flipped),
            (&expected, usize::from(k == 2)),
            "scale {}",
            k + 1
        );
    }
}

#[test]
fn a_picture_is_compared_by_what_the_encoder_sees() {
    let (files, engine) = (Memory::tiny(), tiny(&Device::flex()));
    let rgba: Vec<u8> = (0..128 * 128usize)
        .flat_map(|i| [(i % 128) as u8 * 2, (i / 128) as u8 * 2, 128, 255])
        .collect();
    let picture = || Picture {
        aspect: "1:1".to_string(),
        rgba: rgba.clone(),
    };
    let listener = Listener::default();
    block_on(engine.encode(picture(), &files, &listener)).unwrap();
    let encoded = listener.events.into_inner();
    let Some(Event::Encoded { psnr, .. }) = encoded.last() else {
        panic!("{encoded:?}")
    };
    let listener = Listener::default();
    block_on(engine.flip_picture(picture(), half(&[1]), &files, &listener)).unwrap();
    let events = listener.events.into_inner();
    let clean = arm(&events, AblationArm::Clean);
    assert_eq!(
        clean.iter().map(|scale| scale.0.clone()).collect::<Vec<_>>(),
        told_bits(&encoded)
    );
    for (scale, psnr) in clean.iter().zip(psnr) {
        assert!((scale.2.psnr - psnr).abs() < 0.1, "{} and {psnr} dB", scale.2.psnr);
    }
    let end = |wanted| arm(&events, wanted)[SCALES - 1].2.error;
    let [clean, flipped, requantised] = AblationArm::ALL.map(end);
    assert!(clean > 0.0 && requantised < flipped, "{clean} {requantised} {flipped}");
}

#[test]
fn flips_while_drawing_are_heard_by_what_follows() {
    let engine = tiny(&Device::flex());
    let clean = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let flips = half(&[2]);
    let options = Options {
        flips: Some(flips.clone()),
        against: Some(clean.clone()),
        ..apple(1.0)
    };
    let events = draw(&engine, options.clone()).unwrap();
    let damaged = told_bits(&events);
    let by_hand = arm(&flip(&engine, &clean, flips), AblationArm::Flipped);
    assert_eq!(
        damaged[..2],
        [by_hand[0].0.clone(), by_hand[1].0.clone()],
        "the same bits flip"
    );
    assert_ne!(damaged[2], clean[2], "the third scale is drawn from the damaged sum");
    let deviation = |event: &Event| match event {
        Event::Scale { deviation, .. } => *deviation,
        _ => None,
    };
    let told: Vec<Deviation> = events.iter().filter_map(deviation).collect();
    assert_eq!(told.len(), SCALES);
    assert_eq!(told[1], by_hand[1].2);
    assert!(told[4].error > 0.0 && told[4].flipped == 0);
    // Kept bits are flipped as drawn ones are.
    let kept = draw(&engine, keeping(&clean, 2, None, options)).unwrap();
    assert_eq!(told_bits(&kept), damaged);
    // Against itself an image ends without error; without a goal nothing is told.
    let itself = Options {
        against: Some(clean),
        ..apple(1.0)
    };
    let events = draw(&engine, itself).unwrap();
    let last = events.iter().filter_map(deviation).next_back().unwrap();
    assert!(
        last.error < 1e-6 && last.flipped == 0 && last.psnr == f64::INFINITY,
        "{last:?}"
    );
    assert!(
        draw(&engine, apple(1.0))
            .unwrap()
            .iter()
            .all(|event| deviation(event).is_none())
    );
}

#[test]
fn flips_that_do_not_fit_are_refused_and_the_engine_goes_on() {
    let engine = tiny(&Device::flex());
    let clean = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let refused = |options: Options| {
        let error = draw(&engine, options).unwrap_err();
        check_sentence(&error);
        (error.code(), error.field())
    };
    let with = |flips| Options {
        flips: Some(flips),
        ..apple(1.0)
    };
    assert_eq!(refused(with(half(&[6]))), ("options", Some("flips")));
    let seed = Flips {
        seed: 0.5,
        ..half(&[1])
    };
    assert_eq!(refused(with(seed)), ("options", Some("seed")));
    let against = Options {
        against: Some(clean[..2].to_vec()),
        ..apple(1.0)
    };
    assert_eq!(refused(against).0, "bits");
    let cancelled = Listener {
        cancel_after: Some(4),
        ..Listener::default()
    };
    let bits = Bits {
        aspect: "1:1".to_string(),
        bits: clean.clone(),
    };
    block_on(engine.flip_bits(bits, half(&[1]), &cancelled)).unwrap();
    let events = cancelled.events.into_inner();
    // Three paths of the first scale, and the clean one of the second.
    assert!(
        events.len() == 5 && matches!(events[4], Event::Cancelled { scales: 1 }),
        "{events:?}"
    );
    assert_eq!(told_bits(&draw(&engine, apple(1.0)).unwrap()), clean);
}

#[test]
fn a_baseline_shares_the_tokenizers_and_generates_by_itself() {
    let files = Memory::tiny();
    let (engine, events) = load(&files, &Device::flex()).unwrap();
    let loaded = |events: &[Event]| match events.last() {
        Some(Event::Loaded { model }) => (model.name.clone(), model.baseline.clone()),
        _ => panic!("{events:?}"),
    };
    assert_eq!(loaded(&events).1.as_deref(), Some("twin/manifest.json"));
    let listener = Listener::default();
    let baseline = block_on(engine.load_baseline("manifest.json", &files.baseline(), &listener)).unwrap();
    let events = listener.events.into_inner();
    assert_eq!(loaded(&events), ("Tiny random twin".to_string(), None));
    let ours = told_bits(&draw(&engine, apple(1.0)).unwrap());
    let theirs = draw(&baseline, apple(1.0)).unwrap();
    let bits = told_bits(&theirs);
    assert_ne!(bits, ours);
    // One image tokenizer: the model decodes what the baseline generates.
    let decoded = told_pictures(decode(&engine, "1:1", bits));
    assert_eq!(decoded.last(), told_pictures(theirs).last());
    for (change, what) in [
        (json!({"scales": 4}), "number of scales"),
        (json!({"words": ["apple"]}), "vocabulary"),
    ] {
        let other = files.baseline().with_manifest(|manifest| {
            for (name, value) in change.as_object().unwrap() {
                manifest[name] = value.clone();
            }
        });
        let error = block_on(engine.load_baseline("manifest.json", &other, &Listener::default()))
            .err()
            .unwrap();
        assert!(error.to_string().contains(what), "{error}");
        check_sentence(&error);
    }
}
