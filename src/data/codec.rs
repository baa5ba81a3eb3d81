//! How the bank keeps its drawings: predicted from their neighbours, rounded a little, and coded arithmetically.
//!
//! Icons are flat areas with soft rims. Each pixel is predicted from those before it; most predictions hold and cost next
//! to nothing. What does not hold is coded as a difference in steps of [`STEP`], so that no channel is off by more than
//! [`STEP`] / 2, which no eye sees. All arithmetic is whole-numbered: every machine reads the same pixels.
//!
//! The arithmetic coder is the binary range coder of LZMA (Igor Pavlov), with the mean of a quick and a slow estimate of
//! each bit's chance.

use image::{Rgba, RgbaImage};

/// Steps of red, green and blue.
const STEP: i32 = 3;
/// Levels of alpha.
const ALPHA: i32 = 85;
/// Bits of a chance.
const BITS: u32 = 12;

/// A drawing with a square's side of `side` pixels, coded.
pub(super) fn encode(image: &RgbaImage) -> Vec<u8> {
    let mut encoder = Encoder::new();
    code(&mut encoder, image.width() as usize, |x, y| {
        let [r, g, b, a] = image.get_pixel(x as u32, y as u32).0.map(i32::from);
        [(a * ALPHA + 127) / 255, g, r, b]
    });
    encoder.finish()
}

/// The drawing in `bytes`; `None` if they end too early or something is left behind.
pub(super) fn decode(bytes: &[u8], side: u32) -> Option<RgbaImage> {
    let mut decoder = Decoder::new(bytes)?;
    let pixels = code(&mut decoder, side as usize, |_, _| [0; 4]);
    // The encoder writes what the decoder reads, to the byte.
    (decoder.at == bytes.len()).then(|| {
        RgbaImage::from_fn(side, side, |x, y| {
            let [a, g, r, b] = pixels[y as usize * side as usize + x as usize];
            match a {
                0 => Rgba([0; 4]),
                _ => Rgba([r as u8, g as u8, b as u8, ((a * 255 + ALPHA / 2) / ALPHA) as u8]),
            }
        })
    })
}

/// Either side of the code: an encoder writes the bit it is given, a decoder gives the one it reads.
trait Coder {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool;
}

/// Estimates of a bit's chance to be 0.
#[derive(Clone, Copy)]
struct Chance {
    quick: u16,
    slow: u16,
}

impl Chance {
    const EVEN: Self = Self {
        quick: 1 << 15,
        slow: 1 << 15,
    };

    /// In 1..2^[`BITS`].
    fn of_zero(self) -> u32 {
        let mean = (u32::from(self.quick) + u32::from(self.slow)) / 2;
        (mean >> (16 - BITS)).clamp(1, (1 << BITS) - 1)
    }

    fn learn(&mut self, bit: bool) {
        if bit {
            self.quick -= self.quick >> 4;
            self.slow -= self.slow >> 7;
        } else {
            self.quick += (u16::MAX - self.quick) >> 4;
            self.slow += (u16::MAX - self.slow) >> 7;
        }
    }
}

/// Codes a number of any size around zero.
#[derive(Clone, Copy)]
struct Number {
    zero: Chance,
    sign: Chance,
    /// Whether the magnitude has another bit, for so many bits.
    longer: [Chance; 8],
    /// The bits below the highest, by the number's length.
    below: [[Chance; 8]; 8],
}

impl Number {
    const NEW: Self = Self {
        zero: Chance::EVEN,
        sign: Chance::EVEN,
        longer: [Chance::EVEN; 8],
        below: [[Chance::EVEN; 8]; 8],
    };

