/* window_sdl.c - the viewer in a window.

   The scene is drawn by our own rasteriser and shown as one texture: the window, the PNG and the
   tests see the same pixels, and no graphics driver is needed. It is drawn on events only. */
#include <stdlib.h>

#include "viz/parts.h"

#ifndef HAVE_SDL2

dv_status dv_view_window(dv_view *view, const char *title, unsigned frames)
{
    (void)view;
    (void)title;
    (void)frames;
    return dv_fail(DV_UNAVAILABLE, "no window: this build is without SDL2; use --shot FILE.png or "
                                   "--svg FILE.svg");
}

#else

#include <SDL.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct window {
    dv_view *view;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
    dv_scene *scene;
    bool open, redraw;
    bool swallow; /* the next text input, if it is the slash that began the search */
} window;

static dv_status unavailable(void)
{
    return dv_fail(DV_UNAVAILABLE, "no window: %s; use --shot FILE.png or --svg FILE.svg",
                   SDL_GetError());
}

static dv_status set_size(window *w)
{
    int width, height;
    SDL_GetWindowSize(w->window, &width, &height);
    dv_view_resize(w->view, width, height);
    dv_scene_destroy(w->scene);
    w->scene = dv_scene_create(w->view->width, w->view->height, 0);
    if (w->texture)
        SDL_DestroyTexture(w->texture);
    w->texture = SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB24, SDL_TEXTUREACCESS_STREAMING,
                                   w->view->width, w->view->height);
    w->redraw = true;
    if (!w->scene)
        return dv_fail(DV_NO_MEMORY, "no memory for the window");
    return w->texture ? DV_OK : unavailable();
}

static dv_status draw(window *w)
{
    const SDL_Rect all = {0, 0, w->view->width, w->view->height};
    DV_TRY(dv_view_draw(w->view, w->scene));
    uint8_t *pixels = dv_scene_rasterise(w->scene);
    if (!pixels)
        return dv_fail(DV_NO_MEMORY, "no memory for the window");
    int failed = SDL_UpdateTexture(w->texture, NULL, pixels, 3 * w->scene->width);
    free(pixels);
    if (failed || SDL_RenderCopy(w->renderer, w->texture, NULL, &all))
        return unavailable();
    SDL_RenderPresent(w->renderer);
    w->redraw = false;
    return DV_OK;
}

static void select_step(dv_view *view, int step)
{
    uint32_t count = view->plan->unit_count;
    uint32_t at = 0;
    if (count == 0)
        return;
    while (view->selected != DV_NONE && at < count && view->plan->order[at] != view->selected)
        at++;
    if (view->selected == DV_NONE)
        at = step > 0 ? 0 : count - 1;
    else
        at = (at + count + (uint32_t)step) % count;
    view->selected = view->plan->order[at];
    dv_view_reveal(view, view->selected);
}

/* The next unit that the search found, behind the selected one. */
static void select_found(dv_view *view)
{
    uint32_t count = view->plan->unit_count;
    uint32_t from = view->selected == DV_NONE ? count - 1 : view->selected;
    for (uint32_t i = 1; view->search[0] && i <= count; i++)
        if (view->found[(from + i) % count]) {
            view->selected = (from + i) % count;
            dv_view_reveal(view, view->selected);
            return;
        }
}

static void type_on(dv_view *view, const char *more)
{
    char text[sizeof view->search];
    int length = snprintf(text, sizeof text, "%s%s", view->search, more);
    if (length > 0 && (size_t)length < sizeof text)
        dv_view_search(view, text);
}

/* True if the key belongs to the search. */
static bool search_key(window *w, SDL_Keycode pressed)
{
    dv_view *view = w->view;
    size_t length = strlen(view->search);
    if (!view->typing && pressed == SDLK_SLASH) {
        view->typing = true;
        w->swallow = true;
        dv_view_search(view, NULL);
        SDL_StartTextInput();
        return true;
    }
    if (!view->typing)
        return false;
    if (pressed == SDLK_ESCAPE) {
        view->typing = false;
        dv_view_search(view, NULL);
        SDL_StopTextInput();
    } else if (pressed == SDLK_RETURN || pressed == SDLK_KP_ENTER) {
        select_found(view);
    } else if (pressed == SDLK_BACKSPACE && length > 0) {
        while (length > 1 && ((unsigned char)view->search[length - 1] & 0xC0) == 0x80)
            length--; /* the bytes that follow the first of a character */
        view->search[length - 1] = '\0';
        char shorter[sizeof view->search];
        snprintf(shorter, sizeof shorter, "%s", view->search);
        dv_view_search(view, shorter);
    }
    return true;
}

static void key(window *w, SDL_Keysym pressed)
{
    dv_view *view = w->view;
    const float step = 60, middle_x = (float)view->width * 0.4f,
                middle_y = (float)view->height * 0.4f;
    w->redraw = true;
    if (search_key(w, pressed.sym))
        return;
    switch (pressed.sym) {
    case SDLK_q:
    case SDLK_ESCAPE:
        w->open = false;
        break;
    case SDLK_f:
        dv_view_fit(view);
        break;
    case SDLK_d:
        dv_view_dark(view, !view->dark);
        break;
    case SDLK_LEFT:
        dv_view_pan(view, step, 0);
        break;
    case SDLK_RIGHT:
        dv_view_pan(view, -step, 0);
        break;
    case SDLK_UP:
        dv_view_pan(view, 0, step);
        break;
    case SDLK_DOWN:
        dv_view_pan(view, 0, -step);
        break;
    case SDLK_PLUS:
    case SDLK_EQUALS:
    case SDLK_KP_PLUS:
        dv_view_zoom(view, 1.25f, middle_x, middle_y);
        break;
    case SDLK_MINUS:
    case SDLK_KP_MINUS:
        dv_view_zoom(view, 0.8f, middle_x, middle_y);
        break;
    case SDLK_TAB:
        select_step(view, pressed.mod & KMOD_SHIFT ? -1 : 1);
        break;
    default:
        w->redraw = false;
    }
}

