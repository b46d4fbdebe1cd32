/* The clocks of a process as they are on a machine whose clock somebody sets, and which is suspended now and then: the
 * file named by CLOCK_SHIFT has two numbers, seconds added to the wall clock and to the one that counts since boot. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void shift(long *wall, long *boot) {
    const char *name = getenv("CLOCK_SHIFT");
    FILE *file = name ? fopen(name, "r") : NULL;
    *wall = *boot = 0;
    if (!file) return;
    if (fscanf(file, "%ld %ld", wall, boot) != 2) *wall = *boot = 0;
    fclose(file);
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    long wall, boot, failed = syscall(SYS_clock_gettime, clock, found);
    if (failed) return -1;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME) {
        shift(&wall, &boot);
        found->tv_sec += clock == CLOCK_BOOTTIME ? boot : wall;
    }
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}
