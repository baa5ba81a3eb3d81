//! What `--data` names.

use super::CliError;
use crate::data::Source;
use crate::data::compose::EmojiWorld;
use crate::data::folder::Folder;
use crate::data::heldout::Split;
use std::path::Path;

/// Composed pictures of one side of the split, or a folder of one's own, which has no held-out side.
pub(super) fn source(data: &str, split: Split) -> Result<Box<dyn Source>, CliError> {
    Ok(match EmojiWorld::named(data, split)? {
        Some(world) => Box::new(world),
        None => Box::new(Folder::open(Path::new(data))?),
    })
}
