/*
 * machine: what PID 1 of a machine does beside reaping. Nothing here ends the program: what fails
 * is logged.
 */
#ifndef COPPICE_REAPER_MACHINE_H
#define COPPICE_REAPER_MACHINE_H

#include "wire/link.h"

/* Mounts /proc where it is missing, which link_mode needs; for any PID 1. */
void machine_mount_proc(void);
/*
 * Mounts /sys, /dev, /run and cgroup2 where missing, opens the console where the kernel could not,
 * takes over ctrl-alt-del.
 */
void machine_prepare(void);
/* Kills what is left, makes the disks' file systems read-only, and leaves by reboot(2). */
_Noreturn void machine_leave(enum link_leave_how how);

#endif
