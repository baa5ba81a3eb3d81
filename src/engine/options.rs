//! Checks the options of one image before anything runs.

use super::EngineError;
use super::aspect;
use super::protocol::{Options, PerScale};
use crate::model::schedule::Schedule;

/// Longest prompt that is even tokenised; the model's own limit is in tokens.
pub const MAX_CHARACTERS: usize = 2000;
/// Largest integer up to which every JavaScript number is exact.
const MAX_SEED: f64 = 9_007_199_254_740_991.0;

/// Options that can be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub prompt: String,
    pub negative_prompt: Option<String>,
    pub seed: u64,
    /// Name of the template.
    pub aspect: String,
    pub schedule: Schedule,
    /// One value per scale; None leaves the model's own.
    pub cfg: Option<Vec<f64>>,
    /// One value per scale; None leaves the model's own.
    pub tau: Option<Vec<f64>>,
    pub top_p: Option<f64>,
}

/// A range of numbers that an option may have.
struct Range {
    field: &'static str,
    name: &'static str,
    holds: fn(f64) -> bool,
    range: &'static str,
    remedy: &'static str,
}

const CFG: Range = Range {
    field: "cfg",
    name: "Guidance (cfg)",
    holds: |v| (1.0..=20.0).contains(&v),
    range: "from 1 to 20",
    remedy: "1 turns guidance off, 3 to 5 is usual.",
};
const TAU: Range = Range {
    field: "tau",
    name: "Temperature (tau)",
    holds: |v| v > 0.0 && v <= 10.0,
    range: "above 0 and up to 10",
    remedy: "Low values give the likeliest image, 1 the model's own variety.",
};
const TOP_P: Range = Range {
    field: "topP",
    name: "Nucleus (top-p)",
    holds: |v| v > 0.0 && v <= 1.0,
    range: "above 0 and up to 1",
    remedy: "1 keeps every outcome.",
};

impl Range {
    fn check(&self, value: f64) -> Result<f64, EngineError> {
        match (self.holds)(value) {
            true => Ok(value),
            false => Err(EngineError::Range {
                field: self.field,
                name: self.name,
                value,
                range: self.range,
                remedy: self.remedy,
            }),
        }
    }

    /// One checked value for each of `scales` scales.
    fn spread(&self, values: &PerScale, scales: usize) -> Result<Vec<f64>, EngineError> {
        match values {
            PerScale::Same(value) => Ok(vec![self.check(*value)?; scales]),
            PerScale::Each(values) if values.len() == scales => values.iter().map(|&value| self.check(value)).collect(),
            PerScale::Each(values) => Err(EngineError::ListLength {
                field: self.field,
                name: self.name,
                found: values.len(),
                scales,
            }),
        }
    }
}

impl Request {
    /// Checks everything that needs no tokenizer; images have `scales` scales.
    pub fn new(options: Options, scales: usize) -> Result<Self, EngineError> {
        let seed = options.seed;
        if !((0.0..=MAX_SEED).contains(&seed) && seed.fract() == 0.0) {
            return Err(EngineError::Seed(seed));
        }
        let spread = |range: Range, values: Option<PerScale>| values.map(|v| range.spread(&v, scales)).transpose();
        let aspect = options.aspect.unwrap_or_else(|| "1:1".to_string());
        Ok(Self {
            prompt: prompt(&options.prompt)?,
            negative_prompt: match options.negative_prompt.as_deref().map(str::trim) {
                None | Some("") => None,
                Some(negative) => Some(prompt(negative)?),
            },
            seed: seed as u64,
            schedule: aspect::template(&aspect)?.schedule(scales)?,
            aspect,
            cfg: spread(CFG, options.cfg)?,
            tau: spread(TAU, options.tau)?,
            top_p: options.top_p.map(|p| TOP_P.check(p)).transpose()?,
        })
    }
}

/// A trimmed prompt of a sensible length.
fn prompt(text: &str) -> Result<String, EngineError> {
    let text = text.trim();
    let found = text.chars().count();
    match found {
        0 => Err(EngineError::PromptEmpty),
        _ if found > MAX_CHARACTERS => Err(EngineError::PromptTooLong {
            found,
            limit: MAX_CHARACTERS,
            unit: "characters",
        }),
        _ => Ok(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALES: usize = 5;

    fn good() -> Options {
        Options {
            prompt: " a red apple ".into(),
            seed: 7.0,
            ..Options::default()
        }
    }

    #[test]
    fn good_options_become_a_request() {
        let request = Request::new(good(), SCALES).unwrap();
        assert_eq!((request.prompt.as_str(), request.seed), ("a red apple", 7));
        assert_eq!(request.schedule.len(), SCALES);
        assert_eq!((request.cfg, request.tau, request.top_p), (None, None, None));

        let lists = Options {
            aspect: Some("2:1".into()),
            cfg: Some(PerScale::Each(vec![1.0, 2.0, 3.0, 4.0, 5.0])),
            tau: Some(PerScale::Same(0.5)),
            seed: MAX_SEED,
            negative_prompt: Some("  ".into()),
            ..good()
        };
        let request = Request::new(lists, SCALES).unwrap();
        assert_eq!(request.cfg, Some(vec![1.0, 2.0, 3.0, 4.0, 5.0]));
        assert_eq!(request.tau, Some(vec![0.5; SCALES]));
        assert_eq!(request.seed, (1 << 53) - 1);
        assert_eq!(request.negative_prompt, None);
        assert_eq!(request.schedule.image_size(), (80, 160));
    }

    #[test]
    fn every_bad_option_is_answered_with_its_field_and_a_remedy() {
        let bad = |change: &dyn Fn(&mut Options)| {
            let mut options = good();
            change(&mut options);
            let error = Request::new(options, SCALES).unwrap_err();
            let message = error.to_string();
            assert!(message.ends_with('.') && message.len() > 30, "{message}");
            error.field().unwrap_or_default()
        };
        assert_eq!(bad(&|o| o.prompt = " \n".into()), "prompt");
        assert_eq!(bad(&|o| o.prompt = "x".repeat(10_000)), "prompt");
        assert_eq!(bad(&|o| o.negative_prompt = Some("x".repeat(10_000))), "prompt");
        for seed in [f64::NAN, -1.0, 0.5, f64::INFINITY, MAX_SEED + 1.0] {
            assert_eq!(bad(&|o| o.seed = seed), "seed");
        }
        for cfg in [f64::NAN, f64::INFINITY, 0.0, -3.0, 1e9] {
            assert_eq!(bad(&|o| o.cfg = Some(PerScale::Same(cfg))), "cfg");
            assert_eq!(bad(&|o| o.cfg = Some(PerScale::Each(vec![1.0, 1.0, 1.0, 1.0, cfg]))), "cfg");
        }
        for tau in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(bad(&|o| o.tau = Some(PerScale::Same(tau))), "tau");
        }
        for top_p in [f64::NAN, 0.0, 1.5] {
            assert_eq!(bad(&|o| o.top_p = Some(top_p)), "topP");
        }
        for length in [0, 1, 4, 6] {
            assert_eq!(bad(&|o| o.cfg = Some(PerScale::Each(vec![2.0; length]))), "cfg");
            assert_eq!(bad(&|o| o.tau = Some(PerScale::Each(vec![1.0; length]))), "tau");
        }
        assert_eq!(bad(&|o| o.aspect = Some("0:0".into())), "aspect");
    }
}
