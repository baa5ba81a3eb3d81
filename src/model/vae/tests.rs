use super::*;
use crate::golden::{self, Case};
use crate::model::quantizer::Quantizer;
use crate::model::resize::Resize;
use crate::model::schedule::Grid;
use crate::weights::{Tensors, load_module, parameter_shapes};
use burn::module::Param;
use burn::tensor::TensorData;
use std::path::Path;

fn config(case: &Case) -> VaeConfig {
    VaeConfig {
        codebook_dim: case.get("codebook_dim"),
        base_ch: case.get("base_ch"),
        ch_mult: case.get("ch_mult"),
        num_res_blocks: case.get("num_res_blocks"),
        patch_size: case.get("patch_size"),
        stem_patch: 1,
        norm_groups: 32,
        encoder: None,
    }
}

/// An official checkpoint's tensors without the inner `.conv` and `.norm`; the layer inside `downsample` and `upsample`
/// keeps its own name.
pub fn official(path: &Path) -> Tensors {
    let short = |name: String| {
        let mut parts: Vec<&str> = name.split('.').collect();
        if let [.., parent, "conv" | "norm", _] = parts[..]
            && !matches!(parent, "downsample" | "upsample")
        {
            parts.remove(parts.len() - 2);
        }
        parts.join(".")
    };
    let stored = golden::read_tensors(path);
    stored.into_iter().map(|(name, data)| (short(name), data)).collect()
}

