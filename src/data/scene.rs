//! What a picture is to show, before any pixel: made from parts or at random, then put into words and drawn.

use serde::{Deserialize, Serialize};

use super::colour::Colour;
use super::lettering::Text;
use super::style::Style;

/// The families of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One object.
    Single,
    /// Two objects, one in a place relative to the other.
    Relation,
    /// Two to six of one object.
    Count,
    /// Two objects, each in its own colour.
    Colours,
    /// Two to four different objects.
    Several,
    /// A big and a small object.
    Sizes,
    /// A letter, a number or a word.
    Text,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Single,
        Self::Relation,
        Self::Count,
        Self::Colours,
        Self::Several,
        Self::Sizes,
        Self::Text,
    ];

    /// What it is called in a data set's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Relation => "relation",
            Self::Count => "count",
            Self::Colours => "colours",
            Self::Several => "several",
            Self::Sizes => "sizes",
            Self::Text => "text",
        }
    }

    /// The kind of a [`Self::word`].
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Where the first of two objects is, as the second sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Left,
    Right,
    Above,
    Below,
}

impl Relation {
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Above, Self::Below];

    /// What stands between the two: "a cat *to the left of* a dog".
    pub fn words(self) -> &'static str {
        match self {
            Self::Left => "to the left of",
            Self::Right => "to the right of",
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

/// A drawn landscape behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Meadow,
    Night,
    Beach,
    Snow,
    UnderWater,
    Sunset,
    Desert,
}

impl Place {
    pub const ALL: [Self; 7] = [
        Self::Meadow,
        Self::Night,
        Self::Beach,
        Self::Snow,
        Self::UnderWater,
        Self::Sunset,
        Self::Desert,
    ];

    /// What follows the objects: "a cat *in a meadow*".
    pub fn words(self) -> &'static str {
        match self {
            Self::Meadow => "in a meadow",
            Self::Night => "at night",
            Self::Beach => "on a beach",
            Self::Snow => "in the snow",
            Self::UnderWater => "under water",
            Self::Sunset => "at sunset",
            Self::Desert => "in the desert",
        }
    }

    /// Objects of these colours would be lost in it.
    pub fn hides(self) -> &'static [Colour] {
        match self {
            Self::Meadow => &[Colour::Green],
            Self::Night => &[Colour::Black],
            Self::Beach => &[],
            Self::Snow => &[Colour::White],
            Self::UnderWater => &[Colour::Blue],
            Self::Sunset => &[Colour::Orange],
            Self::Desert => &[Colour::Orange],
        }
    }
}

/// How large an object is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    Big,
    Small,
}

impl Size {
    pub const ALL: [Self; 2] = [Self::Big, Self::Small];

    /// The word before the noun.
    pub fn word(self) -> &'static str {
        match self {
            Self::Big => "big",
            Self::Small => "small",
        }
    }
}

/// A regular pattern of two colours behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    Stripes,
    /// The second colour's dots on the first colour.
    Dots,
    Checks,
}

impl Pattern {
    pub const ALL: [Self; 3] = [Self::Stripes, Self::Dots, Self::Checks];

    /// What the hash of a held-out combination calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stripes => "stripes",
            Self::Dots => "dots",
            Self::Checks => "checks",
        }
    }
}

/// What is behind the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backdrop {
    Plain(Colour),
    /// From the first colour at the top to the second at the bottom.
    Gradient(Colour, Colour),
    Place(Place),
    Pattern(Pattern, Colour, Colour),
}

impl Backdrop {
    /// What follows the objects: "a cat *on a blue background*".
    pub fn words(self) -> String {
        match self {
            Self::Plain(colour) => format!("on {} {} background", colour.article(), colour.name()),
            Self::Gradient(top, bottom) => format!(
                "on {} {} to {} gradient background",
                top.article(),
                top.name(),
                bottom.name()
            ),
            Self::Place(place) => place.words().to_owned(),
            Self::Pattern(Pattern::Dots, ground, dots) => format!(
                "on {} {} background with {} dots",
                ground.article(),
                ground.name(),
                dots.name()
            ),
            Self::Pattern(pattern, one, other) => format!(
                "on {} {} and {} {} background",
                one.article(),
                one.name(),
                other.name(),
                if pattern == Pattern::Stripes {
                    "striped"
                } else {
                    "checkered"
                }
            ),
        }
    }

