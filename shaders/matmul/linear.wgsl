// The linear layer, as all its kernel variants include it: buffers, weight formats and epilogue.
//
// y = x W^T + b for x [R, K], W [N, K], then an epilogue: tanh-GELU, or a factor, or residual + gamma y, where gamma is part GATE of
// a block's table [6, N] plus the prompt's [B, 6, N]. K and N are counted in vec4s.
// The launcher and the reference implementation are in src/kernels/matmul/linear.rs.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
#if F32
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
#end
#if F16
@group(0) @binding(1) var<storage, read_write> weight: array<vec2<u32>>;
#end
#if BLOCKS
@group(0) @binding(1) var<storage, read_write> weight: array<u32>;
#end
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<vec4<f32>>;
#end
#if MULTIPLY
@group(0) @binding(${3+BIAS}) var<storage, read_write> factor: array<vec4<f32>>;
#end
#if RESIDUAL
@group(0) @binding(${3+BIAS}) var<storage, read_write> residual: array<vec4<f32>>;
#end
#if GATED
@group(0) @binding(${4+BIAS}) var<storage, read_write> table: array<vec4<f32>>;
@group(0) @binding(${5+BIAS}) var<storage, read_write> prompt: array<vec4<f32>>;
#end
#sizes

// Numbers 4 k to 4 k + 3 of the row of W that begins at `start`; src/kernels/matmul/quantized.rs has the formats.
fn weights(start: u32, k: u32) -> vec4<f32> {
    #if F32
    return weight[start + k];
    #end
    #if F16
    let pairs = weight[start + k];
    return vec4(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
    #end
    #if BLOCKS
    let pair = unpack2x16float(weight[start + sizes.SCALES + k / 16u]);
    let scale = select(pair.x, pair.y, (k / 8u) % 2u == 1u);
    #if Q8
    return unpack4x8snorm(weight[start + k]) * scale;
    #end
    #if Q4
    let word = weight[start + k / 2u] >> (k % 2u * 16u);
    return (vec4<f32>((vec4(word) >> vec4(0u, 4u, 8u, 12u)) & vec4(15u)) - 8.0) * scale;
    #end
    #end
}

// The epilogue of four neighbours of a row, `column` in vec4s.
fn finish(row: u32, column: u32, sum: vec4<f32>) {
    if row >= sizes.R || column >= sizes.N {
        return;
    }
    let at = row * sizes.N + column;
    var value = sum;
    #if BIAS
    value += bias[column];
    #end
    #if GELU
    // 1 + tanh(u) = 2 / (1 + exp(-2 u)), which does not overflow on any adapter.
    value /= 1.0 + exp(-1.5957691216057308 * (value + 0.044715 * value * value * value));
    #end
    #if MULTIPLY
    value *= factor[at];
    #end
    #if GATED
    let image = (row / sizes.LENGTH * 6u + sizes.GATE) * sizes.N + column;
    value *= table[sizes.GATE * sizes.N + column] + prompt[image];
    #end
    #if RESIDUAL
    value += residual[at];
    #end
    y[at] = value;
}
