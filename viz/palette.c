/* palette.c - colours of devices and of the two themes.

   Devices: Okabe and Ito, "Color Universal Design" (2008), with vermillion in place of the dark
   blue, which holds neither black text nor a dark background. Black text on each of them passes
   WCAG AA; two of them agree in grey, so a letter goes with the colour. */
#include <ctype.h>
#include <string.h>

#include "viz/parts.h"

enum { COLOURS = 6 };

static const dv_colour device_colours[COLOURS] = {
    [DV_DEVICE_CPU] = 0x56B4E9, [DV_DEVICE_GPU] = 0xE69F00, [DV_DEVICE_NPU] = 0x009E73,
    [DV_DEVICE_ANE] = 0xCC79A7, [DV_DEVICE_DSP] = 0xF0E442, 0xD55E00,
};

static const dv_theme light = {
    .background = 0xFFFFFF,
    .pane = 0xF7F7F5,
    .block = 0xEBEBE7,
    .text = 0x222222,
    .faint = 0x6E6E6E,
    .rule = 0xD9D9D6,
    .wire = 0x9A9A9A,
    .outline = 0x333333,
    .handover = 0xC8102E,
    .selection = 0x000000,
    .bar = 0xB8B8B4,
    .outlined = true,
};

static const dv_theme dark = {
    .background = 0x1E1E1E,
    .pane = 0x161616,
    .block = 0x262626,
    .text = 0xE6E6E6,
    .faint = 0x9E9E9E,
    .rule = 0x3A3A3A,
    .wire = 0x6A6A6A,
    .outline = 0x0E0E0E,
    .handover = 0xFF5A5F,
    .selection = 0xFFFFFF,
    .bar = 0x5A5A5A,
};

const dv_theme *dv_view_theme(const dv_view *view)
{
    return view->dark ? &dark : &light;
}

/* "cpu", "npu0", "ane:..." by their beginning. */
static dv_device_kind kind_by_name(const char *name)
{
    for (int kind = 0; kind < DV_DEVICE_KIND_COUNT; kind++) {
        const char *known = dv_device_kind_name((dv_device_kind)kind);
        if (strncmp(name, known, strlen(known)) == 0)
            return (dv_device_kind)kind;
    }
    return DV_DEVICE_KIND_COUNT;
}

static unsigned free_colour(const bool *taken, uint32_t wish)
{
    static const unsigned order[COLOURS] = {
        5, DV_DEVICE_NPU, DV_DEVICE_GPU, DV_DEVICE_ANE, DV_DEVICE_DSP, DV_DEVICE_CPU};
    if (wish < COLOURS && !taken[wish])
        return wish;
    for (unsigned i = 0; i < COLOURS; i++)
        if (!taken[order[i]])
            return order[i];
    return wish % COLOURS; /* more than six devices: the letters must do */
}

static char free_letter(const char *name, const dv_device_look *looks, uint32_t count)
{
    static const char fallback[] = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int round = 0; round < 2; round++)
        for (const char *at = round ? fallback : name; *at; at++) {
            char letter = (char)toupper((unsigned char)*at);
            bool free = isalnum((unsigned char)letter) && (unsigned char)letter < 0x80;
            for (uint32_t d = 0; free && d < count; d++)
                free = looks[d].letter != letter;
            if (free)
                return letter;
        }
    return '?';
}

void dv_device_looks(const char *const *names, const dv_device_kind *kinds, uint32_t count,
                     dv_device_look *looks)
{
    bool taken[COLOURS] = {false};
    for (uint32_t d = 0; d < count; d++) {
        unsigned colour = free_colour(taken, kinds ? kinds[d] : kind_by_name(names[d]));
        taken[colour] = true;
        looks[d].colour = device_colours[colour];
        looks[d].letter = free_letter(names[d], looks, d);
    }
}