    /// Would an object of this colour be lost in it?
    pub fn hides(self, colour: Colour) -> bool {
        match self {
            Self::Plain(own) => own == colour,
            Self::Gradient(one, other) | Self::Pattern(_, one, other) => one == colour || other == colour,
            Self::Place(place) => place.hides().contains(&colour),
        }
    }
}

/// What is done to the finished drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    PixelArt,
    Silhouette,
    Sticker,
}

impl Effect {
    pub const ALL: [Self; 3] = [Self::PixelArt, Self::Silhouette, Self::Sticker];

    /// What comes before the object: "*pixel art of* a cat".
    pub fn words(self) -> &'static str {
        match self {
            Self::PixelArt => "pixel art of",
            Self::Silhouette => "a black silhouette of",
            Self::Sticker => "a sticker of",
        }
    }
}

/// One object of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its place in the bank.
    pub concept: usize,
    /// The colour it is painted in; `None`: its own.
    pub colour: Option<Colour>,
}

/// A picture in the abstract: the same scene is drawn anew by every random number.
///
/// Built from parts: `Scene::related(cat, Relation::Left, dog).on(Backdrop::Place(Place::Beach))`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scene {
    pub kind: Kind,
    pub style: Style,
    /// None for a text; one, up to four different ones, or so many equal ones.
    pub objects: Vec<Object>,
    /// How large each object is said to be; empty where no size is said.
    pub sizes: Vec<Size>,
    /// For [`Kind::Text`] only.
    pub text: Option<Text>,
    /// Of the first object to the second, for [`Kind::Relation`] only.
    pub relation: Option<Relation>,
    pub backdrop: Backdrop,
    pub effect: Option<Effect>,
}

impl Scene {
    fn new(kind: Kind, objects: Vec<Object>, relation: Option<Relation>) -> Self {
        Self {
            kind,
            style: Style::Flat,
            objects,
            sizes: Vec::new(),
            text: None,
            relation,
            backdrop: Backdrop::Plain(Colour::White),
            effect: None,
        }
    }

    /// One object, [`Style::Flat`] on white.
    pub fn single(object: Object) -> Self {
        Self::new(Kind::Single, vec![object], None)
    }

    /// `first` in a place relative to `second`.
    pub fn related(first: Object, relation: Relation, second: Object) -> Self {
        Self::new(Kind::Relation, vec![first, second], Some(relation))
    }

    /// The same object `count` times.
    pub fn counted(object: Object, count: usize) -> Self {
        Self::new(Kind::Count, vec![object; count], None)
    }

    /// Two objects side by side, the first on the left.
    pub fn coloured(first: Object, second: Object) -> Self {
        Self::new(Kind::Colours, vec![first, second], None)
    }

    /// Different objects, in reading order.
    pub fn several(objects: Vec<Object>) -> Self {
        Self::new(Kind::Several, objects, None)
    }

    /// A text and nothing else.
    pub fn text(text: Text) -> Self {
        Self {
            text: Some(text),
            ..Self::new(Kind::Text, Vec::new(), None)
        }
    }

    /// Two objects side by side, `size` is the first one's and the other's is the other.
    pub fn sized(first: Object, size: Size, second: Object) -> Self {
        let other = match size {
            Size::Big => Size::Small,
            Size::Small => Size::Big,
        };
        Self::new(Kind::Sizes, vec![first, second], None).sizes(vec![size, other])
    }

    /// With a size said of each object.
    pub fn sizes(self, sizes: Vec<Size>) -> Self {
        Self { sizes, ..self }
    }

    /// In another style.
    pub fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// In front of something else.
    pub fn on(self, backdrop: Backdrop) -> Self {
        Self { backdrop, ..self }
    }

    /// With an effect.
    pub fn with(self, effect: Effect) -> Self {
        Self {
            effect: Some(effect),
            ..self
        }
    }
}
