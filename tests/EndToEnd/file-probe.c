// What programs expect of files, tried one by one in a folder: prints "NAME ok" or "NAME what happened instead".
// file-probe DIR [NAME]     all of them, or one
// file-probe hold FILE HOW  takes a lock (posix, ofd or flock), prints "held", and keeps it until its standard input ends
// file-probe try FILE HOW   prints "free" or "busy"
// file-probe append FILE TAG COUNT   appends so many lines of 100 characters, one write each
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char why[512];

// Every check returns NULL when all is well, else what is not.
static const char *is(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return why;
}

#define TRY(call) do { if ((call) < 0) return is("%s: %s", #call, strerror(errno)); } while (0)
#define EXPECT(what) do { if (!(what)) return is("not so: %s", #what); } while (0)

static int fresh(const char *name)
{
    unlink(name);
    return open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
}

static const char *put(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    TRY(fd);
    TRY(write(fd, text, strlen(text)));
    TRY(close(fd));
    return NULL;
}

static const char *holds(const char *name, const char *text)
{
    char got[256] = "";
    int fd = open(name, O_RDONLY);
    TRY(fd);
    TRY(read(fd, got, sizeof got - 1));
    close(fd);
    return strcmp(got, text) == 0 ? NULL : is("%s holds '%s', not '%s'", name, got, text);
}

#define OK(call) do { const char *fault = (call); if (fault) return fault; } while (0)

static const char *mmap_shared_write(void)
{
    char got[6] = "";
    int fd = fresh("mm");
    TRY(fd);
    TRY(ftruncate(fd, 8192));
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return is("mmap: %s", strerror(errno));
    memcpy(map + 5000, "store", 5);
    TRY(msync(map, 8192, MS_SYNC));
    TRY(pread(fd, got, 5, 5000));
    munmap(map, 8192);
    close(fd);
    return strcmp(got, "store") == 0 ? NULL : is("after msync read gives '%s'", got);
}

static const char *mmap_store_then_read(void)
{
    char got[6] = "";
    int fd = fresh("mr");
    TRY(fd);
    TRY(ftruncate(fd, 4096));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return is("mmap: %s", strerror(errno));
    memcpy(map, "store", 5);
    TRY(pread(fd, got, 5, 0));
    munmap(map, 4096);
    close(fd);
    return strcmp(got, "store") == 0 ? NULL : is("without msync read does not see it");
}

static const char *mmap_sees_write(void)
{
    int fd = fresh("mw");
    TRY(fd);
    TRY(write(fd, "before", 6));
    char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return is("mmap: %s", strerror(errno));
    EXPECT(memcmp(map, "before", 6) == 0);
    TRY(pwrite(fd, "after!", 6, 0));
    int seen = memcmp(map, "after!", 6) == 0;
    munmap(map, 4096);
    close(fd);
    return seen ? NULL : is("a mapping does not see a later write");
}

static const char *mmap_two_processes(void)
{
    int fd = fresh("m2"), status;
    TRY(fd);
    TRY(ftruncate(fd, 4096));
    close(fd);
    pid_t child = fork();
    if (child == 0)
    {
        int own = open("m2", O_RDWR);
        char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
        if (map == MAP_FAILED) _exit(1);
        for (int i = 0; i < 200 && map[0] != 'p'; i++) usleep(10000);
        if (map[0] != 'p') _exit(2);
        map[1] = 'c';
        for (int i = 0; i < 200 && map[2] != 'q'; i++) usleep(10000);
        _exit(map[2] == 'q' ? 0 : 3);
    }
    int own = open("m2", O_RDWR);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    if (map == MAP_FAILED) { waitpid(child, &status, 0); return is("mmap: %s", strerror(errno)); }
    map[0] = 'p';
    for (int i = 0; i < 200 && map[1] != 'c'; i++) usleep(10000);
    map[2] = 'q';
    waitpid(child, &status, 0);
    close(own);
    return status == 0 ? NULL : is("two processes do not share memory through it (%d)", WEXITSTATUS(status));
}

static const char *mmap_kept_after_close(void)
{
    int fd = fresh("mk");
    TRY(fd);
    TRY(ftruncate(fd, 4096));
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return is("mmap: %s", strerror(errno));
    close(fd);
    memcpy(map, "late", 4);
    munmap(map, 4096);
    return holds("mk", "late") == NULL ? NULL : is("what is stored after close is not in the file");
}

