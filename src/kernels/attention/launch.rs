//! The launch that attention with and without a cache share.

use super::variant::{AttentionVariant, Tile};
use crate::kernels::runtime::{NoKernel, Shader, allocate, float_bits, gpu_f32_view};
use burn::tensor::Tensor;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Widest head; an invocation holds a query and a sum of this many numbers.
const WIDEST: usize = 256;
/// Widest head of which an invocation follows several queries: of a wider one, more would not fit into registers.
const WIDEST_OF_SEVERAL: usize = 128;
/// Workgroup size, and that where invocations follow several queries.
pub(super) const WORKGROUP_SIZE: usize = 32;
const QUERIES_WORKGROUP_SIZE: usize = 8;
/// The same where several invocations share a query: the most vec4s of a query that one has, and the keys between two
/// exchanges.
const SPLIT_WORKGROUP_SIZE: usize = 64;
const SHARE: usize = 8;
const KEYS: usize = 8;

/// What is attended to: the first `kv_len` keys and values.
#[derive(Clone, Copy)]
pub(super) struct KeysValues<'a> {
    pub k: &'a CubeTensor,
    pub v: &'a CubeTensor,
    /// Whether they are pairs of f16.
    pub f16: bool,
    pub kv_len: usize,
}

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Attention<'a> {
    pub q: &'a CubeTensor,
    /// From image to image, head to head and token to token of the queries, in vec4s.
    pub q_steps: [usize; 3],
    /// `[B, H, L, hd]`.
    pub shape: [usize; 4],
    pub keys_values: KeysValues<'a>,
    pub masked: bool,
    pub biased: bool,
    /// The mask, then the bias.
    pub extras: &'a [CubeTensor],
    pub factor: f64,
}

/// Whether `hd` numbers of a head are read as vec4s and fit into registers.
pub(super) fn check_width(hd: usize) -> Result<(), NoKernel> {
    if !hd.is_multiple_of(4) {
        Err(NoKernel::Unfit("width of a head is no multiple of 4"))
    } else if hd > WIDEST {
        Err(NoKernel::Unfit("width of a head is above 256"))
    } else {
        Ok(())
    }
}

/// Keys or values with their own strides if these are whole vec4s and nothing lies between them; else a copy. What is cut out of
/// a tensor would be bound with all between its first number and its last, and WebGPU refuses keys and values that overlap.
pub(super) fn as_vec4(x: &Tensor<4>) -> Result<CubeTensor, NoKernel> {
    let x = gpu_f32_view(x)?;
    let (shape, strides) = (x.meta.shape(), x.meta.strides());
    let last: usize = (0..4).map(|axis| (shape[axis] - 1) * strides[axis]).sum();
    let dense = last + 1 == shape.num_elements();
    let fits = dense && strides[3] == 1 && strides[..3].iter().all(|stride| stride.is_multiple_of(4));
    Ok(if fits { x } else { into_contiguous(x) })
}

/// From image to image, head to head and token to token, in vec4s; two f16 are counted as one number.
fn steps(x: &CubeTensor, f16: bool) -> [usize; 3] {
    let strides = x.meta.strides();
    let vec4 = if f16 { 2 } else { 4 };
    [strides[0] / vec4, strides[1] / vec4, strides[2] / vec4]
}

pub(super) fn launch(variant: AttentionVariant, attention: &Attention) -> CubeTensor {
    let Attention { q, q_steps, shape, .. } = *attention;
    let [batch, heads, length, hd] = shape;
    let KeysValues { k, v, f16, kv_len } = attention.keys_values;
    let result = allocate(q, [batch, length, heads * hd]);
    let (k_steps, v_steps) = (steps(k, f16), steps(v, f16));
    let vec4s = hd / 4;
    let mut constants = vec![("F32", usize::from(!f16)), ("F16", usize::from(f16))];
    // Queries of a workgroup, and its size.
    let (source, queries, workgroup_size) = match variant.tile {
        Tile::SplitHead => {
            // Invocations that share a query.
            let mut parts = [1, 2, 4, 8].into_iter();
            let parts = parts.find(|parts| vec4s / parts <= SHARE && vec4s.is_multiple_of(*parts));
            let parts = parts.unwrap_or(1);
            constants.extend([("DIM", vec4s / parts), ("PARTS", parts), ("KEYS", KEYS)]);
            (
                wgsl!("attention/attention_split.wgsl"),
                SPLIT_WORKGROUP_SIZE / parts,
                SPLIT_WORKGROUP_SIZE,
            )
        }
        Tile::Queries(most) => {
            let several = length >= most && hd <= WIDEST_OF_SEVERAL;
            let queries = if several { most } else { 1 };
            constants.extend([
                ("DIM", vec4s),
                ("MASKED", usize::from(attention.masked)),
                ("BIASED", usize::from(attention.biased)),
                ("QUERIES", queries),
            ]);
            let size = if queries == 1 {
                WORKGROUP_SIZE
            } else {
                QUERIES_WORKGROUP_SIZE
            };
            (wgsl!("attention/attention.wgsl"), size * queries, size)
        }
    };
    let shader = Shader {
        source,
        constants,
        sizes: vec![
            ("LENGTH", length),
            ("HEADS", heads),
            ("KV_LEN", kv_len),
            ("FACTOR", float_bits(attention.factor)),
            ("Q_IMAGE", q_steps[0]),
            ("Q_HEAD", q_steps[1]),
            ("Q_TOKEN", q_steps[2]),
            ("K_IMAGE", k_steps[0]),
            ("K_HEAD", k_steps[1]),
            ("K_TOKEN", k_steps[2]),
            ("V_IMAGE", v_steps[0]),
            ("V_HEAD", v_steps[1]),
            ("V_TOKEN", v_steps[2]),
        ],
        workgroup_size: workgroup_size as u32,
    };
    let buffers: Vec<&CubeTensor> = [q, k, v, &result].into_iter().chain(attention.extras).collect();
    shader.launch([length.div_ceil(queries), heads, batch], &buffers);
    result
}
