//! The generator of captioned images: scenes at random, and their pictures.
//!
//! A sample is a pure function of `(seed, index, height, width)`; the scene and its caption do not depend on the size.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use image::{Rgb, RgbImage};

use super::captions;
use super::colour::{Colour, OkLab};
use super::effects::{INK, pixelate, sticker_back};
use super::error::DataError;
use super::heldout::Split;
use super::layout::{arrange, scatter};
use super::lettering::{Lettering, Text, Writing};
use super::patterns;
use super::places;
use super::raster::{Bounds, Pyramid, paste};
use super::rng::Rng;
use super::scene::{Backdrop, Effect, Kind, Object, Pattern, Place, Relation, Scene, Size};
use super::source::{Placed, Sample, Source, Truth};
use super::sprites::{Letter, Sprite, SpriteBank};
use super::style::Style;

/// Shares of the kinds in `emoji`, in percent.
const KINDS: [(Kind, usize); 4] = [
    (Kind::Single, 58),
    (Kind::Relation, 17),
    (Kind::Count, 12),
    (Kind::Colours, 13),
];
/// Shares of the kinds in `world`, in percent.
const WORLD_KINDS: [(Kind, usize); 7] = [
    (Kind::Single, 27),
    (Kind::Relation, 17),
    (Kind::Count, 14),
    (Kind::Colours, 14),
    (Kind::Several, 12),
    (Kind::Sizes, 8),
    (Kind::Text, 8),
];
/// Shares of the styles, in percent.
const STYLES: [(Style, usize); 4] = [
    (Style::Flat, 40),
    (Style::Glossy, 20),
    (Style::Cartoon, 20),
    (Style::Simple, 20),
];
/// How often an object that can be painted keeps its own colour, and its caption names none: alone, and among others.
const NATURAL: f32 = 0.25;
const NATURAL_AMONG: f32 = 0.6;
/// Share of single objects with an effect.
const EFFECTS: f32 = 0.12;
/// Shares of plain backdrops and of gradients, in percent; the rest are places.
const PLAIN: usize = 45;
const GRADIENTS: usize = 20;
/// Shares in `world` of plain backdrops, gradients and patterns; the rest are places.
const WORLD_PLAIN: usize = 48;
const WORLD_GRADIENTS: usize = 14;
const PATTERNS: usize = 14;
/// Share of single objects in `world` whose size is said.
const SIZED: f32 = 0.25;
/// How many different objects a scene of several has, with their shares.
const SEVERAL: [(usize, usize); 3] = [(2, 45), (3, 35), (4, 20)];
/// Share of texts that stand on a sign, of words and of others; and of texts whose black is not said.
const WORDS_ON_SIGNS: f32 = 0.5;
const ON_SIGNS: f32 = 0.12;
const INKED: f32 = 0.3;
/// Letters can be read on a shade from this OKLab distance on.
const CONTRAST: f32 = 0.2;
/// Most of one object.
const MOST: usize = 6;
/// Draws until a scene is of the right side of the split. About one in five is held out, so that none in so many means
/// that there are none.
const DRAWS: usize = 10_000;
/// Samples read for the words of the captions.
const CAPTIONS: u64 = 20_000;
/// How far `calm` objects wander.
const CALM: f64 = 0.3;
/// Painted sprites that are kept, 200 kB each: 50 MB of a page's heap, which never shrinks, and 1.6 GB of a machine that feeds a GPU.
const PAINTED: usize = if cfg!(target_family = "wasm") { 256 } else { 8192 };
/// What a run's settings call the data sets.
const EMOJI: &str = "emoji";
const WORLD: &str = "world";
/// Background shades wander this far from their name's, in OKLab lightness and in each of `a` and `b`.
const SHADE_JITTER: (f32, f32) = (0.015, 0.008);

/// The composed data set.
pub struct EmojiWorld {
    bank: SpriteBank,
    split: Split,
    /// Composes freely: everything that `emoji` never does.
    wide: bool,
    kinds: Vec<(Kind, usize)>,
    styles: Vec<(Style, usize)>,
    /// Places in the bank of the objects that are shown.
    concepts: Vec<usize>,
    /// Plain backdrops and no effects.
    plain: bool,
    /// How far objects may leave the middle of their place, their middling size and upright: 0 is not at all. Below 1 none is
    /// mirrored and every colour behind them is one and the same shade.
    wander: f64,
    /// Painted sprites ready for pasting: for every concept and style, [`Colour::OBJECTS`] and one more, the natural
    /// colour. Filled as they are drawn, the first [`PAINTED`] of them.
    painted: Vec<OnceLock<Arc<Pyramid>>>,
    /// How many are in there.
    kept: AtomicUsize,
    /// The bank's letters ready for pasting.
    inked: Vec<OnceLock<Pyramid>>,
}

impl EmojiWorld {
    /// Composes from `bank` as `emoji` does, only scenes of `split`.
    pub fn new(bank: SpriteBank, split: Split) -> Result<Self, DataError> {
        if bank.subjects.len() < 2 || bank.subjects.iter().any(|subject| subject.sprites.is_empty()) {
            return Err(DataError::BadBank(
                "it needs two objects, and a drawing of each".to_owned(),
            ));
        }
        let slots = bank.subjects.len() * Style::ALL.len() * (Colour::OBJECTS.len() + 1);
        Ok(Self {
            concepts: (0..bank.subjects.len()).collect(),
            inked: (0..bank.letters.len()).map(|_| OnceLock::new()).collect(),
            bank,
            split,
            wide: false,
            kinds: KINDS.to_vec(),
            styles: STYLES.to_vec(),
            plain: false,
            wander: 1.0,
            painted: (0..slots).map(|_| OnceLock::new()).collect(),
            kept: AtomicUsize::new(0),
        })
    }

