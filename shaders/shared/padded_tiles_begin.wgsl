    let row = group.y * ${64*TILES_M}u;
    let column = group.x * ${64*TILES_N}u;
    let across = local_index % 16u;
    let down = local_index / 16u;
    #for i TILES_M
    #for r 4
    #for j TILES_N
    var sum${4*i+r}_${j} = vec4<f32>();
    #end
    #end
    #end