static const char *rename_over_open(void)
{
    char got[8] = "";
    OK(put("old", "old"));
    OK(put("new", "new"));
    int fd = open("old", O_RDONLY);
    TRY(fd);
    TRY(rename("new", "old"));
    TRY(read(fd, got, 7));
    close(fd);
    EXPECT(strcmp(got, "old") == 0);
    return holds("old", "new");
}

static const char *unlink_open(void)
{
    char got[8] = "";
    struct stat status;
    int fd = fresh("gone");
    TRY(fd);
    TRY(write(fd, "one", 3));
    TRY(unlink("gone"));
    EXPECT(access("gone", F_OK) < 0 && errno == ENOENT);
    TRY(pwrite(fd, "two", 3, 0));
    TRY(pread(fd, got, 7, 0));
    EXPECT(strcmp(got, "two") == 0);
    TRY(fstat(fd, &status));
    EXPECT(status.st_size == 3);
    EXPECT(status.st_nlink == 0);
    close(fd);
    return NULL;
}

static const char *change_unlinked(void)
{
    int fd = fresh("gone2");
    TRY(fd);
    TRY(write(fd, "one", 3));
    TRY(unlink("gone2"));
    TRY(ftruncate(fd, 2));
    TRY(fchmod(fd, 0600));
    close(fd);
    return NULL;
}

static const char *unlink_open_then_rmdir(void)
{
    TRY(mkdir("dir", 0755));
    int fd = fresh("dir/file");
    TRY(fd);
    TRY(unlink("dir/file"));
    TRY(rmdir("dir"));
    TRY(write(fd, "x", 1));
    close(fd);
    return NULL;
}

static const char *append_two_descriptors(void)
{
    unlink("log");
    int a = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("log", O_WRONLY | O_APPEND);
    TRY(a);
    TRY(b);
    TRY(write(a, "1", 1));
    TRY(write(b, "2", 1));
    TRY(write(a, "3", 1));
    TRY(write(b, "4", 1));
    close(a);
    close(b);
    return holds("log", "1234");
}

static const char *sync_all(void)
{
    int fd = fresh("sync"), folder = open(".", O_RDONLY | O_DIRECTORY);
    TRY(fd);
    TRY(folder);
    TRY(write(fd, "x", 1));
    TRY(fdatasync(fd));
    TRY(fsync(fd));
    TRY(fsync(folder));
    TRY(syncfs(fd));
    close(fd);
    close(folder);
    return NULL;
}

static const char *hard_links(void)
{
    struct stat a, b;
    OK(put("name", "text"));
    unlink("other");
    TRY(link("name", "other"));
    TRY(stat("name", &a));
    TRY(stat("other", &b));
    EXPECT(a.st_ino == b.st_ino);
    EXPECT(a.st_nlink == 2);
    EXPECT(b.st_nlink == 2);
    OK(put("other", "more"));
    OK(holds("name", "more"));
    TRY(unlink("name"));
    TRY(stat("other", &b));
    EXPECT(b.st_nlink == 1);
    return holds("other", "more");
}