    fn code(&mut self, coder: &mut impl Coder, value: i32) -> i32 {
        if !coder.bit(&mut self.zero, value != 0) {
            return 0;
        }
        let negative = coder.bit(&mut self.sign, value < 0);
        let magnitude = value.unsigned_abs().max(1);
        let wanted = magnitude.ilog2() as usize;
        let mut length = 0;
        while length < 7 && coder.bit(&mut self.longer[length], length < wanted) {
            length += 1;
        }
        let mut found = 1u32;
        for place in (0..length).rev() {
            let bit = coder.bit(&mut self.below[length][place], magnitude >> place & 1 == 1);
            found = found << 1 | u32::from(bit);
        }
        if negative { -(found as i32) } else { found as i32 }
    }
}

/// Codes the pixels in reading order: alpha in levels, then green, red and blue. `pixel` gives what to encode.
fn code(coder: &mut impl Coder, side: usize, pixel: impl Fn(usize, usize) -> [i32; 4]) -> Vec<[i32; 4]> {
    let mut as_predicted = [[Chance::EVEN; 3]; 81];
    let mut as_left = [[Chance::EVEN; 3]; 9];
    let mut as_above = [[Chance::EVEN; 3]; 9];
    let mut numbers = [[[Number::NEW; 3]; 4]; 4];
    // One row and column of nothing before the first, and a column behind the last.
    let wide = side + 2;
    let mut pixels = vec![[0i32; 4]; wide * (side + 1)];
    // How each pixel was coded: 0 as predicted, 1 as a neighbour, 2 by its differences.
    let mut kinds = vec![0u8; wide * (side + 1)];
    for y in 0..side {
        for x in 0..side {
            let at = (y + 1) * wide + x + 1;
            let (left, above) = (pixels[at - 1], pixels[at - wide]);
            let (corner, after) = (pixels[at - wide - 1], pixels[at - wide + 1]);
            let predicted: [i32; 4] =
                std::array::from_fn(|c| median(left[c], above[c], left[c] + above[c] - corner[c]));
            let wanted = pixel(x, y);
            let [kl, ka, kc, kr] = [1, wide, wide + 1, wide - 1].map(|back| usize::from(kinds[at - back]));
            let around = kl * 27 + ka * 9 + kc * 3 + kr;
            // Nothing, all or in between.
            let cover = match predicted[0] {
                0 => 0,
                ALPHA => 1,
                _ => 2,
            };
            let new = if coder.bit(&mut as_predicted[around][cover], !near(wanted, predicted)) {
                let beside = kl * 3 + ka;
                if left != predicted && !coder.bit(&mut as_left[beside][cover], !near(wanted, left)) {
                    kinds[at] = 1;
                    left
                } else if above != predicted
                    && above != left
                    && !coder.bit(&mut as_above[beside][cover], !near(wanted, above))
                {
                    kinds[at] = 1;
                    above
                } else {
                    kinds[at] = 2;
                    let busy = (0..4)
                        .map(|c| {
                            (left[c] - corner[c]).abs() + (above[c] - corner[c]).abs() + (above[c] - after[c]).abs()
                        })
                        .sum::<i32>();
                    let busy = [24, 90, 240].iter().filter(|&&least| busy > least).count();
                    let alpha = numbers[0][busy][cover].code(coder, wanted[0] - predicted[0]);
                    let mut new = [(predicted[0] + alpha).clamp(0, ALPHA), 0, 0, 0];
                    let mut before = 0;
                    for c in 1..4 {
                        // Where little of the paint is seen, a rough shade will do.
                        let step = step(new[0]);
                        let steps = (wanted[c] - predicted[c] + (wanted[c] - predicted[c]).signum() * step / 2) / step;
                        let steps = match new[0] {
                            0 => 0,
                            _ => numbers[c][busy][before].code(coder, steps),
                        };
                        new[c] = (predicted[c] + steps * step).clamp(0, 255);
                        before = (steps.signum() + 3) as usize % 3;
                    }
                    new
                }
            } else {
                predicted.map(|value| value)
            };
            pixels[at] = [
                new[0].clamp(0, ALPHA),
                new[1].clamp(0, 255),
                new[2].clamp(0, 255),
                new[3].clamp(0, 255),
            ];
        }
    }
    (0..side * side)
        .map(|place| pixels[(place / side + 1) * wide + place % side + 1])
        .collect()
}

