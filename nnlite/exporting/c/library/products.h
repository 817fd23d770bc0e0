/* products.h: matrix products and convolutions. An element is one chain of multiply-adds. */
#include "activations.h"

/* sum + a[0] b[0] + a[1] b[1] + ... */
static float chain(float sum, const float *a, const float *b, int32_t n) {
    for (int32_t k = 0; k < n; k++) sum += a[k] * b[k];
    return sum;
}

/* y = act(x kernel^T + bias) for rows of x; the kernel is [units, inputs]. */
static void linear(const float *x, const float *kernel, const float *bias, float *y, int32_t rows,
                   int32_t inputs, int32_t units, int32_t kind, float alpha) {
    for (int32_t row = 0; row < rows; row++, x += inputs, y += units)
        for (int32_t u = 0; u < units; u++) {
            const float sum = chain(0, x, kernel + u * inputs, inputs);
            y[u] = activated(bias ? sum + bias[u] : sum, kind, alpha);
        }
}

/* y [m, n] = a b, whose elements (i, k) and (k, j) are a[i * a_row + k * a_k] and
 * b[k * b_k + j * b_column]. */
static void matmul(const float *a, const float *b, float *y, int32_t m, int32_t n, int32_t inner,
                   int32_t a_row, int32_t a_k, int32_t b_k, int32_t b_column) {
    for (int32_t i = 0; i < m; i++)
        for (int32_t j = 0; j < n; j++) {
            float sum = 0;
            for (int32_t k = 0; k < inner; k++)
                sum += a[i * a_row + k * a_k] * b[k * b_k + j * b_column];
            y[i * n + j] = sum;
        }
}

/* A convolution of images [height, width, channels] to [rows, columns, filters]. */
typedef struct {
    int32_t height, width, channels, rows, columns, filters, kernel_h, kernel_w;
    int32_t stride_h, stride_w, top, left, dilation_h, dilation_w, groups, kind;
    float alpha;
} convolution;

/* One element of the result; the kernel is [filters, kernel_h, kernel_w, channels of a group]. */
static float convolved(const convolution *c, const float *x, const float *kernel, const float *bias,
                       int32_t row, int32_t column, int32_t filter) {
    const int32_t width = c->channels / c->groups, group = filter / (c->filters / c->groups);
    const float *w = kernel + filter * c->kernel_h * c->kernel_w * width;
    float sum = 0;
    for (int32_t i = 0; i < c->kernel_h; i++)
        for (int32_t j = 0; j < c->kernel_w; j++, w += width) {
            const int32_t h = row * c->stride_h - c->top + i * c->dilation_h;
            const int32_t v = column * c->stride_w - c->left + j * c->dilation_w;
            if (h < 0 || h >= c->height || v < 0 || v >= c->width) continue;
            sum = chain(sum, x + (h * c->width + v) * c->channels + group * width, w, width);
        }
    return activated(bias ? sum + bias[filter] : sum, c->kind, c->alpha);
}

static void conv2d(const convolution *c, const float *x, const float *kernel, const float *bias,
                   float *y) {
    for (int32_t row = 0; row < c->rows; row++)
        for (int32_t column = 0; column < c->columns; column++)
            for (int32_t f = 0; f < c->filters; f++)
                *y++ = convolved(c, x, kernel, bias, row, column, f);
}

/* The transpose of a convolution: x [height, width, channels] is what y [rows, columns, filters]
 * gives to each pixel through the taps over it. `joined`: the filters of a tap are summed by
 * themselves, the last tap of a row first. The kernel is [kernel_h, kernel_w, channels of a group,
 * filters]. */
static void conv2d_transpose(const convolution *c, const float *y, const float *kernel, float *x,
                             int32_t joined) {
    const int32_t width = c->channels / c->groups, filters = c->filters / c->groups;
    for (int32_t h = 0; h < c->height; h++)
        for (int32_t v = 0; v < c->width; v++)
            for (int32_t channel = 0; channel < c->channels; channel++) {
                float sum = 0;
                for (int32_t i = 0; i < c->kernel_h; i++)
                    for (int32_t j = 0; j < c->kernel_w; j++) {
                        const int32_t tap = joined ? c->kernel_w - 1 - j : j;
                        const int32_t down = h + c->top - i * c->dilation_h;
                        const int32_t right = v + c->left - tap * c->dilation_w;
                        const int32_t row = down / c->stride_h, column = right / c->stride_w;
                        const float *a = y + (row * c->columns + column) * c->filters +
                                         channel / width * filters;
                        const float *b = kernel +
                                         ((i * c->kernel_w + tap) * width + channel % width) *
                                             c->filters +
                                         channel / width * filters;
                        if (down < 0 || right < 0 || down % c->stride_h || right % c->stride_w ||
                            row >= c->rows || column >= c->columns)
                            continue;
                        sum = joined ? sum + chain(0, a, b, filters) : chain(sum, a, b, filters);
                    }
                *x++ = sum;
            }
}
