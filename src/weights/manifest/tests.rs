use super::*;
use serde_json::{Value, json};

pub fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn valid() -> Value {
    json!({
        "format": FORMAT,
        "name": "tiny",
        "licence": "MIT",
        "transformer": {
            "embed_dim": 64, "depth": 4, "num_heads": 4, "block_chunks": 2, "ffn_hidden": 256,
            "text_dim": 128, "text_maxlen": 8, "bits": 16
        },
        "vae": {"codebook_dim": 16, "base_ch": 32, "ch_mult": [1, 2, 2], "num_res_blocks": 1, "patch_size": 4},
        "text_encoder": {
            "vocab_size": 3, "d_model": 128, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2
        },
        "tokenizer": {"file": "tokenizer.json", "bytes": 10, "sha256": hash('a')},
        "vocabulary": [0, 1, 7],
        "scales": 5,
        "sampling": {"cfg": [4.0], "tau": [1.0, 1.0, 1.0, 0.5, 0.5], "top_p": 0.97},
        "shards": [
            {"file": "w-1.safetensors", "bytes": 200, "sha256": hash('1'), "tensors": {
                "transformer.pos_start": {"dtype": "F32", "shape": [1, 1, 4], "range": [100, 116]},
                "vae.x": {"dtype": "BF16", "shape": [2], "range": [116, 120]}
            }},
            {"file": "w-2.safetensors", "bytes": 80, "sha256": hash('2'), "tensors": {
                "text_encoder.shared.weight": {"dtype": "F16", "shape": [3], "range": [70, 76]}
            }}
        ]
    })
}

fn parse(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(&serde_json::to_vec(value).unwrap())
}

/// The complaint about a valid manifest in which one place is set to another value.
fn complaint(pointer: &str, value: Value) -> String {
    let mut manifest = valid();
    match manifest.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            manifest.pointer_mut(parent).unwrap()[key] = value;
        }
    }
    parse(&manifest).unwrap_err().to_string()
}

#[test]
fn reads_back_what_it_writes() {
    let manifest = parse(&valid()).unwrap();
    assert_eq!(manifest.total_bytes(), 280);
    assert_eq!(Manifest::parse(&manifest.to_json().unwrap()).unwrap(), manifest);
    let mut least = valid();
    for key in ["vae", "text_encoder", "tokenizer", "vocabulary", "sampling"] {
        least.as_object_mut().unwrap().remove(key);
    }
    least["shards"].as_array_mut().unwrap().pop();
    least["shards"][0]["tensors"].as_object_mut().unwrap().remove("vae.x");
    let least = parse(&least).unwrap();
    assert_eq!(least.sampling, Sampling::default());
    let json = String::from_utf8(least.to_json().unwrap()).unwrap();
    assert!(!json.contains("vocabulary") && !json.contains("null"), "{json}");
}

#[test]
fn refuses_other_formats_and_unknown_fields() {
    let later = complaint("/format", json!("infinity-manifest/2"));
    assert!(
        later.contains("`infinity-manifest/2`") && later.contains("update"),
        "{later}"
    );
    assert!(complaint("/colour", json!(1)).contains("colour"));
    assert!(complaint("/shards/0/colour", json!(1)).contains("colour"));
    assert!(Manifest::parse(b"{").unwrap_err().to_string().contains("JSON"));
}

#[test]
fn refuses_networks_that_do_not_fit() {
    let vae = complaint("/vae/codebook_dim", json!(32));
    assert!(
        vae.contains("32 channels") && vae.contains("16 bits") && vae.contains("take the VAE"),
        "{vae}"
    );
    let patchify = complaint("/transformer/patchify", json!(true));
    assert!(patchify.contains("needs 64"), "{patchify}");
    let text = complaint("/transformer/text_dim", json!(256));
    assert!(text.contains("128 wide") && text.contains("expects 256"), "{text}");
    let mut fits = valid();
    fits["transformer"]["patchify"] = json!(true);
    fits["vae"]["codebook_dim"] = json!(4);
    assert!(parse(&fits).is_ok());
}

