//! How products are computed on the adapter of this process: measured once on a graphics card, known for software adapters.

use super::attention::{Added, attention_by};
use super::convolution::{Around, convolution_by};
use super::linear::{After, Way, linear_by};
use super::shader::on_graphics;
use burn::tensor::{Device, Distribution, Tensor};
use std::sync::{Mutex, PoisonError};

/// The ways for products of few rows, which are as quick as their weights are read; of some rows, which keep a card busy only in
/// small tiles; of many; for convolutions; and for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice([Way; KINDS]);

const KINDS: usize = 5;
const CONVOLUTIONS: usize = 3;
const ATTENTION: usize = 4;
/// Most rows of the first two kinds.
const MOST: [usize; 2] = [16, 256];

/// What is measured.
struct Probe {
    /// Rows of products of each kind, and their other sizes.
    rows: [usize; CONVOLUTIONS],
    size: usize,
    /// Channels, and positions a side, of a convolution.
    map: [usize; 2],
    /// Heads, queries, keys and width of a head of attention.
    scores: [usize; 4],
    /// Milliseconds after which a way has been measured long enough.
    enough: f64,
}

const PROBE: Probe = Probe {
    rows: [8, 128, 2048],
    size: 768,
    map: [128, 64],
    scores: [8, 256, 521, 64],
    enough: 20.0,
};
/// What is measured for each kind.
const CANDIDATES: [&[Way]; KINDS] = [
    &[Way::Few, Way::Registers, Way::Tiles],
    &[Way::Registers, Way::Tiles, Way::WideTiles, Way::WideRegisters],
    &[Way::Registers, Way::Tiles, Way::WideTiles, Way::WideRegisters],
    &[Way::Registers, Way::Tiles, Way::WideTiles, Way::WideRegisters],
    &[Way::Registers, Way::Tiles],
];
/// How often a way is launched at most.
const MOST_LAUNCHES: usize = 256;

static CHOICE: Mutex<Choice> = Mutex::new(Choice([Way::Registers; KINDS]));

impl Choice {
    /// Software adapters compute in vectors as wide as the processor's and load each number by itself, which costs them more than
    /// anything else, so that most results to a load win.
    pub const SOFTWARE: Self = Self([
        Way::WideRegisters,
        Way::WideRegisters,
        Way::WideRegisters,
        Way::WideRegisters,
        Way::WideRegisters,
    ]);

    /// Has products and convolutions be computed so from now on.
    pub fn apply(self) {
        *CHOICE.lock().unwrap_or_else(PoisonError::into_inner) = self;
    }

    /// As text, to be kept under the adapter's name.
    pub fn describe(self) -> String {
        self.0.map(Way::name).join(",")
    }

    /// What [`describe`](Self::describe) wrote, or `software`; none if it was another version's.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "software" {
            return Some(Self::SOFTWARE);
        }
        let ways: Option<Vec<Way>> = text.split(',').map(Way::named).collect();
        ways?.try_into().ok().map(Self)
    }
}

