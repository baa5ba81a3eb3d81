//! `infinity eval`: has a model draw prompts whose answer is known, and counts what it got right.

use super::CliError;
use super::data::save;
use super::generate::{Folder, Terminal, per_scale};
use super::processor::Processor;
use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::oracle::Oracle;
use crate::engine::protocol::{Event, Options, Pixels};
use crate::engine::{Engine, Host};
use crate::eval::prompts::{Prompt, choose};
use crate::eval::report::{Judged, Report};
use crate::eval::{draw, rows};
use crate::train::picture::grid;
use clap::Args;
use image::{Rgb, RgbImage};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::RefCell;
use std::future::ready;
use std::path::PathBuf;
use std::time::Instant;

/// Score a model on objects in colours, seen in training and held out.
///
/// Prints a Markdown table. Every score stands beside the one of real compositions (the ceiling) and the one of the
/// same pictures under shuffled prompts (the floor).
#[derive(Args, Debug)]
pub struct Eval {
    /// Folder of the model: manifest.json and its shards
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Prompts of each kind, seen and held out
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    prompts: u32,
    /// Pictures of each prompt, with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// Guidance, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    cfg: Vec<f64>,
    /// Temperature, one value or one per scale [default: the model's own]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tau: Vec<f64>,
    /// JSON file for all scores and the verdict on every picture
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// PNG file for the first seed's picture of every held-out prompt, in the report's order
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
}

impl Eval {
    /// Pictures in a row of the grid.
    const COLUMNS: usize = 8;

    pub fn run(self) -> Result<(), CliError> {
        let device = self.device.open()?;
        let world = EmojiWorld::bundled(Split::Train)?;
        let oracle = Oracle::new(world.bank());
        let (folder, terminal) = (Folder(&self.model), Terminal::new());
        let engine = pollster::block_on(Engine::load("manifest.json", &folder, &device, &terminal))?;

        let asked =
            [Split::HeldOut, Split::Train].map(|split| (split, choose(world.bank(), split, self.prompts as usize)));
        let count: u64 = asked.iter().map(|(_, prompts)| prompts.len() as u64 * self.seeds).sum();
        let easel = Easel::new(count);
        let mut report = Report {
            model: self.name(),
            seeds: self.seeds,
            rows: Vec::new(),
            pictures: Vec::new(),
        };
        for (split, prompts) in &asked {
            let drawings = draw(prompts, self.seeds, &oracle, |prompt, seed| {
                pollster::block_on(engine.generate(self.options(prompt, seed), &easel)).map(|()| easel.take())
            })?;
            report.rows.extend(rows(*split, prompts, &drawings, &world, &oracle)?);
            report
                .pictures
                .extend(drawings.iter().map(|drawing| Judged::new(*split, drawing)));
            if let (Split::HeldOut, Some(path)) = (split, &self.grid) {
                let first = drawings.into_iter().filter(|drawing| drawing.seed == 1);
                save(
                    path,
                    &grid(&first.map(|drawing| drawing.image).collect::<Vec<_>>(), Self::COLUMNS),
                )?;
            }
        }
        easel.bar.finish_and_clear();
        println!("{report}");
        self.write(&report)
    }

    /// The folder's name.
    fn name(&self) -> String {
        let name = self.model.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "model".to_owned())
    }

    fn options(&self, prompt: &Prompt, seed: u64) -> Options {
        Options {
            prompt: prompt.text.clone(),
            seed: seed as f64,
            cfg: per_scale(&self.cfg),
            tau: per_scale(&self.tau),
            ..Options::default()
        }
    }

    fn write(&self, report: &Report) -> Result<(), CliError> {
        let failed = |source: std::io::Error| CliError::Write {
            path: self.out.clone(),
            source,
        };
        let json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.into()))?;
        std::fs::write(&self.out, json).map_err(failed)
    }
}

/// Holds the picture being drawn.
struct Easel {
    began: Instant,
    bar: ProgressBar,
    image: RefCell<RgbImage>,
}

impl Easel {
    fn new(count: u64) -> Self {
        let bar = ProgressBar::new(count);
        if let Ok(style) = ProgressStyle::with_template("drawing {wide_bar} {pos} of {len}, {eta} to go") {
            bar.set_style(style);
        }
        Self {
            began: Instant::now(),
            bar,
            image: RefCell::new(RgbImage::new(1, 1)),
        }
    }

    /// The picture after its last scale.
    fn take(&self) -> RgbImage {
        self.bar.inc(1);
        self.image.take()
    }
}

impl Host for Easel {
    fn emit(&self, event: Event) {
        if let Event::Scale { k, of, image, .. } = event
            && k == of
        {
            self.image.replace(opaque(&image));
        }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn breathe(&self) -> impl Future<Output = ()> {
        ready(())
    }

    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }
}

/// The picture without its alpha channel.
fn opaque(image: &Pixels) -> RgbImage {
    RgbImage::from_fn(image.width as u32, image.height as u32, |x, y| {
        let at = 4 * (y as usize * image.width + x as usize);
        Rgb([image.rgba[at], image.rgba[at + 1], image.rgba[at + 2]])
    })
}
