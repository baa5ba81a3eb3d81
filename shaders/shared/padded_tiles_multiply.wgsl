        workgroupBarrier();
        for (var line = 0u; line < DEPTH; line++) {
            #for j TILES_N
            let b${j} = b_tile[line * B_LINE + ${16*j}u + across];
            #end
            #for i TILES_M
            let a${i} = a_tile[line * A_LINE + ${16*i}u + down];
            #for r 4
            #for j TILES_N
            sum${4*i+r}_${j} += a${i}[${r}] * b${j};
            #end
            #end
            #end
        }
        workgroupBarrier();
