// The gradient of the weights of a 3 x 3 convolution, as an implicit matmul with tiles in workgroup memory: the gradient g [O, B H W]
// of the outputs times the shifted pixels [B H W, 9 C] of x [B, C, H, W], which are never stored. Split-K: one sum [O, C, 3, 3] per
// PART pixels, which the launcher adds.
// The launcher is in src/kernels/convolution/backward.rs; the reference is burn's automatic differentiation.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
#sizes

#include shared/padded_tiles.wgsl

fn store(part: u32, m: u32, n: u32, value: f32) {
    let N = 9u * sizes.CHANNELS;
    if m < sizes.OUT && n < N {
        sums[(part * sizes.OUT + m) * N + n] = value;
    }
}

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local_index: u32) {
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    let AREA = HEIGHT * WIDTH;
    let N = 9u * CHANNELS;
    let last = min(group.z * sizes.PART + sizes.PART, sizes.PIXELS);
    #include shared/padded_tiles_begin.wgsl
    // The pixel that this invocation loads at and around: one of sixteen neighbours.
    var pixel = group.z * sizes.PART + local_index % 16u;
    var image = pixel / AREA;
    var p_y = (pixel % AREA) / WIDTH;
    var p_x = pixel % WIDTH;
    #for j LOADS
    let n${j} = column + down + ${16*j}u;
    let known${j} = n${j} < N;
    let c${j} = n${j} / 9u;
    let k_y${j} = n${j} % 9u / 3u;
    let k_x${j} = n${j} % 3u;
    #end
    for (var k = group.z * sizes.PART; k < last; k += DEPTH) {
        let here = pixel < last;
        let depth = local_index % 16u;
        #for j 4
        {
            let m = down + ${16*j}u;
            let inside = here && row + m < OUT;
            let value = g[select(0u, (image * OUT + row + m) * AREA + p_y * WIDTH + p_x, inside)];
            a_tile[depth * A_LINE + m / 4u][m % 4u] = select(0.0, value, inside);
        }
        #end
        #for j LOADS
        {
            // One more than the place, so that nothing is below zero.
            let y_in = p_y + k_y${j};
            let x_in = p_x + k_x${j};
            let inside = here && known${j} && y_in > 0u && y_in <= HEIGHT && x_in > 0u && x_in <= WIDTH;
            let place = (image * CHANNELS + c${j}) * AREA + (y_in - 1u) * WIDTH + x_in - 1u;
            let m = down + ${16*j}u;
            b_tile[depth * B_LINE + m / 4u][m % 4u] = select(0.0, x[select(0u, place, inside)], inside);
        }
        #end
        pixel += DEPTH;
        p_x += DEPTH;
        while p_x >= WIDTH {
            p_x -= WIDTH;
            p_y += 1u;
        }
        while p_y >= HEIGHT {
            p_y -= HEIGHT;
            image += 1u;
        }
        #include shared/padded_tiles_multiply.wgsl
    }
    #include shared/padded_tiles_store.wgsl
}
