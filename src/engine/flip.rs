//! What flipped bits do to an image (Sec. 3.4), scale by scale: the clean path, the flips with the old residuals kept, and
//! the flips with later residuals quantised again from the damaged sum.

use super::protocol::{Aspect, BitAt, Bits, Deviation, Event, Flips, Picture, Pixels};
use super::wait::unless_stopped;
use super::{Engine, EngineError, Files, Host, aspect, options, picture};
use crate::model::bits;
use crate::model::correction::{Corrected, Treatment, correct_known, draw_flips};
use crate::model::quantizer::Quantizer;
use crate::model::schedule::{Grid, Schedule};
use burn::tensor::{Device, Int, Tensor, TensorData};

impl Engine {
    /// Compares the three paths of the image that `bits` are, whose features `F` are what they sum to. Every scale of every
    /// path is a `Path` event; ends with `Compared` or `Cancelled`.
    pub async fn flip_bits(&self, bits: Bits, flips: Flips, host: &impl Host) -> Result<(), EngineError> {
        let schedule = aspect::template(&bits.aspect)?.schedule(self.manifest.scales)?;
        let damage = self.damage(&flips, &schedule)?;
        let bits_of_scales = self.latent(&bits.bits, &schedule)?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let sums = Quantizer::default().decode(&bits_of_scales, grids[grids.len() - 1]);
        let known = Known {
            features: sums[sums.len() - 1].clone(),
            bits: bits_of_scales,
            picture: None,
            aspect: aspect::describe(&bits.aspect, &schedule),
        };
        self.compare(known, &damage, &schedule, host).await
    }

    /// The same for a picture, whose features are the encoder's; it is loaded first if it was not needed before.
    pub async fn flip_picture(
        &self,
        picture: Picture,
        flips: Flips,
        files: &impl Files,
        host: &impl Host,
    ) -> Result<(), EngineError> {
        let schedule = aspect::template(&picture.aspect)?.schedule(self.manifest.scales)?;
        let damage = self.damage(&flips, &schedule)?;
        let aspect = aspect::describe(&picture.aspect, &schedule);
        let (image, features) = self.features_of(picture, &schedule, files, host).await?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let known = Known {
            bits: Quantizer::default().encode(features.clone(), &grids).bits,
            features,
            picture: Some(image),
            aspect,
        };
        self.compare(known, &damage, &schedule, host).await
    }

    /// What `flips` ask for, checked against the model.
    pub(super) fn damage(&self, flips: &Flips, schedule: &Schedule) -> Result<Damage, EngineError> {
        Damage::new(flips, schedule, self.transformer.config().bits)
    }

    async fn compare(
        &self,
        known: Known,
        damage: &Damage,
        schedule: &Schedule,
        host: &impl Host,
    ) -> Result<(), EngineError> {
        let began = host.now();
        let patchify = self.transformer.config().patchify;
        let grids = schedule.latent_grids(patchify);
        let masks = damage.latent(schedule, patchify, &self.device);
        let none = vec![None; grids.len()];
        let trails = Treatment::ALL.map(|path| {
            let masks = if path == Treatment::Clean { &none } else { &masks };
            let features = known.features.clone();
            let quantizer = Quantizer::default();
            let corrected = correct_known(&quantizer, features, &known.bits, &grids, masks, path.flips());
            Trail::new(path, corrected, masks, patchify)
        });
        let sums = trails.iter().flat_map(|trail| trail.sums.clone()).collect();
        let errors = errors(&known.features, sums).await?;
        let goal = match known.picture {
            Some(picture) => picture,
            None => self.picture_of(known.features).await?,
        };
        let of = grids.len();
        for (k, &(height, width)) in schedule.grids().iter().enumerate() {
            let mut clean = None;
            for (trail, errors) in trails.iter().zip(errors.chunks(of)) {
                host.breathe().await;
                if host.cancelled() {
                    host.emit(Event::Cancelled { scales: k });
                    return Ok(());
                }
                // Before the first flip all paths are one.
                let (image, bits) = match &clean {
                    Some(shown) if k < damage.first() => Clone::clone(shown),
                    _ => {
                        let pixels = self.pixels(trail.sums[k].clone(), &trail.tokens[k]);
                        let Some(pixels) = unless_stopped(pixels, k, host).await else {
                            return Ok(());
                        };
                        pixels?
                    }
                };
                let deviation = Deviation {
                    flipped: if trail.path == Treatment::Clean {
                        0
                    } else {
                        damage.count(k)
                    },
                    error: errors[k],
                    psnr: picture::psnr(&image, &goal),
                };
                clean.get_or_insert_with(|| (image.clone(), bits.clone()));
                host.emit(Event::Path {
                    path: trail.path,
                    k: k + 1,
                    of,
                    height,
                    width,
                    bits,
                    image,
                    deviation,
                });
            }
        }
        let ms = host.now() - began;
        host.emit(Event::Compared {
            aspect: known.aspect,
            ms,
        });
        Ok(())
    }

