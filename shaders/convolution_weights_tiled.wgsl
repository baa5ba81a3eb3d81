// The gradient of the weights of a 3 x 3 convolution, as a product: the gradient g [O, B H W] of the outputs times the shifted
// pixels [B H W, 9 C] of x [B, C, H, W], which are never stored, one sum [O, C, 3, 3] per PART pixels, which the launcher adds. A
// workgroup of 16 x 16 invocations stages tiles of both in its memory and computes 64 outputs of QN x 64 weights.
// The launcher is in src/kernels/convolution.rs; its twin is burn's automatic differentiation.

// Four numbers behind every line of a tile, so that lines start in different banks of the memory.
const A_LINE = 17u;
const B_LINE = ${16*QN+1}u;
const DEPTH = 16u;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
#sizes

var<workgroup> a_tile: array<vec4<f32>, 272>;
var<workgroup> b_tile: array<vec4<f32>, ${256*QN+16}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    let AREA = HEIGHT * WIDTH;
    let N = 9u * CHANNELS;
    let row = group.y * 64u;
    let column = group.x * ${64*QN}u;
    let across = lane % 16u;
    let down = lane / 16u;
    let last = min(group.z * sizes.PART + sizes.PART, sizes.PIXELS);
    // The pixel that this invocation loads at and around: one of sixteen neighbours.
    var pixel = group.z * sizes.PART + lane % 16u;
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
    #for r 4
    #for j QN
    var sum${r}_${j} = vec4<f32>();
    #end
    #end
    for (var k = group.z * sizes.PART; k < last; k += DEPTH) {
        let here = pixel < last;
        let depth = lane % 16u;
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
        workgroupBarrier();
        for (var line = 0u; line < DEPTH; line++) {
            let a = a_tile[line * A_LINE + down];
            #for j QN
            let b${j} = b_tile[line * B_LINE + ${16*j}u + across];
            #for r 4
            sum${r}_${j} += a[${r}] * b${j};
            #end
            #end
        }
        workgroupBarrier();
    }
    #for j QN
    #for s 4
    {
        let n = column + ${64*j+s}u + 4u * across;
        #for r 4
        {
            let m = row + ${r}u + 4u * down;
            if m < OUT && n < N {
                sums[(group.z * OUT + m) * N + n] = sum${r}_${j}[${s}];
            }
        }
        #end
    }
    #end
    #end
}
