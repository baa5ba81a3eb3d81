// A convolution of stride 1 that keeps the size: x [B, C, H/u, W/u] and weights [O, C, k, k] make y [B, O, H, W], where u is 2
// if every pixel of x stands for four (nearest neighbour), else 1. An invocation computes OUTPUTS channels of PIXELS neighbours
// in a row, so that most of its operands are in registers and not loaded. All taps of a channel are one step of
// its loop: software adapters carry every sum from step to step through memory.
// The launcher and the reference implementation are in src/kernels/convolution/forward.rs.

const UP = ${UP}u;
const KERNEL = ${KERNEL}u;
const PAD = KERNEL / 2u;

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BIAS
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
#end
#if RESIDUAL
@group(0) @binding(4) var<storage, read_write> residual: array<f32>;
#end
#sizes

fn place(ky: u32, kx: u32) -> u32 {
    let place = ky * KERNEL + kx;
    return select(place, KERNEL * KERNEL - 1u - place, ${FLIPPED}u == 1u);
}

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    // From one output, and one input, to the next in the weights; the other way round for a gradient.
    let OUT_STRIDE = sizes.OUT_STRIDE;
    let IN_STRIDE = sizes.IN_STRIDE;
    // Tiles of a row.
    let TILES = (WIDTH + ${PIXELS}u - 1u) / ${PIXELS}u;
    if at.x >= HEIGHT * TILES {
        return;
    }
    let row = at.x / TILES;
    let column = (at.x % TILES) * ${PIXELS}u;
    let first = at.y * ${OUTPUTS}u;
    #for j SPAN
    let inside${j} = column + ${j}u >= PAD && column + ${j}u < WIDTH + PAD;
    let column${j} = select(0u, (column + ${j}u - PAD) / UP, inside${j});
    #end
    #for ky KERNEL
    let inside_row${ky} = row + ${ky}u >= PAD && row + ${ky}u < HEIGHT + PAD;
    let line${ky} = select(0u, (row + ${ky}u - PAD) / UP, inside_row${ky}) * (WIDTH / UP);
    #end
    #for o OUTPUTS
    let output${o} = min(first + ${o}u, OUT - 1u) * OUT_STRIDE;
    #for p PIXELS
    var sum${o}_${p} = 0.0;
    #end
    #end
    for (var c = 0u; c < CHANNELS; c++) {
        let plane = (at.z * CHANNELS + c) * (HEIGHT / UP) * (WIDTH / UP);
        #for ky KERNEL
        {
            #for j SPAN
            let x${j} = select(0.0, x[plane + line${ky} + column${j}], inside${j} && inside_row${ky});
            #end
            #for o OUTPUTS
            {
                #for kx KERNEL
                let w${kx} = weight[output${o} + c * IN_STRIDE + place(${ky}u, ${kx}u)];
                #end
                #for p PIXELS
                sum${o}_${p} = sum${o}_${p}
                #for kx KERNEL
                    + w${kx} * x${p+kx}
                #end
                ;
                #end
            }
            #end
        }
        #end
    }
    #for o OUTPUTS
    if first + ${o}u < OUT {
        let start = ((at.z * OUT + first + ${o}u) * HEIGHT + row) * WIDTH + column;
        #if BIAS
        let shift = bias[first + ${o}u];
        #end
        #for p PIXELS
        if column + ${p}u < WIDTH {
            var value = sum${o}_${p};
            #if BIAS
            value += shift;
            #end
            #if RESIDUAL
            value += residual[start + ${p}u];
            #end
            y[start + ${p}u] = value;
        }
        #end
    }
    #end
}