    /// As `emoji`, of the bundled bank.
    #[cfg(not(target_family = "wasm"))]
    pub fn bundled(split: Split) -> Result<Self, DataError> {
        Self::new(SpriteBank::bundled()?.classic(), split)
    }

    /// The bundled bank as a run's settings name it. The grammar of such names:
    ///
    /// - `emoji`: the first [`CLASSIC`](super::concepts::CLASSIC) objects, one or two different ones in a picture, each near
    ///   the middle of its place.
    /// - `world`: all objects, up to four different ones, anywhere, at any size; sizes, patterns and text besides.
    /// - Either with `:` and parts between commas, such as `emoji:flat,single,apple,car` or `world:flat,plain`. A part is
    ///   - a style (`flat`, `glossy`, `cartoon`, `simple`): no styles but those named, and flat,
    ///   - a kind (`single`, `relation`, `count`, `colours`; of `world` also `several`, `sizes`, `text`): no kinds but those
    ///     named; a number after it, as in `single=1,relation=2`, is its share beside the others,
    ///   - an object's noun: no objects but those named, of which there must be two,
    ///   - `plain`: no landscapes, gradients, patterns and effects,
    ///   - `still`: every object upright in the middle of its place before one and the same shade; `calm`: near it.
    ///
    /// `None` for any other name.
    #[cfg(not(target_family = "wasm"))]
    pub fn named(name: &str, split: Split) -> Result<Option<Self>, DataError> {
        match base_and_parts(name) {
            Some(_) => Self::of(SpriteBank::bundled()?, name, split),
            None => Ok(None),
        }
    }

    /// As [`Self::named`] says, of any bank.
    pub fn of(bank: SpriteBank, name: &str, split: Split) -> Result<Option<Self>, DataError> {
        let Some((base, parts)) = base_and_parts(name) else {
            return Ok(None);
        };
        let mut world = match base {
            WORLD => Self::new(bank, split)?.wide(),
            _ => Self::new(bank.classic(), split)?,
        };
        let Some(parts) = parts else {
            return Ok(Some(world));
        };
        let (mut styles, mut kinds, mut concepts) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts.split(',') {
            if part == "plain" {
                world.plain = true;
            } else if part == "still" {
                world.wander = 0.0;
            } else if part == "calm" {
                world.wander = CALM;
            } else if let Some(style) = Style::named(part) {
                styles.push(style);
            } else if let Some(kind) = kind_and_share(part).filter(|&(kind, _)| world.composes(kind)) {
                kinds.push(kind);
            } else if let Some(concept) = world.bank.find(part) {
                concepts.push(concept);
            } else {
                return Err(DataError::UnknownPart(part.to_owned()));
            }
        }
        if !styles.is_empty() {
            world = world.styles(&styles);
        }
        if !kinds.is_empty() {
            // In the order of the whole, so that the order of the parts changes no sample.
            let named = |&(kind, usual): &(Kind, usize)| {
                let (_, share) = kinds.iter().find(|(named, _)| *named == kind)?;
                Some((kind, share.unwrap_or(usual)))
            };
            world.kinds = world.kinds.iter().filter_map(named).collect();
        }
        match concepts.len() {
            0 => {}
            1 => return Err(DataError::UnknownPart("one object alone".to_owned())),
            _ => world.concepts = concepts,
        }
        Ok(Some(world))
    }

    /// As [`Self::named`], with an error for a name that is none of the composer's.
    #[cfg(not(target_family = "wasm"))]
    pub fn composed(name: &str, split: Split) -> Result<Self, DataError> {
        Self::named(name, split)?.ok_or_else(|| DataError::NotComposed(name.to_owned()))
    }

    /// Only drawings in these styles, in the shares that they have to each other. [`Style::Flat`], which needs no word and
    /// lies below every effect, is always among them.
    pub fn styles(self, styles: &[Style]) -> Self {
        let wanted = |&&(style, _): &&(Style, usize)| style == Style::Flat || styles.contains(&style);
        Self {
            styles: STYLES.iter().filter(wanted).copied().collect(),
            ..self
        }
    }

    /// With everything that `world` has and `emoji` has not.
    fn wide(self) -> Self {
        // A bank without letters has no texts.
        let kinds = WORLD_KINDS.into_iter();
        let kinds = kinds.filter(|&(kind, _)| kind != Kind::Text || !self.bank.letters.is_empty());
        Self {
            wide: true,
            kinds: kinds.collect(),
            ..self
        }
    }

    /// Are there scenes of this kind?
    fn composes(&self, kind: Kind) -> bool {
        self.kinds.iter().any(|&(composed, _)| composed == kind)
    }

    pub fn bank(&self) -> &SpriteBank {
        &self.bank
    }

    /// Places in the bank of the objects that scenes are made of.
    pub fn shown_objects(&self) -> &[usize] {
        &self.concepts
    }

    pub fn shown_kinds(&self) -> Vec<Kind> {
        self.kinds.iter().map(|&(kind, _)| kind).collect()
    }

    pub fn shown_styles(&self) -> Vec<Style> {
        self.styles.iter().map(|&(style, _)| style).collect()
    }

    /// The scene of a sample, whatever its size.
    pub fn scene(&self, rng: &mut Rng) -> Result<Scene, DataError> {
        // The kind is drawn once, so that its share does not depend on how much of it is held out.
        let kind = weighted(&self.kinds, rng);
        for _ in 0..DRAWS {
            let scene = self.random(kind, rng);
            if Split::of(&scene, &self.bank) == self.split {
                return Ok(scene);
            }
        }
        Err(DataError::BadBank(format!(
            "it has no combination for the split {:?}",
            self.split
        )))
    }