static const char *symbolic_links(void)
{
    char target[64] = "";
    struct stat status;
    OK(put("real", "text"));
    unlink("sym");
    unlink("dangling");
    TRY(symlink("real", "sym"));
    TRY(symlink("/nowhere/at/all", "dangling"));
    TRY(readlink("dangling", target, 63));
    EXPECT(strcmp(target, "/nowhere/at/all") == 0);
    TRY(lstat("sym", &status));
    EXPECT(S_ISLNK(status.st_mode));
    EXPECT(open("dangling", O_RDONLY) < 0 && errno == ENOENT);
    EXPECT(open("sym", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
    return holds("sym", "text");
}

static const char *extended_attributes(void)
{
    char value[16] = "", names[256];
    OK(put("attr", "x"));
    TRY(setxattr("attr", "user.color", "red", 3, XATTR_CREATE));
    TRY(getxattr("attr", "user.color", value, 15));
    EXPECT(strcmp(value, "red") == 0);
    EXPECT(setxattr("attr", "user.color", "red", 3, XATTR_CREATE) < 0 && errno == EEXIST);
    ssize_t length = listxattr("attr", names, sizeof names);
    TRY(length);
    EXPECT(memmem(names, (size_t)length, "user.color", 11) != NULL);
    TRY(removexattr("attr", "user.color"));
    EXPECT(getxattr("attr", "user.color", value, 15) < 0 && errno == ENODATA);
    return NULL;
}

static const char *access_lists(void)
{
    // Version 2; the owner rw, user 4321 r, group r, mask r, others none: what setfacl writes.
    static const uint32_t list[] = { 2, 0x00060001, 0xffffffff, 0x00040002, 4321, 0x00040004, 0xffffffff, 0x00040010, 0xffffffff, 0x00000020, 0xffffffff };
    char back[sizeof list];
    OK(put("acl", "x"));
    TRY(setxattr("acl", "system.posix_acl_access", list, sizeof list, 0));
    ssize_t length = getxattr("acl", "system.posix_acl_access", back, sizeof back);
    TRY(length);
    EXPECT(length == sizeof list && memcmp(list, back, sizeof list) == 0);
    return NULL;
}

static const char *modes_and_owners(void)
{
    struct stat status;
    OK(put("mode", "x"));
    TRY(chmod("mode", 04750));
    TRY(stat("mode", &status));
    EXPECT((status.st_mode & 07777) == 04750);
    if (geteuid() == 0)
    {
        TRY(chown("mode", 1000, 2000));
        TRY(stat("mode", &status));
        EXPECT(status.st_uid == 1000 && status.st_gid == 2000);
        EXPECT((status.st_mode & 06000) == 0); // A new owner ends set-user-ID.
    }
    return NULL;
}

static const char *times(void)
{
    struct stat status;
    struct timespec stamps[] = { { 1000000000, 111111111 }, { 1100000000, 222222222 } };
    OK(put("times", "x"));
    TRY(utimensat(AT_FDCWD, "times", stamps, 0));
    TRY(stat("times", &status));
    EXPECT(status.st_atim.tv_sec == 1000000000 && status.st_mtim.tv_sec == 1100000000);
    OK(put("times", "y"));
    TRY(stat("times", &status));
    EXPECT(status.st_mtim.tv_sec > 1100000000);
    return NULL;
}

static const char *times_to_the_nanosecond(void)
{
    struct stat status;
    struct timespec stamps[] = { { 1000000000, 111111111 }, { 1100000000, 222222222 } };
    OK(put("nanos", "x"));
    TRY(utimensat(AT_FDCWD, "nanos", stamps, 0));
    TRY(stat("nanos", &status));
    EXPECT(status.st_mtim.tv_nsec == 222222222);
    return NULL;
}

static const char *sparse(void)
{
    struct stat status;
    int fd = fresh("sparse");
    TRY(fd);
    TRY(ftruncate(fd, 1L << 30));
    TRY(pwrite(fd, "end", 3, (1L << 30) - 3));
    TRY(fstat(fd, &status));
    EXPECT(status.st_size == 1L << 30);
    close(fd);
    TRY(stat("sparse", &status));
    EXPECT(status.st_blocks < 2048);
    return NULL;
}

static const char *find_holes(void)
{
    int fd = fresh("holes");
    TRY(fd);
    TRY(pwrite(fd, "x", 1, 0));
    TRY(pwrite(fd, "x", 1, 1 << 24));
    EXPECT(lseek(fd, 0, SEEK_DATA) == 0);
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    close(fd);
    return hole < 1 << 24 ? NULL : is("SEEK_HOLE finds none: the file looks whole");
}

static const char *allocate(void)
{
    struct stat status;
    int fd = fresh("room");
    TRY(fd);
    TRY(posix_fallocate(fd, 0, 1 << 20) == 0 ? 0 : -1);
    TRY(fstat(fd, &status));
    EXPECT(status.st_size == 1 << 20);
    close(fd);
    return NULL;
}

static const char *allocate_at_once(void)
{
    int fd = fresh("room2");
    TRY(fd);
    TRY(fallocate(fd, 0, 0, 1 << 20));
    close(fd);
    return NULL;
}

static const char *punch_hole(void)
{
    int fd = fresh("punch");
    TRY(fd);
    TRY(ftruncate(fd, 1 << 20));
    TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 16));
    close(fd);
    return NULL;
}

