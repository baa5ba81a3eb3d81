//! Kernels written by hand: WGSL of `shaders/` for the GPU, and a few in Rust for the CPU engine ([`cpu`]).
//!
//! Every op has a function that model and training call. It launches a kernel where one takes the tensors, and runs the reference
//! implementation elsewhere. A test holds the two equal. Matmul, convolution and group norm have kernels for the backward pass as
//! well; under automatic differentiation the other ops run their reference.
//!
//! # Words
//!
//! | term | meaning |
//! |---|---|
//! | op | a function of tensors: a linear layer, attention, a norm |
//! | kernel | one implementation of an op: a WGSL shader and its launch |
//! | kernel variant | one of several kernels of an op, that differ in tile or workgroup memory; the quickest is measured ([`autotune`]) |
//! | reference | the op in plain tensor operations: differentiable, for every device ([`mod@reference`]) |
//! | fallback | a run of the reference for tensors on the GPU that no kernel takes; it is counted ([`runtime::fallbacks`]) |
//! | invocation, workgroup | one run of a shader's `main`; `workgroup_size` of these, which share workgroup memory |
//! | tile | the block of results that an invocation or workgroup computes from operands that it loads once |
//! | epilogue | what is computed on a result before it is stored, in the same dispatch: bias, GELU, residual |
//! | GEMV | matrix times a few vectors, limited by the bandwidth at which the matrix is read |
//! | split-K | a matmul whose sums over K are shared among workgroups and added afterwards |
//! | reduction | a sum over the invocations of a workgroup, in workgroup memory |
//! | vec4 | four neighbouring numbers, read and written as one |
//!
//! # How to add a kernel variant
//!
//! 1. A row in `ALL` of the op's variants: [`matmul::LinearVariant`], [`convolution::ConvolutionVariant`] or
//!    [`attention::AttentionVariant`]. For another tile of a body that exists, that is all: tests, `infinity bench variants`, the
//!    candidates of [`autotune`] and the version of tuning that browsers keep all derive from the row.
//! 2. For a new body its `.wgsl` in the op's folder of `shaders/`, an arm of the op's `Tile` and, beside it, its source, constants and
//!    number of workgroups. The compiler asks for each.
//! 3. Figures of `infinity bench variants` in docs/performance.md.
//!
//! A new op needs a file here with its launch, reference and test, and a shader. Launch and reference are joined by
//! [`runtime::fallbacks::or_count`].
//!
//! # Layers
//!
//! [`autotune`] stands on the ops, these on each other in the order `sampling`, `norm`, `embedding`, `attention` > `matmul` > `activation` >
//! [`cpu`] > [`mod@reference`], and all of them on [`runtime`]. Nothing here imports the model.

/// A file of `shaders/`.
macro_rules! wgsl {
    ($path:literal) => {
        $crate::kernels::runtime::Wgsl {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)),
        }
    };
}

pub mod activation;
pub mod attention;
pub mod autotune;
pub mod convolution;
pub mod cpu;
mod embedding;
mod image;
pub mod matmul;
pub mod norm;
pub mod reference;
pub mod runtime;
pub mod sampling;

pub use embedding::embedding;
pub use image::to_rgba;
pub use runtime::{set_fast_workgroup_memory, set_kernels_enabled};

/// Bytes of a storage buffer that every WebGPU device lets a shader bind.
pub const MAX_BINDING: usize = 128 << 20;

/// Small numbers without a pattern.
#[cfg(test)]
fn test_values<const D: usize>(shape: [usize; D], device: &burn::tensor::Device) -> burn::tensor::Tensor<D> {
    let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    burn::tensor::Tensor::from_data(burn::tensor::TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Calls `look` with every file below `folder`.
    fn each_file(folder: &Path, look: &mut dyn FnMut(&Path)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => each_file(&path, look),
                false => look(&path),
            }
        }
    }

    #[test]
    fn kernels_stand_below_the_rest() {
        let above = [
            "cli",
            "data",
            "engine",
            "eval",
            "model",
            "profiling",
            "train",
            "weights",
        ]
        .map(|name| format!("crate::{name}"));
        each_file(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels"),
            &mut |path| {
                let text = std::fs::read_to_string(path).unwrap();
                for module in &above {
                    assert!(!text.contains(module), "{} imports {module}", path.display());
                }
            },
        );
    }

    #[test]
    fn every_shader_is_launched_or_included() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        each_file(&root.join("src/kernels"), &mut |path| {
            sources += &std::fs::read_to_string(path).unwrap()
        });
        each_file(&root.join("shaders"), &mut |path| {
            let name = path
                .strip_prefix(root.join("shaders"))
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            assert!(sources.contains(&format!("wgsl!(\"{name}\")")), "{name}");
        });
    }
}
