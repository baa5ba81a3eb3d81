//! Looks at a picture without knowing what was asked, then answers whether it was drawn.

use super::EvalError;
use super::features::Extractor;
use super::identity::{GROUND, Prototypes};
use super::prompts::{Question, Task};
use super::regions::{Bounds, Region, View, border};
use crate::data::colour::{Colour, OkLab};
use crate::data::oracle::Oracle;
use crate::data::scene::Relation;
use image::{Rgb, RgbImage};
use serde::Serialize;
use std::fmt;

/// Most regions looked at one by one; a picture with more shows nothing that was asked for.
const MOST_REGIONS: usize = 10;

/// Names things by their nearest drawing and reads colors off them.
pub struct Judge<'a> {
    pub extractor: &'a Extractor,
    pub prototypes: &'a Prototypes,
    pub oracle: &'a Oracle,
}

/// A part of a picture, taken for one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thing {
    pub noun: String,
    pub colour: Colour,
    pub bounds: Bounds,
    #[serde(skip)]
    centre: [f32; 2],
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sight {
    pub background: Colour,
    /// Each connected region by itself.
    pub regions: Vec<Thing>,
    /// Regions taken together: all of them, and those on either side of the middle. An object may have fallen to
    /// pieces.
    pub groups: Vec<Thing>,
}

impl Judge<'_> {
    pub fn look(&self, image: &RgbImage) -> Result<Sight, EvalError> {
        let view = View::of(image);
        let backdrop = border(image);
        let single = &view.regions[..view.regions.len().min(MOST_REGIONS)];
        let mut groups: Vec<Region> = Vec::new();
        for group in view.whole().into_iter().chain(view.halves()) {
            if !single.contains(&group) && !groups.contains(&group) {
                groups.push(group);
            }
        }
        let candidates: Vec<&Region> = single.iter().chain(&groups).collect();
        let cuttings: Vec<RgbImage> = candidates.iter().map(|region| view.cut(region, GROUND)).collect();
        let mut things = Vec::with_capacity(candidates.len());
        for (region, features) in candidates.iter().zip(self.extractor.features(&cuttings)?) {
            // The oracle reads colors best on the ground that the object was drawn on.
            let colour = self.oracle.judge(&view.cut(region, Rgb(backdrop))).colour;
            things.push(Thing {
                noun: self.prototypes.nearest(&features).unwrap_or_default().to_string(),
                colour,
                bounds: region.bounds,
                centre: region.centre(),
            });
        }
        let groups = things.split_off(single.len());
        Ok(Sight {
            background: Colour::of_background(OkLab::from_rgb(backdrop)),
            regions: things,
            groups,
        })
    }
}

impl fmt::Display for Sight {
    /// `red apple, green leaf (together: red apple) on white`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |things: &[Thing]| {
            let words = things
                .iter()
                .map(|thing| format!("{} {}", thing.colour.name(), thing.noun));
            words.collect::<Vec<_>>().join(", ")
        };
        match self.regions.as_slice() {
            [] => f.write_str("nothing")?,
            regions => f.write_str(&list(regions))?,
        }
        if !self.groups.is_empty() {
            write!(f, " (together: {})", list(&self.groups))?;
        }
        write!(f, " on {}", self.background.name())
    }
}

impl Sight {
    fn things(&self) -> impl Iterator<Item = &Thing> + Clone {
        self.regions.iter().chain(&self.groups)
    }

    /// Is the `i`-th object that was asked for there, in whatever color?
    pub fn shows(&self, question: &Question, i: usize) -> bool {
        self.things().any(|thing| thing.noun == question.nouns[i])
    }

    /// Has anything this color?
    pub fn has(&self, colour: Colour) -> bool {
        self.things().any(|thing| thing.colour == colour)
    }

    /// Does it show what was asked for?
    ///
    /// As in GenEval, an object counts where it is found, whatever else there is; only counting wants so many and no
    /// more.
    pub fn answers(&self, question: &Question) -> bool {
        let colours: Vec<Option<Colour>> = question.scene.objects.iter().map(|object| object.colour).collect();
        let is = |thing: &Thing, i: usize| {
            thing.noun == question.nouns[i] && colours[i].is_none_or(|colour| thing.colour == colour)
        };
        let found = |i: usize| self.things().filter(move |thing| is(thing, i));
        match question.task {
            Task::SingleObject | Task::Colours => found(0).next().is_some(),
            Task::TwoObjects | Task::ColourAttribution => found(0).next().is_some() && found(1).next().is_some(),
            Task::Counting => {
                let right = self.regions.iter().filter(|thing| is(thing, 0)).count();
                self.regions.len() == question.nouns.len() && 2 * right > self.regions.len()
            }
            Task::Position => {
                let relation = question.scene.relation.unwrap_or(Relation::Left);
                found(0).any(|first| found(1).any(|second| holds(relation, first.centre, second.centre)))
            }
        }
    }
}