/// Made-up values in [-1, 1), the same on every machine.
fn noise(shape: impl Into<Vec<usize>>, seed: usize) -> TensorData {
    let shape = shape.into();
    let value = |i: usize| {
        let hash = ((i + seed * 7919) as u32 ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
        let hash = (hash ^ (hash >> 15)).wrapping_mul(0xc2b2_ae35);
        (hash >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    TensorData::new(values, shape)
}

/// A module with made-up weights that keep activations near one.
fn filled<M: Module>(module: M) -> M {
    let shapes = parameter_shapes(&module, str::to_string);
    let fill = |(i, (name, shape)): (usize, (String, Vec<usize>))| {
        let fan_in: usize = shape.iter().skip(1).product();
        let (offset, scale) = match name.contains("norm") && name.ends_with("weight") {
            true => (1.0, 0.3),
            false => (0.0, 1.7 / (fan_in as f32).sqrt()),
        };
        let values: Vec<f32> = noise(shape.clone(), i).try_to_vec().unwrap();
        let values: Vec<f32> = values.iter().map(|v| offset + scale * v).collect();
        (name, TensorData::new(values, shape))
    };
    let mut tensors = shapes.into_iter().enumerate().map(fill).collect();
    load_module(module, &mut tensors, str::to_string).unwrap()
}

fn small() -> VaeConfig {
    VaeConfig {
        codebook_dim: 6,
        base_ch: 8,
        ch_mult: vec![1, 2],
        num_res_blocks: 1,
        patch_size: 4,
        stem_patch: 2,
        norm_groups: 32,
        encoder: None,
    }
}

golden::test_per_device!(golden_round_trips: golden_round_trips_flex, golden_round_trips_wgpu);

fn golden_round_trips(name: &str, device: &Device) {
    for case in golden::cases("vae_roundtrip") {
        let mut tensors = official(&case.path("vae_weights"));
        let vae = load_module(Vae::new(&config(&case), device).unwrap(), &mut tensors, str::to_string).unwrap();
        let unused: Vec<&String> = tensors.keys().filter(|name| !name.ends_with("lfq.mask")).collect();
        assert!(unused.is_empty(), "{}: no place for {unused:?}", case.name);

        let check = |part: &str, stage: &str, x: &Tensor<4>| {
            let stored = format!("dbg.{part}.{stage}");
            if case.has(&stored) {
                let channels = case.data(&stored).shape()[1];
                let [b, _, h, w] = x.dims();
                case.check(name, &stored, x.clone().slice([0..b, 0..channels, 0..h, 0..w]));
            }
        };
        let mut seen = 0;
        let image = case.float("image", device);
        let features = vae.encoder.forward_observed(image, &mut |stage, x| {
            seen += case.has(&format!("dbg.enc.{stage}")) as usize;
            check("enc", stage, x);
        });
        case.check(name, "features", features.clone());

        let grids: Vec<Grid> = case.get("schedule_latent");
        let pyramid = Quantizer::default().encode(features, &grids);
        for (k, bits) in pyramid.bits.iter().enumerate() {
            case.check_int(name, &format!("bits.{k}"), bits.clone());
        }
        case.check(name, "z", pyramid.last());
        let sums = Quantizer::default().decode(&pyramid.bits, *grids.last().unwrap());
        case.check(name, "recon_from_bits", vae.decode(sums.last().unwrap().clone()));

        let random = case.float("z_random", device);
        case.check(name, "recon_of_z_random", vae.decode(random));
        let sum = case.float("z", device);
        let image = vae.decoder.forward_observed(sum, &mut |stage, x| {
            seen += case.has(&format!("dbg.dec.{stage}")) as usize;
            check("dec", stage, x);
        });
        case.check(name, "decoder_out_unclamped", image.clone());
        case.check(name, "recon", image.clamp(-1.0, 1.0));
        assert_eq!(
            seen,
            case.names("dbg.").len(),
            "{}: a stored stage was not seen",
            case.name
        );
    }
}

#[test]
fn the_decoder_loads_alone() {
    // One case is enough; with INFINITY_CASE there may be none.
    for case in golden::cases("vae_roundtrip").iter().take(1) {
        let device = Device::flex();
        let mut tensors = official(&case.path("vae_weights"));
        tensors.retain(|name, _| name.starts_with("decoder."));
        let decoder = Decoder::new(&config(case), &device).unwrap();
        let decoder = load_module(decoder, &mut tensors, |path| format!("decoder.{path}")).unwrap();
        assert!(tensors.is_empty());
        case.check(
            "flex",
            "recon_of_z_random",
            decoder.decode(case.float("z_random", &device)),
        );
    }
}

#[test]
fn a_stem_patch_replaces_levels() {
    for (_, device) in golden::devices() {
        let vae = filled(Vae::new(&small(), &device).unwrap());
        let image = Tensor::<4>::from_data(noise([2, 3, 8, 12], 100), &device);
        let features = vae.encode(image.clone());
        assert_eq!(features.dims(), [2, 6, 2, 3]);
        assert_eq!(vae.decode(features.clone()).dims(), [2, 3, 8, 12]);

        // The stem is space-to-depth in front of an official encoder whose first convolution has 3 s^2 inputs.
        let mut plain = vae.encoder.clone();
        plain.stem_patch = 1;
        let expected = plain.forward(space_to_depth(image, 2)).into_data();
        let found: Vec<f32> = features.into_data().try_to_vec().unwrap();
        assert_eq!(found, expected.try_to_vec::<f32>().unwrap());
    }
}

/// The derivative along a direction in image and one kernel, by backpropagation and by central differences.
#[test]
fn gradients_match_finite_differences() {
    for (name, device) in golden::devices() {
        let device = device.autodiff();
        let vae = filled(Vae::new(&small(), &device).unwrap());
        let noise = |shape: [usize; 4], seed| Tensor::<4>::from_data(noise(shape, seed), &device);
        let (image, image_way) = (noise([1, 3, 8, 8], 100), noise([1, 3, 8, 8], 101));
        let kernel_way = noise([8, 8, 3, 3], 102);
        let probe = noise([1, 3, 8, 8], 103);
        let loss = |vae: &Vae, image| (vae.decode_unclamped(vae.encode(image)) * probe.clone()).sum();

        let value = |step: f64| -> f64 {
            let mut vae = vae.clone();
            let kernel = &mut vae.encoder.down[0].downsample.as_mut().unwrap().conv.weight;
            *kernel = Param::from_tensor((kernel.val() + kernel_way.clone() * step).detach());
            let moved = image.clone() + image_way.clone() * step;
            loss(&vae, moved).detach().into_scalar::<f32>().into()
        };
        let step = 2e-3;
        let expected = (value(step) - value(-step)) / (2.0 * step);

        let image = image.require_grad();
        let gradients = loss(&vae, image.clone()).backward();
        let kernel = vae.encoder.down[0].downsample.as_ref().unwrap().conv.weight.val();
        let along = |leaf: &Tensor<4>, way: &Tensor<4>| -> f64 {
            let gradient = leaf.grad(&gradients).unwrap();
            (gradient * way.clone().without_autodiff())
                .sum()
                .into_scalar::<f32>()
                .into()
        };
        let found = along(&image, &image_way) + along(&kernel, &kernel_way);
        let error = (found - expected).abs() / expected.abs();
        assert!(error < 1e-2, "{name}: backward {found}, differences {expected}");
    }
}

#[test]
fn impossible_configurations_are_refused() {
    let broken: [fn(&mut VaeConfig); 6] = [
        |c| c.ch_mult.clear(),
        |c| c.ch_mult.truncate(1),
        |c| c.patch_size = 12,
        |c| c.stem_patch = 8,
        |c| c.base_ch = 0,
        |c| c.num_res_blocks = usize::MAX,
    ];
    for spoil in broken {
        let mut config = small();
        spoil(&mut config);
        let error = Vae::new(&config, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("configuration"), "{error}");
    }
    Vae::new(&small(), &Device::flex()).unwrap();
}

/// Strips so narrow that every level but the first is cut, against the whole, for a shape that they do not divide.
#[test]
fn a_picture_in_strips_is_the_whole_picture() {
    let config = VaeConfig {
        codebook_dim: 6,
        base_ch: 8,
        ch_mult: vec![1, 2, 2],
        num_res_blocks: 1,
        patch_size: 4,
        stem_patch: 1,
        norm_groups: 4,
        encoder: None,
    };
    for (name, device) in golden::devices() {
        let decoder = filled(Decoder::new(&config, &device).unwrap());
        let sum = Tensor::<4>::from_data(noise([2, 6, 7, 5], 3), &device);
        let whole = decoder.forward(sum.clone()).into_data();
        assert_eq!(decoder.largest_map(&sum), 2 * 16 * 28 * 20 * 4);
        for most in [1 << 13, 1 << 15, 1 << 20] {
            let strips = decoder.forward_in_strips(sum.clone(), most).into_data();
            assert_eq!(strips.shape(), whole.shape(), "{name}");
            let off = strips.iter::<f32>().zip(whole.iter::<f32>());
            let worst = off.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst < 2e-5, "{name}, {most} bytes a map: {worst}");
        }
    }
}

#[test]
fn a_coarse_picture_is_that_of_the_shrunk_sum_enlarged() {
    for (name, device) in golden::devices() {
        let decoder = filled(Decoder::new(&small(), &device).unwrap());
        let sum = Tensor::<4>::from_data(noise([1, 6, 8, 10], 5), &device);
        // 6 of 8 rows for 6, and as large a share of the columns.
        let shrunk = Resize::Area.apply(sum.clone(), (6, 8));
        let expected = Resize::Bilinear.apply(decoder.decode(shrunk), (32, 40)).into_data();
        let found = decoder.decode_coarse(sum.clone(), (6, 6)).into_data();
        assert_eq!(found.shape(), expected.shape(), "{name}");
        let off = found.iter::<f32>().zip(expected.iter::<f32>());
        let worst = off.fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-5, "{name}: {worst}");
        let last = decoder.decode_coarse(sum.clone(), (8, 10)).into_data();
        assert_eq!(last, decoder.decode(sum).into_data(), "{name}: the last scale is whole");
    }
}

#[test]
fn an_encoder_may_be_wider_than_the_decoder() {
    let device = Device::flex();
    let config = VaeConfig {
        encoder: Some(EncoderConfig {
            base_ch: 24,
            ch_mult: small().ch_mult,
            num_res_blocks: 2,
        }),
        ..small()
    };
    let vae = Vae::new(&config, &device).unwrap();
    assert_eq!(vae.encoder.conv_in.weight.dims()[0], 24);
    assert_eq!(vae.encoder.down[0].block.len(), 2);
    assert_eq!(
        vae.decoder.num_params(),
        Vae::new(&small(), &device).unwrap().decoder.num_params()
    );
    let side = config.patch_size;
    let features = vae.encode(Tensor::zeros([1, 3, 2 * side, side], &device));
    assert_eq!(features.dims(), [1, config.codebook_dim, 2, 1]);
    // A manifest without an encoder of its own is written as before, and one with it is read again.
    assert!(!serde_json::to_string(&small()).unwrap().contains("encoder"));
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<VaeConfig>(&text).unwrap(), config);
    let wrong = EncoderConfig {
        base_ch: 24,
        ch_mult: vec![1; 9],
        num_res_blocks: 2,
    };
    let wrong = VaeConfig {
        encoder: Some(wrong),
        ..small()
    };
    assert!(matches!(Vae::new(&wrong, &device), Err(ModelError::Config(_))));
}