    /// The picture of a running sum `[1, d, H, W]`, and the packed words of token bits `[1, L, d]`.
    async fn pixels(&self, sum: Tensor<4>, tokens: &Tensor<3, Int>) -> Result<(Pixels, Vec<u32>), EngineError> {
        picture::read(self.decoder.decode(sum), bits::pack(tokens.clone())).await
    }

    async fn picture_of(&self, features: Tensor<4>) -> Result<Pixels, EngineError> {
        let none = Tensor::zeros([1, 1, 1], &self.device);
        Ok(self.pixels(features, &none).await?.0)
    }

    /// The image of `words` to draw against.
    pub(super) async fn goal(&self, words: &[Vec<u32>], schedule: &Schedule) -> Result<Goal, EngineError> {
        let bits = self.latent(words, schedule)?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let sums = Quantizer::default().decode(&bits, grids[grids.len() - 1]);
        let features = sums[sums.len() - 1].clone();
        let picture = self.picture_of(features.clone()).await?;
        Ok(Goal { features, picture })
    }
}

/// An image whose bits are known.
struct Known {
    /// `F [1, d, H, W]`.
    features: Tensor<4>,
    /// `[1, h_k, w_k, d]` of every scale.
    bits: Vec<Tensor<4, Int>>,
    /// What it was read from; none for what its features decode to.
    picture: Option<Pixels>,
    aspect: Aspect,
}

/// One path: token bits `[1, L_k, d]` as they are stored, and what they sum to.
struct Trail {
    path: Treatment,
    tokens: Vec<Tensor<3, Int>>,
    sums: Vec<Tensor<4>>,
}

impl Trail {
    fn new(path: Treatment, corrected: Corrected, masks: &[Option<Tensor<4, Int>>], patchify: bool) -> Self {
        let stored = corrected.stored(masks).into_iter();
        Self {
            path,
            tokens: stored.map(|bits| bits::to_tokens(bits, patchify)).collect(),
            sums: corrected.sums,
        }
    }
}

/// What an image is drawn against.
pub(super) struct Goal {
    features: Tensor<4>,
    picture: Pixels,
}

impl Goal {
    /// How far `image`, the picture of `sum`, is from it; `flipped` is handed through.
    pub async fn deviation(&self, sum: Tensor<4>, image: &Pixels, flipped: usize) -> Result<Deviation, EngineError> {
        Ok(Deviation {
            flipped,
            error: errors(&self.features, vec![sum]).await?[0],
            psnr: picture::psnr(image, &self.picture),
        })
    }
}

/// `|F - F_k| / |F|` of every sum, with one wait for all.
async fn errors(features: &Tensor<4>, sums: Vec<Tensor<4>>) -> Result<Vec<f64>, EngineError> {
    let length = features.clone().square().sum();
    let square = |sum: Tensor<4>| (features.clone() - sum).square().sum();
    let squares: Vec<Tensor<1>> = std::iter::once(length).chain(sums.into_iter().map(square)).collect();
    let data = Tensor::cat(squares, 0).into_data_async().await;
    let data = data.map_err(|error| EngineError::DeviceLost(error.to_string()))?;
    let squares: Vec<f64> = data.iter::<f32>().map(f64::from).collect();
    let length = squares[0].max(f64::MIN_POSITIVE);
    Ok(squares[1..].iter().map(|square| (square / length).sqrt()).collect())
}

/// The flips of every scale, in the layout of tokens: `L_k x d` numbers (1 = flip), none where a scale is left alone.
pub(super) struct Damage {
    masks: Vec<Option<Vec<i32>>>,
    d: usize,
}

impl Damage {
    fn new(flips: &Flips, schedule: &Schedule, d: usize) -> Result<Self, EngineError> {
        let wrong = |what: String| Err(EngineError::Flips(what));
        let of = schedule.len();
        let seed = options::seed(flips.seed)?;
        if !(0.0..=1.0).contains(&flips.rate) {
            return wrong(format!(
                "the rate is {} and a probability lies between 0 and 1",
                flips.rate
            ));
        }
        if let Some(scale) = flips.scales.iter().find(|scale| !(1..=of).contains(*scale)) {
            return wrong(format!("there is no scale {scale} among {of}"));
        }
        let draw = |k: usize| {
            let drawn = flips.rate > 0.0 && flips.scales.contains(&(k + 1));
            drawn.then(|| draw_flips(seed, k, flips.rate, schedule.tokens(k) * d))
        };
        let mut masks: Vec<Option<Vec<i32>>> = (0..of).map(draw).collect();
        for &BitAt { scale, token, bit } in &flips.single {
            if !(1..=of).contains(&scale) || token >= schedule.tokens(scale - 1) || bit >= d {
                return wrong(format!("there is no bit {bit} of token {token} at scale {scale}"));
            }
            let count = schedule.tokens(scale - 1) * d;
            masks[scale - 1].get_or_insert_with(|| vec![0; count])[token * d + bit] ^= 1;
        }
        // A scale without a flip is one that is left alone.
        let flipped = |mask: Option<Vec<i32>>| mask.filter(|mask| mask.contains(&1));
        Ok(Self {
            masks: masks.into_iter().map(flipped).collect(),
            d,
        })
    }

