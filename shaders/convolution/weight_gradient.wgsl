// The gradient of the weights of a 3 x 3 convolution: from the gradient g [B, O, H, W] and the input x [B, H, W, C], channels
// last so that neighbouring invocations read neighbours, to one sum [O, C, 3, 3] per IMAGES images, which the launcher adds.
// An invocation sums up the nine places of OUTPUTS weights and slides along the rows.
// The launcher is in src/kernels/convolution/backward.rs; the reference is burn's automatic differentiation.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
#sizes

@compute @workgroup_size(${WORKGROUP_SIZE}, 1, 1)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let BATCH = sizes.BATCH;
    let IMAGES = sizes.IMAGES;
    let CHANNELS = sizes.CHANNELS;
    let HEIGHT = sizes.HEIGHT;
    let WIDTH = sizes.WIDTH;
    let OUT = sizes.OUT;
    let c = at.x;
    if c >= CHANNELS {
        return;
    }
    let first = at.y * ${OUTPUTS}u;
    #for o OUTPUTS
    let output${o} = min(first + ${o}u, OUT - 1u);
    #for t 9
    var sum${o}_${t} = 0.0;
    #end
    #end
    let last = min(at.z * IMAGES + IMAGES, BATCH);
    for (var image = at.z * IMAGES; image < last; image++) {
        for (var row = 0u; row < HEIGHT; row++) {
            // Rows above, at and below; those outside are read anywhere and count nothing.
            #for ky 3
            let inside${ky} = f32(row + ${ky}u >= 1u && row + ${ky}u <= HEIGHT);
            let line${ky} = (image * HEIGHT + clamp(row + ${ky}u, 1u, HEIGHT) - 1u) * WIDTH;
            var left${ky} = 0.0;
            var here${ky} = x[line${ky} * CHANNELS + c] * inside${ky};
            #end
            #for o OUTPUTS
            let g_line${o} = ((image * OUT + output${o}) * HEIGHT + row) * WIDTH;
            #end
            for (var column = 0u; column < WIDTH; column++) {
                let next = min(column + 1u, WIDTH - 1u);
                let has_next = f32(column + 1u < WIDTH);
                #for ky 3
                let right${ky} = x[(line${ky} + next) * CHANNELS + c] * (inside${ky} * has_next);
                #end
                #for o OUTPUTS
                let g${o} = g[g_line${o} + column];
                #for ky 3
                sum${o}_${3*ky} += g${o} * left${ky};
                sum${o}_${3*ky+1} += g${o} * here${ky};
                sum${o}_${3*ky+2} += g${o} * right${ky};
                #end
                #end
                #for ky 3
                left${ky} = here${ky};
                here${ky} = right${ky};
                #end
            }
        }
    }
    #for o OUTPUTS
    if first + ${o}u < OUT {
        let start = ((at.z * OUT + first + ${o}u) * CHANNELS + c) * 9u;
        #for t 9
        sums[start + ${t}u] = sum${o}_${t};
        #end
    }
    #end
}