    fn random(&self, kind: Kind, rng: &mut Rng) -> Scene {
        let effect = match kind {
            Kind::Single if rng.chance(EFFECTS) && !self.plain => rng.pick(&Effect::ALL).copied(),
            _ => None,
        };
        // Effects hide the hand that drew.
        let mut style = if effect.is_some() {
            Style::Flat
        } else {
            weighted(&self.styles, rng)
        };
        let scene = match kind {
            Kind::Single => {
                let natural = if effect == Some(Effect::Silhouette) {
                    1.0
                } else {
                    NATURAL
                };
                let concept = self.concept(style, |_| true, rng);
                Scene::single(self.object(concept, style, natural, rng))
            }
            Kind::Relation => {
                let concept = self.concept(style, |_| true, rng);
                let other = self.other(concept, style, |_| true, rng);
                let relation = Relation::ALL[rng.below(Relation::ALL.len())];
                let [first, second] = [concept, other].map(|concept| self.object(concept, style, NATURAL_AMONG, rng));
                Scene::related(first, relation, second)
            }
            Kind::Count => {
                let counted = |concept: usize| !self.bank.subjects[concept].entry.plural.is_empty();
                let concept = self.concept(style, counted, rng);
                let object = self.object(concept, style, NATURAL_AMONG, rng);
                Scene::counted(object, 2 + rng.below(MOST - 1))
            }
            Kind::Colours => {
                let paintable = |concept: usize| {
                    let sprite = self.bank.subjects[concept].sprite(style);
                    sprite.is_some_and(|sprite| !sprite.colours.is_empty())
                };
                let concept = self.concept(style, paintable, rng);
                let other = self.other(concept, style, paintable, rng);
                let first = self.object(concept, style, 0.0, rng);
                let mut second = self.object(other, style, 0.0, rng);
                while second.colour.is_some() && second.colour == first.colour {
                    second = self.object(other, style, 0.0, rng);
                }
                Scene::coloured(first, second)
            }
            Kind::Several => {
                let count = weighted(&SEVERAL, rng);
                // Lists are long enough without a word for the style.
                if count > 2 {
                    style = Style::Flat;
                }
                Scene::several(self.different(count, style, rng))
            }
            Kind::Sizes => {
                let objects = self.different(2, style, rng);
                Scene::sized(objects[0], Size::ALL[rng.below(2)], objects[1])
            }
            Kind::Text => Scene::text(text(rng)),
        };
        let scene = match (kind, effect) {
            (Kind::Single, None) if self.wide && rng.chance(SIZED) => {
                let size = Size::ALL[rng.below(2)];
                scene.sizes(vec![size])
            }
            _ => scene,
        };
        let scene = match effect {
            Some(effect) => scene.with(effect),
            None => scene.style(style),
        };
        let backdrop = self.backdrop(&scene, rng);
        scene.on(backdrop)
    }

    /// So many objects, no two the same.
    fn different(&self, count: usize, style: Style, rng: &mut Rng) -> Vec<Object> {
        let mut objects: Vec<Object> = Vec::with_capacity(count);
        while objects.len() < count.min(self.concepts.len()) {
            let new = |concept| objects.iter().all(|object| object.concept != concept);
            let concept = self.concept(style, new, rng);
            // Four colours would make a caption too long for the text encoder.
            let natural = if count > 3 { 1.0 } else { NATURAL_AMONG };
            objects.push(self.object(concept, style, natural, rng));
        }
        objects
    }

    /// Any object with a drawing in the style that `fits`; the first one that has, where chance finds none.
    fn concept(&self, style: Style, fits: impl Fn(usize) -> bool, rng: &mut Rng) -> usize {
        let count = self.concepts.len();
        let start = rng.below(count);
        // From a random place on: the object before a misfit comes up as often as two, which matters to no one.
        let mut places = (0..count).map(|step| self.concepts[(start + step) % count]);
        let fit = places.find(|&concept| self.bank.subjects[concept].sprite(style).is_some() && fits(concept));
        fit.unwrap_or(self.concepts[start])
    }

    /// As [`Self::concept`], but not `first`.
    fn other(&self, first: usize, style: Style, fits: impl Fn(usize) -> bool, rng: &mut Rng) -> usize {
        self.concept(style, |concept| concept != first && fits(concept), rng)
    }

    fn object(&self, concept: usize, style: Style, natural: f32, rng: &mut Rng) -> Object {
        let sprite = self.bank.subjects[concept].sprite(style);
        let colours = sprite.map_or(&[][..], |sprite| &sprite.colours);
        let colour = if rng.chance(natural) {
            None
        } else {
            rng.pick(colours).copied()
        };
        Object { concept, colour }
    }

