//! The model that the page ships, as it lies in models/default: what a visitor downloads of it.

use infinity::weights::directory::{load_manifest, read_shard};
use infinity::weights::manifest::{FloatType, Manifest};
use std::path::{Path, PathBuf};

const SHARD: u64 = 4 << 20;
const ALL: u64 = 40_000_000;

fn folders() -> [PathBuf; 2] {
    ["models/default", "models/default/twin"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

#[test]
fn it_ships_in_small_half_precision_shards() {
    let mut total = 0;
    for folder in folders() {
        let manifest = load_manifest(&folder).unwrap();
        for shard in &manifest.shards {
            assert!(shard.bytes <= SHARD, "{}: {} bytes", shard.file, shard.bytes);
            // Its bytes are those that the manifest tells.
            read_shard(&folder, shard).unwrap();
            for (name, tensor) in &shard.tensors {
                assert_eq!(tensor.dtype, FloatType::F16, "{name}");
            }
        }
        total += manifest.total_bytes() + manifest.tokenizer.as_ref().map_or(0, |file| file.bytes);
    }
    assert!(total <= ALL, "{total} bytes");
}

#[test]
fn its_baseline_has_only_what_is_its_own() {
    let [model, baseline] = folders().map(|folder| load_manifest(&folder).unwrap());
    assert_eq!(model.baseline.as_deref(), Some("twin/manifest.json"));
    assert!(model.vae.is_some() && model.tokenizer.is_some());
    assert!(baseline.vae.is_none() && baseline.tokenizer.is_none() && baseline.baseline.is_none());
    let sizes = |manifest: &Manifest| (manifest.transformer.clone(), manifest.text_encoder.clone());
    assert_eq!(sizes(&model), sizes(&baseline));
    assert_eq!(
        (model.scales, &model.vocabulary),
        (baseline.scales, &baseline.vocabulary)
    );
}