static const char *large_folder(void)
{
    char name[32];
    int count = 0, kinds = 0, errors = 0;
    TRY(mkdir("many", 0755));
    for (int i = 0; i < 5000; i++)
    {
        snprintf(name, sizeof name, "many/file-%04d", i);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        TRY(fd);
        close(fd);
    }
    DIR *folder = opendir("many");
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    {
        count += entry->d_name[0] != '.';
        kinds += entry->d_type == DT_REG;
    }
    EXPECT(count == 5000);
    EXPECT(kinds == 5000);
    // As rm -r does: reading and deleting by turns.
    rewinddir(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            errors += unlinkat(dirfd(folder), entry->d_name, 0) < 0;
    closedir(folder);
    EXPECT(errors == 0);
    TRY(rmdir("many"));
    return NULL;
}

static const char *unnamed_file(void)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    TRY(fd);
    TRY(write(fd, "text", 4));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    unlink("named");
    TRY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    close(fd);
    return holds("named", "text");
}

static const char *send_file(void)
{
    int from = fresh("from"), to = fresh("to");
    TRY(from);
    TRY(to);
    char block[100000];
    memset(block, 'x', sizeof block);
    TRY(write(from, block, sizeof block));
    off_t offset = 0;
    size_t sent = 0;
    while (sent < sizeof block)
    {
        ssize_t part = sendfile(to, from, &offset, sizeof block - sent);
        TRY(part);
        EXPECT(part > 0);
        sent += (size_t)part;
    }
    int ends[2];
    TRY(pipe(ends));
    offset = 0;
    EXPECT(sendfile(ends[1], from, &offset, 4096) == 4096);
    struct stat status;
    TRY(fstat(to, &status));
    EXPECT(status.st_size == sizeof block);
    offset = 0;
    off_t at = 0;
    TRY(copy_file_range(from, &offset, to, &at, 5000, 0));
    close(from);
    close(to);
    return NULL;
}

static const char *large_offset(void)
{
    char got[5] = "";
    struct stat status;
    off_t at = (4L << 30) + 123;
    int fd = fresh("large");
    TRY(fd);
    TRY(pwrite(fd, "here", 4, at));
    TRY(pread(fd, got, 4, at));
    TRY(fstat(fd, &status));
    close(fd);
    EXPECT(strcmp(got, "here") == 0);
    EXPECT(status.st_size == at + 4);
    TRY(unlink("large"));
    return NULL;
}

static const char *direct_io(void)
{
    unlink("direct");
    int fd = open("direct", O_RDWR | O_CREAT | O_DIRECT, 0644);
    TRY(fd);
    void *block;
    EXPECT(posix_memalign(&block, 4096, 4096) == 0);
    memset(block, 'd', 4096);
    EXPECT(write(fd, block, 4096) == 4096);
    EXPECT(pread(fd, block, 4096, 0) == 4096);
    close(fd);
    return NULL;
}