    /// One that hides none of the objects.
    fn backdrop(&self, scene: &Scene, rng: &mut Rng) -> Backdrop {
        let mut shown: Vec<Colour> = (scene.objects.iter())
            .filter_map(|object| object.colour.or_else(|| Some(self.sprite(scene, object.concept)?.main)))
            .collect();
        match scene.effect {
            Some(Effect::Silhouette) => shown = vec![Colour::Black],
            Some(Effect::Sticker) => shown.push(Colour::White),
            _ => {}
        }
        if let Some(text) = scene.text {
            shown.push(text.sign.unwrap_or(text.colour));
        }
        let fits = |backdrop: &Backdrop| !shown.iter().any(|&colour| backdrop.hides(colour));
        // Letters have no outline to tell them from what is behind.
        let inked = |colour: Colour| match scene.text {
            Some(Text {
                sign: None,
                colour: ink,
                ..
            }) => legible(ink, colour.backdrop()),
            _ => true,
        };
        let plain: Vec<Colour> = (Colour::BACKGROUNDS.into_iter())
            .filter(|&colour| fits(&Backdrop::Plain(colour)) && inked(colour))
            .collect();
        let places: Vec<Place> = (Place::ALL.into_iter())
            .filter(|&place| fits(&Backdrop::Place(place)))
            .collect();
        let ticket = rng.below(100);
        let (flat, gradients, patterns) = match (self.wide, scene.kind) {
            (false, _) => (PLAIN, GRADIENTS, 0),
            // Letters before a landscape or dots are a riddle.
            (true, Kind::Text) if scene.text.is_some_and(|text| text.sign.is_none()) => (80, 20, 0),
            // A list and a backdrop of two colours would make a caption too long.
            (true, Kind::Several) if scene.objects.len() > 2 => (WORLD_PLAIN + WORLD_GRADIENTS + PATTERNS, 0, 0),
            (true, _) => (WORLD_PLAIN, WORLD_GRADIENTS, PATTERNS),
        };
        // At most four colours of ten are taken, and at most four places of seven.
        if self.plain || ticket < flat {
            return Backdrop::Plain(plain[rng.below(plain.len())]);
        }
        if ticket >= flat + gradients + patterns {
            return Backdrop::Place(places[rng.below(places.len())]);
        }
        let one = rng.below(plain.len());
        let other = (one + 1 + rng.below(plain.len() - 1)) % plain.len();
        match ticket < flat + gradients {
            true => Backdrop::Gradient(plain[one], plain[other]),
            false => Backdrop::Pattern(Pattern::ALL[rng.below(Pattern::ALL.len())], plain[one], plain[other]),
        }
    }

    fn sprite(&self, scene: &Scene, concept: usize) -> Option<&Sprite> {
        self.bank.subjects.get(concept)?.sprite(scene.style)
    }

    /// Draws a scene, its objects placed by `rng`, and tells what is where.
    pub fn draw(
        &self,
        scene: &Scene,
        [height, width]: [usize; 2],
        rng: &mut Rng,
    ) -> Result<(RgbImage, Truth), DataError> {
        if !(16..=4096).contains(&height) || !(16..=4096).contains(&width) {
            return Err(DataError::BadSize { width, height });
        }
        let mut pyramids = Vec::with_capacity(scene.objects.len());
        let mut objects = Vec::with_capacity(scene.objects.len());
        for object in &scene.objects {
            let sprite = self.sprite(scene, object.concept).ok_or(DataError::NoDrawing {
                concept: object.concept,
                style: scene.style,
            })?;
            pyramids.push(self.pyramid(object, sprite));
            objects.push(Placed {
                concept: self.bank.subjects[object.concept].entry.noun.clone(),
                style: sprite.style,
                colour: object.colour,
                natural: sprite.natural(),
                bounds: Bounds::EMPTY.0,
            });
        }
        let mut canvas = RgbImage::new(width as u32, height as u32);
        let mut calm = rng.clone().calm(self.wander);
        let mut middle = Rng::middle();
        // The stars of a landscape would all fall into the middle.
        match scene.backdrop {
            Backdrop::Plain(_) | Backdrop::Gradient(..) | Backdrop::Pattern(..) if self.wander < 1.0 => {
                paint_backdrop(&mut canvas, scene.backdrop, &mut middle)
            }
            backdrop => paint_backdrop(&mut canvas, backdrop, rng),
        }
        let extents: Vec<[f32; 2]> = pyramids.iter().map(|pyramid| pyramid.half_extent).collect();
        let placing = if self.wander < 1.0 { &mut calm } else { rng };
        let placements = match self.wide && self.wander == 1.0 {
            true => scatter(scene, [height, width], &extents, placing),
            false => arrange(scene, [height, width], &extents, placing),
        };
        let tint = (scene.effect == Some(Effect::Silhouette)).then_some(INK);
        for ((placement, pyramid), object) in placements.iter().zip(&pyramids).zip(&mut objects) {
            if let Backdrop::Place(place) = scene.backdrop {
                places::ground(place, &mut canvas, pyramid, placement);
            }
            if scene.effect == Some(Effect::Sticker) {
                sticker_back(&mut canvas, pyramid, placement);
            }
            object.bounds = paste(&mut canvas, pyramid, placement, tint).0;
        }
        let mut written = None;
        if let Some(text) = scene.text {
            written = Some((text, self.write(text, &mut canvas, placing)?));
        }
        if scene.effect == Some(Effect::PixelArt) {
            pixelate(&mut canvas);
        }
        let truth = Truth {
            kind: scene.kind,
            objects,
            relation: scene.relation,
            backdrop: scene.backdrop,
            effect: scene.effect,
            sizes: scene.sizes.clone(),
            text: written,
        };
        Ok((canvas, truth))
    }

    /// Writes a text somewhere on the canvas and tells where: around the letters, without the sign.
    fn write(&self, text: Text, canvas: &mut RgbImage, rng: &mut Rng) -> Result<[u32; 4], DataError> {
        let mut letters = Vec::new();
        for sign in text.writing.characters().chars() {
            letters.push(self.bank.letter(sign).ok_or(DataError::NoLetter(sign))?);
        }
        let shapes: Vec<&Letter> = letters.iter().map(|&letter| &self.bank.letters[letter]).collect();
        let size = [canvas.height() as usize, canvas.width() as usize];
        let lettering = Lettering::new(&shapes, text.sign.is_some(), size, rng);
        if let (Some(board), Some(colour)) = (&lettering.board, text.sign) {
            board.paint(canvas, colour.shade().to_rgb());
        }
        let ink = text.colour.shade().to_rgb();
        let mut bounds = Bounds::EMPTY;
        for (placement, &letter) in lettering.letters.iter().zip(&letters) {
            let pyramid = self.inked[letter].get_or_init(|| Pyramid::new(self.bank.letters[letter].drawing.image()));
            bounds.join(paste(canvas, pyramid, placement, Some(ink)));
        }
        Ok(bounds.0)
    }

