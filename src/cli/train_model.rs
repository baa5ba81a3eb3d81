//! `infinity train model`: trains a packed model further, by the very session that the page runs.

use super::CliError;
use super::generate::Folder as ModelFolder;
use super::processor::Processor;
use super::source::source;
use crate::data::heldout::Split;
use crate::engine::protocol::{Event, Fresh, ModelFile, Pixels, TrainConfig, TrainSchedule};
use crate::engine::train::TrainingData;
use crate::engine::{CheckpointStore, Engine, EngineError, Host};
use crate::train::TrainError;
use crate::train::checkpoint::io_error;
use crate::train::run::CHECKPOINT;
use crate::weights::directory::{DirectoryWriter, MANIFEST_FILE};
use crate::weights::{Manifest, WeightsError};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;
use std::cell::RefCell;
use std::fmt::Write;
use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::time::Instant;

const LOSSES: &str = "losses.csv";

/// Train a packed model further on captioned images, as the page does
#[derive(Args, Debug)]
pub struct TrainModel {
    /// Model folder to start from
    #[arg(long, value_name = "DIR", default_value = "models/default")]
    model: PathBuf,
    /// Folder of the run: checkpoint, losses.csv, samples, and the trained model under model/
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A folder of images with captions, or a part of the bundled composer's data such as `emoji:flat,single,apple,car`
    #[arg(long)]
    data: String,
    #[arg(long)]
    steps: usize,
    #[arg(long, default_value_t = 4)]
    batch: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Self-correction: largest flip probability p; 0 is teacher forcing
    #[arg(long, default_value_t = 0.1)]
    flips: f64,
    #[arg(long, default_value_t = 100)]
    sample_every: usize,
    #[arg(long, default_value_t = 100)]
    save_every: usize,
    /// Start from nothing: width of a new transformer, a multiple of 32
    #[arg(long, value_name = "N", requires = "depth")]
    width: Option<usize>,
    /// Blocks of a new transformer
    #[arg(long, value_name = "N", requires = "width")]
    depth: Option<usize>,
    /// Name of the trained model
    #[arg(long, default_value = "My model")]
    name: String,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
}

impl TrainModel {
    pub fn run(self) -> Result<(), CliError> {
        let samples = self.out.join("samples");
        std::fs::create_dir_all(&samples).map_err(|error| io_error(&samples, error))?;
        let device = self.device.open()?;
        let files = ModelFolder(&self.model);
        let terminal = Terminal::new(&self.out, self.steps);
        let engine = block_on(Engine::load(MANIFEST_FILE, &files, &device, &terminal))?;
        let config = TrainConfig {
            fresh: self.width.zip(self.depth).map(|(width, depth)| Fresh { width, depth }),
            batch: self.batch,
            seed: self.seed as f64,
        };
        let data = TrainingData::Source {
            source: source(&self.data, Split::Train)?,
            name: self.data.clone(),
        };
        let checkpoint = std::fs::read(self.out.join(CHECKPOINT)).ok();
        let begun = engine.begin(config, data, checkpoint.as_deref(), &files, &terminal);
        let mut session = block_on(begun)?;
        drop(checkpoint);
        terminal.forget_after(session.step())?;
        let schedule = TrainSchedule {
            learning_rate: self.lr,
            flips: self.flips,
            steps: self.steps,
            sample_every: self.sample_every,
            save_every: self.save_every,
        };
        block_on(session.run(schedule, &terminal, &terminal))?;
        let target = self.out.join("model");
        write(&target, block_on(session.pack(&self.name, &files))?)?;
        println!("wrote {}", target.display());
        Ok(())
    }
}

/// The model folder, in place of one that an earlier end of the same run left.
fn write(target: &Path, files: Vec<ModelFile>) -> Result<(), CliError> {
    if target.join(MANIFEST_FILE).exists() {
        std::fs::remove_dir_all(target).map_err(|error| io_error(target, error))?;
    }
    let writer = DirectoryWriter::create(target)?;
    for ModelFile { name, bytes } in files {
        match name.as_str() {
            MANIFEST_FILE => return Ok(writer.finish(&Manifest::parse(&bytes).map_err(WeightsError::from)?)?),
            _ => writer.write(&name, &bytes)?,
        }
    }
    Ok(())
}

/// Shows the progress, and keeps losses, samples and the checkpoint in the run's folder.
struct Terminal<'a> {
    out: &'a Path,
    began: Instant,
    bar: ProgressBar,
    /// Rows of the table of losses.
    rows: RefCell<Vec<(usize, String)>>,
}

impl<'a> Terminal<'a> {
    fn new(out: &'a Path, steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed}<{eta} {msg}") {
            bar.set_style(style);
        }
        Self {
            out,
            began: Instant::now(),
            bar,
            rows: RefCell::new(Vec::new()),
        }
    }

    /// Takes over the rows of an earlier run up to its checkpoint.
    fn forget_after(&self, step: usize) -> Result<(), CliError> {
        let text = std::fs::read_to_string(self.out.join(LOSSES)).unwrap_or_default();
        let row = |line: &str| Some((line.split(',').next()?.parse().ok()?, line.to_string()));
        let kept = text.lines().filter_map(row).filter(|(at, _)| *at <= step);
        self.rows.replace(kept.collect());
        self.bar.set_position(step as u64);
        Ok(())
    }

    fn table(&self) -> std::io::Result<()> {
        let mut table = "step,loss,accuracy,grad_norm,ms\n".to_string();
        for (_, row) in self.rows.borrow().iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{row}");
        }
        std::fs::write(self.out.join(LOSSES), table)
    }

    fn picture(&self, step: usize, index: usize, Pixels { width, height, rgba }: &Pixels) {
        let path = self.out.join(format!("samples/step-{step:06}-{index}.png"));
        let (width, height) = (*width as u32, *height as u32);
        if let Err(error) = image::save_buffer(&path, rgba, width, height, image::ColorType::Rgba8) {
            self.bar.println(format!("{}: {error}", path.display()));
        }
    }
}

impl Host for Terminal<'_> {
    fn emit(&self, event: Event) {
        match event {
            Event::TrainingReady {
                step,
                parameters,
                new_words,
                ..
            } => {
                println!(
                    "{parameters} parameters, from step {step}; new words: {}",
                    new_words.join(", ")
                );
            }
            Event::Step {
                step,
                loss,
                accuracy,
                grad_norm,
                ms,
                ..
            } => {
                let row = format!("{step},{loss},{accuracy},{grad_norm},{ms:.1}");
                self.rows.borrow_mut().push((step, row));
                self.bar.set_position(step as u64);
                self.bar.set_message(format!("loss {loss:.4}, accuracy {accuracy:.3}"));
            }
            Event::Sampled { step, index, image, .. } => self.picture(step, index, &image),
            _ => {}
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

impl CheckpointStore for Terminal<'_> {
    fn save(&self, _step: usize, checkpoint: Vec<u8>) -> impl Future<Output = Result<(), EngineError>> {
        let path = self.out.join(CHECKPOINT);
        let partial = path.with_extension("partial");
        let saved = std::fs::write(&partial, checkpoint)
            .and_then(|()| std::fs::rename(&partial, &path))
            .and_then(|()| self.table());
        ready(saved.map_err(|error| {
            TrainError::Io {
                path: path.display().to_string(),
                error,
            }
            .into()
        }))
    }
}