/// Steps of colour below so much alpha.
fn step(alpha: i32) -> i32 {
    match alpha {
        ALPHA => STEP,
        alpha => (STEP * ALPHA / alpha.max(9)).min(40) | 1,
    }
}

/// Is `found` as good as what is wanted?
fn near(wanted: [i32; 4], found: [i32; 4]) -> bool {
    let within = step(wanted[0]) / 2;
    wanted[0] == found[0] && (wanted[0] == 0 || (1..4).all(|c| (wanted[c] - found[c]).abs() <= within))
}

/// The middle one of three.
fn median(a: i32, b: i32, c: i32) -> i32 {
    a.max(b).min(a.min(b).max(c))
}

struct Encoder {
    low: u64,
    range: u32,
    /// The last byte that a carry may still change, and how many 255 follow it.
    held: u8,
    full: usize,
    started: bool,
    bytes: Vec<u8>,
}

impl Encoder {
    fn new() -> Self {
        Self {
            low: 0,
            range: u32::MAX,
            held: 0,
            full: 0,
            started: false,
            bytes: Vec::new(),
        }
    }

    fn shift(&mut self) {
        let carry = (self.low >> 32) as u8;
        if self.low < 0xff00_0000 || carry != 0 {
            if self.started {
                self.bytes.push(self.held.wrapping_add(carry));
            }
            self.started = true;
            self.bytes
                .extend(std::iter::repeat_n(0xffu8.wrapping_add(carry), self.full));
            self.full = 0;
            self.held = (self.low >> 24) as u8;
        } else {
            self.full += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.shift();
        }
        self.bytes
    }
}

impl Coder for Encoder {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bound = (self.range >> BITS) * chance.of_zero();
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.learn(bit);
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.shift();
        }
        bit
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    code: u32,
    range: u32,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let code = u32::from_be_bytes(*bytes.first_chunk::<4>()?);
        Some(Self {
            bytes,
            at: 4,
            code,
            range: u32::MAX,
        })
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, chance: &mut Chance, _: bool) -> bool {
        let bound = (self.range >> BITS) * chance.of_zero();
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.learn(bit);
        while self.range < 1 << 24 {
            self.range <<= 8;
            // Past the end, `at` tells that something is wrong.
            self.code = self.code << 8 | u32::from(self.bytes.get(self.at).copied().unwrap_or(0));
            self.at += 1;
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing() -> RgbaImage {
        RgbaImage::from_fn(64, 64, |x, y| {
            let distance = ((x as f32 - 31.5).hypot(y as f32 - 31.5) - 28.0).clamp(-0.5, 0.5);
            let alpha = (255.0 * (0.5 - distance)) as u8;
            match (x / 9 + y / 7) % 3 {
                0 => Rgba([200, (3 * x) as u8, 40, alpha]),
                1 => Rgba([20, 90, 230, alpha]),
                _ => Rgba([(x * y) as u8, 255, (y * 4) as u8, alpha]),
            }
        })
    }

    #[test]
    fn what_comes_out_is_within_half_a_step() {
        let image = drawing();
        let bytes = encode(&image);
        let back = decode(&bytes, 64).unwrap();
        for (a, b) in image.pixels().zip(back.pixels()) {
            assert!(a.0[3].abs_diff(b.0[3]) <= 1, "{a:?} {b:?}");
            if a.0[3] == 255 {
                assert!(
                    (0..3).all(|c| i32::from(a.0[c].abs_diff(b.0[c])) <= STEP / 2 + 1),
                    "{a:?} {b:?}"
                );
            }
        }
        assert_eq!(encode(&image), bytes);
    }

    #[test]
    fn damaged_bytes_are_noticed_by_their_length() {
        let bytes = encode(&drawing());
        assert!(decode(&bytes[..bytes.len() - 1], 64).is_none() && decode(&bytes[..3], 64).is_none());
        assert!(decode(&[&bytes, [0].as_slice()].concat(), 64).is_none());
    }
}
