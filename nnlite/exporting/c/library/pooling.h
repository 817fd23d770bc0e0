/* pooling.h: the maximum or the mean of windows of images, alone or behind a convolution, whose
 * result is then never stored. */
#include "products.h"

/* Windows of images [height, width, channels]; `start` begins a sum. */
typedef struct {
    int32_t height, width, channels, rows, columns, pool_h, pool_w, stride_h, stride_w, top, left;
    float start;
} pooling;

/* A window without what is over the border. */
typedef struct {
    int32_t top, bottom, left, right;
} window;

static window window_at(const pooling *p, int32_t row, int32_t column) {
    window w;
    w.top = row * p->stride_h - p->top;
    w.left = column * p->stride_w - p->left;
    w.bottom = w.top + p->pool_h < p->height ? w.top + p->pool_h : p->height;
    w.right = w.left + p->pool_w < p->width ? w.left + p->pool_w : p->width;
    if (w.top < 0) w.top = 0;
    if (w.left < 0) w.left = 0;
    return w;
}

/* NaN is larger than all numbers. */
static float larger(float best, float x) { return x > best || x != x ? x : best; }

static float mean_of(float sum, const window *w) {
    return sum * (1 / (float)((w->bottom - w->top) * (w->right - w->left)));
}

static void max_pool2d(const pooling *p, const float *x, float *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t c = 0; c < p->channels; c++) {
            float best = -infinity_of();
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++)
                    best = larger(best, x[(h * p->width + v) * p->channels + c]);
            *y++ = best;
        }
    }
}

static void average_pool2d(const pooling *p, const float *x, float *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t c = 0; c < p->channels; c++) {
            float sum = p->start;
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++)
                    sum += x[(h * p->width + v) * p->channels + c];
            *y++ = mean_of(sum, &w);
        }
    }
}

static void conv2d_max_pool2d(const convolution *k, const pooling *p, const float *x,
                              const float *kernel, const float *bias, float *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t f = 0; f < p->channels; f++) {
            float best = -infinity_of();
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++)
                    best = larger(best, convolved(k, x, kernel, bias, h, v, f));
            *y++ = best;
        }
    }
}

static void conv2d_average_pool2d(const convolution *k, const pooling *p, const float *x,
                                  const float *kernel, const float *bias, float *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t f = 0; f < p->channels; f++) {
            float sum = p->start;
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++)
                    sum += convolved(k, x, kernel, bias, h, v, f);
            *y++ = mean_of(sum, &w);
        }
    }
}
