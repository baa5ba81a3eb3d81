//! Aspect ratios by their usual names: the model's fifteen templates.

use super::EngineError;
use super::protocol::Aspect;
use crate::model::ModelError;
use crate::model::schedule::{Schedule, TEMPLATES, Template};

/// Width to height, in the order of [`TEMPLATES`].
const NAMES: [&str; 15] = [
    "1:1", "4:5", "5:4", "3:4", "4:3", "2:3", "3:2", "4:7", "7:4", "1:2", "2:1", "2:5", "5:2", "1:3", "3:1",
];

/// The template called `name`, such as "4:3".
pub fn template(name: &str) -> Result<Template, EngineError> {
    match NAMES.iter().position(|known| *known == name) {
        Some(index) => Ok(TEMPLATES[index]),
        None => Err(EngineError::Aspect {
            name: name.to_string(),
            known: NAMES.join(", "),
        }),
    }
}

/// Every shape at `scales` scales, as the page shows it.
pub fn all(scales: usize) -> Result<Vec<Aspect>, ModelError> {
    NAMES
        .iter()
        .zip(TEMPLATES)
        .map(|(name, template)| Ok(describe(name, &template.schedule(scales)?)))
        .collect()
}

/// One shape, as the page shows it.
pub fn describe(name: &str, schedule: &Schedule) -> Aspect {
    let (height, width) = schedule.image_size();
    Aspect {
        name: name.to_string(),
        width,
        height,
        scales: schedule.grids().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_ratio_of_its_template() {
        for (name, expected) in NAMES.iter().zip(TEMPLATES) {
            let (width, height) = name.split_once(':').unwrap();
            let (width, height): (f64, f64) = (width.parse().unwrap(), height.parse().unwrap());
            assert!((height / width - expected.ratio).abs() < 1e-3, "{name}");
            assert_eq!(template(name).unwrap(), expected);
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        for name in ["0:0", "", "16:9", "1"] {
            let message = template(name).unwrap_err().to_string();
            assert!(message.contains("4:3") && message.contains("1:3"), "{message}");
        }
    }

    #[test]
    fn five_scales_make_images_of_128_pixels() {
        let all = all(5).unwrap();
        assert_eq!((all[0].width, all[0].height), (128, 128));
        assert_eq!((all[4].width, all[4].height), (192, 144));
        assert_eq!(all[0].scales, [(1, 1), (2, 2), (4, 4), (6, 6), (8, 8)]);
    }
}
