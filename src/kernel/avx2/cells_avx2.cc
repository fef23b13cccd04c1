#include "kernel/cell_tiles.h"

namespace pbatch {

void cells_avx2_run(CellKind kind, const CellArgs* args, int64_t tile_begin, int64_t tile_end) {
  run_cells(kind, *args, tile_begin, tile_end);
}

}  // namespace pbatch