/// Whether the first centre is where `relation` puts it, more that way than any other.
fn holds(relation: Relation, first: [f32; 2], second: [f32; 2]) -> bool {
    let (x, y) = (first[0] - second[0], first[1] - second[1]);
    match relation {
        Relation::Left => x < 0.0 && x.abs() >= y.abs(),
        Relation::Right => x > 0.0 && x.abs() >= y.abs(),
        Relation::Above => y < 0.0 && y.abs() >= x.abs(),
        Relation::Below => y > 0.0 && y.abs() >= x.abs(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::heldout::Split;
    use crate::data::scene::{Object, Scene};

    pub fn thing(noun: &str, colour: Colour, centre: [f32; 2]) -> Thing {
        Thing {
            noun: noun.into(),
            colour,
            bounds: [0; 4],
            centre,
        }
    }

    fn sight(regions: &[Thing], groups: &[Thing]) -> Sight {
        Sight {
            background: Colour::White,
            regions: regions.to_vec(),
            groups: groups.to_vec(),
        }
    }

    pub fn question(task: Task, scene: Scene, nouns: &[&str]) -> Question {
        Question {
            task,
            split: Split::HeldOut,
            text: String::new(),
            scene,
            nouns: nouns.iter().map(|noun| noun.to_string()).collect(),
            background: Colour::White,
        }
    }

    fn object(colour: Option<Colour>) -> Object {
        Object { concept: 0, colour }
    }

    #[test]
    fn both_objects_in_both_colours() {
        let scene = Scene::coloured(object(Some(Colour::Red)), object(Some(Colour::Blue)));
        let asked = question(Task::ColourAttribution, scene, &["cat", "dog"]);
        let cat = |colour| thing("cat", colour, [10.0, 20.0]);
        let dog = |colour| thing("dog", colour, [50.0, 20.0]);
        assert!(sight(&[cat(Colour::Red), dog(Colour::Blue)], &[]).answers(&asked));
        assert!(
            sight(&[dog(Colour::Blue)], &[cat(Colour::Red)]).answers(&asked),
            "one may be in pieces"
        );
        assert!(!sight(&[cat(Colour::Blue), dog(Colour::Red)], &[]).answers(&asked));
        assert!(!sight(&[cat(Colour::Red)], &[]).answers(&asked));
    }

    #[test]
    fn what_is_seen_can_be_read() {
        let cat = thing("cat", Colour::Red, [0.0; 2]);
        let dog = thing("dog", Colour::Blue, [9.0; 2]);
        assert_eq!(sight(&[], &[]).to_string(), "nothing on white");
        assert_eq!(
            sight(&[cat.clone(), dog], &[cat]).to_string(),
            "red cat, blue dog (together: red cat) on white"
        );
    }

    #[test]
    fn so_many_and_no_more() {
        let asked = question(Task::Counting, Scene::counted(object(None), 3), &["cat"; 3]);
        let cat = || thing("cat", Colour::Red, [0.0; 2]);
        let dog = || thing("dog", Colour::Red, [0.0; 2]);
        assert!(sight(&[cat(), cat(), cat()], &[dog()]).answers(&asked));
        assert!(
            sight(&[cat(), dog(), cat()], &[]).answers(&asked),
            "most of them are recognised"
        );
        assert!(!sight(&[cat(), dog(), dog()], &[]).answers(&asked));
        assert!(!sight(&[cat(), cat()], &[cat()]).answers(&asked));
        assert!(!sight(&[cat(), cat(), cat(), cat()], &[]).answers(&asked));
    }

    #[test]
    fn the_first_is_where_the_second_sees_it() {
        let (middle, aside) = ([50.0, 50.0], [20.0, 40.0]);
        for (relation, opposite, first) in [
            (Relation::Left, Relation::Right, aside),
            (Relation::Right, Relation::Left, [90.0, 60.0]),
            (Relation::Above, Relation::Below, [60.0, 10.0]),
            (Relation::Below, Relation::Above, [40.0, 90.0]),
        ] {
            let ask = |relation| {
                let scene = Scene::related(object(None), relation, object(None));
                question(Task::Position, scene, &["cat", "dog"])
            };
            let seen = sight(
                &[thing("cat", Colour::Red, first), thing("dog", Colour::Red, middle)],
                &[],
            );
            let right: Vec<Relation> = Relation::ALL.into_iter().filter(|&r| seen.answers(&ask(r))).collect();
            assert_eq!(right, [relation], "not {opposite:?}");
        }
    }
}
