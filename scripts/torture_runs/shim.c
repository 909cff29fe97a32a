/* A disk that fails on command, for one process: preloaded, it gives errors to calls on files below one folder.
   What to do stands in a small file that the runner writes, and whose address COURSEFS_TORTURE_SHIM holds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READ = 1, WRITE = 2, CLOSE = 4, SYNC = 8, TRUNCATE = 16, FLIP = 32, DELAY = 64 };

struct control {
    int32_t mode, error, permille, delay_ms;
    int64_t hits;
    char below[232];
};

static struct control *control;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("COURSEFS_TORTURE_SHIM");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED)
        control = memory;
    close(fd);
}

static int concerns(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t below = strnlen(control->below, sizeof control->below);
    return length > (ssize_t)below && !strncmp(path, control->below, below);
}

static int hits(int what, int fd)
{
    if (!control || !(control->mode & what))
        return 0;
    int before = errno;
    static __thread unsigned seed;
    if (!seed)
        seed = (unsigned)(uintptr_t)&before | 1;
    int hit = (int)(rand_r(&seed) % 1000) < control->permille && concerns(fd);
    errno = before;
    if (hit)
        __atomic_add_fetch(&control->hits, 1, __ATOMIC_RELAXED);
    return hit;
}

#define REAL(type, name, ...)                                                                                          \
    static type (*real)(__VA_ARGS__);                                                                                  \
    if (!real)                                                                                                         \
    real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define FAIL(what, fd)                                                                                                 \
    if (hits(what, fd)) {                                                                                              \
        errno = control->error;                                                                                        \
        return -1;                                                                                                     \
    }
#define SLOW(fd)                                                                                                       \
    if (hits(DELAY, fd))                                                                                               \
    usleep((useconds_t)control->delay_ms * 1000)

static ssize_t flipped(int fd, ssize_t count, char *data)
{
    if (count > 0 && hits(FLIP, fd))
        data[count / 2] ^= 1;
    return count;
}

#define PREAD(name)                                                                                                    \
    ssize_t name(int fd, void *data, size_t size, off_t at)                                                            \
    {                                                                                                                  \
        REAL(ssize_t, #name, int, void *, size_t, off_t);                                                              \
        FAIL(READ, fd)                                                                                                 \
        return flipped(fd, real(fd, data, size, at), data);                                                            \
    }
PREAD(pread)
PREAD(pread64)

#define PREADV(name)                                                                                                   \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t at)                                               \
    {                                                                                                                  \
        REAL(ssize_t, #name, int, const struct iovec *, int, off_t);                                                   \
        FAIL(READ, fd)                                                                                                 \
        ssize_t got = real(fd, parts, count, at);                                                                      \
        flipped(fd, got > (ssize_t)parts->iov_len ? (ssize_t)parts->iov_len : got, parts->iov_base);                   \
        return got;                                                                                                    \
    }
PREADV(preadv)
PREADV(preadv64)

#define PREADV2(name)                                                                                                  \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t at, int flags)                                    \
    {                                                                                                                  \
        REAL(ssize_t, #name, int, const struct iovec *, int, off_t, int);                                              \
        FAIL(READ, fd)                                                                                                 \
        ssize_t got = real(fd, parts, count, at, flags);                                                               \
        flipped(fd, got > (ssize_t)parts->iov_len ? (ssize_t)parts->iov_len : got, parts->iov_base);                   \
        return got;                                                                                                    \
    }
PREADV2(preadv2)
PREADV2(preadv64v2)

#define PWRITE(name)                                                                                                   \
    ssize_t name(int fd, const void *data, size_t size, off_t at)                                                      \
    {                                                                                                                  \
        REAL(ssize_t, #name, int, const void *, size_t, off_t);                                                        \
        SLOW(fd);                                                                                                      \
        FAIL(WRITE, fd)                                                                                                \
        return real(fd, data, size, at);                                                                               \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t read(int fd, void *data, size_t size)
{
    REAL(ssize_t, "read", int, void *, size_t);
    FAIL(READ, fd)
    return real(fd, data, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    FAIL(WRITE, fd)
    return real(fd, data, size);
}

int close(int fd)
{
    REAL(int, "close", int);
    int hit = hits(CLOSE, fd);
    int done = real(fd);
    if (hit) {
        errno = control->error;
        return -1;
    }
    return done;
}

#define SYNCING(name)                                                                                                  \
    int name(int fd)                                                                                                   \
    {                                                                                                                  \
        REAL(int, #name, int);                                                                                         \
        FAIL(SYNC, fd)                                                                                                 \
        return real(fd);                                                                                               \
    }
SYNCING(fsync)
SYNCING(fdatasync)

#define TRUNCATING(name)                                                                                               \
    int name(int fd, off_t size)                                                                                       \
    {                                                                                                                  \
        REAL(int, #name, int, off_t);                                                                                  \
        FAIL(TRUNCATE, fd)                                                                                             \
        return real(fd, size);                                                                                         \
    }
TRUNCATING(ftruncate)
TRUNCATING(ftruncate64)