#[test]
fn refuses_absurd_sizes() {
    for (pointer, value, expected) in [
        ("/transformer/embed_dim", json!(0), "embed_dim is 0"),
        ("/transformer/embed_dim", json!(1u64 << 40), "embed_dim"),
        ("/transformer/embed_dim", json!(72), "4 x num_heads"),
        ("/transformer/depth", json!(5), "block_chunks divides"),
        ("/transformer/norm_eps", json!(1.0), "norm_eps"),
        ("/transformer/bits", json!(100_000), "bits"),
        ("/vae/ch_mult", json!([]), "ch_mult"),
        ("/vae/ch_mult", json!([1, 0, 1]), "ch_mult"),
        ("/vae/patch_size", json!(6), "power of two"),
        ("/vae/patch_size", json!(8), "halved once per level"),
        ("/vae/stem_patch", json!(8), "stem_patch"),
        ("/text_encoder/num_heads", json!(0), "num_heads"),
        ("/scales", json!(14), "scales is 14"),
        ("/scales", json!(4), "sampling.tau is a list of 5"),
        ("/sampling/top_p", json!(0.0), "top_p"),
        ("/sampling/tau/0", json!(0.0), "tau"),
        ("/sampling/cfg/0", json!(-1.0), "cfg"),
        ("/vocabulary", json!([0, 1]), "2 token ids for a table of 3"),
        ("/vocabulary", json!([0, 1, 1]), "token id 1 twice"),
    ] {
        let message = complaint(pointer, value);
        assert!(message.contains(expected), "{pointer}: {message}");
    }
}

#[test]
fn refuses_bad_shards() {
    let tensor = |begin: u64, end: u64, shape: Value| json!({"dtype": "F32", "shape": shape, "range": [begin, end]});
    let start = "/shards/0/tensors/transformer.pos_start";
    for (pointer, value, expected) in [
        (start, tensor(100, 116, json!([5])), "do not make the length"),
        (start, tensor(116, 100, json!([4])), "do not make the length"),
        (
            start,
            tensor(100, 116, json!([1u64 << 32, 1u64 << 32, 4])),
            "do not make the length",
        ),
        (start, tensor(192, 208, json!([4])), "ends behind the shard"),
        (start, tensor(0, 16, json!([4])), "bytes of the header"),
        (start, tensor(104, 120, json!([4])), "another tensor"),
        ("/shards/0/bytes", json!((64u64 << 20) + 1), "over the limit"),
        ("/shards/1/bytes", json!((1u64 << 30) + 1), "over the limit"),
        ("/shards/0/sha256", json!("12"), "SHA-256"),
        ("/shards/0/sha256", json!(hash('A')), "SHA-256"),
        (
            "/shards/1/file",
            json!("w-1.safetensors"),
            "file `w-1.safetensors` is listed twice",
        ),
        ("/shards/1/file", json!("tokenizer.json"), "listed twice"),
        ("/shards/1/file", json!("manifest.json"), "listed twice"),
        (
            "/shards/1/tensors/vae.x",
            tensor(76, 80, json!([1])),
            "tensor `vae.x` is listed twice",
        ),
        (
            "/shards/1/tensors/head.weight",
            tensor(76, 80, json!([1])),
            "no network",
        ),
        ("/shards/1", Value::Null, "JSON"),
    ] {
        let message = complaint(pointer, value);
        assert!(message.contains(expected), "{pointer}: {message}");
    }
    let mut one_large = valid();
    one_large["shards"][1]["bytes"] = json!(200u64 << 20);
    assert!(parse(&one_large).is_ok());
    let mut lacking = valid();
    lacking["shards"].as_array_mut().unwrap().pop();
    assert!(parse(&lacking).unwrap_err().to_string().contains("no tensors of it"));
    let twice = serde_json::to_string(&valid()).unwrap();
    let twice = twice.replace("\"vae.x\":", "\"transformer.pos_start\":");
    assert!(
        Manifest::parse(twice.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("listed twice")
    );
}

#[test]
fn refuses_names_that_leave_the_folder() {
    for name in [
        "",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc/passwd",
        ".hidden",
        "c:x",
        "a b",
        "a\0",
    ] {
        for pointer in ["/shards/0/file", "/tokenizer/file"] {
            assert!(complaint(pointer, json!(name)).contains("plain file name"), "{name}");
        }
    }
}

#[test]
fn a_baseline_is_a_file_here_or_one_folder_down() {
    for path in ["twin/manifest.json", "teacher-forcing.json"] {
        let mut manifest = valid();
        manifest["twin"] = json!(path);
        let found = parse(&manifest).unwrap();
        assert_eq!(found.baseline.as_deref(), Some(path));
        let written: Value = serde_json::from_slice(&found.to_json().unwrap()).unwrap();
        assert_eq!(written["twin"], path);
        let mut renamed = valid();
        renamed["baseline"] = json!(path);
        assert_eq!(parse(&renamed).unwrap(), found);
    }
    for path in [
        "",
        "manifest.json",
        "../manifest.json",
        "./manifest.json",
        "/twin/manifest.json",
        "a/b/manifest.json",
        "twin/",
        "https://elsewhere/manifest.json",
        "twin\\manifest.json",
    ] {
        assert!(
            complaint("/twin", json!(path)).contains("a baseline's manifest"),
            "{path}"
        );
    }
}
