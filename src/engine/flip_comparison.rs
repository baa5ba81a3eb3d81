//! Compares the three ablation arms of bit flips on one image (Sec. 3.4), scale by scale: clean bits, flipped bits with
//! the old residuals, and flipped bits with later residuals quantized again from the flipped sum.

use super::backpressure::unless_cancelled;
use super::flip_masks::FlipMasks;
use super::protocol::{Aspect, Bits, Deviation, Event, Flips, Picture, Pixels};
use super::{Engine, EngineError, Files, Host, aspect, picture};
use crate::model::bits;
use crate::model::quantizer::Quantizer;
use crate::model::schedule::Schedule;
use crate::model::self_correction::{AblationArm, Corrected, correct_known};
use burn::tensor::{Int, Tensor};

impl Engine {
    /// Compares the three arms on the image of `bits`, whose features `F` are the sum of their codes. Every scale of
    /// every arm is an `Arm` event; ends with `Compared` or `Cancelled`.
    pub async fn flip_bits(&self, bits: Bits, flips: Flips, host: &impl Host) -> Result<(), EngineError> {
        let schedule = aspect::template(&bits.aspect)?.schedule(self.manifest.scales)?;
        let masks = self.flip_masks(&flips, &schedule)?;
        let bits_of_scales = self.latent(&bits.bits, &schedule)?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let sums = Quantizer::default().decode(&bits_of_scales, grids[grids.len() - 1]);
        let known = KnownImage {
            features: sums[sums.len() - 1].clone(),
            bits: bits_of_scales,
            picture: None,
            aspect: aspect::describe(&bits.aspect, &schedule),
        };
        self.compare(known, &masks, &schedule, host).await
    }

    /// The same for a picture, whose features are the encoder's. The encoder is loaded first if it was not needed
    /// before.
    pub async fn flip_picture(
        &self,
        picture: Picture,
        flips: Flips,
        files: &impl Files,
        host: &impl Host,
    ) -> Result<(), EngineError> {
        let schedule = aspect::template(&picture.aspect)?.schedule(self.manifest.scales)?;
        let masks = self.flip_masks(&flips, &schedule)?;
        let aspect = aspect::describe(&picture.aspect, &schedule);
        let (image, features) = self.features_of(picture, &schedule, files, host).await?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let known = KnownImage {
            bits: Quantizer::default().encode(features.clone(), &grids).bits,
            features,
            picture: Some(image),
            aspect,
        };
        self.compare(known, &masks, &schedule, host).await
    }

    /// The masks of `flips`, checked against the model.
    pub(super) fn flip_masks(&self, flips: &Flips, schedule: &Schedule) -> Result<FlipMasks, EngineError> {
        FlipMasks::new(flips, schedule, self.transformer.config().bits)
    }

    async fn compare(
        &self,
        known: KnownImage,
        flips: &FlipMasks,
        schedule: &Schedule,
        host: &impl Host,
    ) -> Result<(), EngineError> {
        let began = host.now();
        let patchify = self.transformer.config().patchify;
        let grids = schedule.latent_grids(patchify);
        let masks = flips.latent(schedule, patchify, &self.device);
        let none = vec![None; grids.len()];
        let arms = AblationArm::ALL.map(|arm| {
            let masks = if arm == AblationArm::Clean { &none } else { &masks };
            let features = known.features.clone();
            let quantizer = Quantizer::default();
            let corrected = correct_known(&quantizer, features, &known.bits, &grids, masks, arm.targets());
            ArmResult::new(arm, corrected, masks, patchify)
        });
        let sums = arms.iter().flat_map(|result| result.sums.clone()).collect();
        let errors = errors(&known.features, sums).await?;
        let target = match known.picture {
            Some(picture) => picture,
            None => self.picture_of(known.features).await?,
        };
        let of = grids.len();
        for (k, &(height, width)) in schedule.grids().iter().enumerate() {
            let mut clean = None;
            for (result, errors) in arms.iter().zip(errors.chunks(of)) {
                host.yield_now().await;
                if host.cancelled() {
                    host.emit(Event::Cancelled { scales: k });
                    return Ok(());
                }
                // Before the first flip all arms are the same.
                let (image, bits) = match &clean {
                    Some(shown) if k < flips.first() => Clone::clone(shown),
                    _ => {
                        let pixels = self.pixels(result.sums[k].clone(), &result.tokens[k]);
                        let Some(pixels) = unless_cancelled(pixels, k, host).await else {
                            return Ok(());
                        };
                        pixels?
                    }
                };
                let deviation = Deviation {
                    flipped: if result.arm == AblationArm::Clean {
                        0
                    } else {
                        flips.count(k)
                    },
                    error: errors[k],
                    psnr: picture::psnr(&image, &target),
                };
                clean.get_or_insert_with(|| (image.clone(), bits.clone()));
                host.emit(Event::Arm {
                    arm: result.arm,
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

    /// The image of a running sum `[1, d, H, W]`, and the packed words of token bits `[1, L, d]`.
    async fn pixels(&self, sum: Tensor<4>, tokens: &Tensor<3, Int>) -> Result<(Pixels, Vec<u32>), EngineError> {
        picture::read(self.decoder.decode(sum), bits::pack(tokens.clone())).await
    }

    async fn picture_of(&self, features: Tensor<4>) -> Result<Pixels, EngineError> {
        let none = Tensor::zeros([1, 1, 1], &self.device);
        Ok(self.pixels(features, &none).await?.0)
    }

    /// The image of `words`, to which generated scales are compared.
    pub(super) async fn target_image(
        &self,
        words: &[Vec<u32>],
        schedule: &Schedule,
    ) -> Result<TargetImage, EngineError> {
        let bits = self.latent(words, schedule)?;
        let grids = schedule.latent_grids(self.transformer.config().patchify);
        let sums = Quantizer::default().decode(&bits, grids[grids.len() - 1]);
        let features = sums[sums.len() - 1].clone();
        let picture = self.picture_of(features.clone()).await?;
        Ok(TargetImage { features, picture })
    }
}

/// An image whose bits are known.
struct KnownImage {
    /// `F [1, d, H, W]`.
    features: Tensor<4>,
    /// `[1, h_k, w_k, d]` of every scale.
    bits: Vec<Tensor<4, Int>>,
    /// The encoded picture; `None` for the image that the features decode to.
    picture: Option<Pixels>,
    aspect: Aspect,
}

/// One arm: its token bits `[1, L_k, d]`, flips included, and their running sums.
struct ArmResult {
    arm: AblationArm,
    tokens: Vec<Tensor<3, Int>>,
    sums: Vec<Tensor<4>>,
}

impl ArmResult {
    fn new(arm: AblationArm, corrected: Corrected, masks: &[Option<Tensor<4, Int>>], patchify: bool) -> Self {
        let stored = corrected.stored(masks).into_iter();
        Self {
            arm,
            tokens: stored.map(|bits| bits::to_tokens(bits, patchify)).collect(),
            sums: corrected.sums,
        }
    }
}

/// The image to which generated scales are compared.
pub(super) struct TargetImage {
    features: Tensor<4>,
    picture: Pixels,
}

impl TargetImage {
    /// Distance of `image`, decoded from `sum`; `flipped` is passed on.
    pub async fn deviation(&self, sum: Tensor<4>, image: &Pixels, flipped: usize) -> Result<Deviation, EngineError> {
        Ok(Deviation {
            flipped,
            error: errors(&self.features, vec![sum]).await?[0],
            psnr: picture::psnr(image, &self.picture),
        })
    }
}

/// `|F - F_k| / |F|` of every sum, with one read for all.
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
