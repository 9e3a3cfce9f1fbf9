/* SPDX-License-Identifier: MIT */
/* deepbind.h - the hooks for libraries loaded with RTLD_DEEPBIND, which find libc's functions first
 */
#ifndef XBIND_DEEPBIND_H
#define XBIND_DEEPBIND_H

/* Points what has been loaded since the last call at the hooks, where it has found libc's functions
 */
void deepbind_follow(void);

#endif
