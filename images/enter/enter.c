/* Runs one more program in a container that runs: what `crun exec --detach` does, without reading and writing JSON, without copying
 * an address space twice, and without a C library, whose start is most of what such a small program does.
 *
 *   enter REPORT PIDFD CGROUP UID GID GROUPS BOUNDING PERMITTED EFFECTIVE INHERITABLE AMBIENT NO_NEW_PRIVILEGES OOM_SCORE
 *         SECCOMP FOLDER RLIMITS PROGRAM [ARGUMENT...]
 *
 * REPORT and PIDFD are open descriptors: the end of a pipe, and the container's first process. CGROUP is an absolute path. GROUPS are
 * numbers with commas. The five sets of capabilities are hexadecimal. SECCOMP is a file of BPF instructions, FOLDER the working folder
 * in the container, RLIMITS are RESOURCE:SOFT:HARD in numbers, with commas. GROUPS, SECCOMP and RLIMITS may be empty. The
 * environment is the program's. Standard input, output and error are the program's.
 *
 * With one argument it holds a PID namespace instead: it waits for ever, and the kernel reaps what is left to it.
 *
 * Ends with 0 when the program has begun, and has then written its pid to REPORT (4 bytes). Ends with 1 when it has not, and has written
 * the errno (4 bytes) and what was tried (text). The program is then a child of the guest's first process.
 */
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/stat.h>
#include <asm/unistd.h>

enum {
    REPORT = 1, PIDFD, CGROUP, USER, GROUP, GROUPS, BOUNDING, PERMITTED, EFFECTIVE, INHERITABLE, AMBIENT, NO_NEW_PRIVILEGES, OOM_SCORE,
    SECCOMP, FOLDER, RLIMITS, PROGRAM
};

#define ENTRY_MISSING 2
#define NOT_PERMITTED 1
#define INVALID 22
#define READ_ONLY_FILES 30
#define NAME_TOO_LONG 36
#define OPEN_PATH_CLOEXEC (010000000 | 02000000)
#define OPEN_WRITE 1
#define AT_CWD (-100)
#define AT_EMPTY_PATH 0x1000
#define EXECUTABLE 1
#define CHILD_SIGNAL 17
#define IGNORE 1
#define SIGNAL_SET_BYTES 8
#define LAST_CAPABILITY 63
#define MAX_GROUPS 65536
#define PATH_BYTES 4096

/* Shared with the child, which runs in this memory until it becomes the program: so nothing that is needed is on the stack. */
static char **arguments, **environment;
static struct sock_filter filter[BPF_MAXINSNS];
static struct sock_fprog rules = {0, filter};
static unsigned int groups[MAX_GROUPS];
static char path[PATH_BYTES];
static volatile int failure;
static const char *volatile tried, *volatile about;

static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth) : "rcx", "r11", "memory");
    return result;
}

static long control(long option, long a, long b) { return call(__NR_prctl, option, a, b, 0, 0); }

__attribute__((noreturn)) static void leave(long code)
{
    for (;;)
        call(__NR_exit_group, code, 0, 0, 0, 0);
}

static unsigned long length(const char *text)
{
    unsigned long count = 0;
    while (text[count])
        count++;
    return count;
}

/* Reads a number and moves behind it and the separator that follows. */
static unsigned long number(const char **text, unsigned int base)
{
    unsigned long value = 0;
    const char *at = *text;
    for (; *at && *at != ',' && *at != ':'; at++)
        value = value * base + (unsigned long)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    *text = *at ? at + 1 : at;
    return value;
}

static unsigned long argument(int index, unsigned int base)
{
    const char *text = arguments[index];
    return number(&text, base);
}

/* Writes "errno, what was tried" for the agent. */
__attribute__((noreturn)) static void fail(int error, const char *what, const char *which)
{
    long report = (long)argument(REPORT, 10);
    call(__NR_write, report, (long)&error, sizeof error, 0, 0);
    call(__NR_write, report, (long)what, (long)length(what), 0, 0);
    if (which)
        call(__NR_write, report, (long)which, (long)length(which), 0, 0);
    leave(1);
}

static long must(long result, const char *what, const char *which)
{
    if (result < 0)
        fail((int)-result, what, which);
    return result;
}

/* As fail() and must(), in the child: the parent, which is the one with the descriptor, tells it. */
__attribute__((noreturn)) static void give_up(long error, const char *what, const char *which)
{
    failure = (int)error;
    tried = what;
    about = which;
    leave(1);
}

static void need(long result, const char *what)
{
    if (result < 0)
        give_up(-result, what, 0);
}

static void read_filter(void)
{
    if (!arguments[SECCOMP][0])
        return;
    long file = must(call(__NR_open, (long)arguments[SECCOMP], 02000000, 0, 0, 0), "opening ", arguments[SECCOMP]);
    unsigned long have = 0;
    long got;
    while (have < sizeof filter && (got = must(call(__NR_read, file, (long)((char *)filter + have), (long)(sizeof filter - have), 0, 0), "reading ", arguments[SECCOMP])) > 0)
        have += (unsigned long)got;
    rules.len = (unsigned short)(have / sizeof *filter);
    call(__NR_close, file, 0, 0, 0, 0);
}

