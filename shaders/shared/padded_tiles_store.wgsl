    #for i TILES_M
    #for r 4
    {
        let m = row + ${64*i+r}u + 4u * down;
        #for j TILES_N
        #for s 4
        store(group.z, m, column + ${64*j+s}u + 4u * across, sum${4*i+r}_${j}[${s}]);
        #end
        #end
    }
    #end
    #end
