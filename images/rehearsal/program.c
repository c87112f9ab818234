/* The only program of the rehearsal image, without a C library: the less it is itself, the more of what runs is what every pod needs.
 *
 *   program          reads a block of /data, writes a line, and then waits for ever, as a container's first process does
 *   program ARGUMENT writes a line and ends, as a command run in a container does
 */
#define READ 0
#define WRITE 1
#define OPEN 2
#define PAUSE 34
#define EXIT_GROUP 231

static char block[256 * 1024];

static long call(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
    return result;
}

/* The stack at the entry has argc first (System V ABI, x86-64); nothing may be pushed before it is read. */
__attribute__((naked, noreturn)) void _start(void) { __asm__("mov (%rsp), %rdi\n\tand $-16, %rsp\n\tcall run"); }

__attribute__((noreturn, used)) void run(long argc)
{
    if (argc == 1) {
        long data = call(OPEN, (long)"/data", 0, 0);
        if (data >= 0)
            call(READ, data, (long)block, sizeof block);
    }
    call(WRITE, 1, (long)"ready\n", 6);
    while (argc == 1)
        call(PAUSE, 0, 0, 0);
    call(EXIT_GROUP, 0, 0, 0);
    __builtin_unreachable();
}
