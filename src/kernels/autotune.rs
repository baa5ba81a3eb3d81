//! Autotune: which kernel variant of every op is the quickest on this GPU. Measured once, known for software adapters.
//!
//! What was measured is kept as text under the GPU's name (by the page, www/engine/worker/tuning.js). The text begins
//! with a version that follows from the candidates, so that a GPU is measured again when a variant is added, removed or
//! renamed.

use super::attention::{AttentionBias, AttentionVariant, attention_with};
use super::convolution::{ConvolutionVariant, Fused, convolution_with};
use super::matmul::{Epilogue, LinearVariant, RowCount, linear_with};
use super::runtime::{NoKernel, Variant, gpu_f32};
use burn::tensor::{Device, Distribution, Tensor};

/// Grows with every change of what is measured, or of the text, that the candidates' names do not show.
const FORMAT: u32 = 2;
/// The text that stands for [`Tuning::SOFTWARE`].
const SOFTWARE: &str = "software";

/// The variant of every op: of the linear layer for each [`RowCount`], of the convolution and of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    linear: [LinearVariant; 3],
    convolution: ConvolutionVariant,
    attention: AttentionVariant,
}

/// What is measured.
struct Probe {
    /// Rows of a linear layer of each [`RowCount`], and its other sizes.
    rows: [usize; 3],
    size: usize,
    /// Channels, and positions a side, of a convolution.
    map: [usize; 2],
    /// Heads, queries, keys and width of a head of attention.
    heads: [usize; 4],
    /// Milliseconds after which a variant has been measured long enough.
    enough: f64,
}

const PROBE: Probe = Probe {
    rows: [8, 128, 2048],
    size: 768,
    map: [128, 64],
    heads: [8, 256, 521, 64],
    enough: 20.0,
};
/// How often a variant is launched at most.
const MOST_LAUNCHES: usize = 256;

impl Tuning {
    pub const SOFTWARE: Self = Self {
        linear: [LinearVariant::ON_SOFTWARE; 3],
        convolution: ConvolutionVariant::ON_SOFTWARE,
        attention: AttentionVariant::ON_SOFTWARE,
    };

    /// What is in use.
    pub fn current() -> Self {
        Self {
            linear: LinearVariant::all_chosen(),
            convolution: ConvolutionVariant::chosen(),
            attention: AttentionVariant::chosen(),
        }
    }

    /// Uses these variants from now on.
    pub fn apply(self) {
        LinearVariant::choose(self.linear);
        self.convolution.choose();
        self.attention.choose();
    }

    /// As text, to be kept under the GPU's name: the version, then the variants by name.
    pub fn describe(self) -> String {
        let mut names: Vec<&str> = self.linear.iter().map(|variant| variant.name()).collect();
        names.extend([self.convolution.name(), self.attention.name()]);
        format!("{}:{}", version(), names.join(","))
    }

    /// What [`describe`](Self::describe) wrote, or `software`. None if the text is of other candidates, or damaged: then the GPU is
    /// to be measured again.
    pub fn parse(text: &str) -> Option<Self> {
        if text == SOFTWARE {
            return Some(Self::SOFTWARE);
        }
        let names = text.strip_prefix(&version())?.strip_prefix(':')?;
        let names: [&str; 5] = names.split(',').collect::<Vec<_>>().try_into().ok()?;
        let [few, some, many, convolution, attention] = names;
        let linear = |name| LinearVariant::named(name).ok();
        Some(Self {
            linear: [linear(few)?, linear(some)?, linear(many)?],
            convolution: ConvolutionVariant::named(convolution).ok()?,
            attention: AttentionVariant::named(attention).ok()?,
        })
    }

    /// Measures the candidates on `device`, for a second at most on a GPU; `now` says milliseconds. None off the GPU.
    pub async fn measure(device: &Device, now: &dyn Fn() -> f64) -> Option<Self> {
        measure_with(&PROBE, device, now).await
    }
}

/// The format and a hash of all candidates' names: `2-` and eight hexadecimal digits.
fn version() -> String {
    let names = |variants: Vec<&'static str>| variants.join(",");
    let mut kinds: Vec<String> = Vec::new();
    for rows in RowCount::ALL {
        kinds.push(names(LinearVariant::candidates(rows).map(Variant::name).collect()));
    }
    kinds.push(names(
        ConvolutionVariant::ALL.iter().map(|variant| variant.name()).collect(),
    ));
    kinds.push(names(AttentionVariant::candidates().map(Variant::name).collect()));
    format!("{FORMAT}-{:08x}", fnv1a(&kinds.join(";")))
}

/// The 32-bit FNV-1a hash.
fn fnv1a(text: &str) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, mix)
}