static const char *exclusive_create(void)
{
    OK(put("there", "x"));
    EXPECT(open("there", O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
    EXPECT(mkdir("there", 0755) < 0 && errno == EEXIST);
    return NULL;
}

static const char *rename_flags(void)
{
    OK(put("a", "a"));
    OK(put("b", "b"));
    EXPECT(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) < 0 && errno == EEXIST);
    unlink("b");
    TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    OK(put("a", "a"));
    TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
    return holds("b", "a");
}

static const char *rename_folders(void)
{
    TRY(mkdir("d1", 0755));
    OK(put("d1/f", "f"));
    TRY(rename("d1", "d2"));
    OK(holds("d2/f", "f"));
    EXPECT(rename("d2", "d2/below") < 0 && errno == EINVAL);
    EXPECT(rmdir("d2") < 0 && errno == ENOTEMPTY);
    TRY(unlink("d2/f"));
    TRY(rmdir("d2"));
    return NULL;
}

static const char *long_names(void)
{
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[NAME_MAX] = 0;
    OK(put(name, "x"));
    TRY(unlink(name));
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = 0;
    EXPECT(open(name, O_WRONLY | O_CREAT, 0644) < 0 && errno == ENAMETOOLONG);
    OK(put("\xc3\xa4\xe2\x82\xac \n'\"", "x"));
    return NULL;
}

static const char *sockets(void)
{
    struct sockaddr_un name = { AF_UNIX, "socket" };
    unlink("socket");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    TRY(bind(listener, (struct sockaddr *)&name, sizeof name));
    TRY(listen(listener, 1));
    TRY(connect(client, (struct sockaddr *)&name, sizeof name));
    close(listener);
    close(client);
    return NULL;
}

static const char *named_pipes(void)
{
    unlink("fifo");
    TRY(mkfifo("fifo", 0600));
    int fd = open("fifo", O_RDWR | O_NONBLOCK);
    TRY(fd);
    TRY(write(fd, "x", 1));
    close(fd);
    return NULL;
}

static const char *runs_programs(void)
{
    int status;
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    TRY(length);
    own[length] = 0;
    int from = open(own, O_RDONLY);
    TRY(from);
    unlink("program");
    int to = open("program", O_WRONLY | O_CREAT | O_EXCL, 0755);
    TRY(to);
    char block[65536];
    for (ssize_t count; (count = read(from, block, sizeof block)) > 0;) TRY(write(to, block, (size_t)count));
    close(from);
    close(to);
    pid_t child = fork();
    if (child == 0)
    {
        execl("./program", "program", "nothing", (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    EXPECT(WEXITSTATUS(status) == 9);
    return NULL;
}

// Takes a lock; -1 with EAGAIN when another has it.
static int lock(int fd, const char *how)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };
    if (strcmp(how, "flock") == 0) return flock(fd, LOCK_EX | LOCK_NB);
    return fcntl(fd, strcmp(how, "ofd") == 0 ? F_OFD_SETLK : F_SETLK, &range);
}

static const char *locked(const char *how)
{
    int status, fd = fresh("lock");
    TRY(fd);
    TRY(lock(fd, how));
    pid_t child = fork();
    if (child == 0)
    {
        int own = open("lock", O_RDWR);
        struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100 };
        if (own < 0) _exit(1);
        if (lock(own, how) == 0) _exit(2);
        if (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK) _exit(3);
        if (strcmp(how, "posix") == 0 && (fcntl(own, F_GETLK, &range) < 0 || range.l_type != F_WRLCK || range.l_pid != getppid())) _exit(4);
        _exit(0);
    }
    waitpid(child, &status, 0);
    EXPECT(WEXITSTATUS(status) == 0 || is("another process: step %d", WEXITSTATUS(status)) == NULL);
    close(fd);
    fd = open("lock", O_RDWR);
    TRY(lock(fd, how));
    close(fd);
    return NULL;
}

static const char *lock_posix(void) { return locked("posix"); }
static const char *lock_ofd(void) { return locked("ofd"); }
static const char *lock_flock(void) { return locked("flock"); }

static const char *lock_waits(void)
{
    int status, fd = fresh("lw");
    TRY(fd);
    TRY(flock(fd, LOCK_EX));
    pid_t child = fork();
    if (child == 0)
    {
        int own = open("lw", O_RDWR);
        alarm(20);
        _exit(flock(own, LOCK_EX) < 0);
    }
    usleep(200000);
    EXPECT(waitpid(child, &status, WNOHANG) == 0);
    TRY(flock(fd, LOCK_UN));
    waitpid(child, &status, 0);
    EXPECT(status == 0);
    return NULL;
}

static uint32_t told(int watch)
{
    char events[4096];
    uint32_t all = 0;
    struct pollfd ready = { watch, POLLIN, 0 };
    while (poll(&ready, 1, 500) > 0)
    {
        ssize_t length = read(watch, events, sizeof events);
        for (char *at = events; at < events + length;)
        {
            struct inotify_event *event = (struct inotify_event *)at;
            all |= event->mask;
            at += sizeof *event + event->len;
        }
    }
    return all;
}

// The folder that is mounted itself.
static const char *watch_root(void)
{
    int watch = inotify_init1(IN_NONBLOCK);
    TRY(inotify_add_watch(watch, ".", IN_ALL_EVENTS));
    OK(put("wr", "x"));
    TRY(rename("wr", "wr2"));
    TRY(unlink("wr2"));
    uint32_t seen = told(watch);
    close(watch);
    uint32_t wanted = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE;
    return (seen & wanted) == wanted ? NULL : is("not told of %#x", wanted & ~seen);
}

// As tail -f has it.
static const char *watch_open_file(void)
{
    int watch = inotify_init1(IN_NONBLOCK);
    OK(put("wo", "x"));
    int fd = open("wo", O_RDONLY);
    TRY(fd);
    TRY(inotify_add_watch(watch, "wo", IN_ALL_EVENTS));
    OK(put("wo", "y"));
    uint32_t seen = told(watch);
    close(watch);
    close(fd);
    uint32_t wanted = IN_MODIFY | IN_CLOSE_WRITE;
    return (seen & wanted) == wanted ? NULL : is("not told of %#x", wanted & ~seen);
}

static const char *watch_folder(void)
{
    int watch = inotify_init1(IN_NONBLOCK);
    TRY(mkdir("watched", 0755));
    TRY(inotify_add_watch(watch, "watched", IN_ALL_EVENTS));
    OK(put("watched/f", "x"));
    TRY(rename("watched/f", "watched/g"));
    TRY(unlink("watched/g"));
    uint32_t seen = told(watch);
    close(watch);
    uint32_t wanted = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE;
    return (seen & wanted) == wanted ? NULL : is("not told of %#x", wanted & ~seen);
}

static const char *watch_file(void)
{
    int watch = inotify_init1(IN_NONBLOCK);
    OK(put("wf", "x"));
    TRY(inotify_add_watch(watch, "wf", IN_ALL_EVENTS));
    OK(put("wf", "y"));
    TRY(chmod("wf", 0600));
    uint32_t seen = told(watch);
    close(watch);
    uint32_t wanted = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB;
    return (seen & wanted) == wanted ? NULL : is("not told of %#x", wanted & ~seen);
}

static const char *free_space(void)
{
    struct statfs space;
    TRY(statfs(".", &space));
    EXPECT(space.f_blocks > 0 && space.f_bavail > 0 && space.f_files > 0);
    return NULL;
}

static const struct { const char *name; const char *(*check)(void); } checks[] =
{
#define CHECK(name) { #name, name }
    CHECK(mmap_shared_write), CHECK(mmap_store_then_read), CHECK(mmap_sees_write), CHECK(mmap_two_processes), CHECK(mmap_kept_after_close),
    CHECK(rename_over_open), CHECK(rename_folders), CHECK(rename_flags), CHECK(unlink_open), CHECK(change_unlinked), CHECK(unlink_open_then_rmdir),
    CHECK(append_two_descriptors), CHECK(sync_all), CHECK(hard_links), CHECK(symbolic_links), CHECK(extended_attributes), CHECK(access_lists),
    CHECK(modes_and_owners), CHECK(times), CHECK(times_to_the_nanosecond), CHECK(sparse), CHECK(find_holes), CHECK(allocate), CHECK(allocate_at_once), CHECK(punch_hole), CHECK(large_folder),
    CHECK(unnamed_file), CHECK(send_file), CHECK(large_offset), CHECK(direct_io), CHECK(exclusive_create), CHECK(long_names),
    CHECK(sockets), CHECK(named_pipes), CHECK(runs_programs), CHECK(lock_posix), CHECK(lock_ofd), CHECK(lock_flock), CHECK(lock_waits),
    CHECK(watch_root), CHECK(watch_open_file), CHECK(watch_folder), CHECK(watch_file), CHECK(free_space),
};

static int append(const char *file, const char *tag, int count)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0666);
    char line[102];
    for (int i = 0; i < count; i++)
    {
        snprintf(line, sizeof line, "%s %-98d\n", tag, i);
        if (write(fd, line, strlen(line)) != (ssize_t)strlen(line)) return 1;
    }
    return 0;
}

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "append") == 0) return append(words[2], words[3], atoi(words[4]));
    if (count == 4)
    {
        int fd = open(words[2], O_RDWR | O_CREAT, 0666);
        int taken = fd >= 0 && lock(fd, words[3]) == 0;
        puts(strcmp(words[1], "try") == 0 ? (taken ? "free" : "busy") : (taken ? "held" : "failed"));
        fflush(stdout);
        char end;
        while (strcmp(words[1], "hold") == 0 && read(0, &end, 1) > 0) { }
        return 0;
    }
    if ((count != 2 && count != 3) || chdir(words[1]) < 0) return 9;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    {
        if (count == 3 && strcmp(words[2], checks[i].name) != 0) continue;
        const char *fault = checks[i].check();
        printf("%s %s\n", checks[i].name, fault ? fault : "ok");
        fflush(stdout);
    }
    return 0;
}
