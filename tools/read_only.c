// Makes the files of an embedded database read-only, as a disk becomes that is mounted anew after errors, while the file named in READ_ONLY_WHEN
// exists. Loaded before the C library: cc -shared -fPIC -o read_only.so read_only.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_database(const char *path) { return strstr(path, ".sqlite") != NULL; }

static int is_read_only(int file) {
    const char *when = getenv("READ_ONLY_WHEN");
    if (!when || access(when, F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_database(path);
}

#define REFUSED(file) if (is_read_only(file)) { errno = EROFS; return -1; }
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) { REFUSED(file) return NEXT(pwrite64)(file, bytes, count, at); }
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { REFUSED(file) return NEXT(pwrite)(file, bytes, count, at); }
int ftruncate64(int file, off64_t size) { REFUSED(file) return NEXT(ftruncate64)(file, size); }
int ftruncate(int file, off_t size) { REFUSED(file) return NEXT(ftruncate)(file, size); }
int fdatasync(int file) { REFUSED(file) return NEXT(fdatasync)(file); }
int fsync(int file) { REFUSED(file) return NEXT(fsync)(file); }

static int refuses(const char *path, int flags) {
    const char *when = getenv("READ_ONLY_WHEN");
    return when && is_database(path) && (flags & (O_WRONLY | O_RDWR | O_CREAT)) && access(when, F_OK) == 0;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (refuses(path, flags)) { errno = EROFS; return -1; }
    return NEXT(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    if (refuses(path, flags)) { errno = EROFS; return -1; }
    return NEXT(open)(path, flags, mode);
}
