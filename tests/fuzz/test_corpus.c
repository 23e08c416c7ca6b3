/* test_corpus.c - the committed files of the fuzzers, without a fuzzer: corpus/FORMAT, which covers
   what the readers do, and found/FORMAT, what once broke them.

   Each format's files run in a process of their own, which a signal may end without ending the
   tests. It may hold what the file's length justifies (dv_fuzz_allowance) and must end in time. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/suite.h"

#if defined(__SANITIZE_ADDRESS__)
#define LIMITS_DATA 0 /* its shadow memory is counted too; memory.c counts instead */
#else
#define LIMITS_DATA 1
#endif

/* Of processor time, for a file of some kilobytes: a loop that does not end, not a slow machine. */
enum { MOST_SECONDS = 100 };

typedef int (*entry_point)(const uint8_t *data, size_t size);

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Bytes of data that this process has now (proc(5)), to which a limit is relative. */
static size_t data_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void set_limits(size_t allowance)
{
    struct itimerval timer = {.it_value.tv_sec = MOST_SECONDS};
    struct rlimit limit;
    size_t data = data_bytes();
    setitimer(ITIMER_PROF, &timer, NULL);
    if (!LIMITS_DATA || data == 0 || getrlimit(RLIMIT_DATA, &limit) != 0)
        return;
    limit.rlim_cur = data + allowance;
    if (limit.rlim_cur < limit.rlim_max || limit.rlim_max == RLIM_INFINITY)
        setrlimit(RLIMIT_DATA, &limit);
}

static void run_file(const char *path, entry_point target)
{
    dv_buffer *file = NULL;
    dv_fuzz_expect(dv_buffer_map(path, &file) == DV_OK, "the file can be read");
    size_t size = dv_buffer_size(file);
    set_limits(dv_fuzz_allowance(size));
    dv_fuzz_memory_begin(dv_fuzz_allowance(size));
    target(dv_buffer_data(file), size);
    dv_fuzz_memory_end();
    dv_buffer_release(file);
}

/* Runs files from *next on in a child; *next is left at the one that ended it, or behind the last.
   The child's status. */
static int run_from(const char *folder, struct dirent **files, int count, entry_point target,
                    volatile int *next)
{
    fflush(NULL);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        for (; *next < count; (*next)++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", folder, files[*next]->d_name);
            run_file(path, target);
        }
        _exit(0);
    }
    int status = -1;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return status;
}

/* How many files were run. */
static int run_folder(const char *folder, entry_point target)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, is_visible, alphasort);
    volatile int *next =
        mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(next != MAP_FAILED);
    *next = 0;
    while (*next < count) {
        int status = run_from(folder, files, count, target, next);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break;
        CU_FAIL("a file ended the process that read it");
        fprintf(stderr, "\n    %s/%s: %s %d\n", folder, *next < count ? files[*next]->d_name : "?",
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        (*next)++;
    }
    munmap((void *)next, sizeof *next);
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
    return count;
}

static void run_format(const char *name, entry_point target)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", dv_source_root(), name);
    CU_ASSERT_TRUE(run_folder(folder, target) > 0);
    snprintf(folder, sizeof folder, "%s/tests/fuzz/found/%s", dv_source_root(), name);
    (void)run_folder(folder, target); /* a format without findings has no folder */
}

/* Would the tests notice? */
static int breaks(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'm') {
        for (size_t i = 0; i < 1000; i++) {
            uint8_t *part = malloc(1 << 20);
            dv_fuzz_expect(part, "memory for a megabyte");
            memset(part, 1, 1 << 20);
        }
    }
    dv_fuzz_expect(size == 0 || data[0] != 'a', "a file does not begin with an a");
    return 0;
}

static int status_of(const char *letter)
{
    fflush(NULL);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        set_limits(dv_fuzz_allowance(1));
        dv_fuzz_memory_begin(dv_fuzz_allowance(1));
        breaks((const uint8_t *)letter, 1);
        _exit(0);
    }
    int status = -1;
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    return status;
}

static void a_crash_or_too_much_memory_is_noticed(void)
{
    CU_ASSERT_EQUAL(status_of("g"), 0);
    CU_ASSERT_NOT_EQUAL(status_of("a"), 0);
    CU_ASSERT_NOT_EQUAL(status_of("m"), 0);
}

#define FUZZ_TARGET(name)                                   \
    static void files_of_##name##_are_read_or_refused(void) \
    {                                                       \
        run_format(#name, dv_fuzz_##name);                  \
    }
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET

/* DV_SUITE takes no #include */
static const dv_test tests[] = {
#define FUZZ_TARGET(name) DV_TEST(files_of_##name##_are_read_or_refused),
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET
    DV_TEST(a_crash_or_too_much_memory_is_noticed)};

extern const dv_suite dv_suite_fuzz_corpus;
const dv_suite dv_suite_fuzz_corpus = {"fuzz_corpus", tests, sizeof tests / sizeof tests[0]};