    fn pyramid(&self, object: &Object, sprite: &Sprite) -> Arc<Pyramid> {
        let per_sprite = Colour::OBJECTS.len() + 1;
        let slot = object.colour.map_or(per_sprite - 1, |colour| colour as usize);
        let place = (object.concept * Style::ALL.len() + sprite.style as usize) * per_sprite + slot;
        if let Some(pyramid) = self.painted[place].get() {
            return pyramid.clone();
        }
        let pyramid = Arc::new(Pyramid::new(&sprite.painted(object.colour)));
        if self.kept.load(Ordering::Relaxed) < PAINTED && self.painted[place].set(pyramid.clone()).is_ok() {
            self.kept.fetch_add(1, Ordering::Relaxed);
        }
        pyramid
    }
}

impl Source for EmojiWorld {
    fn sample(&self, seed: u64, index: u64, height: usize, width: usize) -> Result<Sample, DataError> {
        let mut rng = Rng::new(seed, index);
        let scene = self.scene(&mut rng)?;
        let caption = captions::caption(&scene, &self.bank, &mut rng);
        let (image, truth) = self.draw(&scene, [height, width], &mut rng)?;
        Ok(Sample {
            image,
            caption,
            truth: Some(truth),
        })
    }

    /// Those of many samples, and every noun: other words are in one template in ten or more.
    fn captions(&self) -> Result<Vec<String>, DataError> {
        let entries = self.concepts.iter().map(|&concept| &self.bank.subjects[concept].entry);
        let mut captions = captions::nouns(entries);
        if self.composes(Kind::Text) {
            captions.extend(Writing::all().map(Writing::characters));
        }
        for index in 0..CAPTIONS {
            let mut rng = Rng::new(0, index);
            let scene = self.scene(&mut rng)?;
            captions.push(captions::caption(&scene, &self.bank, &mut rng));
        }
        Ok(captions)
    }
}

/// The data set and its parts, if there are any; `None` for a name that is none of the composer's.
fn base_and_parts(name: &str) -> Option<(&str, Option<&str>)> {
    let (base, parts) = match name.split_once(':') {
        Some((base, parts)) => (base, Some(parts)),
        None => (name, None),
    };
    [EMOJI, WORLD].contains(&base).then_some((base, parts))
}

/// Any text, in colours that can be told apart.
fn text(rng: &mut Rng) -> Text {
    let writing = Writing::random(rng);
    let on_sign = match writing {
        Writing::Word(_) => WORDS_ON_SIGNS,
        _ => ON_SIGNS,
    };
    let inked = rng.chance(INKED);
    let colour = match inked {
        true => Colour::Black,
        false => Colour::OBJECTS[rng.below(Colour::OBJECTS.len())],
    };
    let sign = rng.chance(on_sign).then(|| {
        let boards: Vec<Colour> = (Colour::OBJECTS.into_iter())
            .filter(|board| legible(colour, board.shade()))
            .collect();
        boards[rng.below(boards.len())]
    });
    Text {
        writing,
        colour,
        said: !inked,
        sign,
    }
}

/// Can letters of a colour be read on a shade?
fn legible(ink: Colour, ground: OkLab) -> bool {
    ink.shade().distance(ground) > CONTRAST
}

/// A kind and its share as the name of a data set says them: `relation` with the share that it has in the whole, or
/// `relation=2` with another one, from 1 to 1,000.
fn kind_and_share(part: &str) -> Option<(Kind, Option<usize>)> {
    let Some((word, share)) = part.split_once('=') else {
        return Some((Kind::named(part)?, None));
    };
    let share = share.parse().ok().filter(|share| (1..=1000).contains(share))?;
    Some((Kind::named(word)?, Some(share)))
}

/// One of `choices`, by their weights.
fn weighted<T: Copy>(choices: &[(T, usize)], rng: &mut Rng) -> T {
    let mut ticket = rng.below(choices.iter().map(|(_, weight)| weight).sum());
    let mut chosen = choices[0].0;
    for &(choice, weight) in choices {
        chosen = choice;
        if ticket < weight {
            break;
        }
        ticket -= weight;
    }
    chosen
}

/// A plain shade near a colour's own.
fn shade(colour: Colour, rng: &mut Rng) -> [u8; 3] {
    let OkLab { l, a, b } = colour.backdrop();
    let mut jitter = |value: f32, by: f32| value + rng.range(-by, by);
    OkLab {
        l: jitter(l, SHADE_JITTER.0),
        a: jitter(a, SHADE_JITTER.1),
        b: jitter(b, SHADE_JITTER.1),
    }
    .to_rgb()
}

