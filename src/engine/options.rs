//! Checks the options of one image before anything runs.

use super::EngineError;
use super::aspect;
use super::protocol::{EditMask, Flips, Options};
use crate::model::sampling::SamplingOptions;
use crate::model::schedule::Schedule;
use crate::model::text::{TextError, with_positive_prompt};

/// Longest prompt that is tokenized; the model's own limit is in tokens.
pub const MAX_CHARACTERS: usize = 2000;
/// Largest integer up to which every JavaScript number is exact.
const MAX_SEED: f64 = 9_007_199_254_740_991.0;

/// Valid options, except that the words of the prompt are not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The prompt as it was typed.
    pub prompt: String,
    /// The text that the model is conditioned on.
    pub text: String,
    pub negative_prompt: Option<String>,
    /// Name of the template.
    pub aspect: String,
    pub schedule: Schedule,
    pub sampling: SamplingOptions,
    /// Not yet checked against the model.
    pub edit_mask: Option<EditMask>,
    /// Not yet checked against the model.
    pub flips: Option<Flips>,
    /// Not yet checked against the model.
    pub against: Option<Vec<Vec<u32>>>,
}

impl Request {
    /// Completes `options` with the model's `defaults` and checks them for a model of `depth` blocks and `scales`
    /// scales.
    pub fn new(options: Options, defaults: &SamplingOptions, depth: usize, scales: usize) -> Result<Self, EngineError> {
        let seed = seed(options.seed)?;
        let defaults = defaults.clone();
        let sampling = SamplingOptions {
            cfg: options.cfg.unwrap_or(defaults.cfg),
            tau: options.tau.unwrap_or(defaults.tau),
            top_p: options.top_p.unwrap_or(defaults.top_p),
            seed,
            ..defaults
        };
        sampling.validate(depth, scales)?;
        let aspect = options.aspect.unwrap_or_else(|| "1:1".to_string());
        let typed = prompt(&options.prompt)?;
        Ok(Self {
            text: match options.positive_prompt {
                true => with_positive_prompt(&typed),
                false => typed.clone(),
            },
            prompt: typed,
            negative_prompt: match options.negative_prompt.as_deref().map(str::trim) {
                None | Some("") => None,
                Some(negative) => Some(prompt(negative)?),
            },
            schedule: aspect::template(&aspect)?.schedule(scales)?,
            aspect,
            sampling,
            edit_mask: options.edit_mask,
            flips: options.flips,
            against: options.against,
        })
    }
}

/// The seed that a JavaScript number stands for.
pub fn seed(number: f64) -> Result<u64, EngineError> {
    match (0.0..=MAX_SEED).contains(&number) && number.fract() == 0.0 {
        true => Ok(number as u64),
        false => Err(EngineError::Seed),
    }
}

/// A trimmed prompt of a sensible length.
fn prompt(text: &str) -> Result<String, EngineError> {
    let text = text.trim();
    let found = text.chars().count();
    match found {
        0 => Err(TextError::Empty.into()),
        _ if found > MAX_CHARACTERS => Err(EngineError::PromptTooLong {
            found,
            limit: MAX_CHARACTERS,
        }),
        _ => Ok(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sampling::PerScale;

    const SCALES: usize = 5;

    fn request(options: Options) -> Result<Request, EngineError> {
        let defaults = SamplingOptions {
            cfg: PerScale::All(3.0),
            ..SamplingOptions::default()
        };
        Request::new(options, &defaults, 4, SCALES)
    }

    fn good() -> Options {
        Options {
            prompt: " a red apple ".into(),
            seed: 7.0,
            ..Options::default()
        }
    }

    #[test]
    fn what_is_left_out_is_the_models_own() {
        let found = request(good()).unwrap();
        assert_eq!((found.prompt.as_str(), found.sampling.seed), ("a red apple", 7));
        assert_eq!(found.sampling.cfg, PerScale::All(3.0));
        assert_eq!(found.schedule.image_size(), (128, 128));
    }

    #[test]
    fn what_is_given_replaces_it() {
        let each = PerScale::Each(vec![1.0, 2.0, 3.0, 4.0, 5.0]);
        let options = Options {
            aspect: Some("2:1".into()),
            cfg: Some(each.clone()),
            tau: Some(PerScale::All(0.5)),
            top_p: Some(0.9),
            seed: MAX_SEED,
            negative_prompt: Some("  ".into()),
            ..good()
        };
        let found = request(options).unwrap();
        assert_eq!(found.sampling.cfg, each);
        assert_eq!(found.sampling.tau, PerScale::All(0.5));
        assert_eq!(found.sampling.top_p, 0.9);
        assert_eq!(found.sampling.seed, (1 << 53) - 1);
        assert_eq!(found.negative_prompt, None);
        assert_eq!(found.schedule.image_size(), (80, 160));
    }

    #[test]
    fn a_positive_prompt_is_encoded_and_not_shown() {
        let options = |positive_prompt, prompt: &str| Options {
            prompt: prompt.into(),
            positive_prompt,
            ..good()
        };
        let plain = request(options(false, "a man")).unwrap();
        assert_eq!((plain.prompt.as_str(), plain.text.as_str()), ("a man", "a man"));
        let positive = request(options(true, "a man")).unwrap();
        assert_eq!(positive.prompt, "a man");
        assert!(positive.text.starts_with("a man. ") && positive.text.contains("smooth faces"));
        assert_eq!(request(options(true, "a red apple")).unwrap().text, "a red apple");
    }

    #[test]
    fn every_bad_option_is_answered_with_its_field_and_a_remedy() {
        let bad = |change: &dyn Fn(&mut Options)| {
            let mut options = good();
            change(&mut options);
            let error = request(options).unwrap_err();
            assert!(error.to_string().len() > 40, "{error}");
            error.field().unwrap_or_default()
        };
        assert_eq!(bad(&|o| o.prompt = " \n".into()), "prompt");
        assert_eq!(bad(&|o| o.prompt = "x".repeat(10_000)), "prompt");
        assert_eq!(bad(&|o| o.negative_prompt = Some("x".repeat(10_000))), "prompt");
        for seed in [f64::NAN, -1.0, 0.5, f64::INFINITY, MAX_SEED + 1.0] {
            assert_eq!(bad(&|o| o.seed = seed), "seed");
        }
        for cfg in [f64::NAN, f64::INFINITY, 0.0, -3.0, 1e9] {
            assert_eq!(bad(&|o| o.cfg = Some(PerScale::All(cfg))), "cfg");
            assert_eq!(
                bad(&|o| o.cfg = Some(PerScale::Each(vec![1.0, 1.0, 1.0, 1.0, cfg]))),
                "cfg"
            );
        }
        for tau in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(bad(&|o| o.tau = Some(PerScale::All(tau))), "tau");
        }
        for top_p in [f64::NAN, -0.5, 1.5] {
            assert_eq!(bad(&|o| o.top_p = Some(top_p)), "topP");
        }
        for length in [0, 1, 4, 6] {
            assert_eq!(bad(&|o| o.cfg = Some(PerScale::Each(vec![2.0; length]))), "cfg");
            assert_eq!(bad(&|o| o.tau = Some(PerScale::Each(vec![1.0; length]))), "tau");
        }
        assert_eq!(bad(&|o| o.aspect = Some("0:0".into())), "aspect");
    }
}