/// What was applied last.
pub fn chosen() -> Choice {
    *CHOICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way for a product of so many rows.
pub fn way(rows: usize) -> Way {
    chosen().0[MOST.iter().filter(|&&most| rows > most).count()]
}

pub fn convolution_way() -> Way {
    chosen().0[CONVOLUTIONS]
}

/// Registers where every query is followed by one invocation, wide registers where one follows several, tiles where several share one.
pub fn attention_way() -> Way {
    chosen().0[ATTENTION]
}

/// Measures the ways on `device`, a second at most on a graphics card; `now` tells milliseconds. None off graphics devices.
pub async fn measure(device: &Device, now: &dyn Fn() -> f64) -> Option<Choice> {
    measure_with(&PROBE, device, now).await
}

async fn measure_with(probe: &Probe, device: &Device, now: &dyn Fn() -> f64) -> Option<Choice> {
    let (uniform, size) = (Distribution::Uniform(-1.0, 1.0), probe.size);
    let weight = Tensor::<2>::random([size; 2], uniform, device);
    on_graphics(&weight)?;
    let mut best = [Way::Registers; KINDS];
    for (kind, &rows) in probe.rows.iter().enumerate() {
        let x = Tensor::<3>::random([1, rows, size], uniform, device);
        let product = |way| linear_by(way, &x, &weight, None, &After::Nothing);
        best[kind] = quickest(CANDIDATES[kind], product, probe.enough, now).await?;
    }
    let [channels, side] = probe.map;
    let map = Tensor::<4>::random([1, channels, side, side], uniform, device);
    let kernels = Tensor::<4>::random([channels, channels, 3, 3], uniform, device);
    let convolved = |way| convolution_by(way, &map, &kernels, &Around::default());
    best[CONVOLUTIONS] = quickest(CANDIDATES[CONVOLUTIONS], convolved, probe.enough, now).await?;
    let [heads, queries, keys, hd] = probe.scores;
    let q = Tensor::<3>::random([1, queries, heads * hd], uniform, device);
    let [k, v] = [0, 1].map(|_| Tensor::<4>::random([1, heads, keys, hd], uniform, device));
    let attended = |way| attention_by(way, &q, &k, &v, Added::default(), 1.0);
    best[ATTENTION] = quickest(CANDIDATES[ATTENTION], attended, probe.enough, now).await?;
    Some(Choice(best))
}

async fn quickest<const D: usize>(
    ways: &[Way],
    run: impl Fn(Way) -> Option<Tensor<D>>,
    enough: f64,
    now: &dyn Fn() -> f64,
) -> Option<Way> {
    let mut best = (f64::INFINITY, Way::Registers);
    for &way in ways {
        let launches = |count: usize| {
            (1..count).for_each(|_| drop(run(way)));
            run(way)
        };
        // The first launch compiles; then twice as many as before, until it took long enough to be told from the reading.
        finished(launches(1)).await?;
        let (mut count, mut each) = (1, f64::INFINITY);
        while count <= MOST_LAUNCHES {
            let began = now();
            finished(launches(count)).await?;
            let took = now() - began;
            each = took / count as f64;
            if took >= enough {
                break;
            }
            count *= 2;
        }
        if each < best.0 {
            best = (each, way);
        }
    }
    Some(best.1)
}

/// Waits until a result is there: looking at one number waits for all, the read alone does not.
async fn finished<const D: usize>(result: Option<Tensor<D>>) -> Option<()> {
    let number = result?.slice::<[_; D]>(std::array::from_fn(|_| 0..1));
    let number = number.into_data_async().await.ok()?.iter::<f32>().next();
    std::hint::black_box(number).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

    #[test]
    fn a_choice_is_kept_as_text_and_made_by_rows() {
        let choice = Choice([Way::Few, Way::Tiles, Way::WideTiles, Way::Registers, Way::Tiles]);
        assert_eq!(choice.describe(), "few,tiles,wide-tiles,registers,tiles");
        assert_eq!(Choice::parse(&choice.describe()), Some(choice));
        assert_eq!(Choice::parse("software"), Some(Choice::SOFTWARE));
        assert_eq!(
            [Choice::parse("few,tiles"), Choice::parse("few,tiles,tiles,tiles,fast")],
            [None; 2]
        );
    }

    #[test]
    fn graphics_devices_are_measured_and_no_others() {
        let began = std::time::Instant::now();
        let now = || began.elapsed().as_secs_f64() * 1e3;
        let small = Probe {
            rows: [8, 16, 32],
            size: 32,
            map: [4, 8],
            scores: [1, 8, 8, 32],
            enough: 1.0,
        };
        let measured = |device: &Device| pollster::block_on(measure_with(&small, device, &now));
        let [flex, wgpu] = golden::devices().map(|(_, device)| measured(&device));
        assert_eq!(flex, None);
        let Choice(ways) = wgpu.expect("a graphics device");
        assert!(ways.iter().zip(CANDIDATES).all(|(way, among)| among.contains(way)));
    }
}
