// A 3 x 3 convolution of stride 1 that keeps the size, as a product: weights [O, 9 C] times the shifted pixels [9 C, B H W] of
// x [B, C, H, W], which are never stored, make y [B, O, H, W]. A workgroup of 16 x 16 invocations stages tiles of both in its memory
// and computes 64 outputs of QN x 64 pixels.
// The launcher and the twin in plain tensor operations are in src/kernels/convolution.rs.

// Four numbers behind every line of a tile, so that lines start in different banks of the memory.
const A_LINE = 17u;
const B_LINE = ${16*QN+1}u;
const DEPTH = 16u;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#sizes

var<workgroup> a_tile: array<vec4<f32>, 272>;
var<workgroup> b_tile: array<vec4<f32>, ${256*QN+16}>;

@compute @workgroup_size(${LANES}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    let PIXELS = sizes.PIXELS;
    let AREA = HEIGHT * WIDTH;
    let K = 9u * CHANNELS;
    let row = group.y * 64u;
    let column = group.x * ${64*QN}u;
    let across = lane % 16u;
    let down = lane / 16u;
    // The pixel that this invocation loads around.
    let own = lane % ${64*QN}u;
    let pixel = min(column + own, PIXELS - 1u);
    let image = pixel / AREA;
    let p_y = (pixel % AREA) / WIDTH;
    let p_x = pixel % WIDTH;
    #for r 4
    #for j QN
    var sum${r}_${j} = vec4<f32>();
    #end
    #end
    for (var k = 0u; k < K; k += DEPTH) {
        #for s 4
        {
            let at = lane + ${256*s}u;
            let m = at / DEPTH;
            let depth = at % DEPTH;
            let inside = row + m < OUT && k + depth < K;
            let c = (k + depth) / 9u;
            #if FORWARD
            let tap = (k + depth) % 9u;
            #end
            #if TURNED
            let tap = 8u - (k + depth) % 9u;
            #end
            let value = weight[select(0u, (row + m) * sizes.OUT_STRIDE + c * sizes.IN_STRIDE + tap, inside)];
            a_tile[depth * A_LINE + m / 4u][m % 4u] = select(0.0, value, inside);
        }
        #end
        #for s STEPS
        {
            let depth = lane / ${64*QN}u + ${LINES*s}u;
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
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let a = a_tile[depth * A_LINE + down];
            #for j QN
            let b${j} = b_tile[depth * B_LINE + ${16*j}u + across];
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
        let start = (n / AREA * OUT) * AREA + n % AREA;
        #for r 4
        {
            let m = row + ${r}u + 4u * down;
            if m < OUT && n < PIXELS {
                y[start + m * AREA] = sum${r}_${j}[${s}];
            }
        }
        #end
    }
    #end
    #end
}
