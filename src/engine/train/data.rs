//! The data of a training session.

use crate::data::compose::EmojiWorld;
use crate::data::heldout::Split;
use crate::data::pictures::Pictures;
use crate::data::sprites::SpriteBank;
use crate::data::{DataError, Source};
use crate::engine::EngineError;
use crate::train::TrainError;
use crate::weights::shards::sha256;
use image::RgbImage;

/// Captioned images, given or composed.
pub enum TrainingData {
    /// One caption per picture. `rgba` holds the pictures one after the other, square and of the size of the model's
    /// images, four bytes a pixel.
    Pictures { captions: Vec<String>, rgba: Vec<u8> },
    /// The composer's drawings (data/sprites.bin), and the part of its data set, such as `emoji:flat,single,apple,car`.
    Emoji { bank: Vec<u8>, part: String },
    /// Any other source, under a name that identifies it.
    Source { source: Box<dyn Source>, name: String },
}

/// Most pictures of a visitor.
const MOST: usize = 500;

impl TrainingData {
    /// The data and a name that changes with it; pictures are `side` pixels wide and high.
    pub(super) fn open(self, side: usize) -> Result<(Box<dyn Source>, String), EngineError> {
        match self {
            Self::Source { source, name } => Ok((source, name)),
            Self::Emoji { bank, part } => {
                let world = SpriteBank::from_bytes(&bank).and_then(|bank| EmojiWorld::of(bank, &part, Split::Train));
                let world = world.map_err(TrainError::from)?;
                let world = world.ok_or_else(|| TrainError::from(DataError::NotComposed(part.clone())))?;
                Ok((Box::new(world), part))
            }
            Self::Pictures { captions, rgba } => {
                let bytes = 4 * side * side;
                if captions.is_empty() || captions.len() > MOST {
                    let found = captions.len();
                    return Err(EngineError::TrainConfig(format!(
                        "{found} pictures are given, not 1 to {MOST}"
                    )));
                }
                if rgba.len() != bytes * captions.len() {
                    let (found, height, width) = (rgba.len() / captions.len(), side, side);
                    return Err(EngineError::Picture { found, height, width });
                }
                let name = format!("{} {}", sha256(&rgba), sha256(captions.join("\n").as_bytes()));
                let image = |rgba: &[u8]| {
                    let at = |x: u32, y: u32| 4 * (y as usize * side + x as usize);
                    RgbImage::from_fn(side as u32, side as u32, |x, y| {
                        image::Rgb([0, 1, 2].map(|channel| rgba[at(x, y) + channel]))
                    })
                };
                let pictures = rgba.chunks_exact(bytes).map(image).zip(captions).collect();
                Ok((Box::new(Pictures::new(pictures)), name))
            }
        }
    }
}
