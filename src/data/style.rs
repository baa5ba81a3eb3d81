//! The hands that drew the objects: four icon sets, each with a style of its own.

use serde::{Deserialize, Serialize};

/// A drawing style. What captions do not say is drawn [`Style::Flat`] more often than not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Fluent Emoji, flat.
    Flat,
    /// Fluent Emoji with soft gradients that look solid.
    Glossy,
    /// Noto Emoji.
    Cartoon,
    /// Twemoji.
    Simple,
}

impl Style {
    pub const ALL: [Self; 4] = [Self::Flat, Self::Glossy, Self::Cartoon, Self::Simple];

    /// The word in captions.
    pub fn words(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Glossy => "glossy",
            Self::Cartoon => "cartoon",
            Self::Simple => "simple",
        }
    }

    /// The style that a word names.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.words() == word)
    }

    /// The npm package its drawings come from.
    pub fn package(self) -> Package {
        match self {
            Self::Flat => Package {
                name: "@iconify-json/fluent-emoji-flat@1.2.6",
                sha256: "f5f4cf457c0db2ad5a2e42e033e02e0c87d10e43d0164cfffb3bb84914970a63",
            },
            Self::Glossy => Package {
                name: "@iconify-json/fluent-emoji@1.2.7",
                sha256: "87f3336be6f46747d40d046a15ffa8b23809ff7a1a280b5d3521d3782fb85de7",
            },
            Self::Cartoon => Package {
                name: "@iconify-json/noto@1.2.9",
                sha256: "9eac6ef4e7ec122b6f0e7ac281d61008afdbc720d0ce861e398b939daaa347c6",
            },
            Self::Simple => Package {
                name: "@iconify-json/twemoji@1.2.5",
                sha256: "5d5d820790565b764f2728675d487c9ee4c1fc83916d8567d5aca8ba7527c242",
            },
        }
    }
}

/// A pinned npm package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// `name@version`, as `npm pack` takes it.
    pub name: &'static str,
    /// SHA-256 of its container of drawings.
    pub sha256: &'static str,
}

/// The font that words are written in, under the SIL Open Font License.
pub const FONT_PACKAGE: Package = Package {
    name: "@fontsource/fredoka@5.3.0",
    sha256: "ca6f7ba0a393960b2a3036754726529ddd19b8a20be3faeb8cfabad3882b888a",
};
