// A 3 x 3 convolution of stride 1 that keeps the size, or the transposed one, as an implicit matmul with tiles in workgroup memory:
// weights [O, 9 C], their kernel FLIPPED for the transposed one, times the shifted pixels [9 C, B H W] of x [B, C, H, W], which are
// never stored, make y [B, O, H, W].
// The launcher and the reference implementation are in src/kernels/convolution/backward.rs and forward.rs.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#sizes

#include shared/padded_tiles.wgsl

fn store(part: u32, m: u32, n: u32, value: f32) {
    let area = sizes.HEIGHT * sizes.WIDTH;
    if m < sizes.OUT && n < sizes.PIXELS {
        y[(n / area * sizes.OUT + m) * area + n % area] = value;
    }
}

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    let AREA = HEIGHT * WIDTH;
    let K = 9u * CHANNELS;
    #include shared/padded_tiles_begin.wgsl
    // The pixel that this invocation loads around.
    let own = local_index % ${64*TILES_N}u;
    let pixel = min(column + own, sizes.PIXELS - 1u);
    let image = pixel / AREA;
    let p_y = (pixel % AREA) / WIDTH;
    let p_x = pixel % WIDTH;
    for (var k = 0u; k < K; k += DEPTH) {
        #for s 4
        {
            let at = local_index + ${256*s}u;
            let m = at / DEPTH;
            let depth = at % DEPTH;
            let inside = row + m < OUT && k + depth < K;
            let c = (k + depth) / 9u;
            #if PLAIN
            let tap = (k + depth) % 9u;
            #end
            #if FLIPPED
            let tap = 8u - (k + depth) % 9u;
            #end
            let value = weight[select(0u, (row + m) * sizes.OUT_STRIDE + c * sizes.IN_STRIDE + tap, inside)];
            a_tile[depth * A_LINE + m / 4u][m % 4u] = select(0.0, value, inside);
        }
        #end
        #for s LOADS
        {
            let depth = local_index / ${64*TILES_N}u + ${LINES*s}u;
            let c = (k + depth) / 9u;
            let tap = (k + depth) % 9u;
            // One more than the place, so that nothing is below zero.
            let y_in = p_y + tap / 3u;
            let x_in = p_x + tap % 3u;
            let inside = y_in > 0u && y_in <= HEIGHT && x_in > 0u && x_in <= WIDTH && k + depth < K;
            let place = (image * CHANNELS + c) * AREA + (y_in - 1u) * WIDTH + x_in - 1u;
            b_tile[depth * B_LINE + own / 4u][own % 4u] = select(0.0, x[select(0u, place, inside)], inside);
        }
        #end
        #include shared/padded_tiles_multiply.wgsl
    }
    #include shared/padded_tiles_store.wgsl
}
