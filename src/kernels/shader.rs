//! A shader of `shaders/` with its sizes filled in, and its launch.
//!
//! Shader compilers keep arrays with computed indices in memory: on the software adapter a tile of sums in an array takes four
//! times as long as the same in variables. So the files may repeat lines, which WGSL itself cannot:
//!
//! ```text
//! #for p PIXELS          the lines up to its #end once for every p from 0 below PIXELS
//! let x${p} = ..;        ${..} is a sum of products of counters, constants and numbers
//! #end
//! #if BIAS               the lines up to its #end unless BIAS is 0
//! #sizes                 a uniform `sizes` with the names and values that may differ from launch to launch
//! ```
//!
//! Whatever a shader does not unroll by is a size and no constant: compiling it again for every shape of an image took longer
//! than drawing the image.

use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::cubecl::prelude::{CubeCount, KernelId};
use burn_cubecl::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn_cubecl::cubecl::{CubeDim, Device};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::template::{KernelSource, SourceKernel, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether workgroups have memory of their own; software adapters only imitate it, at a cost.
static STAGED: AtomicBool = AtomicBool::new(false);

/// Tells the kernels that this process computes on a card with memory in its workgroups.
pub fn set_staged(yes: bool) {
    STAGED.store(yes, Ordering::Relaxed);
}

/// Whether tiles pay that are staged in the memory of a workgroup.
pub fn staged() -> bool {
    STAGED.load(Ordering::Relaxed)
}

/// Invocations of a workgroup that sums up together, which on a card are `on_card`. A software adapter runs a workgroup on one thread
/// and stops at every barrier: there it is as many as that computes at once.
pub fn summing(on_card: u32) -> u32 {
    if staged() { on_card } else { on_card.min(4) }
}

/// Whether graphics devices run the shaders at all.
static IN_USE: AtomicBool = AtomicBool::new(true);

/// Has graphics devices run the twins from now on instead of the shaders, or the shaders again: for measuring one against the
/// other. It holds for the whole process.
pub fn use_shaders(on: bool) {
    IN_USE.store(on, Ordering::Relaxed);
}

/// What [`use_shaders`] said last.
pub fn in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// Names and values that a shader is written for.
pub type Constants = Vec<(&'static str, usize)>;

/// One launch of a shader.
pub struct Shader {
    pub name: &'static str,
    pub source: &'static str,
    /// Compiled in.
    pub constants: Constants,
    /// In a uniform behind the buffers.
    pub sizes: Constants,
    /// Invocations of a workgroup, along its first axis.
    pub lanes: u32,
}

impl Shader {
    /// Runs `groups` workgroups on `buffers`, in the order of their bindings.
    pub fn launch(self, groups: [usize; 3], buffers: &[&CubeTensor]) {
        debug_assert!(
            (1..buffers.len()).all(|i| buffers[..i].iter().all(|other| !overlap(buffers[i], other))),
            "{}: WebGPU refuses buffers that overlap, as each could be written",
            self.name
        );
        let [x, y, z] = groups.map(|count| count as u32);
        let lanes = self.lanes;
        let sizes: Vec<u64> = self.sizes.iter().map(|&(_, size)| size as u64).collect();
        // 32 bits each, and the whole a multiple of 16 bytes.
        let packed = sizes.chunks(4).flat_map(|four| {
            let size = |i: usize| four.get(i).copied().unwrap_or(0);
            [size(0) | size(1) << 32, size(2) | size(3) << 32]
        });
        let arguments = KernelArguments::new().with_info(MetadataBindingInfo::custom(packed.collect()));
        let arguments = buffers.iter().fold(arguments, |arguments, buffer| {
            arguments.with_buffer(buffer.handle.clone().binding())
        });
        let source = Source {
            shader: self,
            buffers: buffers.len(),
        };
        let kernel = SourceKernel::new(source, CubeDim::new_1d(lanes));
        buffers[0]
            .client
            .launch(Box::new(kernel), CubeCount::Static(x, y, z), arguments);
    }
}

/// Whether two tensors have bytes in common.
fn overlap(one: &CubeTensor, other: &CubeTensor) -> bool {
    let bytes = |x: &CubeTensor| {
        let start = x.handle.offset_start.unwrap_or(0);
        (start, start + x.handle.size_in_used())
    };
    let ((start, end), (from, to)) = (bytes(one), bytes(other));
    let (memory, lent) = (&one.handle.memory, &other.handle.memory);
    std::ptr::eq(memory.descriptor(), lent.descriptor()) && start < to && from < end
}

/// What is compiled: once for all sizes.
struct Source {
    shader: Shader,
    buffers: usize,
}

impl KernelSource for Source {
    fn source(&self) -> SourceTemplate {
        let Shader {
            source,
            constants,
            sizes,
            lanes,
            ..
        } = &self.shader;
        let mut constants = constants.clone();
        constants.push(("LANES", *lanes as usize));
        let fields: String = sizes.iter().map(|(name, _)| format!("{name}: u32, ")).collect();
        let sizes = format!(
            "struct Sizes {{ {fields}}}\n@group(0) @binding({}) var<uniform> sizes: Sizes;",
            self.buffers
        );
        SourceTemplate::new(expand(&source.replace("#sizes", &sizes), &constants))
    }

    fn id(&self) -> KernelId {
        let Shader {
            name, constants, lanes, ..
        } = &self.shader;
        KernelId::new::<Self>().info((*name, constants.clone(), *lanes, self.buffers))
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// What a shader can read: 32-bit numbers without gaps on a graphics device and outside of autodiff.
pub fn on_graphics<const D: usize>(x: &Tensor<D>) -> Option<CubeTensor> {
    in_use().then(|| always_on_graphics(x)).flatten()
}

/// As [`on_graphics`], but turned or cut out of another tensor as it may be.
pub fn view_on_graphics<const D: usize>(x: &Tensor<D>) -> Option<CubeTensor> {
    in_use().then(|| numbers(x)).flatten()
}

/// As [`on_graphics`], whatever [`use_shaders`] said, for what burn's operations cannot read.
pub fn always_on_graphics<const D: usize>(x: &Tensor<D>) -> Option<CubeTensor> {
    numbers(x).map(into_contiguous)
}

fn numbers<const D: usize>(x: &Tensor<D>) -> Option<CubeTensor> {
    let x = x.clone().try_into_primitive::<Cube>().ok()?;
    fits(&x).then_some(x)
}

/// Whether it is numbers of 32 bits on a graphics device.
pub fn fits(x: &CubeTensor) -> bool {
    matches!(x.device, Device::Wgpu(_)) && x.dtype == DType::F32
}

/// As [`always_on_graphics`] for whole numbers of 32 bits.
pub fn ints_on_graphics<const D: usize>(x: &Tensor<D, Int>) -> Option<CubeTensor> {
    let x = x.clone().try_into_primitive::<Cube>().ok()?;
    let fits = matches!(x.device, Device::Wgpu(_)) && matches!(x.dtype, DType::I32 | DType::U32);
    fits.then(|| into_contiguous(x))
}

/// Room for `shape` where `like` is.
pub fn room(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    room_of(like, shape, DType::F32)
}

/// As [`room`], for numbers of 32 bits of another kind.
pub fn room_of(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    let shape = shape.into();
    let handle = like.client.empty(shape.num_elements() * dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, dtype)
}

/// The constant as which a shader takes a float: its bits.
pub fn bits(value: f64) -> usize {
    (value as f32).to_bits() as usize
}

/// The WGSL of a file of `shaders/`.
///
/// # Panics
/// On an unknown name or a missing `#end`. Both would be in a file of this crate, and every kernel's test runs it.
fn expand(source: &str, constants: &[(&'static str, usize)]) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut names: Vec<(String, usize)> = constants
        .iter()
        .map(|&(name, value)| (name.to_string(), value))
        .collect();
    let mut out = String::new();
    repeat(&lines, &mut names, &mut out);
    out
}

fn repeat(lines: &[&str], names: &mut Vec<(String, usize)>, out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["#for", counter, count] => {
                let end = end_of(lines, at);
                for i in 0..value(count, names) {
                    names.push((counter.to_string(), i));
                    repeat(&lines[at + 1..end], names, out);
                    names.pop();
                }
                at = end;
            }
            ["#if", condition] => {
                let end = end_of(lines, at);
                if value(condition, names) != 0 {
                    repeat(&lines[at + 1..end], names, out);
                }
                at = end;
            }
            _ => {
                fill(line, names, out);
                out.push('\n');
            }
        }
        at += 1;
    }
}

/// The line of the `#end` that belongs to the block begun at line `start`.
fn end_of(lines: &[&str], start: usize) -> usize {
    let mut depth = 0;
    for (number, line) in lines.iter().enumerate().skip(start) {
        let line = line.trim();
        if line.starts_with("#for ") || line.starts_with("#if ") {
            depth += 1;
        } else if line == "#end" {
            depth -= 1;
            if depth == 0 {
                return number;
            }
        }
    }
    panic!("a block of a shader has no #end: {}", lines[start]);
}

/// Copies a line with every `${..}` replaced.
fn fill(line: &str, names: &[(String, usize)], out: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        let (expression, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&value(expression, names).to_string());
        rest = after;
    }
    out.push_str(rest);
}

/// A sum of products such as `2*p+1`.
fn value(expression: &str, names: &[(String, usize)]) -> usize {
    let factor = |text: &str| {
        let text = text.trim();
        text.parse().unwrap_or_else(|_| {
            let found = names.iter().rev().find(|(name, _)| name == text);
            found
                .unwrap_or_else(|| panic!("a shader asks for an unknown `{text}`"))
                .1
        })
    };
    let product = |text: &str| text.split('*').map(factor).product::<usize>();
    expression.split('+').map(product).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_repeated_and_filled() {
        let source = "a ${N}\n#for i N\n#for j 2\nx${i}_${j} = y${2*i+j}\n#end\n#if ON\nz${i}\n#end\n#end\nb";
        let expected = "a 2\nx0_0 = y0\nx0_1 = y1\nz0\nx1_0 = y2\nx1_1 = y3\nz1\nb\n";
        assert_eq!(expand(source, &[("N", 2), ("ON", 1)]), expected);
        let without = expand(source, &[("N", 1), ("ON", 0)]);
        assert_eq!(without, "a 1\nx0_0 = y0\nx0_1 = y1\nb\n");
    }

    #[test]
    #[should_panic(expected = "unknown `M`")]
    fn unknown_names_are_no_text() {
        expand("${M}", &[("N", 2)]);
    }
}
