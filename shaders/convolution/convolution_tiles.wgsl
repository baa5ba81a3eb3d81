// The convolution of convolution_registers.wgsl as an implicit matmul with tiles in workgroup memory: the weights [O, C k k] times
// the shifted copies [C k k, H W] of the input, which are never stored. C k k and W are multiples of four.
// The launcher and the reference implementation are in src/kernels/convolution/forward.rs.

const UP = ${UP}u;
const KERNEL = ${KERNEL}u;
const PAD = KERNEL / 2u;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
#end
#if RESIDUAL
@group(0) @binding(4) var<storage, read_write> residual: array<vec4<f32>>;
#end
#sizes

fn depth() -> u32 {
    return sizes.CHANNELS * KERNEL * KERNEL / 4u;
}

// Pixels of the result, in vec4s.
fn area() -> u32 {
    return sizes.HEIGHT * sizes.WIDTH / 4u;
}

fn load_a(row: u32, k: u32) -> vec4<f32> {
    return weight[min(row, sizes.OUT - 1u) * depth() + k];
}

fn load_b(local_index: u32, column: u32, image: u32, start: u32) {
    for (var block = local_index; block < ${16*COLUMNS*ACROSS}u; block += ${WORKGROUP_SIZE}u) {
        let k = min(4u * start + block / ${COLUMNS*ACROSS}u, 4u * depth() - 1u);
        let input = k / (KERNEL * KERNEL);
        let tap = k % (KERNEL * KERNEL);
        let at = min(column + block % ${COLUMNS*ACROSS}u, area() - 1u) * 4u;
        let row = at / sizes.WIDTH + tap / KERNEL;
        let first = at % sizes.WIDTH + tap % KERNEL;
        let row_inside = row >= PAD && row < sizes.HEIGHT + PAD;
        let plane = (image * sizes.CHANNELS + input) * (sizes.HEIGHT / UP);
        let line = (plane + select(0u, (row - PAD) / UP, row_inside)) * (sizes.WIDTH / UP);
        var inside = vec4<f32>();
        var pixels = vec4<f32>();
        #for p 4
        inside[${p}] = f32(row_inside && first + ${p}u >= PAD && first + ${p}u < sizes.WIDTH + PAD);
        pixels[${p}] = x[line + select(0u, (first + ${p}u - PAD) / UP, inside[${p}] == 1.0)];
        #end
        b_tile[block] = pixels * inside;
    }
}

fn store(row: u32, column: u32, image: u32, sum: vec4<f32>) {
    if row >= sizes.OUT || column >= area() {
        return;
    }
    let at = (image * sizes.OUT + row) * area() + column;
    var value = sum;
    #if BIAS
    value += bias[row];
    #end
    #if RESIDUAL
    value += residual[at];
    #end
    y[at] = value;
}

#include shared/vec4_tiles.wgsl
