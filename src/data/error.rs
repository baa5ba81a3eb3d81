//! What can go wrong with training images, each with what to do about it.

use std::path::PathBuf;

/// Errors of building, reading and composing captioned images.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("cannot read or write {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("cannot run `{command}`: {source}; install it, or pass --package-dir with the unpacked npm package")]
    Tool { command: String, source: std::io::Error },
    #[error("`{command}` failed: {message}; check the network, or pass --package-dir with the unpacked npm package")]
    ToolFailed { command: String, message: String },
    #[error(
        "{} has SHA-256 {found} instead of {expected}; unpack {package} there, or leave --package-dir away to fetch it",
        path.display()
    )]
    WrongPackage {
        path: PathBuf,
        package: &'static str,
        expected: &'static str,
        found: String,
    },
    #[error("the icon package is not what this build expects: {0}; use the pinned package version")]
    BadPackage(String),
    #[error("icon `{icon}` cannot be drawn: {reason}")]
    BadIcon { icon: String, reason: String },
    #[error("the sprite bank is damaged: {0}; make it again with `infinity data build`")]
    BadBank(String),
    #[error("an image of {width}x{height} pixels cannot be composed; both sides must be between 16 and 4096")]
    BadSize { width: usize, height: usize },
}

impl DataError {
    /// Adds the path to an I/O error.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