static void set_out_of_memory_score(void)
{
    if (arguments[OOM_SCORE][0] == '0' && !arguments[OOM_SCORE][1])
        return;
    static const char file[] = "/proc/self/oom_score_adj";
    long fd = must(call(__NR_open, (long)file, OPEN_WRITE, 0, 0, 0), "opening ", file);
    must(call(__NR_write, fd, (long)arguments[OOM_SCORE], (long)length(arguments[OOM_SCORE]), 0, 0), "writing ", file);
    call(__NR_close, fd, 0, 0, 0, 0);
}

static void set_limits(void)
{
    const char *at = arguments[RLIMITS];
    while (*at) {
        unsigned long resource = number(&at, 10);
        unsigned long limit[2];
        limit[0] = number(&at, 10);
        limit[1] = number(&at, 10);
        need(call(__NR_prlimit64, 0, (long)resource, (long)limit, 0, 0), "setting a resource limit");
    }
}

static void set_groups(void)
{
    const char *at = arguments[GROUPS];
    long count = 0;
    while (*at && count < MAX_GROUPS)
        groups[count++] = (unsigned int)number(&at, 10);
    need(call(__NR_setgroups, count, (long)groups, 0, 0, 0), "setting the supplementary groups");
}

/* /dev/stdout is opened anew by name: so the pipes belong to the program's user. Devices and files keep their owner. */
static void give_pipes(unsigned long user, unsigned long group)
{
    for (long fd = 0; fd < 3; fd++) {
        struct statx status;
        if (call(__NR_statx, fd, (long)"", AT_EMPTY_PATH, STATX_TYPE, (long)&status) != 0 || (status.stx_mode & 0170000) != 0010000)
            continue;
        long result = call(__NR_fchown, fd, (long)user, (long)group, 0, 0);
        if (result < 0 && result != -INVALID && result != -NOT_PERMITTED && result != -READ_ONLY_FILES)
            need(result, "giving a pipe to the program's user");
    }
}

static void set_rights(unsigned long user, unsigned long group)
{
    unsigned long bounding = argument(BOUNDING, 16), ambient = argument(AMBIENT, 16);
    unsigned long effective = argument(EFFECTIVE, 16), permitted = argument(PERMITTED, 16), inheritable = argument(INHERITABLE, 16);
    for (long capability = 0; capability <= LAST_CAPABILITY; capability++) {
        if (bounding >> capability & 1)
            continue;
        long result = control(PR_CAPBSET_DROP, capability, 0);
        if (result == -INVALID)
            break; /* The kernel has no more of them. */
        need(result, "dropping a capability");
    }
    need(control(PR_SET_KEEPCAPS, 1, 0), "keeping capabilities");
    need(call(__NR_setresgid, (long)group, (long)group, (long)group, 0, 0), "setting the group");
    need(call(__NR_setresuid, (long)user, (long)user, (long)user, 0, 0), "setting the user");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(unsigned int)effective, (unsigned int)permitted, (unsigned int)inheritable},
        {(unsigned int)(effective >> 32), (unsigned int)(permitted >> 32), (unsigned int)(inheritable >> 32)},
    };
    need(call(__NR_capset, (long)&header, (long)data, 0, 0, 0), "setting the capabilities");
    need(control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0), "clearing the ambient capabilities");
    for (long capability = 0; capability <= LAST_CAPABILITY; capability++)
        if (ambient >> capability & 1) {
            long result = control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
            if (result != -INVALID && result != -NOT_PERMITTED)
                need(result, "raising an ambient capability");
        }
    if (arguments[NO_NEW_PRIVILEGES][0] == '1')
        need(control(PR_SET_NO_NEW_PRIVS, 1, 0), "forbidding new privileges");
}

static void set_filter(void)
{
    if (rules.len)
        need(call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, (long)&rules, 0, 0), "setting the seccomp filter");
}

/* 0 when a file could be executed, else the errno. */
static int look_at(void)
{
    long result = call(__NR_access, (long)path, EXECUTABLE, 0, 0, 0);
    struct statx status;
    if (result == 0)
        result = call(__NR_statx, AT_CWD, (long)path, 0, STATX_TYPE, (long)&status);
    if (result < 0)
        return (int)-result;
    return (status.stx_mode & 0170000) == 0100000 ? 0 : NOT_PERMITTED;
}

static int join(const char *folder, unsigned long bytes, const char *name)
{
    unsigned long rest = length(name);
    if (bytes + 1 + rest + 1 > sizeof path)
        return NAME_TOO_LONG;
    for (unsigned long i = 0; i < bytes; i++)
        path[i] = folder[i];
    path[bytes] = '/';
    for (unsigned long i = 0; i <= rest; i++)
        path[bytes + 1 + i] = name[i];
    return 0;
}

