//! `infinity data`: the sprite bank and a look at training samples.

use crate::cli::CliError;
use crate::cli::stream::Stream;
use crate::data::build;
use crate::data::compose::EmojiWorld;
use crate::data::folder::Folder;
use crate::data::heldout::Split;
use crate::data::sprites::SpriteBank;
use crate::data::style::{FONT_PACKAGE, Style};
use crate::data::{DataError, Source};
use crate::train::picture::grid;
use crate::weights::shards::sha256;
use clap::{Args, Subcommand};
use image::RgbImage;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Make or look at training images.
#[derive(Args, Debug)]
pub struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Build(Build),
    Preview(Preview),
    Stream(Stream),
}

#[derive(Args, Debug)]
#[command(about = format!("Draw the sprite bank from the npm packages {}", packages()))]
struct Build {
    /// The packages' archives, as `npm pack` fetches them, or a folder that holds them
    #[arg(value_name = "TGZ", required = true)]
    packages: Vec<PathBuf>,
    /// File to write; the same packages always give the same bytes
    #[arg(long, value_name = "FILE", default_value = "data/sprites.bin")]
    out: PathBuf,
}

/// Draw training samples on one sheet, with their captions in a text file beside it.
#[derive(Args, Debug)]
struct Preview {
    /// PNG file to write; the captions get the same name with .txt
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How many samples
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    count: u64,
    /// The same seed shows the same samples
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Side of a sample in pixels, or WIDTHxHEIGHT
    #[arg(long, default_value = "128", value_parser = size)]
    size: [usize; 2],
    /// The composer's parts, as `infinity train --data` takes them: `emoji:flat,single` for some
    #[arg(long, default_value = "emoji", conflicts_with = "folder")]
    data: String,
    /// Show the combinations that training never sees
    #[arg(long, conflicts_with = "folder")]
    held_out: bool,
    /// Show a folder of one's own images instead: .png or .jpg files, each with a .txt file, or a metadata.jsonl
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The packages that the bank is made of.
fn packages() -> String {
    let drawings = Style::ALL.map(|style| style.package().name).join(", ");
    format!("{drawings}, {}", FONT_PACKAGE.name)
}

/// "128" or "96x160" as height and width.
fn size(text: &str) -> Result<[usize; 2], String> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| match text.parse() {
        Ok(side) if (16..=1024).contains(&side) => Ok(side),
        _ => Err("sides are 16 to 1024 pixels, such as 128 or 96x160"),
    };
    Ok([side(height)?, side(width)?])
}

impl Data {
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Build(build) => build.run(),
            Command::Preview(preview) => preview.run(),
            Command::Stream(stream) => stream.run(),
        }
    }
}

impl Build {
    fn run(self) -> Result<(), CliError> {
        let bytes = build::build(&self.packages)?.to_bytes()?;
        std::fs::write(&self.out, &bytes).map_err(DataError::io(&self.out))?;
        let subjects = SpriteBank::from_bytes(&bytes)?.subjects;
        let sprites: usize = subjects.iter().map(|subject| subject.sprites.len()).sum();
        let hash = sha256(&bytes);
        println!(
            "wrote {}: {} objects, {sprites} sprites, {} bytes, SHA-256 {hash}",
            self.out.display(),
            subjects.len(),
            bytes.len()
        );
        Ok(())
    }
}

impl Preview {
    /// Samples in a row of the sheet.
    const COLUMNS: usize = 8;

    fn run(self) -> Result<(), CliError> {
        match &self.folder {
            Some(folder) => self.draw(&Folder::open(folder)?),
            None => {
                let split = if self.held_out { Split::HeldOut } else { Split::Train };
                self.draw(&EmojiWorld::composed(&self.data, split)?)
            }
        }
    }

    fn draw(&self, source: &impl Source) -> Result<(), CliError> {
        let [height, width] = self.size;
        let samples = (0..self.count).map(|index| source.sample(self.seed, index, height, width));
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        let tiles = samples.into_iter().map(|sample| (sample.image, sample.caption));
        sheet(&self.out, tiles, Self::COLUMNS)
    }
}

/// Writes pictures as one, `columns` in a row, and what stands for each in a text file beside it.
pub(super) fn sheet(
    out: &Path,
    tiles: impl IntoIterator<Item = (RgbImage, String)>,
    columns: usize,
) -> Result<(), CliError> {
    let (images, texts): (Vec<_>, Vec<_>) = tiles.into_iter().unzip();
    let mut captions = String::new();
    for (i, text) in texts.iter().enumerate() {
        let (row, column) = (i / columns + 1, i % columns + 1);
        // Writing to a string cannot fail.
        let _ = writeln!(captions, "row {row}, column {column}: {text}");
    }
    save(out, &grid(&images, columns.min(images.len())))?;
    let beside = out.with_extension("txt");
    std::fs::write(&beside, captions).map_err(DataError::io(&beside))?;
    println!("wrote {} and {}", out.display(), beside.display());
    Ok(())
}

/// Writes a picture, in the format its name ends in.
fn save(path: &Path, image: &RgbImage) -> Result<(), CliError> {
    image.save(path).map_err(|source| CliError::Picture {
        path: path.to_owned(),
        source,
    })
}
