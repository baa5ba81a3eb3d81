//! `infinity generate`: generates one image from a prompt, on the same engine as the page.

use super::processor::Processor;
use crate::engine::protocol::{Event, Options, Pixels};
use crate::engine::{Engine, EngineError, Files, Host};
use crate::kernels::matmul::WeightFormat;
use crate::kernels::runtime::fallbacks::Fallback;
use crate::model::sampling::PerScale;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Generate an image from a prompt.
#[derive(Args, Debug)]
pub struct Generate {
    /// What the image shows
    prompt: String,
    /// Folder of the model: manifest.json and its shards
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// PNG file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The same seed gives the same image
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shape, width to height: 1:1, 4:3, 3:4, ..
    #[arg(long, default_value = "1:1")]
    aspect: String,
    /// Guidance strength, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    cfg: Vec<f64>,
    /// Temperature, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tau: Vec<f64>,
    /// Nucleus sampling over a bit's two values; 0 turns it off [default: the model's own]
    #[arg(long, allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// What the image should not show
    #[arg(long, value_name = "PROMPT")]
    negative: Option<String>,
    /// Ask for good faces in prompts about people
    #[arg(long)]
    positive_prompt: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// Format in which a GPU stores the weights of layers: f32, f16, q8 or q4
    #[arg(long, value_name = "FORM", default_value = "f32", value_parser = form)]
    weights: WeightFormat,
    /// Folder for the image after every scale
    #[arg(long, value_name = "DIR")]
    scales: Option<PathBuf>,
}

/// Errors of `infinity generate`.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot write {} ({source}); choose another file for --out", path.display())]
    Write { path: PathBuf, source: image::ImageError },
    #[error("cannot create {} ({source}); choose another folder for --scales", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
}

impl Generate {
    pub fn run(self) -> Result<(), GenerateError> {
        if let Some(folder) = &self.scales {
            std::fs::create_dir_all(folder).map_err(|source| GenerateError::Folder {
                path: folder.clone(),
                source,
            })?;
        }
        let device = self.device.open()?;
        let terminal = Terminal::new();
        let engine = pollster::block_on(Engine::load_as(
            self.weights,
            "manifest.json",
            &Folder(&self.model),
            &device,
            &terminal,
        ))?;
        pollster::block_on(engine.generate(self.options(), &terminal))?;
        let images = terminal.images.into_inner();
        if let Some(folder) = &self.scales {
            for (i, image) in images.iter().enumerate() {
                write(&folder.join(format!("scale-{:02}.png", i + 1)), image)?;
            }
        }
        match images.last() {
            Some(last) => write(&self.out, last),
            None => Ok(()),
        }
    }

    fn options(&self) -> Options {
        Options {
            prompt: self.prompt.clone(),
            seed: self.seed as f64,
            aspect: Some(self.aspect.clone()),
            cfg: per_scale(&self.cfg),
            tau: per_scale(&self.tau),
            top_p: self.top_p,
            negative_prompt: self.negative.clone(),
            positive_prompt: self.positive_prompt,
            ..Options::default()
        }
    }
}

pub(super) fn form(name: &str) -> Result<WeightFormat, String> {
    WeightFormat::named(name).ok_or_else(|| "choose f32, f16, q8 or q4".to_string())
}

/// One value for all scales, or one each; nothing leaves it to the model.
pub(super) fn per_scale(list: &[f64]) -> Option<PerScale> {
    match list {
        [] => None,
        [value] => Some(PerScale::All(*value)),
        list => Some(PerScale::Each(list.to_vec())),
    }
}

fn write(path: &Path, image: &Pixels) -> Result<(), GenerateError> {
    let (width, height) = (image.width as u32, image.height as u32);
    image::save_buffer(path, &image.rgba, width, height, image::ColorType::Rgba8).map_err(|source| {
        GenerateError::Write {
            path: path.to_path_buf(),
            source,
        }
    })
}

/// A model's folder on disk.
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl Files for Folder<'_> {
    fn read(&self, path: &str, progress: &mut dyn FnMut(u64)) -> impl Future<Output = Result<Vec<u8>, EngineError>> {
        let file = self.0.join(path);
        let bytes = std::fs::read(&file).map_err(|error| EngineError::Download {
            file: file.display().to_string(),
            reason: error.to_string(),
        });
        if let Ok(bytes) = &bytes {
            progress(bytes.len() as u64);
        }
        ready(bytes)
    }
}

/// Prints the events of the engine and collects the images.
pub(super) struct Terminal {
    began: Instant,
    bar: ProgressBar,
    images: RefCell<Vec<Pixels>>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}") {
            bar.set_style(style);
        }
        Self {
            began: Instant::now(),
            bar: bar.with_message("loading"),
            images: RefCell::new(Vec::new()),
        }
    }
}

impl Host for Terminal {
    fn emit(&self, event: Event) {
        match event {
            Event::Progress { loaded, total, .. } => {
                self.bar.set_length(total);
                self.bar.set_position(loaded);
            }
            Event::Loaded { model } => {
                self.bar.finish_and_clear();
                println!("{}: {} parameters, {}", model.name, model.parameters, model.licence);
            }
            Event::Started { unknown_words, .. } if !unknown_words.is_empty() => {
                println!("the model has not learned: {}", unknown_words.join(", "));
            }
            Event::Scale {
                k,
                of,
                height,
                width,
                ms,
                image,
                ..
            } => {
                println!("scale {k} of {of}: {height} x {width} tokens, {ms:.0} ms");
                self.images.borrow_mut().push(image);
            }
            Event::Finished { seed, ms, fallbacks } => {
                println!("seed {seed}, {ms:.0} ms in all");
                for Fallback { op, reason, count } in fallbacks {
                    println!("no kernel for {op} ({reason}), reference run {count} times");
                }
            }
            Event::Started { .. }
            | Event::TrainingReady { .. }
            | Event::Step { .. }
            | Event::Sampled { .. }
            | Event::Saved { .. }
            | Event::Paused { .. }
            | Event::Packed { .. }
            | Event::Decoded { .. }
            | Event::Encoded { .. }
            | Event::Arm { .. }
            | Event::Compared { .. }
            | Event::Cancelled { .. }
            | Event::Error { .. } => {}
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn yield_now(&self) -> impl Future<Output = ()> {
        ready(())
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }
}
