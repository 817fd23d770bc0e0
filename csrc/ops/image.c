/* image.c: images with a margin. */
#include "../parallel.h"

/* y = x moved by `top` rows and `left` columns; zeros where there is no x, and what falls outside
 * of y is cut off. So the offsets -top and -left take back what top and left did.
 * in    x [N, H, W, C]
 * out   y [N, OH, OW, C]
 * attr  top, left */
static void op_pad2d(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0], *out = &call->out[0];
    const int64_t H = in->shape[1], W = in->shape[2], C = in->shape[3];
    const int64_t OH = out->shape[1], OW = out->shape[2];
    const int64_t top = call->attr[0].i, left = call->attr[1].i;
    int64_t first = left > 0 ? left : 0, end = left + W < OW ? left + W : OW;
    if (first > OW) first = OW;
    if (end < first) end = first;
    const nnl_range part = nnl_share(out->shape[0] * OH, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const int64_t h = row % OH - top;
        real *y = (real *)out->data + row * OW * C;
        if (h < 0 || h >= H || first == end) {
            memset(y, 0, (size_t)(OW * C) * sizeof *y);
            continue;
        }
        const real *x = (const real *)in->data + ((row / OH * H + h) * W + first - left) * C;
        memset(y, 0, (size_t)(first * C) * sizeof *y);
        memcpy(y + first * C, x, (size_t)((end - first) * C) * sizeof *y);
        memset(y + end * C, 0, (size_t)((OW - end) * C) * sizeof *y);
    }
}
