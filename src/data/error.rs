//! What can go wrong with training images, each with what to do about it.

use std::path::PathBuf;

use super::style::{FONT_PACKAGE, Style};

/// Errors of building, reading and composing captioned images.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("cannot read or write {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{} holds drawings with SHA-256 {found}, which is none of the pinned packages; fetch those with `{}`",
        path.display(), fetch()
    )]
    WrongPackage { path: PathBuf, found: String },
    #[error("{} is not an icon package: {reason}; fetch the pinned ones with `{}`", path.display(), fetch())]
    BadPackage { path: PathBuf, reason: String },
    #[error("the icon package {package} is missing; fetch it with `npm pack {package}` and name its archive too")]
    MissingPackage { package: &'static str },
    #[error("the drawings of {package} are not what this build expects: {reason}")]
    BadDrawings { package: &'static str, reason: String },
    #[error("icon `{icon}` cannot be drawn: {reason}")]
    BadIcon { icon: String, reason: String },
    #[error("the sprite bank is damaged: {0}; make it again with `infinity data build`")]
    BadBank(String),
    #[error("object {concept} of the bank has no drawing in the style {style:?}; ask for another style")]
    NoDrawing { concept: usize, style: Style },
    #[error("the bank has no letter `{0}`; make it again with `infinity data build`")]
    NoLetter(char),
    #[error(
        "the data set cannot be made of `{0}`; after `emoji:` or `world:` come styles (flat, glossy, cartoon, simple), \
         kinds (single, relation, count, colours, and of `world` several, sizes, text; `relation=2` gives one a share of \
         its own, 1 to 1000), `plain`, `still`, `calm` and two objects or more, with commas between"
    )]
    UnknownPart(String),
    #[error("`{0}` is not a data set of the composer; write `emoji` or `world`, or either with `:` and its parts")]
    NotComposed(String),
    #[error("an image of {width}x{height} pixels cannot be composed; ask for sides between 16 and 4096")]
    BadSize { width: usize, height: usize },
    #[error("there are no pictures to learn from; add some")]
    NoPictures,
    #[error(
        "{} holds no image; put .png or .jpg files into it, each beside a .txt file with its caption",
        path.display()
    )]
    NoImages { path: PathBuf },
    #[error(
        "{} has no caption; write one into a .txt file of the same name, or add its line to metadata.jsonl",
        path.display()
    )]
    NoCaption { path: PathBuf },
    #[error("{}, line {line}: {reason}; each line is {{\"file_name\": \"...\", \"text\": \"...\"}}", path.display())]
    BadMetadata { path: PathBuf, line: usize, reason: String },
    #[error("{} cannot be read as an image: {source}; repair or remove the file", path.display())]
    BadImage { path: PathBuf, source: image::ImageError },
}

/// The command that fetches every package.
fn fetch() -> String {
    let names = Style::ALL.map(|style| style.package().name);
    format!("npm pack {} {}", names.join(" "), FONT_PACKAGE.name)
}

#[cfg(not(target_family = "wasm"))]
impl DataError {
    /// Adds the path to an I/O error.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