async fn measure_with(probe: &Probe, device: &Device, now: &dyn Fn() -> f64) -> Option<Tuning> {
    let (uniform, size) = (Distribution::Uniform(-1.0, 1.0), probe.size);
    let weight = Tensor::<2>::random([size; 2], uniform, device);
    gpu_f32(&weight).ok()?;
    let mut tuning = Tuning::current();
    for (best, (kind, rows)) in tuning.linear.iter_mut().zip(RowCount::ALL.into_iter().zip(probe.rows)) {
        let x = Tensor::<3>::random([1, rows, size], uniform, device);
        let run = |variant| linear_with(variant, &x, &weight, None, &Epilogue::None);
        *best = quickest(LinearVariant::candidates(kind), run, probe.enough, now).await?;
    }
    let [channels, side] = probe.map;
    let map = Tensor::<4>::random([1, channels, side, side], uniform, device);
    let kernel = Tensor::<4>::random([channels, channels, 3, 3], uniform, device);
    let run = |variant| convolution_with(variant, &map, &kernel, &Fused::default());
    tuning.convolution = quickest(ConvolutionVariant::ALL.iter().copied(), run, probe.enough, now).await?;
    let [heads, queries, keys, hd] = probe.heads;
    let q = Tensor::<3>::random([1, queries, heads * hd], uniform, device);
    let [k, v] = [0, 1].map(|_| Tensor::<4>::random([1, heads, keys, hd], uniform, device));
    let run = |variant| attention_with(variant, &q, &k, &v, AttentionBias::default(), 1.0);
    tuning.attention = quickest(AttentionVariant::candidates(), run, probe.enough, now).await?;
    Some(tuning)
}

async fn quickest<V: Variant, const D: usize>(
    candidates: impl Iterator<Item = V>,
    run: impl Fn(V) -> Result<Tensor<D>, NoKernel>,
    enough: f64,
    now: &dyn Fn() -> f64,
) -> Option<V> {
    let mut best: Option<(f64, V)> = None;
    for variant in candidates {
        let launches = |count: usize| {
            (1..count).for_each(|_| drop(run(variant)));
            run(variant).ok()
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
        if best.is_none_or(|(least, _)| each < least) {
            best = Some((each, variant));
        }
    }
    best.map(|(_, variant)| variant)
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

    fn variant<V: Variant>(name: &str) -> V {
        V::named(name).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn tuning_is_kept_as_text() {
        let tuning = Tuning {
            linear: ["gemv", "tiles", "wide-tiles"].map(variant),
            convolution: variant("registers"),
            attention: variant("split-head"),
        };
        let text = tuning.describe();
        assert_eq!(
            text,
            format!("{}:gemv,tiles,wide-tiles,registers,split-head", version())
        );
        assert_eq!(Tuning::parse(&text), Some(tuning));
        assert_eq!(Tuning::parse("software"), Some(Tuning::SOFTWARE));
        let version = version();
        for damaged in [
            format!("{version}:gemv,tiles"),
            text.replace("registers", "gemv"),
            version,
        ] {
            assert_eq!(Tuning::parse(&damaged), None, "{damaged}");
        }
    }

    #[test]
    fn tuning_of_other_candidates_is_measured_again() {
        // What was kept before tuning had a version, and what another set of candidates would leave.
        let other = Tuning::SOFTWARE.describe().replacen(&version(), "2-00000000", 1);
        for kept in ["few,tiles,wide-tiles,registers,tiles", &other] {
            assert_eq!(Tuning::parse(kept), None, "{kept}");
        }
        assert_ne!(fnv1a("registers,tiles"), fnv1a("registers,tiles,new"));
        assert_eq!(fnv1a("a"), 0xe40c_292c);
    }

    #[test]
    fn gpus_are_measured_and_no_others() {
        let began = std::time::Instant::now();
        let now = || began.elapsed().as_secs_f64() * 1e3;
        let small = Probe {
            rows: [8, 16, 32],
            size: 32,
            map: [4, 8],
            heads: [1, 8, 8, 32],
            enough: 1.0,
        };
        let measured = |device: &Device| pollster::block_on(measure_with(&small, device, &now));
        let [flex, wgpu] = golden::devices().map(|(_, device)| measured(&device));
        assert_eq!(flex, None);
        let tuning = wgpu.expect("a GPU");
        for (kind, variant) in RowCount::ALL.into_iter().zip(tuning.linear) {
            assert!(LinearVariant::candidates(kind).any(|candidate| candidate == variant));
        }
        assert!(ConvolutionVariant::ALL.contains(&tuning.convolution));
        assert!(AttentionVariant::candidates().any(|candidate| candidate == tuning.attention));
    }
}