static dv_status handle(window *w, const SDL_Event *event)
{
    dv_view *view = w->view;
    int x, y;
    switch (event->type) {
    case SDL_QUIT:
        w->open = false;
        break;
    case SDL_WINDOWEVENT:
        if (event->window.event == SDL_WINDOWEVENT_SIZE_CHANGED)
            return set_size(w);
        w->redraw = w->redraw || event->window.event == SDL_WINDOWEVENT_EXPOSED;
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        if (event->button.button == SDL_BUTTON_LEFT)
            w->redraw |= dv_view_pointer(view, (float)event->button.x, (float)event->button.y,
                                         event->type == SDL_MOUSEBUTTONDOWN, false);
        break;
    case SDL_MOUSEMOTION:
        if (event->motion.state & SDL_BUTTON_LMASK)
            w->redraw |=
                dv_view_pointer(view, (float)event->motion.x, (float)event->motion.y, true, true);
        break;
    case SDL_MOUSEWHEEL:
        SDL_GetMouseState(&x, &y);
        dv_view_zoom(view, event->wheel.y > 0 ? 1.2f : 1 / 1.2f, (float)x, (float)y);
        w->redraw = true;
        break;
    case SDL_KEYDOWN:
        key(w, event->key.keysym);
        break;
    case SDL_TEXTINPUT:
        if (view->typing && !(w->swallow && strcmp(event->text.text, "/") == 0))
            type_on(view, event->text.text);
        w->swallow = false;
        w->redraw = true;
        break;
    }
    return DV_OK;
}

/* All that is waiting, before the next picture: a quick drag costs no more than a slow one. */
static dv_status handle_waiting(window *w, bool wait)
{
    SDL_Event event;
    if (wait && !w->redraw) {
        if (!SDL_WaitEvent(&event))
            return unavailable();
        DV_TRY(handle(w, &event));
    }
    while (w->open && SDL_PollEvent(&event))
        DV_TRY(handle(w, &event));
    return DV_OK;
}

static dv_status run(window *w, const char *title, unsigned frames)
{
    w->window = SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 w->view->width, w->view->height, SDL_WINDOW_RESIZABLE);
    if (!w->window)
        return unavailable();
    SDL_SetWindowMinimumSize(w->window, 320, 200);
    w->renderer = SDL_CreateRenderer(w->window, -1, SDL_RENDERER_SOFTWARE);
    if (!w->renderer)
        return unavailable();
    DV_TRY(set_size(w));
    w->open = true;
    SDL_StopTextInput(); /* until a search begins */
    for (unsigned drawn = 0; w->open && (frames == 0 || drawn < frames); drawn++) {
        DV_TRY(handle_waiting(w, frames == 0));
        if (w->open && (w->redraw || frames))
            DV_TRY(draw(w));
    }
    return DV_OK;
}

/* Without a display SDL falls back to a driver that shows nothing, where a window would wait for
   its closing for ever. */
static bool nothing_to_see(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    return !driver || strcmp(driver, "dummy") == 0 || strcmp(driver, "offscreen") == 0;
}

/* SDL turns Ctrl-C into a request to close the window, but only where no handler is set already;
   while the window is open that is the better answer, since SDL waits for events, not for flags. */
typedef struct handlers {
    struct sigaction interrupt, terminate;
} handlers;

static void lend_signals(handlers *old)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigemptyset(&plain.sa_mask);
    sigaction(SIGINT, &plain, &old->interrupt);
    sigaction(SIGTERM, &plain, &old->terminate);
}

static void take_signals_back(const handlers *old)
{
    sigaction(SIGINT, &old->interrupt, NULL);
    sigaction(SIGTERM, &old->terminate, NULL);
}

static dv_status start(unsigned frames)
{
    bool display = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY") || getenv("SDL_VIDEODRIVER");
    if (display && SDL_Init(SDL_INIT_VIDEO))
        return unavailable();
    if (display && (frames || !nothing_to_see()))
        return DV_OK;
    SDL_Quit();
    return dv_fail(DV_UNAVAILABLE,
                   "no window: there is no display; use --shot FILE.png or --svg FILE.svg");
}

static dv_status show(dv_view *view, const char *title, unsigned frames)
{
    window w = {.view = view};
    DV_TRY(start(frames));
    view->interactive = true;
    dv_status status = run(&w, title, frames);
    view->interactive = false;
    dv_scene_destroy(w.scene);
    if (w.texture)
        SDL_DestroyTexture(w.texture);
    if (w.renderer)
        SDL_DestroyRenderer(w.renderer);
    if (w.window)
        SDL_DestroyWindow(w.window);
    SDL_Quit();
    return status;
}

dv_status dv_view_window(dv_view *view, const char *title, unsigned frames)
{
    handlers old;
    lend_signals(&old);
    dv_status status = show(view, title, frames);
    take_signals_back(&old);
    return status;
}

#endif