static const char *search_path(void)
{
    for (char **entry = environment; *entry; entry++) {
        const char *text = *entry;
        if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' && text[4] == '=')
            return text + 5;
    }
    return "";
}

/* Puts the program's file into path: a name without a slash is looked for in PATH. 0, or the errno. */
static int find(const char *name)
{
    int slash = 0;
    for (const char *at = name; *at; at++)
        slash |= *at == '/';
    if (slash) {
        const char *folder = arguments[FOLDER];
        int error = name[0] == '/' ? join("", 0, name + 1) : join(folder, length(folder), name);
        return error ? error : look_at();
    }
    int last = ENTRY_MISSING;
    for (const char *at = search_path();; at++) {
        unsigned long bytes = 0;
        while (at[bytes] && at[bytes] != ':')
            bytes++;
        int error = bytes ? join(at, bytes, name) : join(".", 1, name);
        if (!error && !(error = look_at()))
            return 0;
        if (error != ENTRY_MISSING)
            last = error;
        at += bytes;
        if (!*at)
            return last;
    }
}

__attribute__((noinline, noreturn)) static void become_program(void)
{
    const char *name = arguments[PROGRAM];
    unsigned long user = argument(USER, 10), group = argument(GROUP, 10);
    need(call(__NR_setns, (long)argument(PIDFD, 10), CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS, 0, 0, 0),
        "joining the container's namespaces");
    need(call(__NR_setsid, 0, 0, 0, 0, 0), "making a session");
    set_limits();
    /* A folder may be one that only root can enter, or one, of a network file system, that only the user can: both are tried. */
    long entered = call(__NR_chdir, (long)arguments[FOLDER], 0, 0, 0, 0);
    int missing = find(name);
    if (missing == ENTRY_MISSING)
        give_up(missing, "looking for the executable file ", name);
    need(call(__NR_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */, 0, 0), "closing descriptors");
    int confined = arguments[NO_NEW_PRIVILEGES][0] == '1';
    /* Without no_new_privs a filter takes CAP_SYS_ADMIN, so it comes before the rights go; else last, so that it must allow least. */
    if (!confined)
        set_filter();
    set_groups();
    give_pipes(user, group);
    set_rights(user, group);
    if (missing && (missing = find(name)))
        give_up(missing, "looking at the executable file ", name);
    if (entered < 0 && (entered = call(__NR_chdir, (long)arguments[FOLDER], 0, 0, 0, 0)) < 0)
        give_up(-entered, "chdir to ", arguments[FOLDER]);
    if (confined)
        set_filter();
    call(__NR_umask, 0022, 0, 0, 0, 0);
    long result = call(__NR_execve, (long)path, (long)&arguments[PROGRAM], (long)environment, 0, 0);
    give_up(-result, "exec ", path);
}

__attribute__((noinline, noreturn)) static void tell(long child)
{
    if (child < 0)
        fail((int)-child, "starting a process in the cgroup ", arguments[CGROUP]);
    if (failure) {
        call(__NR_wait4, child, 0, 0, 0, 0);
        fail(failure, tried, about);
    }
    int pid = (int)child;
    must(call(__NR_write, (long)argument(REPORT, 10), (long)&pid, sizeof pid, 0, 0), "telling the pid", 0);
    leave(0);
}

/* Children of one that ignores SIGCHLD are reaped by the kernel, wait(2). */
__attribute__((noreturn)) static void hold(void)
{
    static const struct {
        unsigned long handler, flags, restorer, mask;
    } action = {.handler = IGNORE};
    call(__NR_rt_sigaction, CHILD_SIGNAL, (long)&action, 0, SIGNAL_SET_BYTES, 0);
    for (;;)
        call(__NR_pause, 0, 0, 0, 0, 0);
}

__attribute__((noreturn, used)) void run(long count, char **values)
{
    static struct clone_args how = {.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP, .exit_signal = CHILD_SIGNAL};
    arguments = values;
    environment = values + count + 1;
    if (count == 2)
        hold();
    if (count <= PROGRAM)
        leave(2);
    /* Until the program begins, a process of the container must not look into this one, which has more rights than it. */
    must(control(PR_SET_DUMPABLE, 0, 0), "hiding from the container", 0);
    read_filter();
    set_out_of_memory_score();
    how.cgroup = (unsigned long)must(call(__NR_open, (long)arguments[CGROUP], OPEN_PATH_CLOEXEC, 0, 0, 0), "opening ", arguments[CGROUP]);
    must(call(__NR_setns, (long)argument(PIDFD, 10), CLONE_NEWPID, 0, 0, 0), "joining the container's PID namespace", 0);
    long child = call(__NR_clone3, (long)&how, sizeof how, 0, 0, 0);
    if (child == 0)
        become_program();
    tell(child);
}

/* The stack at the entry has argc first (System V ABI, x86-64); nothing may be pushed before it is read. */
__attribute__((naked, noreturn)) void _start(void) { __asm__("mov (%rsp), %rdi\n\tlea 8(%rsp), %rsi\n\tand $-16, %rsp\n\tcall run"); }