    /// Flips of scale `k` (from 0).
    pub fn count(&self, k: usize) -> usize {
        let flips = |mask: &Vec<i32>| mask.iter().filter(|&&flip| flip == 1).count();
        self.masks[k].as_ref().map_or(0, flips)
    }

    /// The first scale (from 0) with a flip, or the number of scales.
    fn first(&self) -> usize {
        self.masks.iter().position(Option::is_some).unwrap_or(self.masks.len())
    }

    /// As the sampler takes them: `[1, L_k, d]`.
    pub fn tokens(&self, device: &Device) -> Vec<Option<Tensor<3, Int>>> {
        let tensor = |mask: &Vec<i32>| {
            let shape = [1, mask.len() / self.d, self.d];
            Tensor::from_data(TensorData::new(mask.clone(), shape), device)
        };
        self.masks.iter().map(|mask| mask.as_ref().map(tensor)).collect()
    }

    /// As the quantiser takes them: `[1, h_k, w_k, d]` of the latent.
    fn latent(&self, schedule: &Schedule, patchify: bool, device: &Device) -> Vec<Option<Tensor<4, Int>>> {
        let unfold =
            |(mask, &grid): (Option<Tensor<3, Int>>, &Grid)| mask.map(|mask| bits::from_tokens(mask, grid, patchify));
        self.tokens(device)
            .into_iter()
            .zip(schedule.grids())
            .map(unfold)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::TEMPLATES;

    fn at(scale: usize, token: usize, bit: usize) -> BitAt {
        BitAt { scale, token, bit }
    }

    fn damage(scales: &[usize], rate: f64, single: &[BitAt]) -> Result<Damage, EngineError> {
        let flips = Flips {
            scales: scales.to_vec(),
            rate,
            seed: 7.0,
            single: single.to_vec(),
        };
        Damage::new(&flips, &TEMPLATES[0].schedule(4).unwrap(), 8)
    }

    #[test]
    fn flips_are_where_they_were_asked_for() {
        let drawn = damage(&[2, 4], 0.5, &[]).unwrap();
        let counts: Vec<usize> = (0..4).map(|k| drawn.count(k)).collect();
        assert_eq!((counts[0], counts[2], drawn.first()), (0, 0, 1), "{counts:?}");
        // 36 tokens of 8 bits: 144 expected, 8.5 deviation.
        assert!(
            (5..28).contains(&counts[1]) && (110..178).contains(&counts[3]),
            "{counts:?}"
        );
        assert!((0..4).all(|k| damage(&[2, 4], 0.5, &[]).unwrap().count(k) == counts[k]));
        let single = damage(&[], 0.0, &[at(3, 5, 2), at(3, 6, 0)]).unwrap();
        assert_eq!((single.first(), single.count(2)), (2, 2));
        let mask: Vec<i32> = single.tokens(&Device::flex())[2]
            .clone()
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!((mask[5 * 8 + 2], mask[6 * 8], mask.iter().sum::<i32>()), (1, 1, 2));
        let twice = damage(&[], 0.0, &[at(3, 5, 2), at(3, 5, 2)]).unwrap();
        assert_eq!((twice.first(), twice.count(2)), (4, 0));
        assert_eq!(damage(&[1, 2, 3, 4], 1.0, &[at(1, 0, 0)]).unwrap().count(0), 7);
    }

    #[test]
    fn patchified_flips_keep_their_number() {
        let damage = damage(&[3], 0.3, &[]).unwrap();
        let schedule = TEMPLATES[0].schedule(4).unwrap();
        let mask = damage.latent(&schedule, true, &Device::flex())[2].clone().unwrap();
        assert_eq!(mask.dims(), [1, 8, 8, 2]);
        assert_eq!(mask.sum().into_scalar::<i32>() as usize, damage.count(2));
    }

    #[test]
    fn impossible_flips_are_refused_with_a_remedy() {
        let bad = [
            damage(&[0], 0.1, &[]),
            damage(&[5], 0.1, &[]),
            damage(&[1], -0.1, &[]),
            damage(&[1], 1.1, &[]),
            damage(&[1], f64::NAN, &[]),
            damage(&[], 0.0, &[at(0, 0, 0)]),
            damage(&[], 0.0, &[at(5, 0, 0)]),
            damage(&[], 0.0, &[at(2, 4, 0)]),
            damage(&[], 0.0, &[at(2, 3, 8)]),
        ];
        for found in bad {
            let error = found.err().unwrap();
            assert_eq!((error.code(), error.field()), ("options", Some("flips")), "{error}");
            assert!(error.to_string().contains("; "), "{error}");
        }
    }
}