fn paint_backdrop(canvas: &mut RgbImage, backdrop: Backdrop, rng: &mut Rng) {
    match backdrop {
        Backdrop::Plain(colour) => {
            let shade = Rgb(shade(colour, rng));
            canvas.pixels_mut().for_each(|pixel| *pixel = shade);
        }
        Backdrop::Gradient(top, bottom) => {
            // Mixing in OKLab keeps the middle from going gray or dark.
            let [top, bottom] = [top, bottom].map(|colour| OkLab::from_rgb(shade(colour, rng)));
            let (width, height) = canvas.dimensions();
            for y in 0..height {
                let share = (y as f32 + 0.5) / height as f32;
                let mix = |a: f32, b: f32| a + (b - a) * share;
                let row = OkLab {
                    l: mix(top.l, bottom.l),
                    a: mix(top.a, bottom.a),
                    b: mix(top.b, bottom.b),
                };
                let row = Rgb(row.to_rgb());
                (0..width).for_each(|x| canvas.put_pixel(x, y, row));
            }
        }
        Backdrop::Place(place) => places::draw(place, canvas, rng),
        Backdrop::Pattern(pattern, one, other) => {
            let shades = [one, other].map(|colour| shade(colour, rng));
            patterns::draw(pattern, canvas, shades, rng);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> EmojiWorld {
        EmojiWorld::bundled(Split::Train).unwrap()
    }

    /// Sizes of the fifteen aspect ratios between 1:3 and 3:1 lie between these.
    const SIZES: [[usize; 2]; 4] = [[128, 128], [208, 64], [64, 208], [112, 144]];

    #[test]
    fn a_world_of_some_styles_shows_and_names_no_other() {
        let world = EmojiWorld::bundled(Split::Train).unwrap().styles(&[Style::Glossy]);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..500 {
            let sample = world.sample(3, index, 16, 16).unwrap();
            seen.extend(sample.truth.unwrap().objects.iter().map(|object| object.style));
            let caption = sample.caption;
            assert!(!caption.contains("cartoon") && !caption.contains("simple"), "{caption}");
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [Style::Flat, Style::Glossy]);
        assert_eq!(
            EmojiWorld::named("emoji:glossy", Split::Train).unwrap().unwrap().styles,
            world.styles
        );
        assert!(EmojiWorld::named("pictures", Split::Train).unwrap().is_none());
        let wrong = EmojiWorld::named("emoji:glossy,baroque", Split::Train)
            .map(|_| ())
            .unwrap_err();
        assert!(wrong.to_string().contains("`baroque`"), "{wrong}");
    }

    #[test]
    fn kinds_have_the_shares_that_the_name_gives_them() {
        let kinds = |name: &str| EmojiWorld::named(name, Split::Train).map(|world| world.unwrap().kinds);
        let whole = [(Kind::Single, 58), (Kind::Relation, 17)];
        assert_eq!(kinds("emoji:relation,single").unwrap(), whole);
        assert_eq!(
            kinds("emoji:relation=3,single").unwrap(),
            [whole[0], (Kind::Relation, 3)]
        );
        for wrong in [
            "relation=0",
            "relation=-1",
            "relation=",
            "relation=1001",
            "relation=a",
            "apple=2",
        ] {
            let error = kinds(&format!("emoji:single,{wrong}")).unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
        }
        let world = EmojiWorld::composed("emoji:single=1,relation=3", Split::Train).unwrap();
        let related = (0..800).filter(|&i| world.sample(5, i, 16, 16).unwrap().truth.unwrap().kind == Kind::Relation);
        assert!((540..660).contains(&related.count()), "three in four");
    }

    #[test]
    fn the_same_arguments_give_the_same_sample() {
        let (a, b) = (world(), world());
        for index in 0..12 {
            let (one, two) = (a.sample(7, index, 64, 96).unwrap(), b.sample(7, index, 64, 96).unwrap());
            assert_eq!((one.image, one.caption, one.truth), (two.image, two.caption, two.truth));
        }
        let differ =
            (0..50).filter(|&i| a.sample(7, i, 32, 32).unwrap().image != a.sample(8, i, 32, 32).unwrap().image);
        assert_eq!(differ.count(), 50, "another seed is another run");
    }

    #[test]
    fn the_size_changes_neither_scene_nor_caption() {
        let world = world();
        for index in 0..40 {
            let (wide, tall) = (
                world.sample(1, index, 64, 160).unwrap(),
                world.sample(1, index, 208, 80).unwrap(),
            );
            let unplaced = |sample: &Sample| {
                let mut truth = sample.truth.clone().unwrap();
                truth.objects.iter_mut().for_each(|object| object.bounds = [0; 4]);
                truth
            };
            assert_eq!(unplaced(&wide), unplaced(&tall));
            assert_eq!(wide.caption, tall.caption);
            assert_eq!(
                (wide.image.dimensions(), tall.image.dimensions()),
                ((160, 64), (80, 208))
            );
        }
    }

    #[test]
    fn kinds_styles_and_effects_have_their_shares() {
        let world = world();
        let scenes: Vec<Scene> = (0..6000)
            .map(|index| world.scene(&mut Rng::new(9, index)).unwrap())
            .collect();
        let share = |test: &dyn Fn(&Scene) -> bool| {
            scenes.iter().filter(|scene| test(scene)).count() as f32 / scenes.len() as f32
        };
        for (kind, percent) in KINDS {
            let found = share(&|scene| scene.kind == kind);
            assert!((found - percent as f32 / 100.0).abs() < 0.02, "{kind:?}: {found}");
        }
        let effects = share(&|scene| scene.effect.is_some()) / 0.58;
        assert!((effects - EFFECTS).abs() < 0.02, "{effects}");
        for effect in Effect::ALL {
            assert!(share(&|scene| scene.effect == Some(effect)) > 0.015, "{effect:?}");
        }
        // Some scenes with a word for the style are held out, those without are not.
        for style in [Style::Glossy, Style::Cartoon, Style::Simple] {
            let found = share(&|scene| scene.style == style);
            assert!((0.14..0.21).contains(&found), "{style:?}: {found}");
        }
        for relation in Relation::ALL {
            let found = share(&|scene| scene.relation == Some(relation));
            assert!((found - 0.17 / 4.0).abs() < 0.012, "{relation:?}: {found}");
        }
        for count in 2..=MOST {
            let found = share(&|scene| scene.kind == Kind::Count && scene.objects.len() == count);
            assert!((found - 0.12 / 5.0).abs() < 0.01, "{count}: {found}");
        }
        for place in Place::ALL {
            assert!(
                share(&|scene| scene.backdrop == Backdrop::Place(place)) > 0.03,
                "{place:?}"
            );
        }
        let nouns = world.bank().subjects.len();
        let seen = (0..nouns).filter(|&noun| share(&|scene| scene.objects.iter().any(|o| o.concept == noun)) > 0.002);
        assert_eq!(seen.count(), nouns, "every object comes up");
    }

    #[test]
    fn no_object_is_lost_in_its_backdrop_or_in_its_twin() {
        let world = world();
        for index in 0..3000 {
            let scene = world.scene(&mut Rng::new(10, index)).unwrap();
            for object in &scene.objects {
                let sprite = world.bank().subjects[object.concept].sprite(scene.style).unwrap();
                let shown = match scene.effect {
                    Some(Effect::Silhouette) => Colour::Black,
                    _ => object.colour.unwrap_or(sprite.main),
                };
                assert!(!scene.backdrop.hides(shown), "{scene:?}");
                assert!(
                    object.colour.is_none_or(|colour| sprite.colours.contains(&colour)),
                    "{scene:?}"
                );
            }
            match (scene.kind, scene.objects.as_slice()) {
                (Kind::Single, [_]) => {}
                (Kind::Count, [first, rest @ ..]) => assert!(rest.iter().all(|object| object == first)),
                (Kind::Relation, [first, second]) => {
                    assert!(first.concept != second.concept && scene.relation.is_some())
                }
                (Kind::Colours, [first, second]) => {
                    assert!(first.concept != second.concept && first.colour != second.colour);
                    assert!(first.colour.is_some() && second.colour.is_some());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn objects_lie_inside_apart_and_as_related() {
        let world = world();
        for [height, width] in SIZES {
            for index in 0..300 {
                let sample = world.sample(3, index, height, width).unwrap();
                let truth = sample.truth.unwrap();
                let short = height.min(width) as u32;
                for object in &truth.objects {
                    let [left, top, right, bottom] = object.bounds;
                    assert!(left < right && top < bottom, "{truth:?}");
                    assert!(right <= width as u32 && bottom <= height as u32, "{truth:?}");
                    let least = if truth.kind == Kind::Single {
                        short / 3
                    } else {
                        short / 8
                    };
                    assert!(
                        (right - left).max(bottom - top) >= least,
                        "{truth:?} in {height}x{width}"
                    );
                }
                for (i, one) in truth.objects.iter().enumerate() {
                    for other in &truth.objects[i + 1..] {
                        let (a, b) = (one.bounds, other.bounds);
                        let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                        assert!(apart, "{truth:?} in {height}x{width}");
                    }
                }
                let [first, second] = match truth.objects.as_slice() {
                    [first, second] => [first.bounds, second.bounds],
                    _ => continue,
                };
                let right = match truth.relation {
                    Some(Relation::Left) => first[2] <= second[0],
                    Some(Relation::Right) => second[2] <= first[0],
                    Some(Relation::Above) => first[3] <= second[1],
                    Some(Relation::Below) => second[3] <= first[1],
                    None => true,
                };
                assert!(right, "{truth:?} in {height}x{width}");
            }
        }
    }

    #[test]
    fn objects_of_the_world_lie_inside_apart_and_as_said() {
        let world = EmojiWorld::composed("world", Split::Train).unwrap();
        let mut kinds = std::collections::BTreeMap::new();
        for [height, width] in SIZES {
            for index in 0..400 {
                let truth = world.sample(3, index, height, width).unwrap().truth.unwrap();
                *kinds.entry(truth.kind).or_insert(0) += 1;
                let bounds: Vec<[u32; 4]> = truth.objects.iter().map(|object| object.bounds).collect();
                let texts = truth.text.iter().map(|&(_, bounds)| bounds);
                for [left, top, right, bottom] in bounds.iter().copied().chain(texts) {
                    assert!(left < right && top < bottom, "{truth:?} in {height}x{width}");
                    assert!(right <= width as u32 && bottom <= height as u32, "{truth:?}");
                }
                for (i, a) in bounds.iter().enumerate() {
                    for b in &bounds[i + 1..] {
                        let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                        assert!(apart, "{truth:?} in {height}x{width}");
                    }
                }
                let side = |[left, top, right, bottom]: [u32; 4]| (right - left).max(bottom - top);
                match (truth.kind, bounds.as_slice()) {
                    (Kind::Relation, [a, b]) => {
                        let right = match truth.relation {
                            Some(Relation::Left) => a[2] <= b[0],
                            Some(Relation::Right) => b[2] <= a[0],
                            Some(Relation::Above) => a[3] <= b[1],
                            Some(Relation::Below) => b[3] <= a[1],
                            None => false,
                        };
                        assert!(right, "{truth:?} in {height}x{width}");
                    }
                    (Kind::Sizes, [a, b]) => {
                        let first_is_big = truth.sizes == [Size::Big, Size::Small];
                        let (big, small) = if first_is_big { (a, b) } else { (b, a) };
                        assert!(side(*big) > side(*small), "{truth:?} in {height}x{width}");
                    }
                    (Kind::Several, several) => {
                        let nouns: std::collections::BTreeSet<_> = truth.objects.iter().map(|o| &o.concept).collect();
                        assert!(
                            nouns.len() == several.len() && (2..=4).contains(&several.len()),
                            "{truth:?}"
                        );
                    }
                    (Kind::Text, objects) => assert!(objects.is_empty() && truth.text.is_some()),
                    _ => {}
                }
            }
        }
        assert!(Kind::ALL.iter().all(|kind| kinds[kind] > 60), "{kinds:?}");
    }

    #[test]
    fn only_the_world_knows_its_kinds() {
        let kinds = |name| EmojiWorld::composed(name, Split::Train).map(|world| world.shown_kinds());
        assert_eq!(kinds("world:text=3,sizes").unwrap(), [Kind::Sizes, Kind::Text]);
        assert!(kinds("emoji:text").is_err() && kinds("world:zeppelin").is_err() && kinds("world2").is_err());
        let objects = |name| EmojiWorld::composed(name, Split::Train).unwrap().shown_objects().len();
        assert_eq!([objects("emoji"), objects("world:flat")], [161, 452]);
        for name in ["world:still,plain", "world:calm"] {
            let world = EmojiWorld::composed(name, Split::Train).unwrap();
            for index in 0..60 {
                world.sample(5, index, 64, 64).unwrap();
            }
        }
    }

    #[test]
    fn plain_backdrops_answer_to_their_names_and_gradients_to_both() {
        let world = world();
        let object = Object {
            concept: world.bank().find("apple").unwrap(),
            colour: Some(Colour::Brown),
        };
        for (index, top) in Colour::BACKGROUNDS.into_iter().enumerate() {
            let bottom = Colour::BACKGROUNDS[(index + 3) % Colour::BACKGROUNDS.len()];
            for (backdrop, below) in [(Backdrop::Plain(top), top), (Backdrop::Gradient(top, bottom), bottom)] {
                let scene = Scene::single(object).on(backdrop);
                let (image, _) = world.draw(&scene, [128, 128], &mut Rng::new(1, index as u64)).unwrap();
                let at = |y| Colour::of_background(OkLab::from_rgb(image.get_pixel(2, y).0));
                assert_eq!((at(1), at(126)), (top, below), "{backdrop:?}");
            }
        }
    }

    #[test]
    fn places_differ_from_each_other_and_from_time_to_time() {
        let world = world();
        let object = Object {
            concept: world.bank().find("cat").unwrap(),
            colour: None,
        };
        let draw = |place, seed| {
            let scene = Scene::single(object).on(Backdrop::Place(place));
            world.draw(&scene, [64, 64], &mut Rng::new(seed, 0)).unwrap().0
        };
        for (i, one) in Place::ALL.into_iter().enumerate() {
            assert_ne!(draw(one, 1), draw(one, 2));
            for other in &Place::ALL[i + 1..] {
                let (a, b) = (draw(one, 1), draw(*other, 1));
                let distance: u64 = a.iter().zip(b.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                assert!(distance / (64 * 64 * 3) > 12, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn effects_change_the_picture_as_they_say() {
        let world = world();
        let object = Object {
            concept: world.bank().find("star").unwrap(),
            colour: None,
        };
        let plain = Scene::single(object).on(Backdrop::Plain(Colour::Blue));
        let draw = |scene: &Scene| world.draw(scene, [128, 128], &mut Rng::new(4, 2)).unwrap();
        let (star, truth) = draw(&plain);
        let [left, top, right, bottom] = truth.objects[0].bounds;
        let middle = ((left + right) / 2, (top + bottom) / 2);
        let (ink, _) = draw(&plain.clone().with(Effect::Silhouette));
        assert_eq!(ink.get_pixel(middle.0, middle.1).0, INK);
        let (sticker, _) = draw(&plain.clone().with(Effect::Sticker));
        assert_eq!(
            sticker.get_pixel(middle.0, middle.1),
            star.get_pixel(middle.0, middle.1)
        );
        let white = |image: &RgbImage| image.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
        assert!(white(&star) == 0 && white(&sticker) > 300, "{}", white(&sticker));
        let (pixels, _) = draw(&plain.with(Effect::PixelArt));
        let colours: std::collections::HashSet<_> = pixels.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.len() < 60, "{}", colours.len());
    }

    #[test]
    fn the_captions_hold_every_word_of_both_sides() {
        let words = |captions: &[String]| -> std::collections::HashSet<String> {
            // As prompts are read: in lower case, without quotation marks.
            let split = |text: &String| {
                let text = text.to_lowercase().replace('"', "");
                text.split([' ', ',']).map(str::to_owned).collect::<Vec<_>>()
            };
            captions.iter().flat_map(split).collect()
        };
        for name in ["emoji", "world"] {
            let known = words(&EmojiWorld::composed(name, Split::Train).unwrap().captions().unwrap());
            let held_out = EmojiWorld::composed(name, Split::HeldOut).unwrap();
            let mut asked = Vec::new();
            for index in 0..3000 {
                let rng = &mut Rng::new(77, index);
                let scene = held_out.scene(rng).unwrap();
                asked.push(captions::caption(&scene, held_out.bank(), rng));
                asked.push(captions::full_prompt(&scene, held_out.bank()));
            }
            let unknown: Vec<String> = words(&asked).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{name}: {unknown:?}");
        }
    }

    #[test]
    fn impossible_pictures_are_refused() {
        let world = world();
        for (height, width) in [(0, 64), (64, 8), (64, 5000)] {
            assert!(matches!(
                world.sample(1, 1, height, width),
                Err(DataError::BadSize { .. })
            ));
        }
        let object = Object {
            concept: world.bank().find("zebra").unwrap(),
            colour: None,
        };
        let scene = Scene::single(object).style(Style::Simple);
        let drawn = world.draw(&scene, [64, 64], &mut Rng::new(1, 1));
        assert!(matches!(drawn, Err(DataError::NoDrawing { .. })));
    }
}
